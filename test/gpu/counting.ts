// Devices whose calls are counted, for tests; the counting itself is the benchmark's.

import { type Counting, countCalls } from "../../bench/counting.ts";
import { keep } from "../../scripts/webgpu.mjs";
import { note } from "../../src/engines/products/probes.ts";
import { memoryProbes } from "../../src/engines/products/variants.ts";
import { atEndOfFile, device, openNull } from "./setup.ts";

export type { Counts } from "../../bench/counting.ts";

export interface CountingDevice extends Counting {
  readonly device: GPUDevice;
}

let shared: CountingDevice | undefined;

/** The device that all files share, counted until the file's tests end: kernels that were compiled before are found again. */
export function countingDevice(): CountingDevice {
  if (!shared) {
    const counting = countCalls(device);
    shared = { device, ...counting };
    atEndOfFile(() => {
      counting.stop();
      shared = undefined;
    });
  }
  return shared;
}

/**
 * A device that checks what it is given as any other does and runs none of it, so that a kernel costs a twentieth: for what is
 * counted of encoding. It has no features, and nothing can be read of it.
 */
export async function nullDevice(): Promise<CountingDevice> {
  const adapter = await (await openNull()).requestAdapter();
  const idle = await adapter!.requestDevice();
  keep(adapter, idle);
  // It would run no probe.
  for (const { probe } of memoryProbes) note(idle, probe, true);
  return { device: idle, ...countCalls(idle) };
}
