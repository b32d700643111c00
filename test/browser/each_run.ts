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
  // Without the clamps that Dawn puts around every index, which take a quarter of the time. What is started for one test has them.
  const withoutClamps = project.name === "browser" ? ["--enable-dawn-features=disable_robustness"] : [];
  const browser = await startChrome(true, withoutClamps);
  project.provide("chrome", browser.wsEndpoint());
  return () => browser.close();
}
