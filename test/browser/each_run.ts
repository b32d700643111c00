// Runs once before the ring and once behind it: the Chrome that its files share.
import type { TestProject } from "vitest/node";
import { startChrome } from "./chrome.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where the shared Chrome listens. */
    chrome: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const browser = await startChrome();
  project.provide("chrome", browser.wsEndpoint());
  return () => browser.close();
}
