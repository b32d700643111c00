// The WebGPU device that all test files share, in Node: what one has compiled the next one finds again. Where there is no
// WebGPU the ring fails: it never passes by skipping.
import { keep, openWebGPU } from "../../scripts/webgpu.mjs";
import { requestDevice } from "../../src/engines/gpu/device.ts";

// Without the clamps that Dawn puts around every index, and without its guards around integer divisions: kernels compile in 0.7
// of the time, and one that reads out of bounds or divides by 0 is not hidden. Programs, examples and the browser's tests run
// with them.
const flags = ["disable_robustness", "disable_polyfills_on_integer_div_and_mod"];
const opened = await openWebGPU([`enable-dawn-features=${flags.join()}`]);
if ("reason" in opened) throw new Error(`the gpu tests need WebGPU: ${opened.reason}`);

export const gpu = opened.gpu;
export const device = await requestDevice(gpu);
keep(device);

const uncaptured: string[] = [];
device.addEventListener("uncapturederror", (event) =>
  uncaptured.push((event as GPUUncapturedErrorEvent).error.message),
);

/** The errors since it was last asked that nobody caught, once what was submitted is done. */
export async function uncapturedErrors(): Promise<readonly string[]> {
  await device.queue.onSubmittedWorkDone();
  return uncaptured.splice(0);
}

/** WebGPU of Dawn's null backend, which has every feature and runs nothing. */
export async function openNull(): Promise<GPU> {
  const { create } = await import("webgpu");
  const idle = create(["backend=null"]);
  keep(idle, await idle.requestAdapter());
  return idle;
}

const fresh: GPUDevice[] = [];

/** Another device, for tests that lose or change one; it lives as long as the file's tests. */
export async function freshDevice(): Promise<GPUDevice> {
  const made = await requestDevice(gpu);
  keep(made);
  fresh.push(made);
  return made;
}

const undone: (() => void)[] = [];

/** Calls `undo` once the file's tests have ended. */
export function atEndOfFile(undo: () => void): void {
  undone.push(undo);
}

/** Ends what a file has asked for. */
export function endFile(): void {
  for (const undo of undone.splice(0)) undo();
  for (const made of fresh.splice(0)) made.destroy();
}
