// A model bound to data on the CPU: losses, gradients and L2 of rows from its pass.
import type { CpuOptimizer } from "../engines/cpu/optimizer.ts";
import { activationFunctions } from "../engines/products/activation.ts";
import type { Judge } from "./criterion.ts";
import { type Dataset, everyRow } from "./data/dataset.ts";
import type { Model } from "./model.ts";
import { batchWeight } from "./objective.ts";
import type { Binding, CpuProgram, Sums, Values } from "./program.ts";

/** Numbers that one pass may keep of its rows, unless the caller sets the number of rows. */
const passLength = 2 ** 25;

export function bindModelToCpu(
  _: CpuOptimizer,
  model: Model,
  { data, microBatch }: Binding & { readonly data: Dataset },
): CpuProgram {
  const { criterion, layers, features, channels, anchors } = model;
  const { l2 } = model.config;
  const width = model.outputs * channels;
  const rowLength = channels * layers.reduce((sum, { outputs }) => sum + outputs, features);
  const atOnce = microBatch ?? Math.max(1, Math.floor(passLength / rowLength));
  const judge = criterion.judge(data);

  /** Sums the weighted losses and the hits of rows, and replaces the outputs by the derivatives of sum / `weight`. */
  const judged = (outputs: Float64Array, { weights }: Dataset, of: Judge, rows: Uint32Array, weight: number): Sums => {
    let [sum, hits] = [0, 0];
    rows.forEach((row, m) => {
      const example = outputs.subarray(m * width, (m + 1) * width);
      const counts = weights ? weights[row]! : 1;
      // A row of weight 0 does not count, even if its loss and derivatives are infinite.
      if (counts === 0) {
        example.fill(0);
        return;
      }
      const { loss, hit } = of(example, row);
      sum += counts * loss;
      hits += counts * hit;
      for (let j = 0; j < width; j++) example[j]! *= counts / weight;
    });
    return { loss: sum, hits };
  };

  const decay = (params: Values): number => {
    if (l2 === 0) return 0;
    return (l2 / 2) * layers.reduce((sum, { weight }) => sum + euclidean(params(weight)) ** 2, 0);
  };

  /** The losses of the anchors; adds their derivatives to `gradients`, if given. */
  const anchored = (params: Values, gradients?: (name: string) => Float64Array): number => {
    if (!anchors) return 0;
    const rows = everyRow(anchors);
    const pass = model.cpuPass(params, { inputs: anchors.inputs, rows, step: undefined });
    let sum = 0;
    for (const row of rows) sum += anchors.judge(pass.outputs.subarray(row * width, (row + 1) * width), row).loss;
    if (gradients) pass.backward(pass.outputs, gradients);
    return sum;
  };

  return {
    gradient(params, rows, step, gradients) {
      const weight = batchWeight(rows, data);
      let loss = decay(params) + anchored(params, gradients);
      for (let start = 0; start < rows.length; start += atOnce) {
        const some = rows.subarray(start, start + atOnce);
        const pass = model.cpuPass(params, { inputs: gathered(data, some), rows: some, step });
        loss += judged(pass.outputs, data, judge, some, weight).loss / weight;
        pass.backward(pass.outputs, gradients);
      }
      if (l2 > 0) {
        for (const { weight: name } of layers) {
          const [into, values] = [gradients(name), params(name)];
          for (let i = 0; i < into.length; i++) into[i]! += l2 * values[i]!;
        }
      }
      return loss;
    },
    atOnce,
    evaluation(of) {
      const evaluated = of!;
      const evaluatedJudge = criterion.judge(evaluated);
      return (rows) => {
        const batch = { inputs: gathered(evaluated, rows), rows, step: undefined };
        return (params) => judged(model.cpuPass(params, batch).outputs, evaluated, evaluatedJudge, rows, 1);
      };
    },
    penalty: (params) => decay(params) + anchored(params),
    examples: 1,
    // Between bends a gradient is a polynomial, for which a difference over any stride is exact; a short one hardly ever spans
    // a bend, and float64 keeps seven digits of it.
    strides: layers.some(({ activation }) => activationFunctions[activation].bends)
      ? { longest: 1e-9, enough: 1e-6 }
      : { longest: 1e-3, enough: 1e-8 },
  };
}

/** The inputs of rows, which all replicas share. */
export function gathered(
  { features, inputs, scale }: Pick<Dataset, "features" | "inputs" | "scale">,
  rows: Uint32Array,
): Float64Array {
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
