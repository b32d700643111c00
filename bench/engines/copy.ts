// The time of the device's own copies for the same bytes: half of them read, half of them written.
import { allocate } from "../../src/engines/gpu/allocate.ts";
import { benchDevice, runnerOn } from "../device.ts";
import type { Runner } from "../suite.ts";
import { stepBytesOf, streamBytesOf, type UpdateWork } from "../update.ts";

/** The most bytes of each of the two buffers; larger amounts are moved piece by piece. */
const mostBytes = 2 ** 28;

/** For an update: the bytes that our step moves. */
export const update = (work: UpdateWork) => copy(stepBytesOf(work) ?? streamBytesOf(work));

/** For the gradient's norm: the gradient once. */
export const norm = (work: UpdateWork) => copy(4 * work.n);

async function copy(bytes: number): Promise<Runner> {
  const device = await benchDevice();
  const half = 4 * Math.ceil(bytes / 8);
  const size = Math.min(half, mostBytes);
  const { made, buffers } = await allocate(device, `copies of ${size} bytes`, (create) => ({
    from: create("source", size),
    to: create("target", size),
  }));
  // Pages never written to may all be the same one, which would be read from a cache.
  const written = new Uint8Array(Math.min(size, 2 ** 24)).fill(1);
  for (let at = 0; at < size; at += written.length) {
    device.queue.writeBuffer(made.from, at, written, 0, Math.min(written.length, size - at));
  }
  return {
    ...runnerOn(device),
    bytes: 2 * half,
    step() {
      const encoder = device.createCommandEncoder();
      for (let at = 0; at < half; at += size) {
        encoder.copyBufferToBuffer(made.from, 0, made.to, 0, Math.min(size, half - at));
      }
      device.queue.submit([encoder.finish()]);
    },
    destroy() {
      for (const buffer of buffers) buffer.destroy();
    },
  };
}
