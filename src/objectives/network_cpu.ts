// A network in training on the CPU: batches, losses, gradients and evaluations, the reference of the kernels; in float64
// between float32 parameters and gradients, one replica after the other.
import { arenaLength, type Segment } from "../arena.ts";
import type { CpuOptimizer } from "../cpu/optimizer.ts";
import { checkDataset, type Dataset } from "../data/dataset.ts";
import { OptionError } from "../errors.ts";
import { readOptimizer, type TensorValues } from "../optimizer.ts";
import { readNumber } from "../options.ts";
import { extrapolate, type Product } from "./differences.ts";
import { hasAccuracy, type Judge, judgeOf } from "./loss.ts";
import { mlpPass } from "./mlp_cpu.ts";
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
  type StepReport,
  vectorNorm,
  weightOf,
} from "./objective.ts";
import type { CpuBatch, CpuPass, Values } from "./pass_cpu.ts";
import { stepOnCpu, sumInBatches } from "./report_cpu.ts";
import { rnnPass } from "./rnn_cpu.ts";
import { breathe } from "./turns.ts";

/** Numbers that one pass may keep of its rows, unless it is told how many rows to take. */
const passLength = 2 ** 25;

/**
 * Binds a model and its training data to a CPU optimizer made of the model's tensors.
 *
 * @param batch The most rows of a step, a whole number >= 1.
 * @throws OptionError when they do not fit each other, DataError for bad data.
 */
export function createCpuObjective(
  optimizer: CpuOptimizer,
  model: Model,
  data: Dataset,
  batch: number,
  options: ObjectiveOptions = {},
): Objective {
  readOptimizer(optimizer, "cpu");
  checkBinding(optimizer.segments, model, data, batch);
  const { microBatch } = readObjectiveOptions(options);
  const width = model.layers.reduce((sum, { outputs }) => sum + outputs, model.features);
  const atOnce =
    microBatch === undefined
      ? Math.max(1, Math.floor(passLength / width))
      : readNumber("microBatch", microBatch, { min: 1, integer: true });
  return new CpuNetwork(optimizer, model, data, batch, atOnce);
}

class CpuNetwork implements Objective {
  readonly #optimizer: CpuOptimizer;
  readonly #model: Model;
  readonly #data: Dataset;
  readonly #judge: Judge;
  readonly #batch: number;
  readonly #atOnce: number;
  readonly #stride: number;
  readonly #segments: readonly Segment[];
  /** What was last found of each replica: of one that is halted, this stays. */
  readonly #losses: number[];
  readonly #evaluations: ReplicaEvaluation[];

  constructor(optimizer: CpuOptimizer, model: Model, data: Dataset, batch: number, atOnce: number) {
    this.#optimizer = optimizer;
    this.#model = model;
    this.#data = data;
    this.#judge = judgeOf(model.config.loss, model.outputs, data);
    this.#batch = batch;
    this.#atOnce = atOnce;
    this.#stride = arenaLength(optimizer.segments);
    this.#segments = modelSegments(optimizer.segments, model);
    this.#losses = Array.from({ length: optimizer.replicas }, () => 0);
    this.#evaluations = Array.from({ length: optimizer.replicas }, () => ({ loss: 0, accuracy: 0 }));
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
    checkFit(this.#model, data);
    checkDataset(data);
    const judge = judgeOf(this.#model.config.loss, this.#model.outputs, data);
    const every = Uint32Array.from({ length: data.count }, (_, row) => row);
    const weight = weightOf(every, data);
    const judged = (rows: Uint32Array) => {
      const batch = { inputs: gathered(data, rows), rows, step: undefined };
      return (replica: number) => this.#judged(this.#forward(this.#params(replica), batch).outputs, data, judge, rows);
    };
    const atOnce = Math.min(this.#batch, this.#atOnce);
    const results = await sumInBatches(this.#optimizer, data, atOnce, judged, onProgress);
    const counts = hasAccuracy(this.#model.config.loss);
    results.forEach(({ sum, hits, halted }, replica) => {
      if (halted) return;
      const loss = sum / weight + this.#penalty(this.#params(replica));
      this.#evaluations[replica] = { loss, accuracy: counts ? hits / weight : Number.NaN };
    });
    return firstAndEach([...this.#evaluations]);
  }

  async hessianVector(rows: Uint32Array, vector: TensorValues, replica = 0): Promise<TensorValues> {
    checkRows(rows, this.#batch, this.#data);
    const segments = this.#segments;
    const norm = vectorNorm(segments, vector);
    if (this.#optimizer.isHalted(replica)) {
      throw new OptionError(`replica ${replica} is halted; hessianVector needs one that is not`);
    }
    const params = this.#params(replica);
    const size = Math.hypot(...segments.map(({ name }) => euclidean(params(name))));
    const gradientsAt = (towards: number) => {
      const moved = new Map(
        segments.map(({ name }) => {
          const direction = vector[name]!;
          return [name, Float64Array.from(params(name), (p, i) => p + towards * direction[i]!)];
        }),
      );
      return this.#at((name) => moved.get(name)!, rows, replica).gradients;
    };
    const difference = (stride: number): Product => {
      const [above, below] = [gradientsAt(stride), gradientsAt(-stride)];
      return Object.fromEntries(
        segments.map(({ name }) => {
          const low = below.get(name)!;
          return [name, above.get(name)!.map((high, i) => (high - low[i]!) / (2 * stride))];
        }),
      );
    };
    return extrapolate(difference, (1e-3 * (1 + size)) / norm, 1e-8);
  }

  destroy(): void {
    // Nothing outlives the arrays that the garbage collector knows of.
  }

  /** Each replica's mean loss; of one that is halted, the last before. */
  #gradient(rows: Uint32Array): readonly number[] {
    checkRows(rows, this.#batch, this.#data);
    for (let replica = 0; replica < this.#losses.length; replica++) {
      if (this.#optimizer.isHalted(replica)) continue;
      const { loss, gradients } = this.#at(this.#params(replica), rows, replica);
      const scale = this.#optimizer.lossScaleOf(replica);
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
    const gradients = new Map(this.#segments.map(({ name, length }) => [name, new Float64Array(length)] as const));
    const step = this.#optimizer.stepOf(replica);
    const weight = batchWeight(rows, this.#data);
    let loss = this.#penalty(params);
    for (let start = 0; start < rows.length; start += this.#atOnce) {
      const some = rows.subarray(start, start + this.#atOnce);
      const pass = this.#forward(params, { inputs: gathered(this.#data, some), rows: some, step });
      loss += this.#judged(pass.outputs, this.#data, this.#judge, some, weight).sum / weight;
      pass.backward(pass.outputs, (name) => gradients.get(name)!);
    }
    const { l2 } = this.#model.config;
    if (l2 > 0) {
      for (const { weight: name } of this.#model.layers) {
        const [into, values] = [gradients.get(name)!, params(name)];
        for (let i = 0; i < into.length; i++) into[i]! += l2 * values[i]!;
      }
    }
    return { loss, gradients };
  }

  #forward(params: Values, batch: CpuBatch): CpuPass {
    return this.#model.type === "mlp" ? mlpPass(this.#model, params, batch) : rnnPass(this.#model, params, batch);
  }

  /** Sums the weighted losses and the hits of rows, and replaces the outputs by the derivatives of sum / `weight`. */
  #judged(
    outputs: Float64Array,
    { weights }: Dataset,
    judge: Judge,
    rows: Uint32Array,
    weight = 1,
  ): { sum: number; hits: number } {
    const width = this.#model.outputs;
    let [sum, hits] = [0, 0];
    rows.forEach((row, m) => {
      const of = outputs.subarray(m * width, (m + 1) * width);
      const { loss, hit } = judge(of, row);
      const counts = weights ? weights[row]! : 1;
      // What does not count does not matter, be it infinite.
      if (counts !== 0) sum += counts * loss;
      if (hit) hits += counts;
      for (let j = 0; j < width; j++) of[j]! *= counts / weight;
    });
    return { sum, hits };
  }

  /** The L2 term. */
  #penalty(params: Values): number {
    const { l2 } = this.#model.config;
    if (l2 === 0) return 0;
    return (l2 / 2) * this.#model.layers.reduce((sum, { weight }) => sum + euclidean(params(weight)) ** 2, 0);
  }

  #params(replica: number): Values {
    return (name) => this.#tensor("params", name, replica);
  }

  #tensor(role: "params" | "gradients", name: string, replica: number): Float32Array {
    const { offset, length } = this.#segments.find((segment) => segment.name === name)!;
    const begin = replica * this.#stride + offset;
    return this.#optimizer[role].subarray(begin, begin + length);
  }
}

/** The inputs of the rows, which all replicas share. */
function gathered({ features, inputs, scale }: Dataset, rows: Uint32Array): Float64Array {
  const matrix = new Float64Array(rows.length * features);
  rows.forEach((row, m) => {
    for (let j = 0; j < features; j++) matrix[m * features + j] = inputs[row * features + j]! * scale;
  });
  return matrix;
}

function euclidean(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
