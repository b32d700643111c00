// A network in training on the GPU. A training step is one command buffer with one pass: gather the rows, the layers
// forward, the loss, the layers backward, the optimizer's update. All replicas learn from the rows that are gathered once;
// in every other dispatch they lie in the third dimension. The host writes the rows' numbers and nothing else; losses and
// norms come back through a pool of mapped buffers while later steps already run.
import { checkDataset, type Dataset } from "../data/dataset.ts";
import { DeviceError, OptionError } from "../errors.ts";
import { allocate, bytesOf, type CreateBuffer } from "../gpu/allocate.ts";
import { grid, isSoftware } from "../gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches, leavePass, mustBePass } from "../gpu/kernel.ts";
import type { GpuOptimizer } from "../gpu/optimizer.ts";
import { readOptimizer, type TensorValues } from "../optimizer.ts";
import { readNumber } from "../options.ts";
import { together } from "../together.ts";
import { differenceOfGradients } from "./difference_gpu.ts";
import { hasAccuracy } from "./loss.ts";
import { bufferLimit, objectiveBytes, replicasThatFit, rowCapacity, rowsAtOnce } from "./memory.ts";
import { mlpPass } from "./mlp_gpu.ts";
import type { Model } from "./model.ts";
import {
  batchWeight,
  checkBinding,
  checkEvaluation,
  checkFit,
  checkRows,
  type Evaluation,
  firstAndEach,
  modelSegments,
  type Objective,
  type ObjectiveOptions,
  type ReplicaEvaluation,
  readObjectiveOptions,
  reportOf,
  type StepReport,
  weightOf,
} from "./objective.ts";
import type { GpuPass, ProductStep } from "./pass_gpu.ts";
import { type Operand, productDispatch, type Replicated } from "./products.ts";
import { mustHaveOptimizer, type Report, Reports } from "./report_gpu.ts";
import { loadData, type ResidentData } from "./resident.ts";
import { rnnPass } from "./rnn_gpu.ts";
import { createSizes, lanes, replicaConstants, tensor } from "./shared_gpu.ts";
import { penaltySource, totalSource } from "./sources.ts";
import { tuneProducts } from "./tuner.ts";

/** An objective whose gradient can be encoded among a caller's own commands. */
export interface GpuObjective extends Objective {
  /** Writes the rows of the next gradient; it takes effect for what is submitted after this call. */
  setRows(rows: Uint32Array): void;
  /**
   * Encodes losses and gradients of the rows set last into the optimizer's gradient arena. Leaves the pass without a bind
   * group 0, as {@link GpuOptimizer.encode} does.
   */
  encode(pass: GPUComputePassEncoder): void;
}

/** One replica's loss sum and hits. */
const totalBytes = 8;

/** Weights that an invocation of shaders/objectives/penalty.wgsl takes. */
const stretch = 256;

/**
 * Binds a model and its training data to a WebGPU optimizer made of the model's tensors; uploads the data once.
 *
 * @param batch The most rows of a step, a whole number >= 1. What the device cannot hold at once follows in parts.
 * @throws OptionError when they do not fit each other, DataError for bad data, DeviceError when the device is too small; it
 * says how many replicas would fit.
 */
export async function createGpuObjective(
  optimizer: GpuOptimizer,
  model: Model,
  data: Dataset,
  batch: number,
  options: ObjectiveOptions = {},
): Promise<GpuObjective> {
  readOptimizer(optimizer, "webgpu");
  mustHaveOptimizer(optimizer, "createGpuObjective");
  checkBinding(optimizer.segments, model, data, batch);
  const atOnce = readAtOnce(optimizer, model, batch, readObjectiveOptions(options));
  const { device } = optimizer;
  const created: GPUBuffer[] = [];
  try {
    const { made: layout, buffers } = await allocate(device, purposeOf(optimizer, atOnce), (create) =>
      createLayout(optimizer, model, batch, atOnce, create),
    );
    created.push(...buffers);
    const resident = await loadData(optimizer, model, data, layout.capacity);
    created.push(...resident.buffers);
    const { pass } = layout;
    const steps = [...pass.forward(true), ...pass.backward(false)];
    await tuneProducts(
      device,
      steps.map(({ product }) => product),
    );
    const encoded = await encodeAll(optimizer, model, layout, resident, (buffer) => created.push(buffer));
    mustHaveOptimizer(optimizer, "createGpuObjective");
    return new GpuNetwork(optimizer, model, data, batch, layout, encoded, created);
  } catch (error) {
    for (const buffer of created) buffer.destroy();
    throw error;
  }
}

/** How many rows are computed at once. */
function readAtOnce(optimizer: GpuOptimizer, model: Model, batch: number, { microBatch }: ObjectiveOptions): number {
  const { limits } = optimizer.device;
  const { replicas } = optimizer;
  const fit = rowsAtOnce(limits, model, batch, replicas);
  if (fit === 0) {
    const needed = size(objectiveBytes(model, 1, replicas));
    const most = replicasThatFit(limits, model, batch, { ...optimizer.config, replicas: undefined });
    throw new DeviceError(
      `${purposeOf(optimizer, 1)} needs ${needed} in one buffer; the device binds at most ${size(bufferLimit(limits))}: ${
        most === 0 ? "not even one replica fits" : most === 1 ? "1 replica fits" : `${most} replicas fit`
      }`,
    );
  }
  if (microBatch === undefined) return fit;
  const wanted = readNumber("microBatch", microBatch, { min: 1, integer: true });
  if (wanted > fit && wanted < batch) {
    throw new OptionError(`microBatch is ${wanted}; of this model the device holds ${fit} rows at once`);
  }
  return Math.min(fit, wanted);
}

const purposeOf = ({ replicas }: GpuOptimizer, batch: number) =>
  replicas === 1 ? `a batch of ${batch}` : `a batch of ${batch} for ${replicas} replicas`;

function size(bytes: number): string {
  return bytes < 2 ** 20 ? `${bytes} bytes` : `${Math.ceil(bytes / 2 ** 20).toLocaleString("en")} MiB`;
}

/** The buffers of an objective, and where things are in them. */
interface Layout {
  /** Rows computed at once, and how many the matrices have room for. */
  readonly atOnce: number;
  readonly capacity: number;
  /** The rows of the parts of a batch, each from `partBytes · part` on, and each part alone. */
  readonly rows: GPUBuffer;
  readonly partBytes: number;
  readonly parts: readonly GPUBufferBinding[];
  /** The rows of a batch that is evaluated, so that those that were set stay. */
  readonly evaluated: GPUBuffer;
  readonly inputs: Operand;
  readonly pass: GpuPass;
  readonly outcomes: GPUBuffer;
  /** Of each part every replica's total; then, with L2, that of the weights. */
  readonly totals: GPUBuffer;
  /** For each part. */
  readonly totalSizes: readonly GPUBuffer[];
  readonly penalty: PenaltyLayout | undefined;
}

/** What is summed of the weights. */
interface PenaltyLayout {
  /** As a batch has it: how many stretches there are. */
  readonly count: GPUBuffer;
  readonly outcomes: GPUBuffer;
  readonly totalSizes: GPUBuffer;
  /** For each layer. */
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
  const capacity = rowCapacity(model, atOnce);
  const count = Math.ceil(batch / atOnce);
  // A part is bound alone.
  const partBytes = Math.ceil(((2 + capacity) * 4) / 256) * 256;
  const rows = create("batch", count * partBytes);
  const inputs: Operand = { buffer: create("inputs", capacity * model.features * 4), stride: 0 };
  const tensors = (role: "params" | "gradients", name: string) => tensor(optimizer, role, name);
  const pass =
    model.type === "mlp"
      ? mlpPass(model, capacity, replicas, inputs, tensors, create)
      : rnnPass(model, capacity, replicas, inputs, tensors, create);
  return {
    atOnce,
    capacity,
    parts: Array.from({ length: count }, (_, part) => ({ buffer: rows, offset: part * partBytes, size: partBytes })),
    rows,
    partBytes,
    evaluated: create("evaluated batch", partBytes),
    inputs,
    pass,
    outcomes: create("outcomes", replicas * capacity * totalBytes),
    totals: create("totals", (count + 1) * replicas * totalBytes),
    totalSizes: Array.from({ length: count }, (_, part) => createSizes(create, [capacity, part * replicas])),
    penalty: model.config.l2 > 0 ? createPenalty(optimizer, model, count * replicas, create) : undefined,
  };
}

/** @param place Where the first replica's sum goes among the totals. */
function createPenalty(optimizer: GpuOptimizer, model: Model, place: number, create: CreateBuffer): PenaltyLayout {
  const { l2 } = model.config;
  const stretches = model.layers.reduce((sum, layer) => sum + stretchesOf(layer), 0);
  let first = 0;
  return {
    count: create("stretches", 12, bytesOf(Uint32Array.of(stretches, 0, 0))),
    outcomes: create("penalty", optimizer.replicas * stretches * totalBytes),
    totalSizes: createSizes(create, [stretches, place]),
    sizes: model.layers.map((layer) => {
      const strides = (["params", "gradients"] as const).map((role) => tensor(optimizer, role, layer.weight).stride);
      const whole = [layer.inputs * layer.outputs, ...strides, first, stretches, optimizer.lossScaleIndex()];
      first += stretchesOf(layer);
      return createSizes(create, whole, [l2]);
    }),
  };
}

const stretchesOf = ({ inputs, outputs }: { readonly inputs: number; readonly outputs: number }) =>
  Math.ceil((inputs * outputs) / stretch);

/** Everything that is encoded of an objective. */
interface Encoded {
  /** Of each part of a batch: losses and gradients, of the first over what was there, of the others added to it. */
  readonly parts: readonly (readonly Dispatch[])[];
  /** After the parts, with L2: its gradient and its loss. */
  readonly penalty: readonly Dispatch[];
  /** The forward pass where nothing is dropped, and the L2 term's loss alone. */
  readonly evaluation: readonly Dispatch[];
  readonly penaltyAlone: readonly Dispatch[];
}

async function encodeAll(
  optimizer: GpuOptimizer,
  model: Model,
  layout: Layout,
  resident: ResidentData,
  keep: (buffer: GPUBuffer) => void,
): Promise<Encoded> {
  const { parts, pass, inputs, outcomes } = layout;
  const products = (batch: GPUBufferBinding, steps: readonly ProductStep[]) => {
    const replicated: Replicated = {
      device: optimizer.device,
      replicas: optimizer.replicas,
      control: optimizer.control,
      controlStride: optimizer.controlBytes / optimizer.replicas / 4,
      skipIndex: optimizer.skipIndex(),
      stepIndex: optimizer.stepIndex(),
      batch,
      keep,
    };
    return together(steps.map(({ product, a, b, c }) => productDispatch(replicated, product, a, b, c)));
  };
  const evaluation = await products(parts[0]!, pass.forward(false));
  const dropping = model.layers.some(({ dropout }) => dropout !== undefined);
  const encoded = await together(
    parts.map(async (batch, part) => {
      const { gather, loss } = resident.feed(batch, inputs, pass.outputs, outcomes);
      const [forward, total, backward] = await together([
        dropping ? products(batch, pass.forward(true)) : evaluation,
        totalDispatch(optimizer, batch, outcomes, layout.totals, layout.totalSizes[part]!),
        products(batch, pass.backward(part > 0)),
      ]);
      return [gather, ...forward, loss, total, ...backward];
    }),
  );
  const [penalty, penaltyAlone] = await together([
    penaltyDispatches(optimizer, model, layout, true),
    penaltyDispatches(optimizer, model, layout, false),
  ]);
  return { parts: encoded, penalty, evaluation, penaltyAlone };
}

/** Sums the outcomes of a batch, for every replica. */
async function totalDispatch(
  optimizer: GpuOptimizer,
  batch: GPUBufferBinding,
  outcomes: GPUBuffer,
  totals: GPUBuffer,
  sizes: GPUBuffer,
): Promise<Dispatch> {
  const { device, replicas, control } = optimizer;
  const kernel = await compileKernel(device, totalSource, ["read", "read", "write", "read", "uniform"], {
    ...replicaConstants(optimizer),
    lane_count: isSoftware(device) ? 1 : 64,
  });
  return {
    pipeline: kernel.pipeline,
    bindGroup: kernel.bind([batch, outcomes, totals, control, sizes]),
    workgroups: [1, 1, replicas],
  };
}

/** The L2 term of every weight, its gradient too where `derive` says so, and their sum. */
async function penaltyDispatches(
  optimizer: GpuOptimizer,
  { layers }: Model,
  { penalty, totals }: Layout,
  derive: boolean,
): Promise<readonly Dispatch[]> {
  if (!penalty) return [];
  const { device, replicas, control } = optimizer;
  const kernel = await compileKernel(device, penaltySource, ["read", "write", "write", "read", "uniform"], {
    ...replicaConstants(optimizer),
    derive: Number(derive),
    stretch,
  });
  const terms = layers.map((layer, l): Dispatch => {
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
  const total = totalDispatch(optimizer, { buffer: penalty.count }, penalty.outcomes, totals, penalty.totalSizes);
  return [...terms, await total];
}

/** What one submission tells of a replica. */
interface Total {
  /** Weighted losses and hits of the batch, and the L2 term. */
  readonly sum: number;
  readonly hits: number;
  readonly penalty: number;
  /** Whether it was halted then, so that all this is of an earlier batch. */
  readonly halted: boolean;
}

class GpuNetwork implements GpuObjective {
  readonly #optimizer: GpuOptimizer;
  readonly #model: Model;
  readonly #data: Dataset;
  readonly #batch: number;
  readonly #layout: Layout;
  readonly #encoded: Encoded;
  readonly #created: readonly GPUBuffer[];
  readonly #reports: Reports;
  /** Parts of the batch whose rows were set last. */
  #parts = 1;
  /** What was last heard of each replica: of one that is halted, this stays. */
  readonly #losses: number[];
  readonly #evaluations: ReplicaEvaluation[];

  constructor(
    optimizer: GpuOptimizer,
    model: Model,
    data: Dataset,
    batch: number,
    layout: Layout,
    encoded: Encoded,
    created: readonly GPUBuffer[],
  ) {
    const { replicas } = optimizer;
    this.#optimizer = optimizer;
    this.#model = model;
    this.#data = data;
    this.#batch = batch;
    this.#layout = layout;
    this.#encoded = encoded;
    this.#created = created;
    this.#reports = new Reports(optimizer, layout.totals, (layout.parts.length + 1) * replicas * totalBytes);
    this.#losses = Array.from({ length: replicas }, () => 0);
    this.#evaluations = Array.from({ length: replicas }, () => ({ loss: 0, accuracy: 0 }));
  }

  setRows(rows: Uint32Array): void {
    this.#reports.mustLive("setRows");
    checkRows(rows, this.#batch, this.#data);
    this.#setRows(rows, batchWeight(rows, this.#data));
  }

  encode(pass: GPUComputePassEncoder): void {
    this.#reports.mustLive("encode");
    mustBePass(pass);
    const { parts, penalty } = this.#encoded;
    for (const part of parts.slice(0, this.#parts)) encodeDispatches(pass, part);
    encodeDispatches(pass, penalty);
    leavePass(this.#optimizer.device, pass);
  }

  step(rows: Uint32Array): Promise<StepReport> {
    return this.#reports.answer("step", async () => {
      const [report, weight] = await this.#submitRows("step", rows);
      const losses = this.#noteLosses(report, rows, weight);
      return firstAndEach(report.stats().map((each, replica) => reportOf(losses[replica]!, each)));
    });
  }

  gradient(rows: Uint32Array): Promise<readonly number[]> {
    return this.#reports.answer("gradient", async () => {
      const [report, weight] = await this.#submitRows("gradient", rows);
      return this.#noteLosses(report, rows, weight);
    });
  }

  evaluate(data: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    return this.#reports.answer("evaluate", () => this.#evaluate(data, onProgress));
  }

  async #evaluate(data: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    checkEvaluation(data, onProgress);
    checkFit(this.#model, data);
    checkDataset(data);
    const weight = weightOf(
      Uint32Array.from({ length: data.count }, (_, row) => row),
      data,
    );
    const { evaluated, inputs, pass, outcomes, totals, totalSizes, capacity, atOnce } = this.#layout;
    const batch = { buffer: evaluated };
    const resident = await loadData(this.#optimizer, this.#model, data, capacity);
    try {
      const { gather, loss } = resident.feed(batch, inputs, pass.outputs, outcomes);
      const total = await totalDispatch(this.#optimizer, batch, outcomes, totals, totalSizes[0]!);
      const dispatches = [gather, ...this.#encoded.evaluation, loss, total, ...this.#encoded.penaltyAlone];
      const results = this.#evaluations.map(() => ({ sum: 0, hits: 0, penalty: 0, halted: false }));
      const hear = (report: Report) =>
        this.#totals(report, 1).forEach(({ sum, hits, penalty, halted }, r) => {
          const result = results[r]!;
          result.sum += sum;
          result.hits += hits;
          result.penalty = penalty;
          result.halted ||= halted;
        });
      const write = (rows: Uint32Array) => this.#writeRows(this.#layout.evaluated, rows, 1);
      await this.#reports.inBatches(data, Math.min(this.#batch, atOnce), write, dispatches, hear, onProgress);
      const counts = hasAccuracy(this.#model.config.loss);
      results.forEach(({ sum, hits, penalty, halted }, r) => {
        if (halted) return;
        // Weights are summed in float32 here and in float64 there.
        const accuracy = counts ? Math.min(1, hits / weight) : Number.NaN;
        this.#evaluations[r] = { loss: sum / weight + penalty, accuracy };
      });
      return firstAndEach([...this.#evaluations]);
    } finally {
      for (const buffer of resident.buffers) buffer.destroy();
    }
  }

  hessianVector(rows: Uint32Array, vector: TensorValues, replica = 0): Promise<TensorValues> {
    return this.#reports.answer("hessianVector", async () => {
      checkRows(rows, this.#batch, this.#data);
      const tensors = modelSegments(this.#optimizer.segments, this.#model);
      return differenceOfGradients(this.#optimizer, tensors, vector, replica, (pass) => {
        this.#reports.mustLive("hessianVector");
        this.setRows(rows);
        this.encode(pass);
      });
    });
  }

  destroy(): void {
    for (const buffer of this.#created) buffer.destroy();
    this.#reports.destroy();
  }

  async #submitRows(call: "step" | "gradient", rows: Uint32Array): Promise<readonly [Report, number]> {
    checkRows(rows, this.#batch, this.#data);
    const weight = batchWeight(rows, this.#data);
    this.#setRows(rows, weight);
    const report = this.#reports.submit(call, (pass) => {
      this.encode(pass);
      if (call === "step") this.#optimizer.encode(pass);
    });
    return [await report, weight];
  }

  /** The rows of the next gradient. */
  #setRows(rows: Uint32Array, weight: number): void {
    this.#parts = Math.ceil(rows.length / this.#layout.atOnce);
    this.#writeRows(this.#layout.rows, rows, weight);
  }

  /** Writes rows part after part, each with its header, in one write. */
  #writeRows(into: GPUBuffer, rows: Uint32Array, weight: number): void {
    const { atOnce, partBytes } = this.#layout;
    const parts = Math.ceil(rows.length / atOnce);
    const last = rows.length - (parts - 1) * atOnce;
    const bytes = new ArrayBuffer((parts - 1) * partBytes + 8 + 4 * last);
    for (let part = 0; part < parts; part++) {
      const some = rows.subarray(part * atOnce, (part + 1) * atOnce);
      const begin = part * partBytes;
      new Uint32Array(bytes, begin, 1)[0] = some.length;
      new Float32Array(bytes, begin + 4, 1)[0] = 1 / weight;
      new Uint32Array(bytes, begin + 8, some.length).set(some);
    }
    this.#optimizer.device.queue.writeBuffer(into, 0, bytes);
  }

  /** Each replica's mean loss; of one that is halted, the last before. */
  #noteLosses(report: Report, rows: Uint32Array, weight: number): readonly number[] {
    this.#totals(report, Math.ceil(rows.length / this.#layout.atOnce)).forEach(({ sum, penalty, halted }, r) => {
      if (!halted) this.#losses[r] = sum / weight + penalty;
    });
    return [...this.#losses];
  }

  #totals({ floats, isHalted }: Report, parts: number): readonly Total[] {
    const { replicas } = this.#optimizer;
    return this.#losses.map((_, r) => {
      let [sum, hits] = [0, 0];
      for (let part = 0; part < parts; part++) {
        sum += floats[2 * (part * replicas + r)]!;
        hits += floats[2 * (part * replicas + r) + 1]!;
      }
      const penalty = this.#layout.penalty ? floats[2 * (this.#layout.parts.length * replicas + r)]! : 0;
      return { sum, hits, penalty, halted: isHalted(r) };
    });
  }
}
