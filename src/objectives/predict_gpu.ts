// A model's outputs for rows without answers on the GPU: gather and the layers forward, in batches whose inputs are written as
// they are needed, so that there may be more rows than a buffer holds; outputs come back while later batches already run.

import { DeviceError } from "../base/errors.ts";
import { allocate, bytesOf } from "../engines/gpu/allocate.ts";
import { encodeDispatches } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import { ReadbackPool } from "../engines/gpu/readback.ts";
import { compileGather, createGatherSizes, gatherDispatch } from "./cached_data.ts";
import { rowCapacity, rowsAtOnce } from "./memory.ts";
import type { Model } from "./model.ts";
import { createPass, encodeSteps } from "./model_gpu.ts";
import { createPipeline } from "./pipeline.ts";
import { type InputRows, rowsPerPass } from "./predict_cpu.ts";

/**
 * The outputs of every row, in order, `model.outputs` numbers each; nothing is dropped.
 *
 * @param optimizer Holds the model's tensors, in one replica.
 * @throws DeviceError where the device cannot hold a single row, is lost or refuses the work.
 */
export async function outputsOnGpu(optimizer: GpuOptimizer, model: Model, data: InputRows): Promise<Float32Array> {
  const { device } = optimizer;
  const { features, inputs } = data;
  const { outputs: width } = model;
  const atOnce = rowsAtOnce(device.limits, model.program.memory, Math.min(data.count, rowsPerPass), 1);
  if (atOnce === 0) throw new DeviceError(`${model.title} is larger than one buffer of this device`);
  const capacity = rowCapacity(model.program.memory, atOnce);
  const rowBytes = features * inputs.BYTES_PER_ELEMENT;
  const gather = await compileGather(device);
  const created: GPUBuffer[] = [];
  const pool = new ReadbackPool(device, 4 * atOnce * width, "predictions");
  try {
    const { made, buffers } = await allocate(device, `a batch of ${atOnce} rows`, (create) => {
      const batch = { buffer: create("batch", 4 * (2 + capacity)) };
      const { inputs: into, pass } = createPass(optimizer, model, capacity, create);
      const given = create("rows", rowBytes * atOnce);
      const sizes = createGatherSizes(create, data, model, capacity);
      const dispatch = gatherDispatch(device, gather, { batch, inputs: into, data: given, sizes }, features, capacity);
      return { batch, pass, given, gather: dispatch };
    });
    created.push(...buffers);
    const { batch, pass, given } = made;
    const forward = await encodeSteps(optimizer, batch, pass.forward(false), (buffer) => created.push(buffer));
    const found = new Float32Array(data.count * width);
    const submit = async (from: number, count: number): Promise<readonly [number, Float32Array]> => {
      const rows = inputs.subarray(from * features, (from + count) * features);
      const bytes = await pool.submit(
        (encoder, into) => {
          device.queue.writeBuffer(batch.buffer, 0, headerOf(count));
          device.queue.writeBuffer(given, 0, wholeWords(bytesOf(rows)));
          const work = encoder.beginComputePass({ label: "fallline predict" });
          encodeDispatches(work, [made.gather, ...forward]);
          work.end();
          encoder.copyBufferToBuffer(pass.outputs.buffer, pass.outputs.offset ?? 0, into, 0, 4 * count * width);
        },
        (mapped) => mapped.slice(0, 4 * count * width),
      );
      return [from, new Float32Array(bytes)];
    };
    const pipeline = createPipeline(([from, outputs]: readonly [number, Float32Array]) => {
      found.set(outputs, from * width);
    });
    try {
      for (let from = 0; from < data.count; from += atOnce) {
        await pipeline.start(() => submit(from, Math.min(atOnce, data.count - from)));
      }
      await pipeline.drain();
    } finally {
      await pipeline.close();
    }
    return found;
  } finally {
    pool.destroy();
    for (const buffer of created) buffer.destroy();
  }
}

/** The header of a batch of the first rows: how many, an unused weight, and their numbers. */
function headerOf(count: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: 2 + count }, (_, i) => (i < 2 ? [count, 0][i]! : i - 2));
}

/** Padded, since writes are of whole words. */
function wholeWords(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  return padded;
}
