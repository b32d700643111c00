// A custom objective on the CPU, by its twin: in float64, one example after the other.

import { OptionError } from "../base/errors.ts";
import type { CpuOptimizer } from "../engines/cpu/optimizer.ts";
import { type CustomDefinition, type Example, exampleAt, type FittedCustom, titleOf } from "./custom.ts";
import type { Dataset } from "./data/dataset.ts";
import { batchWeight } from "./objective.ts";
import type { CpuProgram, Values } from "./program.ts";

/** A twin with both loss and gradient. */
export interface CustomTwin {
  loss(params: Float64Array, example: Example): number;
  gradient(params: Float64Array, example: Example, out: Float64Array): void;
}

/**
 * The twin; without a gradient, with central differences of its loss.
 *
 * @throws OptionError if it has no loss.
 */
export function twinOf({ name, loss, gradient }: Pick<CustomDefinition, "name" | "loss" | "gradient">): CustomTwin {
  if (!loss) throw new OptionError(`${titleOf({ name })} has no loss in JavaScript, which the CPU engine needs`);
  return {
    loss,
    gradient:
      gradient ??
      ((params, example, out) => {
        const moved = Float64Array.from(params);
        params.forEach((value, i) => {
          // The cube root of float64's precision balances rounding errors and the third derivative.
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

export function bindCustomToCpu(_: CpuOptimizer, objective: FittedCustom, data: Dataset, batch: number): CpuProgram {
  const twin = twinOf(objective);
  const tensors = objective.tensors.map(({ name, shape }) => ({
    name,
    length: shape.reduce((product, size) => product * size, 1),
  }));
  const count = tensors.reduce((sum, { length }) => sum + length, 0);

  /** All parameters in the objective's order. */
  const packed = (values: Values): Float64Array => {
    const all = new Float64Array(count);
    let first = 0;
    for (const { name, length } of tensors) {
      all.set(values(name), first);
      first += length;
    }
    return all;
  };

  /** The weighted sum of the losses of rows. */
  const sumOf = (params: Float64Array, of: Dataset, rows: Uint32Array): number => {
    let sum = 0;
    for (const row of rows) {
      const counts = of.weights ? of.weights[row]! : 1;
      // A row of weight 0 does not count, even if its loss is infinite.
      if (counts !== 0) sum += counts * twin.loss(params, exampleAt(of, row));
    }
    return sum;
  };

  return {
    gradient(values, rows, _step, gradients) {
      const params = packed(values);
      const weight = batchWeight(rows, data);
      const sum = new Float64Array(count);
      const one = new Float64Array(count);
      for (const row of rows) {
        const counts = data.weights ? data.weights[row]! : 1;
        if (counts === 0) continue;
        twin.gradient(params, exampleAt(data, row), one.fill(0));
        for (let i = 0; i < one.length; i++) sum[i]! += (counts / weight) * one[i]!;
      }
      let first = 0;
      for (const { name, length } of tensors) {
        gradients(name).set(sum.subarray(first, first + length));
        first += length;
      }
      return sumOf(params, data, rows) / weight;
    },
    atOnce: batch,
    evaluation: (of) => (rows) => (values) => ({ loss: sumOf(packed(values), of!, rows), hits: 0 }),
    penalty: () => 0,
    examples: 1,
    // Derivatives that are differences themselves are less precise, and need wider strides.
    strides: objective.gradient ? { longest: 1e-3, enough: 1e-8 } : { longest: 1e-2, enough: 1e-5 },
  };
}
