// A custom objective on the GPU: its losses, their total, its gradient and, where few parameters share the rows among themselves,
// the sum of those shares; four dispatches at most, whatever the batch. Rows are read straight from the data set.

import { allocate, bytesOf, type CreateBuffer } from "../engines/gpu/allocate.ts";
import { grid, isSoftware, requireLimit } from "../engines/gpu/device.ts";
import { compileKernel, type Dispatch } from "../engines/gpu/kernel.ts";
import { joinConstants } from "../engines/gpu/kernel_shapes.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import type { Segment } from "../optimizer/arena.ts";
import { countParams, customSnippets, type FittedCustom, titleOf } from "./custom.ts";
import type { Dataset } from "./data/dataset.ts";
import { type GpuProgram, type GpuRows, totalBytes } from "./program.ts";
import { customSources } from "./sources.ts";
import { compileTotal, createSizes, lanes, replicaConstants } from "./tensors_gpu.ts";

/** The fewest rows that an invocation of the gradient takes. */
const leastRows = 4;

/**
 * Makes everything of a custom objective for one optimizer, and uploads its data once.
 *
 * @throws DeviceError if the WGSL does not compile (with the line its author wrote) or the device is too small.
 */
export async function bindCustomToGpu(
  optimizer: GpuOptimizer,
  objective: FittedCustom,
  tensors: readonly Segment[],
  data: Dataset,
  batch: number,
): Promise<GpuProgram> {
  const { device } = optimizer;
  requireLimit(device, "maxStorageBuffersPerShaderStage", 8, titleOf(objective));
  const kernels = await compileKernels(optimizer, objective, tensors);
  const { made, buffers } = await allocate(device, `${titleOf(objective)} in batches of ${batch}`, (create) => {
    const shared = createShared(optimizer, countParams(tensors), batch, create);
    const uploaded = uploadCustom(data, batch, shared.slices, create);
    return { shared, steps: dispatches(optimizer, kernels, shared, uploaded, shared.rows.buffer) };
  });
  const { shared, steps } = made;
  return {
    buffers,
    rows: shared.rows,
    microBatches: [[...steps.losses, ...steps.gradient]],
    after: [],
    totals: shared.totals,
    hasPenalty: false,
    examples: 1,
    async evaluation(of) {
      const { made: losses, buffers: uploads } = await allocate(device, of!.name, (create) => {
        const uploaded = uploadCustom(of!, batch, shared.slices, create);
        return dispatches(optimizer, kernels, shared, uploaded, shared.rows.evaluated).losses;
      });
      return { dispatches: losses, buffers: uploads };
    },
  };
}

type Kernels = Awaited<ReturnType<typeof compileKernels>>;

async function compileKernels(optimizer: GpuOptimizer, objective: FittedCustom, tensors: readonly Segment[]) {
  const { device } = optimizer;
  const sources = customSources(titleOf(objective), customSnippets(objective, tensors, optimizer.segments));
  const count = countParams(tensors);
  const replicas = replicaConstants(optimizer);
  const scaled = { ...replicas, loss_scale_index: optimizer.controlIndex("lossScale") };
  const data = ["read", "read", "uniform", "read", "read", "read", "read", "write"] as const;
  const [loss, total, gradient, join] = await Promise.all([
    compileKernel(device, sources.loss, data, replicas),
    compileTotal(optimizer),
    compileKernel(device, sources.gradient, data, scaled),
    // If even large batches are not shared, there is nothing to join.
    slicesOf(device, count, Number.POSITIVE_INFINITY) > 1
      ? compileKernel(device, sources.join, ["read", "read", "read", "write", "uniform"], {
          ...scaled,
          ...joinConstants(device),
        })
      : undefined,
  ]);
  return { loss, total, gradient, join };
}

/** How many invocations share the rows of a batch for one parameter: as many as keep the device busy. */
function slicesOf(device: GPUDevice, params: number, batch: number): number {
  const wanted = isSoftware(device) ? 256 : 65_536;
  return Math.max(1, Math.min(Math.ceil(batch / leastRows), Math.floor(wanted / params)));
}

/** The common part of training and evaluations. */
interface Shared {
  readonly params: number;
  readonly batch: number;
  readonly rows: GpuRows;
  readonly outcomes: GPUBuffer;
  readonly totals: GPUBuffer;
  readonly totalSizes: GPUBuffer;
  readonly slices: number;
  /** For each replica, slice and parameter, if there are several slices. */
  readonly shares: { readonly sums: GPUBuffer; readonly sizes: GPUBuffer } | undefined;
}

function createShared({ device, replicas }: GpuOptimizer, params: number, batch: number, create: CreateBuffer): Shared {
  const slices = slicesOf(device, params, batch);
  return {
    params,
    batch,
    rows: {
      buffer: create("batch", 4 * (2 + batch)),
      stride: 4 * (2 + batch),
      atOnce: batch,
      evaluated: create("evaluated batch", 4 * (2 + batch)),
    },
    outcomes: create("outcomes", replicas * batch * totalBytes),
    totals: create("totals", replicas * totalBytes),
    totalSizes: createSizes(create, [batch, 0]),
    slices,
    shares:
      slices > 1
        ? { sums: create("shares", 4 * replicas * slices * params), sizes: createSizes(create, [slices]) }
        : undefined,
  };
}

/** The bindings 0 to 2 of the kernels, and the examples' weights. */
interface Uploaded {
  readonly data: readonly GPUBuffer[];
  readonly weights: GPUBuffer;
}

/** Uploads a data set for the functions of a custom objective. */
export function uploadCustom(data: Dataset, capacity: number, slices: number, create: CreateBuffer): Uploaded {
  const { name, inputs, weights, scale } = data;
  const answers = data.labels ? Uint32Array.from(data.labels) : data.targets;
  const answersBuffer = create(`${name} answers`, answers.byteLength, bytesOf(answers));
  const bytes = Number(inputs instanceof Uint8Array);
  return {
    data: [
      create(`${name} inputs`, inputs.byteLength, bytesOf(inputs)),
      answersBuffer,
      createSizes(create, [capacity, slices, bytes, Number(weights !== undefined)], [scale]),
    ],
    // A placeholder: without weights none are read.
    weights: weights ? create(`${name} weights`, weights.byteLength, bytesOf(weights)) : answersBuffer,
  };
}

/** The recorded dispatches: losses and their total; after them, in training, the gradient. */
interface Steps {
  readonly losses: readonly Dispatch[];
  readonly gradient: readonly Dispatch[];
}

function dispatches(
  { device, replicas, params, gradients, control }: GpuOptimizer,
  { loss, total, gradient, join }: Kernels,
  shared: Shared,
  { data, weights }: Uploaded,
  rows: GPUBuffer,
): Steps {
  const { outcomes, totals, totalSizes, slices, shares } = shared;
  const inputs = [...data, rows, weights, params, control];
  const lanesFor = (count: number) => [...grid(device, Math.ceil(count / lanes)), replicas] as const;
  const derivatives: Dispatch = {
    pipeline: gradient.pipeline,
    bindGroup: gradient.bind([...inputs, shares?.sums ?? gradients]),
    workgroups: lanesFor(shared.params * slices),
  };
  return {
    losses: [
      { pipeline: loss.pipeline, bindGroup: loss.bind([...inputs, outcomes]), workgroups: lanesFor(shared.batch) },
      {
        pipeline: total.pipeline,
        bindGroup: total.bind([rows, outcomes, totals, control, totalSizes]),
        workgroups: [1, 1, replicas],
      },
    ],
    gradient:
      join && shares
        ? [
            derivatives,
            {
              pipeline: join.pipeline,
              bindGroup: join.bind([shares.sums, rows, control, gradients, shares.sizes]),
              workgroups: [...grid(device, shared.params), replicas],
            },
          ]
        : [derivatives],
  };
}
