// The benchmark's device for all engines without their own: one for all cases, so that kernels are compiled once; with timestamps
// if offered, and replaced after a loss.
import { type AdapterDescription, describeAdapter, requestDevice } from "../src/engines/gpu/device.ts";
import type { Runner, Timestamps } from "./suite.ts";

let current: Promise<GPUDevice> | undefined;

/** @throws DeviceError if there is no WebGPU or no adapter. */
export function benchDevice(): Promise<GPUDevice> {
  current ??= make();
  return current;
}

async function make(): Promise<GPUDevice> {
  try {
    const device = await requestDevice(undefined, ["timestamp-query"]);
    device.lost.then(() => {
      current = undefined;
    });
    return device;
  } catch (error) {
    current = undefined;
    throw error;
  }
}

export async function benchAdapter(): Promise<AdapterDescription> {
  return describeAdapter((await benchDevice()).adapterInfo);
}

/** One pass in a submission of its own. */
export function submitPass(device: GPUDevice, encode: (pass: GPUComputePassEncoder) => void): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

/** The start and end of a pass by the device's timestamps, which it must offer, in ns. */
async function timePass(
  device: GPUDevice,
  encode: (pass: GPUComputePassEncoder) => void,
): Promise<{ readonly begin: bigint; readonly end: bigint }> {
  const queries = device.createQuerySet({ type: "timestamp", count: 2 });
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  const resolved = device.createBuffer({ size: 16, usage });
  const read = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  try {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass({
      timestampWrites: { querySet: queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    });
    encode(pass);
    pass.end();
    encoder.resolveQuerySet(queries, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, read, 0, 16);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(GPUMapMode.READ);
    const [begin = 0n, end = 0n] = new BigInt64Array(read.getMappedRange());
    return { begin, end };
  } finally {
    queries.destroy();
    resolved.destroy();
    read.destroy();
  }
}

/** A runner's `gpuTime`, for steps that `encode` puts into a pass; nothing if the device offers no timestamps. */
export function gpuTimeOf(device: GPUDevice, encode: (pass: GPUComputePassEncoder) => void): Pick<Runner, "gpuTime"> {
  if (!device.features.has("timestamp-query")) return {};
  return {
    async gpuTime(steps) {
      const { begin, end } = await timePass(device, (pass) => {
        for (let i = 0; i < steps; i++) encode(pass);
      });
      return Number(end - begin) / 1e6 / steps;
    },
  };
}

/** The device of a runner, and its wait. */
export const runnerOn = (device: GPUDevice) => ({ device, wait: () => device.queue.onSubmittedWorkDone() });

/** The same with the step, where that is one pass. */
export const passRunner = (device: GPUDevice, encode: (pass: GPUComputePassEncoder) => void) => ({
  ...runnerOn(device),
  step: () => submitPass(device, encode),
  ...gpuTimeOf(device, encode),
});

/** The rounding of the timestamps, found from those of a few passes: all are multiples of it. */
export async function benchTimestamps(): Promise<Timestamps | null> {
  const device = await benchDevice();
  if (!device.features.has("timestamp-query")) return null;
  let quantum = 0n;
  for (let i = 0; i < 8; i++) {
    const { begin, end } = await timePass(device, () => undefined);
    quantum = commonDivisor(commonDivisor(quantum, begin), end);
  }
  // Timestamps that are all zero are none.
  return quantum === 0n ? null : { quantumMs: Number(quantum) / 1e6 };
}

function commonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : commonDivisor(b, a % b);
}
