// What a result begins with, in a page and in Node alike: the adapter, where and when it runs, what timestamps are worth.
import { benchAdapter, benchTimestamps } from "./device.ts";
import type { Result } from "./suite.ts";

/** A result without what the run finds. */
export type ResultHead = Omit<Result, "rows" | "incomplete">;

/** @throws DeviceError where there is no WebGPU or no adapter. */
export async function resultHead(browser: string, quick = false): Promise<ResultHead> {
  const date = new Date().toISOString();
  const [adapter, timestamps] = [await benchAdapter(), await benchTimestamps()];
  return { format: "fallline-bench/1", adapter, browser, date, quick, timestamps };
}
