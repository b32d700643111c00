// The multilayer perceptron on the CPU: the reference of the kernels, in float64 between float32 parameters and gradients.
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
  type Objective,
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

interface Loss {
  readonly sum: number;
  readonly hits: number;
}

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

  constructor(optimizer: CpuOptimizer, model: Model, data: Dataset, batch: number) {
    this.#optimizer = optimizer;
    this.#model = model;
    this.#data = data;
    this.#batch = batch;
  }

  async step(rows: Uint32Array): Promise<StepReport> {
    // Gradient and update before anything is awaited: the next step may be asked for while this report is on its way.
    const loss = this.#gradient(rows);
    this.#optimizer.step();
    const { gradientNorm, step, skipped } = await this.#optimizer.stats();
    await nextTask();
    return { loss, gradientNorm, step, skipped };
  }

  async gradient(rows: Uint32Array): Promise<number> {
    return this.#gradient(rows);
  }

  async evaluate(data: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    checkFit(this.#model, data);
    checkDataset(data);
    let [sum, hits, done] = [0, 0, 0];
    for (const rows of rowsInOrder(data.count, this.#batch)) {
      const outputs = this.#forward(data, rows);
      const part = softmaxCrossEntropy(outputs[outputs.length - 1]!, data, rows);
      sum += part.sum;
      hits += part.hits;
      done += rows.length;
      onProgress?.(done);
      await nextTask();
    }
    return { loss: sum / data.count, accuracy: hits / data.count };
  }

  destroy(): void {
    // Nothing outlives the arrays that the garbage collector knows of.
  }

  #gradient(rows: Uint32Array): number {
    checkRows(rows, this.#batch, this.#data);
    const outputs = this.#forward(this.#data, rows);
    const { sum } = softmaxCrossEntropy(outputs[outputs.length - 1]!, this.#data, rows);
    const derivative = outputs[outputs.length - 1]!;
    for (let i = 0; i < derivative.length; i++) derivative[i]! *= this.#optimizer.lossScale;
    this.#backward(outputs, rows.length);
    return sum / rows.length;
  }

  #tensor(role: "params" | "gradients", name: string): Float32Array {
    const { offset, length } = this.#optimizer.segments.find((segment) => segment.name === name)!;
    return this.#optimizer[role].subarray(offset, offset + length);
  }

  /** The inputs of the rows, then every layer's output. */
  #forward(data: Dataset, rows: Uint32Array): Float64Array[] {
    const { features, inputs, scale } = data;
    const outputs = [new Float64Array(rows.length * features)];
    rows.forEach((row, m) => {
      for (let j = 0; j < features; j++) outputs[0]![m * features + j] = inputs[row * features + j]! * scale;
    });
    for (const layer of this.#model.layers) {
      const out = new Float64Array(rows.length * layer.outputs);
      const bias = this.#tensor("params", layer.bias);
      for (let i = 0; i < out.length; i++) out[i] = bias[i % layer.outputs]!;
      const weight = this.#tensor("params", layer.weight);
      addProduct(out, outputs[outputs.length - 1]!, weight, [rows.length, layer.inputs, layer.outputs]);
      const f = activate[layer.activation];
      for (let i = 0; i < out.length; i++) out[i] = f(out[i]!);
      outputs.push(out);
    }
    return outputs;
  }

  /** From the derivative by the logits, which stands in the last output, to the gradient arena. */
  #backward(outputs: Float64Array[], count: number): void {
    let delta = outputs[outputs.length - 1]!;
    for (let l = this.#model.layers.length - 1; l >= 0; l--) {
      const layer = this.#model.layers[l]!;
      const before = outputs[l]!;
      const weightGradient = new Float64Array(layer.inputs * layer.outputs);
      addProduct(weightGradient, before, delta, [layer.inputs, count, layer.outputs], true);
      this.#tensor("gradients", layer.weight).set(weightGradient);
      const biasGradient = new Float64Array(layer.outputs);
      for (let i = 0; i < delta.length; i++) biasGradient[i % layer.outputs]! += delta[i]!;
      this.#tensor("gradients", layer.bias).set(biasGradient);
      if (l === 0) return;
      const next = new Float64Array(count * layer.inputs);
      productTransposed(next, delta, this.#tensor("params", layer.weight), [count, layer.outputs, layer.inputs]);
      const slope = derivative[this.#model.layers[l - 1]!.activation];
      for (let i = 0; i < next.length; i++) next[i]! *= slope(before[i]!);
      delta = next;
    }
  }
}

/** Sums the losses and hits of the rows, and replaces their logits by the derivative of the mean loss. */
function softmaxCrossEntropy(logits: Float64Array, data: Dataset, rows: Uint32Array): Loss {
  const classes = logits.length / rows.length;
  let [sum, hits] = [0, 0];
  rows.forEach((row, m) => {
    const of = logits.subarray(m * classes, (m + 1) * classes);
    const label = data.labels[row]!;
    const top = of.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    if (of.indexOf(top) === label) hits++;
    const total = of.reduce((s, logit) => s + Math.exp(logit - top), 0);
    sum += Math.log(total) + top - of[label]!;
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
