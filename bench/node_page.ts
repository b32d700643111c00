// The benchmark's cases in Node, on Dawn (npm `webgpu`), in place of a page: the same cases, the same peers. Vite loads it
// (dawn.ts), and finds the peers' files as for a page.
import { createRequire } from "node:module";
import { openWebGPU } from "../scripts/webgpu.mjs";
import { DeviceError } from "../src/base/errors.ts";
import { chosen } from "./cases.ts";
import { type ResultHead, resultHead } from "./head.ts";
import type { PageOptions } from "./main.ts";
import { runCases } from "./run_cases.ts";
import type { Row, SuiteOptions } from "./suite.ts";

/**
 * Provides WebGPU as in a page.
 *
 * @throws DeviceError if Dawn finds no adapter, with what to install.
 */
export async function describeBench({ quick }: PageOptions): Promise<ResultHead> {
  const opened = await openWebGPU();
  if ("reason" in opened) throw new DeviceError(`the benchmark cannot run in Node: ${opened.reason}`);
  const userAgent = `Node.js/${process.versions.node}`;
  // Peers read the agent and the platform; TensorFlow.js calls `require` wherever it finds Node.
  const navigator = { gpu: opened.gpu, userAgent, platform: process.platform };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  Object.defineProperty(globalThis, "require", { value: createRequire(import.meta.url), configurable: true });
  return resultHead(`Node ${process.versions.node} (Dawn)`, quick);
}

/** Rows of the chosen cases; those of finished ones are in `onProgress`. @throws the signal's reason when it is aborted. */
export function runBench(
  options: PageOptions,
  { signal, onProgress }: Pick<SuiteOptions, "signal" | "onProgress">,
): Promise<readonly Row[]> {
  const { quick = false, rounds } = options;
  return runCases(chosen(options).page, {
    quick,
    ...(rounds !== undefined && { rounds }),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
}
