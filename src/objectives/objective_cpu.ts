// The objective on the CPU, the reference of the kernels: whatever the program, its batches, evaluations and Hessian-vector
// products; in float64 between float32 parameters and gradients, one replica after the other.

import type { CpuOptimizer } from "../engines/cpu/optimizer.ts";
import { readOptimizer, type TensorValues } from "../optimizer/optimizer.ts";
import { type Dataset, everyRow } from "./data/dataset.ts";
import { type Field, type FieldOptions, mustRun, readFieldOptions } from "./field.ts";
import { CpuField } from "./field_cpu.ts";
import { hessianVector } from "./hessian.ts";
import {
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
  rowsInOrder,
  type StepReport,
  weightOf,
} from "./objective.ts";
import type { Binding, CpuProgram, Program, Trainable, Values } from "./program.ts";
import { breathe } from "./turns.ts";

/**
 * Binds a model, a landscape or a custom objective, with the data that it needs, to a CPU optimizer made of its tensors.
 *
 * @throws OptionError if they do not fit each other, DataError for bad data.
 */
export function createCpuObjective(
  optimizer: CpuOptimizer,
  program: Trainable,
  options: ObjectiveOptions = {},
): Objective {
  readOptimizer(optimizer, "cpu");
  const { program: read, binding } = bind(optimizer, program, options);
  return new CpuObjective(optimizer, read, binding);
}

class CpuObjective implements Objective {
  readonly #optimizer: CpuOptimizer;
  readonly #program: Program;
  readonly #binding: Binding;
  readonly #bound: CpuProgram;
  /** The last report of each replica; a halted one keeps it. */
  readonly #losses: number[];
  readonly #evaluations: ReplicaEvaluation[];

  constructor(optimizer: CpuOptimizer, program: Program, binding: Binding) {
    this.#optimizer = optimizer;
    this.#program = program;
    this.#binding = binding;
    this.#bound = program.bindCpu(optimizer, binding);
    this.#losses = Array.from({ length: optimizer.replicas }, () => 0);
    this.#evaluations = Array.from({ length: optimizer.replicas }, () => evaluationOf(program, 0, 0));
  }

  async step(rows?: Uint32Array): Promise<StepReport> {
    const losses = this.#gradient(rows);
    // Before anything is awaited: the next step may be called while this report is pending.
    this.#optimizer.step();
    const stats = await Promise.all(losses.map((_, replica) => this.#optimizer.stats({ replica })));
    await breathe();
    return firstAndEach(stats.map((each, replica) => reportOf(losses[replica]!, each)));
  }

  async gradient(rows?: Uint32Array): Promise<readonly number[]> {
    const losses = this.#gradient(rows);
    await breathe();
    return losses;
  }

  async evaluate(data?: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    checkEvaluation(this.#program, data, onProgress);
    this.#binding.mustHold();
    const steps = this.#steps();
    const judge = this.#bound.evaluation(data);
    const every = data ? everyRow(data) : undefined;
    const weight = data ? weightOf(every!, data) : this.#bound.examples;
    const results = this.#losses.map(() => ({ loss: 0, hits: 0, halted: false }));
    const batches = data
      ? rowsInOrder(data.count, Math.min(this.#binding.batch, this.#bound.atOnce))
      : [new Uint32Array()];
    let done = 0;
    for (const rows of batches) {
      const of = judge(rows);
      results.forEach((result, replica) => {
        result.halted ||= this.#optimizer.progress({ replica }).halted;
        if (result.halted) return;
        const { loss, hits } = of(this.#params(replica));
        result.loss += loss;
        result.hits += hits;
      });
      done += rows.length;
      onProgress?.(done);
      await breathe();
    }
    mustStand(steps, this.#steps());
    results.forEach(({ loss, hits, halted }, replica) => {
      if (halted) return;
      const mean = loss / weight + this.#bound.penalty(this.#params(replica));
      this.#evaluations[replica] = evaluationOf(this.#program, mean, hits / weight);
    });
    return firstAndEach([...this.#evaluations]);
  }

  async hessianVector(vector: TensorValues, options: HessianOptions = {}): Promise<TensorValues> {
    return hessianVector(this, this.#binding.segments, vector, options);
  }

  async field(options: FieldOptions = {}): Promise<Field> {
    const plan = readFieldOptions(this.#optimizer, this.#binding.segments, options);
    const rows = readRows(plan.rows, this.#program, this.#binding).slice();
    mustRun(this.#optimizer, plan);
    return new CpuField(this.#optimizer, this.#binding, this.#bound, rows, plan, this.#program.draws ?? false);
  }

  destroy(): void {
    // There is nothing to free but arrays, which the garbage collector frees.
  }

  /** Each replica's mean loss; for a halted one, its last. */
  #gradient(given: Uint32Array | undefined): readonly number[] {
    const rows = readRows(given, this.#program, this.#binding);
    for (let replica = 0; replica < this.#losses.length; replica++) {
      if (this.#optimizer.progress({ replica }).halted) continue;
      const { loss, gradients } = this.#at(this.#params(replica), rows, replica);
      const scale = this.#optimizer.progress({ replica }).lossScale;
      for (const [name, values] of gradients) {
        const into = this.#tensor("gradients", name, replica);
        for (let i = 0; i < values.length; i++) into[i] = values[i]! * scale;
      }
      this.#losses[replica] = loss;
    }
    return [...this.#losses];
  }

  /** Loss and gradients of the rows at any values of the parameters. */
  #at(params: Values, rows: Uint32Array, replica: number): { loss: number; gradients: Map<string, Float64Array> } {
    const gradients = new Map(
      this.#binding.segments.map(({ name, length }) => [name, new Float64Array(length)] as const),
    );
    const loss = this.#bound.gradient(
      params,
      rows,
      this.#optimizer.progress({ replica }).step,
      (name) => gradients.get(name)!,
    );
    return { loss, gradients };
  }

  /** Updates made so far, in all replicas. */
  #steps(): number {
    return this.#losses.reduce((sum, _, replica) => sum + this.#optimizer.progress({ replica }).step, 0);
  }

  #params(replica: number): Values {
    return (name) => this.#tensor("params", name, replica);
  }

  #tensor(role: "params" | "gradients", name: string, replica: number): Float32Array {
    return this.#optimizer.view(role, name, { replica });
  }
}
