// Objectives of one's own that tests of both engines take.

import { type CustomObjective, defineObjective } from "../src/objectives/custom.ts";
import type { LabelledDataset, TargetDataset } from "../src/objectives/data/dataset.ts";

/** Bumps on a line, fitted to points by least squares. */
export const peaks: CustomObjective = defineObjective({
  name: "peaks",
  tensors: [
    { name: "height", shape: [4] },
    { name: "place", shape: [4] },
  ],
  features: 1,
  outputs: 1,
  wgsl: `
    fn bump(row: u32, k: u32) -> f32 {
      let d = input(row, 0u) - param(first_place + k);
      return exp(-d * d);
    }
    fn miss(row: u32) -> f32 {
      var sum = -target_of(row, 0u);
      for (var k = 0u; k < 4u; k++) {
        sum += param(k) * bump(row, k);
      }
      return sum;
    }
    fn loss(row: u32) -> f32 {
      return miss(row) * miss(row);
    }
    fn gradient(row: u32, i: u32) -> f32 {
      if (i < first_place) {
        return 2.0 * miss(row) * bump(row, i);
      }
      let k = i - first_place;
      return 4.0 * miss(row) * param(k) * bump(row, k) * (input(row, 0u) - param(i));
    }`,
  loss: (p, { inputs, targets }) => miss(p, inputs[0]!, targets[0]!) ** 2,
  gradient(p, { inputs, targets }, out) {
    const [x, off] = [inputs[0]!, miss(p, inputs[0]!, targets[0]!)];
    for (let k = 0; k < 4; k++) {
      const bump = Math.exp(-((x - p[4 + k]!) ** 2));
      out[k] = 2 * off * bump;
      out[4 + k] = 4 * off * p[k]! * bump * (x - p[4 + k]!);
    }
  },
});

function miss(p: Float64Array, x: number, target: number): number {
  let sum = -target;
  for (let k = 0; k < 4; k++) sum += p[k]! * Math.exp(-((x - p[4 + k]!) ** 2));
  return sum;
}

/** Points on a curve, each of which counts differently. */
export function curve(count: number): TargetDataset {
  return {
    name: "curve",
    count,
    features: 1,
    outputs: 1,
    inputs: Float32Array.from({ length: count }, (_, i) => Math.sin(3 * i)),
    scale: 2,
    targets: Float32Array.from({ length: count }, (_, i) => Math.cos(5 * i)),
    weights: Float32Array.from({ length: count }, (_, i) => i % 3),
  };
}

/** Softmax regression without biases, whose twin has no gradient. */
export const regression: CustomObjective = defineObjective({
  name: "regression",
  tensors: [{ name: "weight", shape: [5, 3] }],
  wgsl: `
    fn logit(row: u32, c: u32) -> f32 {
      var sum = 0.0;
      for (var j = 0u; j < features; j++) {
        sum += input(row, j) * param(j * outputs + c);
      }
      return sum;
    }
    fn total(row: u32) -> f32 {
      var sum = 0.0;
      for (var c = 0u; c < outputs; c++) {
        sum += exp(logit(row, c));
      }
      return sum;
    }
    fn loss(row: u32) -> f32 {
      return log(total(row)) - logit(row, label(row));
    }
    fn gradient(row: u32, i: u32) -> f32 {
      let c = i % outputs;
      return (exp(logit(row, c)) / total(row) - f32(c == label(row))) * input(row, i / outputs);
    }`,
  loss(p, { inputs, label }) {
    const logits = [0, 1, 2].map((c) => inputs.reduce((sum, x, j) => sum + x * p[3 * j + c]!, 0));
    return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[label]!;
  },
});

/** Bytes with labels. */
export function spots(count: number): LabelledDataset {
  return {
    name: "spots",
    count,
    features: 5,
    classes: 3,
    inputs: Uint8Array.from({ length: 5 * count }, (_, i) => (i * i * 31) % 256),
    scale: 1 / 255,
    labels: Uint8Array.from({ length: count }, (_, i) => (i * 7) % 3),
  };
}
