// Instruments of curvature on the CPU, and the edges that optimizers have.
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/random.ts";
import { createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { edge } from "../../src/objectives/curvature/edge.ts";
import { sharpness, trace } from "../../src/objectives/curvature/functions.ts";
import { tridiagonalEigen } from "../../src/objectives/curvature/symmetric.ts";
import { arrayDataset } from "../../src/objectives/data/arrays.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine, createTrainee } from "../../src/train/engine.ts";
import { curvatureLaws } from "../curvature.ts";

describe("curvature on the CPU", () => curvatureLaws(cpuEngine(), { steps: 101 }));

describe("the curvature of a relu network", () => {
  // With the units of each row held as they are it is a bilinear form, whose Hessian differences give exactly.
  it("is that of its pieces, on the CPU to six digits", async () => {
    const [width, count] = [5, 200];
    const model = createModel({ layers: [3, width, 1], activation: "relu", loss: "meanSquaredError" });
    const random = new Random(4);
    const inputs = Array.from({ length: count }, () => Array.from({ length: 3 }, () => random.normal()));
    const targets = inputs.map(([x, y, z]) => [x! * y! - z!]);
    const data = arrayDataset({ inputs, targets });
    const rows = Uint32Array.from({ length: count }, (_, row) => row);
    const trainee = await createTrainee(cpuEngine(), model, initialTensors(model, { seed: 2 }), sgd(), {
      data,
      batch: count,
    });
    const {
      "layer1.weight": w,
      "layer1.bias": b,
      "layer2.weight": v,
      "layer2.bias": c,
    } = await trainee.optimizer.read();
    const length = 5 * width + 1;
    // Parameters in the order weight 1, bias 1, weight 2, bias 2.
    const hessian = Array.from({ length }, () => new Float64Array(length));
    inputs.forEach((given, row) => {
      const x = given.map(Math.fround);
      const slope = new Float64Array(length);
      const mixed: (readonly [number, number, number])[] = [];
      let y = c![0]!;
      for (let j = 0; j < width; j++) {
        const z = x.reduce((sum, value, i) => sum + value * w![i * width + j]!, b![j]!);
        if (!(z > 0)) continue;
        y += z * v![j]!;
        slope[4 * width + j] = z;
        [...x, 1].forEach((value, i) => {
          slope[i * width + j] = value * v![j]!;
          mixed.push([i * width + j, 4 * width + j, value]);
        });
      }
      slope[5 * width] = 1;
      const off = y - Math.fround(targets[row]![0]!);
      for (let p = 0; p < length; p++) {
        for (let q = 0; q < length; q++) hessian[p]![q]! += (2 / count) * slope[p]! * slope[q]!;
      }
      for (const [p, q, value] of mixed) {
        hessian[p]![q]! += (2 / count) * off * value;
        hessian[q]![p]! += (2 / count) * off * value;
      }
    });
    const { value, square } = await trace(trainee.objective, { rows, products: length });
    const wanted = hessian.reduce((sum, line, p) => sum + line[p]!, 0);
    const squares = hessian.reduce((sum, line) => sum + line.reduce((total, each) => total + each ** 2, 0), 0);
    expect(Math.abs(value / wanted - 1)).toBeLessThan(1e-6);
    expect(Math.abs(square.value / squares - 1)).toBeLessThan(1e-6);
    expect((await sharpness(trainee.objective, { rows, tolerance: 1e-4 })).converged).toBe(true);
    trainee.destroy();
  });
});

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
