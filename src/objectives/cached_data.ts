// A data set on the GPU, uploaded once: the two dispatches that read it, which gather a batch's rows and judge their outputs.

import { allocate, bytesOf, type CreateBuffer } from "../engines/gpu/allocate.ts";
import { grid, requireBuffer } from "../engines/gpu/device.ts";
import { compileKernel, type Dispatch, type Kernel } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import type { JudgedBuffers } from "./criterion.ts";
import type { Dataset } from "./data/dataset.ts";
import type { Model } from "./model.ts";
import { gatherSource } from "./sources.ts";
import { createSizes, lanes } from "./tensors_gpu.ts";

export interface CachedData {
  readonly buffers: readonly GPUBuffer[];
  /** The dispatches that read the data set for a batch. */
  feed(buffers: JudgedBuffers): { readonly gather: Dispatch; readonly loss: Dispatch };
}

/**
 * Uploads a data set that fits the model, for batches of at most `capacity` rows at once. The caller destroys its buffers.
 *
 * @throws DataError for targets out of the loss's range, DeviceError if the device cannot hold it.
 */
export async function loadData(
  optimizer: GpuOptimizer,
  model: Model,
  data: Dataset,
  capacity: number,
): Promise<CachedData> {
  const { device } = optimizer;
  const { inputs: bytes, features, name } = data;
  requireBuffer(device, Math.ceil(bytes.byteLength / 4) * 4, name);
  const [gather, buildJudge] = await Promise.all([
    compileGather(device),
    model.criterion.compile(optimizer, data, capacity),
  ]);
  const { made, buffers } = await allocate(device, name, (create) => ({
    inputs: create(`${name} inputs`, bytes.byteLength, bytesOf(bytes)),
    sizes: createGatherSizes(create, data, model, capacity),
    judge: buildJudge(create),
  }));
  return {
    buffers,
    feed: (judged) => ({
      gather: gatherDispatch(device, gather, { ...judged, data: made.inputs, sizes: made.sizes }, features, capacity),
      loss: made.judge(judged),
    }),
  };
}

/** The kernel that gathers rows. */
export const compileGather = (device: GPUDevice) =>
  compileKernel(device, gatherSource, ["read", "read", "write", "uniform"], {});

/** The sizes that the kernel takes. */
export function createGatherSizes(
  create: CreateBuffer,
  { inputs, features, scale }: Pick<Dataset, "inputs" | "features" | "scale">,
  { inputSteps }: Model,
  capacity: number,
): GPUBuffer {
  return createSizes(create, [features, capacity, inputSteps, Number(inputs instanceof Uint8Array)], [scale]);
}

/** Gathers the batch's rows of `data` into `inputs`, which has room for `capacity` of them. */
export function gatherDispatch(
  device: GPUDevice,
  { pipeline, bind }: Kernel,
  buffers: Pick<JudgedBuffers, "batch" | "inputs"> & { readonly data: GPUBuffer; readonly sizes: GPUBuffer },
  features: number,
  capacity: number,
): Dispatch {
  return {
    pipeline,
    bindGroup: bind([buffers.batch, buffers.data, buffers.inputs, buffers.sizes]),
    workgroups: grid(device, Math.ceil((capacity * Math.ceil(features / 4)) / lanes)),
  };
}
