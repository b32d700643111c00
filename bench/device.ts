// The device on which the benchmark runs all engines but those that bring their own: one for all cases, so that kernels are
// compiled once, with timestamps where they are offered, and made anew after a loss.
import { type AdapterDescription, describeAdapter, requestDevice } from "../src/index.ts";
import type { Runner, Timestamps } from "./suite.ts";

let current: Promise<GPUDevice> | undefined;

/** @throws DeviceError where there is no WebGPU or no adapter. */
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

/** Firefox asks for finished work only every 100 ms, and whenever something is submitted. */
const asksSeldom = globalThis.navigator?.userAgent?.includes("Firefox/") ?? false;

/**
 * What `work` gives. Where the browser asks the device seldom, empty submissions make it ask while `work` waits, so that what
 * is timed is the work; they pass by what counts the device's calls.
 */
export async function nudged<T>(device: GPUDevice | undefined, work: Promise<T>): Promise<T> {
  if (!device || !asksSeldom) return work;
  let settled = false;
  const settle = () => {
    settled = true;
  };
  work.then(settle, settle);
  while (!settled) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    GPUQueue.prototype.submit.call(device.queue, []);
  }
  return work;
}

/** One pass in a submission of its own. */
export function submitPass(device: GPUDevice, encode: (pass: GPUComputePassEncoder) => void): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

/** Milliseconds between the begin and the end of a pass by the device's timestamps, which it must offer. */
async function timePass(device: GPUDevice, encode: (pass: GPUComputePassEncoder) => void): Promise<number> {
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
    return Number(end - begin) / 1e6;
  } finally {
    queries.destroy();
    resolved.destroy();
    read.destroy();
  }
}

/** A runner's `gpuTime`, of steps that `encode` puts into a pass: nothing where the device offers no timestamps. */
export function gpuTimeOf(device: GPUDevice, encode: (pass: GPUComputePassEncoder) => void): Pick<Runner, "gpuTime"> {
  if (!device.features.has("timestamp-query")) return {};
  return {
    async gpuTime(steps) {
      const ms = await timePass(device, (pass) => {
        for (let i = 0; i < steps; i++) encode(pass);
      });
      return ms / steps;
    },
  };
}

/** What the timestamps are rounded to, told from a few passes. */
export async function benchTimestamps(): Promise<Timestamps | null> {
  const device = await benchDevice();
  if (!device.features.has("timestamp-query")) return null;
  let quantum = 0;
  for (let i = 0; i < 8; i++) {
    const ms = await timePass(device, () => undefined);
    quantum = commonDivisor(quantum, Math.round(ms * 1e6));
  }
  return { quantumMs: quantum / 1e6 };
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
