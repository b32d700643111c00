// One WebGPU device per test file, in Node, whose errors fail the tests that caused them. Where there is no WebGPU the
// ring fails: it never passes by skipping.
import { afterEach, expect } from "vitest";
import { keep, openWebGPU } from "../../scripts/webgpu.mjs";
import { requestDevice } from "../../src/gpu/device.ts";

const opened = await openWebGPU();
if ("reason" in opened) throw new Error(`the gpu tests need WebGPU: ${opened.reason}`);

export const gpu = opened.gpu;
export const device = await freshDevice();

const uncaptured: string[] = [];
device.addEventListener("uncapturederror", (event) =>
  uncaptured.push((event as GPUUncapturedErrorEvent).error.message),
);

afterEach(async () => {
  await device.queue.onSubmittedWorkDone();
  expect(uncaptured.splice(0)).toEqual([]);
});

/** Another device, for tests that lose or count one. */
export async function freshDevice(): Promise<GPUDevice> {
  const made = await requestDevice(gpu);
  keep(made);
  return made;
}
