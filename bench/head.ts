// The head of a result, in a page and in Node alike: the adapter, place and time of the run, the precision of timestamps.
import { benchAdapter, benchTimestamps } from "./device.ts";
import type { Result } from "./suite.ts";

/** A result without the findings of the run. */
export type ResultHead = Omit<Result, "rows" | "incomplete">;

/** @throws DeviceError if there is no WebGPU or no adapter. */
export async function resultHead(browser: string, quick = false): Promise<ResultHead> {
  const date = new Date().toISOString();
  const [adapter, timestamps] = [await benchAdapter(), await benchTimestamps()];
  return { format: "fallline-bench/1", adapter, browser, date, quick, timestamps };
}
