// The least time of a readback: one copy into a reused buffer, and mapping it.
import { allocate } from "../../src/engines/gpu/allocate.ts";
import { controlRecord } from "../../src/engines/gpu/control.ts";
import { benchDevice } from "../device.ts";
import { reading, type Wanted } from "../readings.ts";
import type { Runner } from "../suite.ts";
import { normOf, type UpdateWork, upload } from "../update.ts";

export async function read(work: UpdateWork, wanted: Wanted): Promise<Runner> {
  const device = await benchDevice();
  // As many as in our control record.
  const words = wanted === "stats" ? controlRecord.bytes / 4 : work.n;
  const { made: source, buffers } = await allocate(device, `${words} numbers`, (create) => create("source", 4 * words));
  if (wanted === "stats") device.queue.writeBuffer(source, 0, Float32Array.of(normOf(work)));
  else upload(work, "params", 0, { buffer: source }, device);
  const target = device.createBuffer({ size: 4 * words, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const reader = async () => {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, target, 0, 4 * words);
    device.queue.submit([encoder.finish()]);
    await target.mapAsync(GPUMapMode.READ);
    const values = new Float32Array(target.getMappedRange().slice(0));
    target.unmap();
    return wanted === "stats" ? values.subarray(0, 1) : values;
  };
  return {
    device,
    ...reading(wanted, async () => reader),
    destroy() {
      for (const buffer of [...buffers, target]) buffer.destroy();
    },
  };
}
