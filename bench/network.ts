// The work of the training cases, the same for every engine: a ReLU network with its initial weights, one batch of labelled rows,
// and the hypers of AdamW. A step is forward, mean softmax cross-entropy, backward, update.

import type { Tensor, TensorValues } from "../src/index.ts";
import { createModel, type Dataset, initialTensors, Random } from "../src/training.ts";
import { type Answer, checkedSteps } from "./suite.ts";

export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  /** [inputs, outputs], row after row. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

export interface Work {
  /** Widths from the input to the classes. */
  readonly widths: readonly number[];
  readonly batch: number;
  readonly layers: readonly Layer[];
  /** batch × widths[0]. */
  readonly inputs: Float32Array;
  readonly labels: Uint32Array;
  readonly hypers: typeof hypers;
}

/** The answer of the first steps: the loss of each before its update, and the parameters after them. */
export async function answerOf(
  step: () => Promise<number>,
  params: () => Promise<readonly Float32Array[]>,
): Promise<Answer> {
  const numbers: number[] = [];
  for (let i = 0; i < checkedSteps; i++) numbers.push(await step());
  return { numbers, values: await params() };
}

/** The defaults of our AdamW. */
export const hypers = { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 } as const;

export function createWork(widths: readonly number[], batch: number): Work {
  const model = createModel({ layers: widths });
  const initial = new Map(initialTensors(model, { seed: 1 }).map(({ name, data }) => [name, data]));
  const random = new Random(2);
  const classes = widths[widths.length - 1]!;
  const layers = model.layers.map(({ inputs, outputs }, i): Layer => {
    const weight = initial.get(`layer${i + 1}.weight`);
    return { inputs, outputs, weight: Float32Array.from(weight ?? []), bias: new Float32Array(outputs) };
  });
  return {
    widths,
    batch,
    layers,
    inputs: Float32Array.from({ length: batch * widths[0]! }, () => random.uniform()),
    labels: Uint32Array.from({ length: batch }, () => Math.floor(random.uniform() * classes)),
    hypers,
  };
}

/** Labels as one-hot rows, for the engines that need them. */
export function oneHot({ labels, widths }: Work): Float32Array {
  const classes = widths[widths.length - 1]!;
  const rows = new Float32Array(labels.length * classes);
  labels.forEach((label, row) => {
    rows[row * classes + label] = 1;
  });
  return rows;
}

/** The weights and biases in order: w1, b1, w2, b2 … */
export function startOf({ layers }: Work): Float32Array[] {
  return layers.flatMap(({ weight, bias }) => [weight, bias]);
}

/** The same for our engines. */
export function tensorsOf({ layers }: Work): Tensor[] {
  return layers.flatMap(({ inputs, outputs, weight, bias }, i) => [
    { name: `layer${i + 1}.weight`, shape: [inputs, outputs], data: weight },
    { name: `layer${i + 1}.bias`, shape: [outputs], data: bias },
  ]);
}

/** Values by name in the order of {@link startOf}. */
export function inOrder(work: Work, values: TensorValues): Float32Array[] {
  return tensorsOf(work).map(({ name }) => values[name]!);
}

export function datasetOf({ widths, batch, inputs, labels }: Work): Dataset {
  return {
    name: "one batch",
    count: batch,
    features: widths[0]!,
    inputs,
    scale: 1,
    classes: widths[widths.length - 1]!,
    labels,
  };
}

/** One product of a step, in the order in which a step makes them. */
export interface ProductWork {
  readonly name: string;
  readonly flops: number;
}

/** The shape that determines the number of operations. */
export interface Shape {
  readonly batch: number;
  readonly layers: readonly Pick<Layer, "inputs" | "outputs">[];
}

/** Forward through the layers; then, from the last layer back, the weight's gradient and the delta of the layer before. */
export function productsOf({ layers, batch }: Shape): ProductWork[] {
  const of = (kind: string, l: number): ProductWork => {
    const { inputs, outputs } = layers[l]!;
    return { name: `${kind} ${l + 1}`, flops: 2 * batch * inputs * outputs };
  };
  const order = [...layers.keys()];
  return [
    ...order.map((l) => of("forward", l)),
    ...order.reverse().flatMap((l) => [of("gradient", l), ...(l > 0 ? [of("delta", l)] : [])]),
  ];
}

/** Operations of a step's products, a multiplication and an addition counted as two. */
export function flopsOf(work: Shape): number {
  return productsOf(work).reduce((sum, { flops }) => sum + flops, 0);
}
