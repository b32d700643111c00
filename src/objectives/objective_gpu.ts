// The objective on the GPU, whatever the program: a training step is one command buffer with one pass, the program's losses
// and gradients and then the optimizer's update. The host writes the rows' numbers and nothing else; losses and norms come
// back through a pool of mapped buffers while later steps already run.

import { encodeDispatches, leavePass, mustBePass } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import { readOptimizer, type TensorValues } from "../optimizer/optimizer.ts";
import { type Dataset, everyRow } from "./data/dataset.ts";
import { type Field, type FieldOptions, mustRun, readFieldOptions } from "./field.ts";
import { GpuField } from "./field_gpu.ts";
import { hessianVector } from "./hessian.ts";
import {
  batchWeight,
  bind,
  checkEvaluation,
  type Evaluation,
  evaluationOf,
  firstAndEach,
  type HessianOptions,
  mustStand,
  type Objective,
  type ObjectiveOptions,
  type ReplicaEvaluation,
  readRows,
  reportOf,
  type StepReport,
  weightOf,
} from "./objective.ts";
import { type Binding, type GpuProgram, type Program, type Trainable, totalBytes } from "./program.ts";
import { mustHaveOptimizer, type Report, Reports } from "./report_gpu.ts";

/** An objective whose gradient can be encoded among a caller's own commands. */
export interface GpuObjective extends Objective {
  /** Writes the rows of the next gradient; it takes effect for submissions after this call. */
  setRows(rows: Uint32Array): void;
  /**
   * Encodes losses and gradients, of the rows set last if there is data, into the optimizer's gradient arena. Leaves the pass
   * without a bind group 0, as {@link GpuOptimizer.encode} does.
   */
  encode(pass: GPUComputePassEncoder): void;
}

/**
 * Binds a model, a landscape or a custom objective, with the data that it needs, to a WebGPU optimizer made of its tensors;
 * uploads the data once. Batches that the device cannot hold at once are split into micro-batches.
 *
 * @throws OptionError if they do not fit each other, DataError for bad data, DeviceError if WGSL does not compile (with the line
 * its author wrote) or the device is too small; it says how many replicas would fit.
 */
export async function createObjective(
  optimizer: GpuOptimizer,
  program: Trainable,
  options: ObjectiveOptions = {},
): Promise<GpuObjective> {
  readOptimizer(optimizer, "webgpu");
  mustHaveOptimizer(optimizer, "createObjective");
  const { program: read, binding } = bind(optimizer, program, options);
  const bound = await read.bindGpu(optimizer, binding);
  try {
    mustHaveOptimizer(optimizer, "createObjective");
    return new BoundObjective(optimizer, read, binding, bound);
  } catch (error) {
    for (const buffer of bound.buffers) buffer.destroy();
    throw error;
  }
}

/** The result of one submission in one replica. */
interface Total {
  /** Weighted losses and hits of the batch, and the penalty added to their mean. */
  readonly loss: number;
  readonly hits: number;
  readonly penalty: number;
  /** Whether it was halted then, so that the values are those of an earlier batch. */
  readonly halted: boolean;
}

class BoundObjective implements GpuObjective {
  readonly #optimizer: GpuOptimizer;
  readonly #program: Program;
  readonly #binding: Binding;
  readonly #bound: GpuProgram;
  readonly #reports: Reports;
  /** Micro-batches of the rows set last. */
  #microBatches = 1;
  /** The last report of each replica; a halted one keeps it. */
  readonly #losses: number[];
  readonly #evaluations: ReplicaEvaluation[];

  constructor(optimizer: GpuOptimizer, program: Program, binding: Binding, bound: GpuProgram) {
    const { replicas } = optimizer;
    this.#optimizer = optimizer;
    this.#program = program;
    this.#binding = binding;
    this.#bound = bound;
    const records = bound.microBatches.length + Number(bound.hasPenalty);
    this.#reports = new Reports(optimizer, bound.totals, records * replicas * totalBytes);
    this.#losses = Array.from({ length: replicas }, () => 0);
    this.#evaluations = Array.from({ length: replicas }, () => evaluationOf(program, 0, 0));
  }

  setRows(rows: Uint32Array): void {
    this.#reports.mustLive("setRows");
    this.#setRows(readRows(rows, this.#program, this.#binding));
  }

  encode(pass: GPUComputePassEncoder): void {
    this.#reports.mustLive("encode");
    mustBePass(pass);
    this.#binding.mustHold();
    const { microBatches, after } = this.#bound;
    for (const dispatches of microBatches.slice(0, this.#microBatches)) encodeDispatches(pass, dispatches);
    encodeDispatches(pass, after);
    leavePass(this.#optimizer.device, pass);
  }

  step(rows?: Uint32Array): Promise<StepReport> {
    return this.#reports.answer("step", async () => {
      const { report, losses } = await this.#submit("step", rows);
      return firstAndEach(report.stats().map((each, replica) => reportOf(losses[replica]!, each)));
    });
  }

  gradient(rows?: Uint32Array): Promise<readonly number[]> {
    return this.#reports.answer("gradient", async () => (await this.#submit("gradient", rows)).losses);
  }

  evaluate(data?: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    return this.#reports.answer("evaluate", () => this.#evaluate(data, onProgress));
  }

  async #evaluate(data?: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    checkEvaluation(this.#program, data, onProgress);
    this.#binding.mustHold();
    const { updates } = this.#optimizer;
    const { rows: into, examples } = this.#bound;
    const weight = data ? weightOf(everyRow(data), data) : examples;
    const { dispatches, buffers } = await this.#bound.evaluation(data);
    try {
      const results = this.#evaluations.map(() => ({ loss: 0, hits: 0, penalty: 0, halted: false }));
      const add = (report: Report) =>
        this.#totals(report, 1).forEach(({ loss, hits, penalty, halted }, r) => {
          const result = results[r]!;
          result.loss += loss;
          result.hits += hits;
          result.penalty = penalty;
          result.halted ||= halted;
        });
      if (data && into) {
        const write = (rows: Uint32Array) => this.#writeRows(into.evaluated, rows, 1);
        const batch = Math.min(this.#binding.batch, into.atOnce);
        await this.#reports.inBatches(data, batch, write, dispatches, add, onProgress);
      } else {
        add(await this.#reports.run("evaluate", dispatches));
      }
      mustStand(updates, this.#optimizer.updates);
      results.forEach(({ loss, hits, penalty, halted }, r) => {
        if (halted) return;
        this.#evaluations[r] = evaluationOf(this.#program, loss / weight + penalty, hits / weight);
      });
      return firstAndEach([...this.#evaluations]);
    } finally {
      for (const buffer of buffers) buffer.destroy();
    }
  }

  hessianVector(vector: TensorValues, options: HessianOptions = {}): Promise<TensorValues> {
    return this.#reports.answer("hessianVector", () => hessianVector(this, this.#binding.segments, vector, options));
  }

  field(options: FieldOptions = {}): Promise<Field> {
    return this.#reports.answer("field", () => {
      const plan = readFieldOptions(this.#optimizer, this.#binding.segments, options);
      const rows = readRows(plan.rows, this.#program, this.#binding).slice();
      mustRun(this.#optimizer, plan);
      const { data } = this.#binding;
      const written = {
        write: () => {
          this.#reports.mustLive("field");
          this.#setRows(rows);
        },
        encode: (pass: GPUComputePassEncoder) => this.encode(pass),
        microBatches: this.#bound.rows ? Math.ceil(rows.length / this.#bound.rows.atOnce) : 1,
        // For points on a landscape it is the sum.
        scale: data ? 1 / batchWeight(rows, data) : 1,
      };
      return GpuField.open(
        this.#optimizer,
        this.#binding.segments,
        this.#bound,
        written,
        plan,
        this.#program.draws ?? false,
      );
    });
  }

  destroy(): void {
    for (const buffer of this.#bound.buffers) buffer.destroy();
    this.#reports.destroy();
  }

  /** Resolves to the reports and to each replica's mean loss; for a halted one, its last. */
  async #submit(
    call: "step" | "gradient",
    given: Uint32Array | undefined,
  ): Promise<{ readonly report: Report; readonly losses: readonly number[] }> {
    const rows = readRows(given, this.#program, this.#binding);
    const weight = this.#setRows(rows);
    const microBatches = this.#microBatches;
    const report = await this.#reports.submit(call, (pass) => {
      this.encode(pass);
      if (call === "step") this.#optimizer.encode(pass);
    });
    this.#totals(report, microBatches).forEach(({ loss, penalty, halted }, r) => {
      if (!halted) this.#losses[r] = loss / weight + penalty;
    });
    return { report, losses: [...this.#losses] };
  }

  /** Writes the rows of the next gradient; returns the divisor of the sum of their losses. */
  #setRows(rows: Uint32Array): number {
    const { rows: into, examples } = this.#bound;
    const { data } = this.#binding;
    if (!into || !data) return examples;
    const weight = batchWeight(rows, data);
    this.#microBatches = Math.ceil(rows.length / into.atOnce);
    this.#writeRows(into.buffer, rows, weight);
    return weight;
  }

  /** Writes rows micro-batch after micro-batch, each with its header, in one write. */
  #writeRows(into: GPUBuffer, rows: Uint32Array, weight: number): void {
    const { atOnce, stride } = this.#bound.rows!;
    const count = Math.ceil(rows.length / atOnce);
    const last = rows.length - (count - 1) * atOnce;
    const bytes = new ArrayBuffer((count - 1) * stride + 8 + 4 * last);
    for (let i = 0; i < count; i++) {
      const some = rows.subarray(i * atOnce, (i + 1) * atOnce);
      const begin = i * stride;
      new Uint32Array(bytes, begin, 1)[0] = some.length;
      new Float32Array(bytes, begin + 4, 1)[0] = 1 / weight;
      new Uint32Array(bytes, begin + 8, some.length).set(some);
    }
    this.#optimizer.device.queue.writeBuffer(into, 0, bytes);
  }

  #totals({ floats, isHalted }: Report, microBatches: number): readonly Total[] {
    const { replicas } = this.#optimizer;
    return this.#losses.map((_, r) => {
      let [loss, hits] = [0, 0];
      for (let i = 0; i < microBatches; i++) {
        loss += floats[2 * (i * replicas + r)]!;
        hits += floats[2 * (i * replicas + r) + 1]!;
      }
      const behind = this.#bound.microBatches.length * replicas + r;
      return { loss, hits, penalty: this.#bound.hasPenalty ? floats[2 * behind]! : 0, halted: isHalted(r) };
    });
  }
}
