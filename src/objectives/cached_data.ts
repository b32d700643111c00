// A data set on the GPU, uploaded once: the two dispatches that read it, which gather a batch's rows and judge their outputs.

import { allocate, bytesOf } from "../engines/gpu/allocate.ts";
import { grid, requireBuffer } from "../engines/gpu/device.ts";
import { compileKernel, type Dispatch } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import type { JudgedBuffers } from "./criterion.ts";
import type { Dataset } from "./data/dataset.ts";
import type { Model } from "./model.ts";
import { gatherSource } from "./sources.ts";
import { createSizes, lanes } from "./tensors_gpu.ts";

export interface CachedData {
  readonly buffers: readonly GPUBuffer[];
  /** What a batch needs of the data set. */
  feed(buffers: JudgedBuffers): { readonly gather: Dispatch; readonly loss: Dispatch };
}

/**
 * Uploads a data set that fits the model, for batches of at most `capacity` rows at once. The caller destroys its buffers.
 *
 * @throws DataError for targets out of the loss's range, DeviceError when the device cannot hold it.
 */
export async function loadData(
  optimizer: GpuOptimizer,
  { criterion, inputSteps }: Model,
  data: Dataset,
  capacity: number,
): Promise<CachedData> {
  const { device } = optimizer;
  const { inputs: bytes, features, name, scale } = data;
  requireBuffer(device, Math.ceil(bytes.byteLength / 4) * 4, name);
  const [gather, buildJudge] = await Promise.all([
    compileKernel(device, gatherSource, ["read", "read", "write", "uniform"], {}),
    criterion.compile(optimizer, data, capacity),
  ]);
  const { made, buffers } = await allocate(device, name, (create) => ({
    inputs: create(`${name} inputs`, bytes.byteLength, bytesOf(bytes)),
    sizes: createSizes(create, [features, capacity, inputSteps, Number(bytes instanceof Uint8Array)], [scale]),
    judge: buildJudge(create),
  }));
  return {
    buffers,
    feed: (judged) => ({
      gather: {
        pipeline: gather.pipeline,
        bindGroup: gather.bind([judged.batch, made.inputs, judged.inputs, made.sizes]),
        workgroups: grid(device, Math.ceil((capacity * Math.ceil(features / 4)) / lanes)),
      },
      loss: made.judge(judged),
    }),
  };
}
