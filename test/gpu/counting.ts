// A device whose calls are counted, for tests; the counting itself is the benchmark's.
import { type Counting, countCalls } from "../../bench/counting.ts";
import { freshDevice } from "./setup.ts";

export type { Counts } from "../../bench/counting.ts";

export interface CountingDevice extends Counting {
  readonly device: GPUDevice;
}

export async function countingDevice(): Promise<CountingDevice> {
  const device = await freshDevice();
  return { device, ...countCalls(device) };
}
