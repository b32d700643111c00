// An objective of one's own on the GPU: its losses, their total, its gradient and, where few parameters share the rows among
// themselves, the sum of those shares; four dispatches at most, whatever the batch. Rows are read where the data set lies.
import type { Segment } from "../arena.ts";
import type { Dataset } from "../data/dataset.ts";
import { allocate, bytesOf, type CreateBuffer } from "../gpu/allocate.ts";
import { grid, isSoftware, requireLimit } from "../gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches, leavePass, mustBePass } from "../gpu/kernel.ts";
import type { GpuOptimizer } from "../gpu/optimizer.ts";
import { readOptimizer, type TensorValues } from "../optimizer.ts";
import { differenceOfGradients } from "./difference_gpu.ts";
import type { GpuObjective } from "./network_gpu.ts";
import {
  batchWeight,
  checkEvaluation,
  checkRows,
  type Evaluation,
  firstAndEach,
  type ReplicaEvaluation,
  reportOf,
  type StepReport,
  weightOf,
} from "./objective.ts";
import { type BoundOwn, bindOwn, countParams, fitOwn, type OwnObjective, ownParts, titleOf } from "./own.ts";
import { mustHaveOptimizer, type Report, Reports } from "./report_gpu.ts";
import { createSizes, lanes, replicaConstants } from "./shared_gpu.ts";
import { ownSources, totalSource } from "./sources.ts";

/** One replica's loss sum, and hits, of which there are none. */
const totalBytes = 8;

/** The fewest rows that an invocation of the gradient takes. */
const leastRows = 4;

/**
 * Binds an objective of one's own and its training data to a WebGPU optimizer made of its tensors; uploads the data once.
 * There is no accuracy: it is NaN.
 *
 * @param batch The most rows of a step, a whole number >= 1.
 * @throws OptionError when they do not fit each other, DataError for bad data, DeviceError when the WGSL does not compile
 * (with the line its author wrote) or the device is too small.
 */
export async function createOwnGpuObjective(
  optimizer: GpuOptimizer,
  objective: OwnObjective,
  data: Dataset,
  batch: number,
): Promise<GpuObjective> {
  readOptimizer(optimizer, "webgpu");
  mustHaveOptimizer(optimizer, "createOwnGpuObjective");
  const { bound, tensors } = bindOwn(optimizer.segments, objective, data, batch);
  const { device } = optimizer;
  requireLimit(device, "maxStorageBuffersPerShaderStage", 8, titleOf(bound));
  const kernels = await compileKernels(optimizer, bound, tensors);
  const { made, buffers } = await allocate(device, `${titleOf(bound)} in batches of ${batch}`, (create) => {
    const shared = createShared(optimizer, countParams(tensors), batch, create);
    return { shared, steps: dispatches(optimizer, kernels, shared, uploadOwn(data, batch, shared.slices, create)) };
  });
  return new GpuOwn(optimizer, bound, tensors, data, batch, kernels, made.shared, made.steps, buffers);
}

type Kernels = Awaited<ReturnType<typeof compileKernels>>;

async function compileKernels(optimizer: GpuOptimizer, objective: BoundOwn, tensors: readonly Segment[]) {
  const { device } = optimizer;
  const sources = ownSources(titleOf(objective), ownParts(objective, tensors, optimizer.segments));
  const count = countParams(tensors);
  const replicas = replicaConstants(optimizer);
  const lane_count = isSoftware(device) ? 1 : 64;
  const scaled = { ...replicas, loss_scale_index: optimizer.lossScaleIndex() };
  const data = ["read", "read", "uniform", "read", "read", "read", "read", "write"] as const;
  const [loss, total, gradient, join] = await Promise.all([
    compileKernel(device, sources.loss, data, replicas),
    compileKernel(device, totalSource, ["read", "read", "write", "read", "uniform"], { ...replicas, lane_count }),
    compileKernel(device, sources.gradient, data, scaled),
    // Where even large batches are not shared, nothing is to be joined.
    slicesOf(device, count, Number.POSITIVE_INFINITY) > 1
      ? compileKernel(device, sources.join, ["read", "read", "read", "write", "uniform"], { ...scaled, lane_count })
      : undefined,
  ]);
  return { loss, total, gradient, join };
}

/** How many invocations share the rows of a batch for one parameter: as many as keep the device busy. */
function slicesOf(device: GPUDevice, params: number, batch: number): number {
  const wanted = isSoftware(device) ? 256 : 65_536;
  return Math.max(1, Math.min(Math.ceil(batch / leastRows), Math.floor(wanted / params)));
}

/** What training and evaluations have in common. */
interface Shared {
  readonly params: number;
  readonly batch: number;
  readonly rows: GPUBuffer;
  readonly outcomes: GPUBuffer;
  readonly totals: GPUBuffer;
  readonly totalSizes: GPUBuffer;
  readonly slices: number;
  /** Of each replica, slice and parameter, where there are several slices. */
  readonly shares: { readonly sums: GPUBuffer; readonly sizes: GPUBuffer } | undefined;
}

function createShared({ device, replicas }: GpuOptimizer, params: number, batch: number, create: CreateBuffer): Shared {
  const slices = slicesOf(device, params, batch);
  return {
    params,
    batch,
    rows: create("batch", 4 * (2 + batch)),
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

/** Uploads a data set for the functions of an objective of one's own. */
export function uploadOwn(data: Dataset, capacity: number, slices: number, create: CreateBuffer): Uploaded {
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
    // Where there are none, none are read.
    weights: weights ? create(`${name} weights`, weights.byteLength, bytesOf(weights)) : answersBuffer,
  };
}

/** What is encoded: losses and their total; after them, in training, the gradient. */
interface Steps {
  readonly losses: readonly Dispatch[];
  readonly gradient: readonly Dispatch[];
}

function dispatches(
  { device, replicas, params, gradients, control }: GpuOptimizer,
  { loss, total, gradient, join }: Kernels,
  shared: Shared,
  { data, weights }: Uploaded,
): Steps {
  const { rows, outcomes, totals, totalSizes, slices, shares } = shared;
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

class GpuOwn implements GpuObjective {
  readonly #optimizer: GpuOptimizer;
  readonly #objective: BoundOwn;
  readonly #tensors: readonly Segment[];
  readonly #data: Dataset;
  readonly #batch: number;
  readonly #kernels: Kernels;
  readonly #shared: Shared;
  readonly #steps: Steps;
  readonly #created: readonly GPUBuffer[];
  readonly #reports: Reports;
  /** What was last heard of each replica: of one that is halted, this stays. */
  readonly #losses: number[];
  readonly #evaluations: ReplicaEvaluation[];

  constructor(
    optimizer: GpuOptimizer,
    objective: BoundOwn,
    tensors: readonly Segment[],
    data: Dataset,
    batch: number,
    kernels: Kernels,
    shared: Shared,
    steps: Steps,
    created: readonly GPUBuffer[],
  ) {
    const { replicas } = optimizer;
    this.#optimizer = optimizer;
    this.#objective = objective;
    this.#tensors = tensors;
    this.#data = data;
    this.#batch = batch;
    this.#kernels = kernels;
    this.#shared = shared;
    this.#steps = steps;
    this.#created = created;
    this.#reports = new Reports(optimizer, shared.totals, replicas * totalBytes);
    this.#losses = Array.from({ length: replicas }, () => 0);
    this.#evaluations = Array.from({ length: replicas }, () => ({ loss: 0, accuracy: Number.NaN }));
  }

  setRows(rows: Uint32Array): void {
    this.#reports.mustLive("setRows");
    checkRows(rows, this.#batch, this.#data);
    this.#writeRows(rows, batchWeight(rows, this.#data));
  }

  encode(pass: GPUComputePassEncoder): void {
    this.#reports.mustLive("encode");
    mustBePass(pass);
    encodeDispatches(pass, this.#steps.losses);
    encodeDispatches(pass, this.#steps.gradient);
    leavePass(this.#optimizer.device, pass);
  }

  step(rows: Uint32Array): Promise<StepReport> {
    return this.#reports.answer("step", async () => {
      const { report, losses } = await this.#submit("step", rows, (pass) => {
        this.encode(pass);
        this.#optimizer.encode(pass);
      });
      return firstAndEach(report.stats().map((each, replica) => reportOf(losses[replica]!, each)));
    });
  }

  gradient(rows: Uint32Array): Promise<readonly number[]> {
    return this.#reports.answer(
      "gradient",
      async () => (await this.#submit("gradient", rows, (pass) => this.encode(pass))).losses,
    );
  }

  evaluate(data: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    return this.#reports.answer("evaluate", () => this.#evaluate(data, onProgress));
  }

  async #evaluate(data: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    checkEvaluation(data, onProgress);
    fitOwn(this.#objective, data);
    const every = Uint32Array.from({ length: data.count }, (_, row) => row);
    const weight = weightOf(every, data);
    const { made, buffers } = await allocate(this.#optimizer.device, data.name, (create) => {
      const uploaded = uploadOwn(data, this.#batch, this.#shared.slices, create);
      return dispatches(this.#optimizer, this.#kernels, this.#shared, uploaded).losses;
    });
    try {
      const results = this.#evaluations.map(() => ({ sum: 0, halted: false }));
      const hear = (told: Report) =>
        results.forEach((result, replica) => {
          result.sum += told.floats[2 * replica]!;
          result.halted ||= told.isHalted(replica);
        });
      await this.#reports.inBatches(data, this.#batch, (rows) => this.#writeRows(rows, 1), made, hear, onProgress);
      results.forEach(({ sum, halted }, replica) => {
        if (!halted) this.#evaluations[replica] = { loss: sum / weight, accuracy: Number.NaN };
      });
      return firstAndEach([...this.#evaluations]);
    } finally {
      for (const buffer of buffers) buffer.destroy();
    }
  }

  hessianVector(rows: Uint32Array, vector: TensorValues, replica = 0): Promise<TensorValues> {
    return this.#reports.answer("hessianVector", async () => {
      checkRows(rows, this.#batch, this.#data);
      return differenceOfGradients(this.#optimizer, this.#tensors, vector, replica, (pass) => {
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

  /** Resolves to what was told and to each replica's mean loss; of one that is halted, the last before. */
  async #submit(
    call: string,
    rows: Uint32Array,
    encode: (pass: GPUComputePassEncoder) => void,
  ): Promise<{ readonly report: Report; readonly losses: readonly number[] }> {
    checkRows(rows, this.#batch, this.#data);
    const weight = batchWeight(rows, this.#data);
    this.#writeRows(rows, weight);
    const report = await this.#reports.submit(call, encode);
    this.#losses.forEach((_, replica) => {
      if (!report.isHalted(replica)) this.#losses[replica] = report.floats[2 * replica]! / weight;
    });
    return { report, losses: [...this.#losses] };
  }

  #writeRows(rows: Uint32Array, weight: number): void {
    const words = new Uint32Array(2 + rows.length);
    words[0] = rows.length;
    new Float32Array(words.buffer)[1] = 1 / weight;
    words.set(rows, 2);
    this.#optimizer.device.queue.writeBuffer(this.#shared.rows, 0, words);
  }
}
