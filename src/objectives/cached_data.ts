// A data set on the GPU, uploaded once: the two dispatches that read it, which gather a batch's rows and take its loss.

import { allocate, bytesOf } from "../engines/gpu/allocate.ts";
import { grid, requireBuffer } from "../engines/gpu/device.ts";
import { compileKernel, type Dispatch } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import type { Operand } from "../engines/products/product.ts";
import type { Dataset } from "./data/dataset.ts";
import { optionOf, targetsOf } from "./loss.ts";
import type { Model } from "./model.ts";
import { gatherSource, lossSources } from "./sources.ts";
import { createSizes, lanes, replicaConstants } from "./tensors_gpu.ts";

export interface CachedData {
  readonly buffers: readonly GPUBuffer[];
  /** What a batch needs of the data set. */
  feed(
    batch: GPUBufferBinding,
    inputs: Operand,
    outputs: Operand,
    outcomes: GPUBuffer,
  ): { readonly gather: Dispatch; readonly loss: Dispatch };
}

/**
 * Uploads a data set that fits the model, for batches of at most `capacity` rows at once. The caller destroys its buffers.
 *
 * @throws DataError for targets out of the loss's range, DeviceError when the device cannot hold it.
 */
export async function loadData(
  optimizer: GpuOptimizer,
  { config, inputSteps, outputs: width }: Model,
  data: Dataset,
  capacity: number,
): Promise<CachedData> {
  const { device, replicas, control } = optimizer;
  const { inputs: bytes, weights, features, name, labels, scale } = data;
  const { loss } = config;
  const answers =
    loss.type === "softmaxCrossEntropy" && labels ? Uint32Array.from(labels) : targetsOf(loss, width, data);
  requireBuffer(device, Math.ceil(bytes.byteLength / 4) * 4, name);
  const [gatherKernel, lossKernel] = await Promise.all([
    compileKernel(device, gatherSource, ["read", "read", "write", "uniform"], {}),
    compileKernel(
      device,
      lossSources[loss.type],
      ["read", "read", "read", "write", "write", "read", "uniform"],
      replicaConstants(optimizer),
    ),
  ]);
  const { made, buffers } = await allocate(device, name, (create) => {
    const answersBuffer = create(`${name} answers`, answers.byteLength, bytesOf(answers));
    return {
      inputs: create(`${name} inputs`, bytes.byteLength, bytesOf(bytes)),
      answers: answersBuffer,
      // Where there are none, none are read.
      weights: weights ? create(`${name} weights`, weights.byteLength, bytesOf(weights)) : answersBuffer,
      gatherSizes: createSizes(create, [features, capacity, inputSteps, Number(bytes instanceof Uint8Array)], [scale]),
      lossSizes: createSizes(
        create,
        [width, capacity, Number(weights !== undefined), optimizer.controlIndex("lossScale")],
        [optionOf(loss)],
      ),
    };
  });
  return {
    buffers,
    feed: (batch, inputs, outputs, outcomes) => ({
      gather: {
        pipeline: gatherKernel.pipeline,
        bindGroup: gatherKernel.bind([batch, made.inputs, inputs, made.gatherSizes]),
        workgroups: grid(device, Math.ceil((capacity * Math.ceil(features / 4)) / lanes)),
      },
      loss: {
        pipeline: lossKernel.pipeline,
        bindGroup: lossKernel.bind([batch, made.answers, made.weights, outputs, outcomes, control, made.lossSizes]),
        workgroups: [...grid(device, Math.ceil(capacity / lanes)), replicas],
      },
    }),
  };
}
