// An objective of one's own on the CPU, by its twin: in float64 between float32 parameters and gradients, one example after
// the other.
import { arenaLength, type Segment } from "../arena.ts";
import type { CpuOptimizer } from "../cpu/optimizer.ts";
import type { Dataset } from "../data/dataset.ts";
import { OptionError } from "../errors.ts";
import { readOptimizer, type TensorValues } from "../optimizer.ts";
import { extrapolate, type Product } from "./differences.ts";
import {
  batchWeight,
  checkEvaluation,
  checkRows,
  type Evaluation,
  firstAndEach,
  type Objective,
  type ReplicaEvaluation,
  type StepReport,
  vectorNorm,
  weightOf,
} from "./objective.ts";
import {
  type BoundOwn,
  bindOwn,
  countParams,
  exampleAt,
  fitOwn,
  type OwnExample,
  type OwnObjective,
  titleOf,
} from "./own.ts";
import { stepOnCpu, sumInBatches } from "./report_cpu.ts";
import { breathe } from "./turns.ts";

/** An objective whose twin has both halves. */
export interface OwnTwin {
  loss(params: Float64Array, example: OwnExample): number;
  gradient(params: Float64Array, example: OwnExample, out: Float64Array): void;
}

/**
 * The twin, with central differences of its loss where it has no gradient.
 *
 * @throws OptionError where it has no loss.
 */
export function twinOf({ name, loss, gradient }: BoundOwn): OwnTwin {
  if (!loss) throw new OptionError(`${titleOf({ name })} has no loss in JavaScript, which the CPU runs it by`);
  return {
    loss,
    gradient:
      gradient ??
      ((params, example, out) => {
        const moved = Float64Array.from(params);
        params.forEach((value, i) => {
          // The cube root of float64's precision balances what rounding and the third derivative cost.
          const stride = 6e-6 * (1 + Math.abs(value));
          const [above, below] = [value + stride, value - stride];
          moved[i] = above;
          const high = loss(moved, example);
          moved[i] = below;
          out[i] = (high - loss(moved, example)) / (above - below);
          moved[i] = value;
        });
      }),
  };
}

/**
 * Binds an objective of one's own and its training data to a CPU optimizer made of its tensors.
 *
 * @param batch The most rows of a step, a whole number >= 1.
 * @throws OptionError when they do not fit each other, or the objective has no twin; DataError for bad data.
 */
export function createOwnCpuObjective(
  optimizer: CpuOptimizer,
  objective: OwnObjective,
  data: Dataset,
  batch: number,
): Objective {
  readOptimizer(optimizer, "cpu");
  const { bound, tensors } = bindOwn(optimizer.segments, objective, data, batch);
  return new CpuOwn(optimizer, bound, tensors, data, batch);
}

class CpuOwn implements Objective {
  readonly #optimizer: CpuOptimizer;
  readonly #objective: BoundOwn;
  readonly #twin: OwnTwin;
  readonly #tensors: readonly Segment[];
  readonly #data: Dataset;
  readonly #batch: number;
  readonly #stride: number;
  readonly #count: number;
  /** What was last found of each replica: of one that is halted, this stays. */
  readonly #losses: number[];
  readonly #evaluations: ReplicaEvaluation[];

  constructor(optimizer: CpuOptimizer, objective: BoundOwn, tensors: readonly Segment[], data: Dataset, batch: number) {
    this.#optimizer = optimizer;
    this.#objective = objective;
    this.#twin = twinOf(objective);
    this.#tensors = tensors;
    this.#data = data;
    this.#batch = batch;
    this.#stride = arenaLength(optimizer.segments);
    this.#count = countParams(tensors);
    this.#losses = Array.from({ length: optimizer.replicas }, () => 0);
    this.#evaluations = Array.from({ length: optimizer.replicas }, () => ({ loss: 0, accuracy: Number.NaN }));
  }

  async step(rows: Uint32Array): Promise<StepReport> {
    return stepOnCpu(this.#optimizer, this.#gradient(rows));
  }

  async gradient(rows: Uint32Array): Promise<readonly number[]> {
    const losses = this.#gradient(rows);
    await breathe();
    return losses;
  }

  async evaluate(data: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    checkEvaluation(data, onProgress);
    fitOwn(this.#objective, data);
    const every = Uint32Array.from({ length: data.count }, (_, row) => row);
    const weight = weightOf(every, data);
    const judged = (rows: Uint32Array) => (replica: number) => ({
      sum: this.#sum(this.#params(replica), data, rows),
      hits: 0,
    });
    const results = await sumInBatches(this.#optimizer, data, this.#batch, judged, onProgress);
    results.forEach(({ sum, halted }, replica) => {
      if (!halted) this.#evaluations[replica] = { loss: sum / weight, accuracy: Number.NaN };
    });
    return firstAndEach([...this.#evaluations]);
  }

  async hessianVector(rows: Uint32Array, vector: TensorValues, replica = 0): Promise<TensorValues> {
    checkRows(rows, this.#batch, this.#data);
    const norm = vectorNorm(this.#tensors, vector);
    if (this.#optimizer.isHalted(replica)) {
      throw new OptionError(`replica ${replica} is halted; hessianVector needs one that is not`);
    }
    const params = this.#params(replica);
    const direction = new Float64Array(this.#count);
    let first = 0;
    for (const { name, length } of this.#tensors) {
      direction.set(vector[name]!, first);
      first += length;
    }
    const size = Math.sqrt(params.reduce((sum, value) => sum + value * value, 0));
    const at = (towards: number) =>
      this.#at(
        params.map((value, i) => value + towards * direction[i]!),
        rows,
      ).gradient;
    const difference = (stride: number) => {
      const [above, below] = [at(stride), at(-stride)];
      return this.#byTensor(above.map((high, i) => (high - below[i]!) / (2 * stride)));
    };
    // Derivatives that are differences themselves are less precise, and want wider strides.
    const [start, enough] = this.#objective.gradient ? [1e-3, 1e-8] : [1e-2, 1e-5];
    return extrapolate(difference, (start * (1 + size)) / norm, enough);
  }

  destroy(): void {
    // Nothing outlives the arrays that the garbage collector knows of.
  }

  /** Each replica's mean loss; of one that is halted, the last before. */
  #gradient(rows: Uint32Array): readonly number[] {
    checkRows(rows, this.#batch, this.#data);
    for (let replica = 0; replica < this.#losses.length; replica++) {
      if (this.#optimizer.isHalted(replica)) continue;
      const { loss, gradient } = this.#at(this.#params(replica), rows);
      const scale = this.#optimizer.lossScaleOf(replica);
      const found = this.#byTensor(gradient.map((value) => value * scale));
      for (const { name, offset } of this.#tensors) {
        this.#optimizer.gradients.set(found[name]!, replica * this.#stride + offset);
      }
      this.#losses[replica] = loss;
    }
    return [...this.#losses];
  }

  /** The weighted sum of the losses of rows. */
  #sum(params: Float64Array, data: Dataset, rows: Uint32Array): number {
    let sum = 0;
    for (const row of rows) {
      const counts = data.weights ? data.weights[row]! : 1;
      // What does not count does not matter, be it infinite.
      if (counts !== 0) sum += counts * this.#twin.loss(params, exampleAt(data, row));
    }
    return sum;
  }

  /** Mean loss and gradient of the rows at any values of the parameters. */
  #at(params: Float64Array, rows: Uint32Array): { readonly loss: number; readonly gradient: Float64Array } {
    const weight = batchWeight(rows, this.#data);
    const gradient = new Float64Array(this.#count);
    const one = new Float64Array(this.#count);
    for (const row of rows) {
      const counts = this.#data.weights ? this.#data.weights[row]! : 1;
      if (counts === 0) continue;
      this.#twin.gradient(params, exampleAt(this.#data, row), one.fill(0));
      for (let i = 0; i < one.length; i++) gradient[i]! += (counts / weight) * one[i]!;
    }
    return { loss: this.#sum(params, this.#data, rows) / weight, gradient };
  }

  /** A replica's parameters, in the objective's order. */
  #params(replica: number): Float64Array {
    const params = new Float64Array(this.#count);
    let first = 0;
    for (const { offset, length } of this.#tensors) {
      const begin = replica * this.#stride + offset;
      params.set(this.#optimizer.params.subarray(begin, begin + length), first);
      first += length;
    }
    return params;
  }

  #byTensor(values: Float64Array): Product {
    let first = 0;
    return Object.fromEntries(
      this.#tensors.map(({ name, length }) => {
        first += length;
        return [name, values.subarray(first - length, first)];
      }),
    );
  }
}
