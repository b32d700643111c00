// A model bound to an optimizer on the GPU: gather the rows, the layers forward, the loss, the layers backward, L2. Rows are
// gathered once for all replicas; in every other dispatch replicas are the third dimension.

import { DeviceError, OptionError } from "../base/errors.ts";
import { together } from "../base/together.ts";
import { allocate, bytesOf, type CreateBuffer } from "../engines/gpu/allocate.ts";
import { grid } from "../engines/gpu/device.ts";
import { compileKernel, type Dispatch } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import { type Operand, productDispatch, type Replicated } from "../engines/products/product.ts";
import { tuneProducts } from "../engines/products/tuner.ts";
import { configOf } from "../optimizer/plan_config.ts";
import { type CachedData, loadData } from "./cached_data.ts";
import type { JudgedBuffers } from "./criterion.ts";
import type { Dataset } from "./data/dataset.ts";
import { bufferLimit, objectiveBytes, replicasThatFit, rowCapacity, rowsAtOnce } from "./memory.ts";
import type { Model } from "./model.ts";
import { type GpuPass, type KernelStep, type PassStep, productsOf } from "./pass_gpu.ts";
import { type Binding, type GpuProgram, type GpuRows, totalBytes } from "./program.ts";
import { penaltySource } from "./sources.ts";
import { createSizes, lanes, replicaConstants, tensor, totalDispatch } from "./tensors_gpu.ts";

/** Weights that an invocation of shaders/objectives/penalty.wgsl takes. */
const stretch = 256;

/**
 * Makes everything of a model for one optimizer, and uploads its data once.
 *
 * @throws DataError for targets that the loss does not take, DeviceError if the device is too small, which says how many replicas
 * would fit.
 */
export async function bindModelToGpu(
  optimizer: GpuOptimizer,
  model: Model,
  { data, batch, microBatch }: Binding & { readonly data: Dataset },
): Promise<GpuProgram> {
  const atOnce = readAtOnce(optimizer, model, batch, microBatch);
  const { device } = optimizer;
  const created: GPUBuffer[] = [];
  try {
    const { made: layout, buffers } = await allocate(device, purposeOf(optimizer, atOnce), (create) =>
      createLayout(optimizer, model, batch, atOnce, create),
    );
    created.push(...buffers);
    const cached = await loadData(optimizer, model, data, layout.capacity);
    created.push(...cached.buffers);
    const { pass } = layout;
    const steps = [...pass.forward(true), ...pass.backward(false)];
    await tuneProducts(device, productsOf(steps));
    const { microBatches, after, forward, penalty } = await encodeAll(optimizer, model, layout, cached, (buffer) =>
      created.push(buffer),
    );
    return {
      buffers: created,
      rows: layout.rows,
      microBatches,
      after,
      totals: layout.totals,
      hasPenalty: layout.penalty !== undefined,
      examples: 1,
      async evaluation(of) {
        const { rows, outcomes, totals, totalSizes, capacity } = layout;
        const evaluated = await loadData(optimizer, model, of!, capacity);
        const { gather, loss } = evaluated.feed(judgedBuffers(layout, { buffer: rows.evaluated }, true));
        try {
          const total = await totalDispatch(optimizer, { buffer: rows.evaluated }, outcomes, totals, totalSizes[0]!);
          return { dispatches: [gather, ...forward, loss, total, ...penalty], buffers: evaluated.buffers };
        } catch (error) {
          for (const buffer of evaluated.buffers) buffer.destroy();
          throw error;
        }
      },
    };
  } catch (error) {
    for (const buffer of created) buffer.destroy();
    throw error;
  }
}

/** How many rows are computed at once. */
function readAtOnce(optimizer: GpuOptimizer, model: Model, batch: number, microBatch: number | undefined): number {
  const { limits } = optimizer.device;
  const { memory } = model.program;
  const { replicas } = optimizer;
  const fit = rowsAtOnce(limits, memory, batch, replicas);
  if (fit === 0) {
    const needed = size(objectiveBytes(memory, 1, replicas));
    const most = replicasThatFit(limits, model.program, batch, { ...configOf(optimizer), replicas: undefined });
    throw new DeviceError(
      `${purposeOf(optimizer, 1)} needs ${needed} in one buffer; the device binds at most ${size(bufferLimit(limits))}: ${
        most === 0 ? "not even one replica fits" : most === 1 ? "1 replica fits" : `${most} replicas fit`
      }`,
    );
  }
  if (microBatch === undefined) return fit;
  if (microBatch > fit && microBatch < batch) {
    throw new OptionError(`microBatch is ${microBatch}; the device holds at most ${fit} rows of this model`);
  }
  return Math.min(fit, microBatch);
}

const purposeOf = ({ replicas }: GpuOptimizer, batch: number) =>
  replicas === 1 ? `a batch of ${batch}` : `a batch of ${batch} for ${replicas} replicas`;

function size(bytes: number): string {
  return bytes < 2 ** 20 ? `${bytes} bytes` : `${Math.ceil(bytes / 2 ** 20).toLocaleString("en")} MiB`;
}

/** The buffers of an objective, and their layout. */
interface Layout {
  /** Rows that the matrices hold. */
  readonly capacity: number;
  readonly rows: GpuRows;
  /** The rows of each micro-batch, bound separately. */
  readonly microBatches: readonly GPUBufferBinding[];
  readonly inputs: Operand;
  readonly pass: GpuPass;
  readonly outcomes: GPUBuffer;
  /** Every replica's total for each micro-batch; then, with L2, that of the weights. */
  readonly totals: GPUBuffer;
  /** For each micro-batch. */
  readonly totalSizes: readonly GPUBuffer[];
  readonly penalty: PenaltyLayout | undefined;
}

/** The terms added to every mean loss: the anchors' losses, and the penalty of the weights. */
interface PenaltyLayout {
  /** In the layout of a batch: how many outcomes there are. */
  readonly count: GPUBuffer;
  /** Outcomes of the anchors, which the criterion's kernel writes, then of stretches of weights. */
  readonly outcomes: GPUBuffer;
  readonly totalSizes: GPUBuffer;
  /** For each layer; none without L2. */
  readonly sizes: readonly GPUBuffer[];
}

function createLayout(
  optimizer: GpuOptimizer,
  model: Model,
  batch: number,
  atOnce: number,
  create: CreateBuffer,
): Layout {
  const { replicas } = optimizer;
  const capacity = rowCapacity(model.program.memory, atOnce);
  const count = Math.ceil(batch / atOnce);
  // Each micro-batch is bound separately.
  const stride = Math.ceil(((2 + capacity) * 4) / 256) * 256;
  const buffer = create("batch", count * stride);
  const { inputs, pass } = createPass(optimizer, model, capacity, create);
  return {
    capacity,
    rows: { buffer, stride, atOnce, evaluated: create("evaluated batch", stride) },
    microBatches: Array.from({ length: count }, (_, i) => ({ buffer, offset: i * stride, size: stride })),
    inputs,
    pass,
    outcomes: create("outcomes", replicas * capacity * totalBytes),
    totals: create("totals", (count + 1) * replicas * totalBytes),
    totalSizes: Array.from({ length: count }, (_, i) => createSizes(create, [capacity, i * replicas])),
    penalty:
      model.config.l2 > 0 || model.anchors ? createPenalty(optimizer, model, count * replicas, create) : undefined,
  };
}

/** The buffers of a model's pass over so many rows at once, and where their inputs are gathered. */
export function createPass(
  optimizer: GpuOptimizer,
  model: Model,
  rows: number,
  create: CreateBuffer,
): { readonly inputs: Operand; readonly pass: GpuPass } {
  const stacked = model.stacked?.(rows);
  const inputBytes = stacked?.byteLength ?? rows * model.features * 4;
  const inputs: Operand = { buffer: create("inputs", inputBytes, stacked && bytesOf(stacked)), stride: 0 };
  const tensors = (role: "params" | "gradients", name: string) => tensor(optimizer, role, name);
  return { inputs, pass: model.gpuPass({ rows, replicas: optimizer.replicas, inputs, tensors, create }) };
}

const judgedBuffers = (
  { inputs, pass, outcomes, penalty }: Layout,
  batch: GPUBufferBinding,
  first: boolean,
): JudgedBuffers => ({ batch, inputs, outputs: pass.outputs, outcomes, penalty: penalty?.outcomes, first });

/** @param place The place of the first replica's sum among the totals. */
function createPenalty(optimizer: GpuOptimizer, model: Model, place: number, create: CreateBuffer): PenaltyLayout {
  const { l2 } = model.config;
  const layers = l2 > 0 ? model.layers : [];
  let first = model.anchors?.count ?? 0;
  const capacity = layers.reduce((sum, layer) => sum + stretchesOf(layer), first);
  return {
    count: create("penalties", 12, bytesOf(Uint32Array.of(capacity, 0, 0))),
    outcomes: create("penalty", optimizer.replicas * capacity * totalBytes),
    totalSizes: createSizes(create, [capacity, place]),
    sizes: layers.map((layer) => {
      const strides = (["params", "gradients"] as const).map((role) => tensor(optimizer, role, layer.weight).stride);
      const whole = [layer.inputs * layer.outputs, ...strides, first, capacity, optimizer.controlIndex("lossScale")];
      first += stretchesOf(layer);
      return createSizes(create, whole, [l2]);
    }),
  };
}

const stretchesOf = ({ inputs, outputs }: { readonly inputs: number; readonly outputs: number }) =>
  Math.ceil((inputs * outputs) / stretch);

/** Everything that an objective encodes. */
interface Encoded {
  readonly microBatches: readonly (readonly Dispatch[])[];
  /** With L2, its gradient and loss; then the sum of these and of the anchors' losses. */
  readonly after: readonly Dispatch[];
  /** The forward pass without dropout; then the L2 term's loss alone, with that sum. */
  readonly forward: readonly Dispatch[];
  readonly penalty: readonly Dispatch[];
}

async function encodeAll(
  optimizer: GpuOptimizer,
  model: Model,
  layout: Layout,
  cached: CachedData,
  keep: (buffer: GPUBuffer) => void,
): Promise<Encoded> {
  const { pass, outcomes } = layout;
  const encode = (batch: GPUBufferBinding, steps: readonly PassStep[]) => encodeSteps(optimizer, batch, steps, keep);
  const undropped = await encode(layout.microBatches[0]!, pass.forward(false));
  const dropping = model.layers.some(({ dropout }) => dropout !== undefined);
  const microBatches = await together(
    layout.microBatches.map(async (batch, i) => {
      const { gather, loss } = cached.feed(judgedBuffers(layout, batch, i === 0));
      const [forward, total, backward] = await together([
        dropping ? encode(batch, pass.forward(true)) : undropped,
        totalDispatch(optimizer, batch, outcomes, layout.totals, layout.totalSizes[i]!),
        encode(batch, pass.backward(i > 0)),
      ]);
      return [gather, ...forward, loss, total, ...backward];
    }),
  );
  const [after, penalty] = await together([
    penaltyDispatches(optimizer, model, layout, true),
    penaltyDispatches(optimizer, model, layout, false),
  ]);
  return { microBatches, after, forward: undropped, penalty };
}

/**
 * The dispatches of a pass's steps for the rows of a batch.
 *
 * @param keep Called with every buffer made for them, to be destroyed with them.
 */
export function encodeSteps(
  optimizer: GpuOptimizer,
  batch: GPUBufferBinding,
  steps: readonly PassStep[],
  keep: (buffer: GPUBuffer) => void,
): Promise<readonly Dispatch[]> {
  const replicated: Replicated = {
    device: optimizer.device,
    replicas: optimizer.replicas,
    control: optimizer.control,
    controlStride: optimizer.controlBytes / optimizer.replicas / 4,
    skipIndex: optimizer.controlIndex("skip"),
    stepIndex: optimizer.controlIndex("step"),
    batch,
    keep,
  };
  return together(
    steps.map((step) =>
      "product" in step
        ? productDispatch(replicated, step.product, step.a, step.b, step.c)
        : kernelDispatch(optimizer, step),
    ),
  );
}

async function kernelDispatch(
  optimizer: GpuOptimizer,
  { source, uses, buffers, invocations }: KernelStep,
): Promise<Dispatch> {
  const { device, replicas, control } = optimizer;
  const kernel = await compileKernel(device, source, uses, replicaConstants(optimizer));
  return {
    pipeline: kernel.pipeline,
    bindGroup: kernel.bind([...buffers, control]),
    workgroups: [...grid(device, Math.ceil(invocations / lanes)), replicas],
  };
}

/** The L2 term of every weight, with its gradient if `derive` is set, and the sum of all penalties. */
async function penaltyDispatches(
  optimizer: GpuOptimizer,
  model: Model,
  { penalty, totals }: Layout,
  derive: boolean,
): Promise<readonly Dispatch[]> {
  if (!penalty) return [];
  const terms = penalty.sizes.length > 0 ? await weightDispatches(optimizer, model, penalty, derive) : [];
  const total = totalDispatch(optimizer, { buffer: penalty.count }, penalty.outcomes, totals, penalty.totalSizes);
  return [...terms, await total];
}

async function weightDispatches(
  optimizer: GpuOptimizer,
  { layers }: Model,
  penalty: PenaltyLayout,
  derive: boolean,
): Promise<readonly Dispatch[]> {
  const { device, replicas, control } = optimizer;
  const kernel = await compileKernel(device, penaltySource, ["read", "write", "write", "read", "uniform"], {
    ...replicaConstants(optimizer),
    derive: Number(derive),
    stretch,
  });
  return layers.map((layer, l): Dispatch => {
    const [weight, gradient] = [
      tensor(optimizer, "params", layer.weight),
      tensor(optimizer, "gradients", layer.weight),
    ];
    return {
      pipeline: kernel.pipeline,
      bindGroup: kernel.bind([weight, gradient, penalty.outcomes, control, penalty.sizes[l]!]),
      workgroups: [...grid(device, Math.ceil(stretchesOf(layer) / lanes)), replicas],
    };
  });
}
