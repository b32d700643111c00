// The multilayer perceptron on the CPU: the reference of the kernels, in float64 between float32 parameters and gradients,
// one replica after the other.
import { arenaLength } from "../arena.ts";
import type { CpuOptimizer } from "../cpu/optimizer.ts";
import { addProduct, productTransposed } from "../cpu/product.ts";
import type { Dataset } from "../data/dataset.ts";
import { checkDataset } from "../data/dataset.ts";
import type { Activation, Model } from "./model.ts";
import {
  checkBinding,
  checkFit,
  checkRows,
  type Evaluation,
  firstAndEach,
  type Objective,
  type ReplicaEvaluation,
  reportOf,
  rowsInOrder,
  type StepReport,
} from "./objective.ts";

const activate: Record<Activation, (x: number) => number> = {
  linear: (x) => x,
  relu: (x) => Math.max(0, x),
  tanh: Math.tanh,
};

/** Derivatives, from the activation's value. */
const derivative: Record<Activation, (y: number) => number> = {
  linear: () => 1,
  relu: (y) => (y > 0 ? 1 : 0),
  tanh: (y) => 1 - y * y,
};

/**
 * Binds a model and its training data to a CPU optimizer made of the model's tensors.
 *
 * @throws OptionError when they do not fit each other, DataError for bad data.
 */
export function createCpuObjective(optimizer: CpuOptimizer, model: Model, data: Dataset, batch: number): Objective {
  checkBinding(optimizer.segments, model, data, batch);
  return new CpuPerceptron(optimizer, model, data, batch);
}

class CpuPerceptron implements Objective {
  readonly #optimizer: CpuOptimizer;
  readonly #model: Model;
  readonly #data: Dataset;
  readonly #batch: number;
  readonly #stride: number;
  /** What was last found of each replica: of one that is halted, this stays. */
  readonly #losses: number[];
  readonly #evaluations: ReplicaEvaluation[];

  constructor(optimizer: CpuOptimizer, model: Model, data: Dataset, batch: number) {
    this.#optimizer = optimizer;
    this.#model = model;
    this.#data = data;
    this.#batch = batch;
    this.#stride = arenaLength(optimizer.segments);
    this.#losses = Array.from({ length: optimizer.replicas }, () => 0);
    this.#evaluations = Array.from({ length: optimizer.replicas }, () => ({ loss: 0, accuracy: 0 }));
  }

  async step(rows: Uint32Array): Promise<StepReport> {
    // Gradients and update before anything is awaited: the next step may be asked for while this report is on its way.
    const losses = this.#gradient(rows);
    this.#optimizer.step();
    const stats = await Promise.all(losses.map((_, replica) => this.#optimizer.stats(replica)));
    await nextTask();
    return firstAndEach(stats.map((each, replica) => reportOf(losses[replica]!, each)));
  }

  async gradient(rows: Uint32Array): Promise<readonly number[]> {
    return this.#gradient(rows);
  }

  async evaluate(data: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    checkFit(this.#model, data);
    checkDataset(data);
    const results = this.#evaluations.map(() => ({ sum: 0, hits: 0, halted: false }));
    let done = 0;
    for (const rows of rowsInOrder(data.count, this.#batch)) {
      const inputs = gathered(data, rows);
      results.forEach((result, replica) => {
        result.halted ||= this.#optimizer.isHalted(replica);
        if (result.halted) return;
        const outputs = this.#forward(inputs, rows.length, replica);
        const { sum, hits } = softmaxCrossEntropy(outputs[outputs.length - 1]!, data, rows);
        result.sum += sum;
        result.hits += hits;
      });
      done += rows.length;
      onProgress?.(done);
      await nextTask();
    }
    results.forEach(({ sum, hits, halted }, replica) => {
      if (!halted) this.#evaluations[replica] = { loss: sum / data.count, accuracy: hits / data.count };
    });
    return firstAndEach([...this.#evaluations]);
  }

  destroy(): void {
    // Nothing outlives the arrays that the garbage collector knows of.
  }

  /** Each replica's mean loss; of one that is halted, the last before. */
  #gradient(rows: Uint32Array): readonly number[] {
    checkRows(rows, this.#batch, this.#data);
    const inputs = gathered(this.#data, rows);
    for (let replica = 0; replica < this.#losses.length; replica++) {
      if (this.#optimizer.isHalted(replica)) continue;
      const outputs = this.#forward(inputs, rows.length, replica);
      const delta = outputs[outputs.length - 1]!;
      const { sum } = softmaxCrossEntropy(delta, this.#data, rows);
      const scale = this.#optimizer.lossScaleOf(replica);
      for (let i = 0; i < delta.length; i++) delta[i]! *= scale;
      this.#backward(outputs, rows.length, replica);
      this.#losses[replica] = sum / rows.length;
    }
    return [...this.#losses];
  }

  #tensor(role: "params" | "gradients", name: string, replica: number): Float32Array {
    const { offset, length } = this.#optimizer.segments.find((segment) => segment.name === name)!;
    const begin = replica * this.#stride + offset;
    return this.#optimizer[role].subarray(begin, begin + length);
  }

  /** The inputs, then every layer's output. */
  #forward(inputs: Float64Array, count: number, replica: number): Float64Array[] {
    const outputs = [inputs];
    for (const layer of this.#model.layers) {
      const out = new Float64Array(count * layer.outputs);
      const bias = this.#tensor("params", layer.bias, replica);
      for (let i = 0; i < out.length; i++) out[i] = bias[i % layer.outputs]!;
      const weight = this.#tensor("params", layer.weight, replica);
      addProduct(out, outputs[outputs.length - 1]!, weight, [count, layer.inputs, layer.outputs]);
      const f = activate[layer.activation];
      for (let i = 0; i < out.length; i++) out[i] = f(out[i]!);
      outputs.push(out);
    }
    return outputs;
  }

  /** From the derivative by the logits, which stands in the last output, to the gradient arena. */
  #backward(outputs: readonly Float64Array[], count: number, replica: number): void {
    let delta = outputs[outputs.length - 1]!;
    for (let l = this.#model.layers.length - 1; l >= 0; l--) {
      const layer = this.#model.layers[l]!;
      const before = outputs[l]!;
      const weightGradient = new Float64Array(layer.inputs * layer.outputs);
      addProduct(weightGradient, before, delta, [layer.inputs, count, layer.outputs], true);
      this.#tensor("gradients", layer.weight, replica).set(weightGradient);
      const biasGradient = new Float64Array(layer.outputs);
      for (let i = 0; i < delta.length; i++) biasGradient[i % layer.outputs]! += delta[i]!;
      this.#tensor("gradients", layer.bias, replica).set(biasGradient);
      if (l === 0) return;
      const next = new Float64Array(count * layer.inputs);
      productTransposed(next, delta, this.#tensor("params", layer.weight, replica), [
        count,
        layer.outputs,
        layer.inputs,
      ]);
      const slope = derivative[this.#model.layers[l - 1]!.activation];
      for (let i = 0; i < next.length; i++) next[i]! *= slope(before[i]!);
      delta = next;
    }
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

/** Sums the losses and hits of the rows, and replaces their logits by the derivative of the mean loss. */
function softmaxCrossEntropy(logits: Float64Array, data: Dataset, rows: Uint32Array): { sum: number; hits: number } {
  const classes = logits.length / rows.length;
  let [sum, hits] = [0, 0];
  rows.forEach((row, m) => {
    const of = logits.subarray(m * classes, (m + 1) * classes);
    const label = data.labels[row]!;
    const top = of.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const total = of.reduce((s, logit) => s + Math.exp(logit - top), 0);
    const loss = Math.log(total) + top - of[label]!;
    sum += loss;
    // Of logits that are no numbers none is the largest.
    if (Number.isFinite(loss) && of.indexOf(top) === label) hits++;
    for (let c = 0; c < classes; c++) {
      of[c] = (Math.exp(of[c]! - top) / total - (c === label ? 1 : 0)) / rows.length;
    }
  });
  return { sum, hits };
}

/** Lets the page paint and the terminal hear Ctrl-C between steps that block for a long time. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
