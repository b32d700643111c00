// Instruments of curvature on the CPU, and the edges that optimizers have.
import { describe, expect, it } from "vitest";
import { createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { edge } from "../../src/objectives/curvature/edge.ts";
import { tridiagonalEigen } from "../../src/objectives/curvature/symmetric.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { curvatureLaws } from "../curvature.ts";

describe("curvature on the CPU", () => curvatureLaws(cpuEngine(), { steps: 101 }));

describe("the edge of gradient descent", () => {
  interface Options {
    readonly lr: number;
    readonly momentum?: number;
    readonly dampening?: number;
    readonly nesterov?: boolean;
  }
  const of = (options: Options) => createCpuOptimizer({ a: [1] }, sgd({ ...options }));

  it.each<[Options, number]>([
    [{ lr: 0.5 }, 4],
    [{ lr: 0.5, momentum: 0.9 }, 7.6],
    [{ lr: 0.5, momentum: 0.9, dampening: 0.5 }, 15.2],
    [{ lr: 0.5, momentum: 0.5, nesterov: true }, 3],
  ])("of %j is %f: below it a quadratic is descended, above it not", async (options, wanted) => {
    expect(edge(of(options))).toBeCloseTo(wanted, 10);
    for (const share of [0.98, 1.02]) {
      const optimizer = of(options);
      optimizer.write("params", { a: [1e-3] });
      for (let step = 0; step < 1000; step++) {
        const [a] = optimizer.params;
        optimizer.write("gradients", { a: [share * wanted * a!] });
        optimizer.step();
      }
      expect(Math.abs(optimizer.params[0]!) < 1e-3).toBe(share < 1);
    }
  });
});

describe("a tridiagonal matrix", () => {
  it("has the eigenvalues of the second difference", () => {
    const { values, vectors } = tridiagonalEigen(Array(12).fill(2), Array(11).fill(-1));
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(2 - 2 * Math.cos((Math.PI * (12 - i)) / 13), 12);
      const vector = vectors[i]!;
      expect(Math.hypot(...vector)).toBeCloseTo(1, 12);
      const first = 2 * vector[0]! - vector[1]!;
      expect(first).toBeCloseTo(value * vector[0]!, 12);
    });
    expect(tridiagonalEigen([3], [])).toEqual({ values: [3], vectors: [Float64Array.of(1)] });
  });
});
