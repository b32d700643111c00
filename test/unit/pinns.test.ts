// Physics-informed networks on the CPU reference: their laws, and gradients against finite differences; their configs, problems
// and points; and runs of them from the command line.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../../src/base/errors.ts";
import { activationFunctions, smoothActivations } from "../../src/engines/products/activation.ts";
import { readPinns } from "../../src/lab/pinns.ts";
import { pointsDataset } from "../../src/objectives/data/points.ts";
import { replicasThatFit, rowsAtOnce } from "../../src/objectives/memory.ts";
import { createModel, type ModelConfig } from "../../src/objectives/models/index.ts";
import { pinn } from "../../src/objectives/models/pinn.ts";
import { poisson } from "../../src/objectives/problems/poisson.ts";
import { defineProblem, type ProblemDefinition } from "../../src/objectives/problems/problem.ts";
import { adam } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { pointRows, readData } from "../../src/train/data.ts";
import { cpuEngine, createTrainee } from "../../src/train/engine.ts";
import { readRunConfig } from "../../src/train/run_config.ts";
import { train } from "../../src/train/train.ts";
import { ownFolder } from "../folder.ts";
import { pinnLaws, tangled, unevenTensors } from "../pinns.ts";
import { fallline } from "../run_cli.ts";

pinnLaws(cpuEngine());

describe("derivatives of activations", () => {
  it.each(smoothActivations)("of %s are finite differences of each other", (name) => {
    const { value, derivatives } = activationFunctions[name];
    for (const z of [-3.1, -0.7, 0, 0.4, 2.6]) {
      const h = 1e-5;
      const [low, high] = [derivatives!(z - h), derivatives!(z + h)];
      const differences = [
        (value(z + h) - value(z - h)) / (2 * h),
        (high[0] - low[0]) / (2 * h),
        (high[1] - low[1]) / (2 * h),
      ];
      derivatives!(z).forEach((derivative, i) => {
        expect(Math.abs(derivative - differences[i]!), `derivative ${i + 1} at ${z}`).toBeLessThan(1e-8);
      });
    }
  });
});

describe("finite differences", () => {
  it.each<[ModelConfig, number]>([
    ...smoothActivations.map((activation, i): [ModelConfig, number] => [
      pinn([1 + (i % 2), 4, 3, 1], { problem: poisson({ dimensions: i % 2 === 0 ? 1 : 2 }), activation }),
      1 + (i % 2),
    ]),
    ...smoothActivations.map((activation): [ModelConfig, number] => [
      pinn([2, 3, 1], { problem: tangled, activation, l2: 0.1, boundaryWeight: 3 }),
      2,
    ]),
    [pinn([1, 3, 1], { problem: poisson({ k: 3 }), bias: false }), 1],
  ])("agree with the gradient, %j", async (config, dimensions) => {
    const model = createModel(config);
    const data = {
      ...pointsDataset({ dimensions, count: 6, seed: 1 }),
      weights: Float32Array.from({ length: 6 }, (_, i) => 1 + (i % 2)),
    };
    const options = { data, batch: 6 };
    const { optimizer, objective } = await createTrainee(
      cpuEngine(),
      model,
      unevenTensors(model, 7),
      { rule: sgd },
      options,
    );
    const rows = Uint32Array.from({ length: 6 }, (_, row) => row);
    const lossAt = async (name: string, values: Float32Array) => {
      optimizer.write("params", { [name]: values });
      return (await objective.gradient(rows))[0]!;
    };
    await objective.gradient(rows);
    const gradients = await optimizer.read("gradients");
    const scale = Math.max(...Object.values(gradients).flatMap((values) => [...values].map(Math.abs)));
    for (const [name, values] of Object.entries(await optimizer.read())) {
      for (let i = 0; i < values.length; i++) {
        const [below, above] = [-1, 1].map((sign) =>
          values.map((value, j) => (i === j ? value + sign * 2 ** -11 : value)),
        );
        const difference = (await lossAt(name, above!)) - (await lossAt(name, below!));
        const slope = difference / (above![i]! - below![i]!);
        expect(Math.abs(slope - gradients[name]![i]!), `${name}[${i}]`).toBeLessThan(1e-5 * scale);
        await lossAt(name, values);
      }
    }
  });
});

describe("a config", () => {
  it("is JSON that makes the same model, with every default filled in", () => {
    const config = pinn([2, 8, 1], { problem: poisson({ k: 2, dimensions: 2 }) });
    const complete = {
      ...{ type: "pinn", layers: [2, 8, 1], activation: "tanh", boundaryWeight: 100, l2: 0, bias: true },
      problem: { type: "poisson", k: 2, dimensions: 2, sidePoints: 16 },
    };
    const { config: read, title } = createModel(JSON.parse(JSON.stringify(config)));
    expect(read).toEqual(complete);
    expect(createModel(read as ModelConfig).config).toEqual(complete);
    expect(title).toBe("pinn 2-8-1 for poisson");
    expect(JSON.parse(JSON.stringify(createModel(pinn([2, 3, 1], { problem: tangled })).config))).toMatchObject({
      problem: { type: "tangled" },
    });
  });

  it.each<[object, string]>([
    [
      { layers: [1, 4, 1] },
      "model.problem is missing; it must be the config of poisson, or a result of problems.define()",
    ],
    [{ layers: [1, 4, 1], problem: { type: "heat" } }, 'model.problem.type is "heat", which is not a known problem'],
    [
      { layers: [1, 4, 1], problem: { type: "poisson", k: 0.5 } },
      "model.problem.k is 0.5; it must be a whole number >= 1",
    ],
    [{ layers: [1, 4, 1], problem: { type: "poisson", sidePoints: 4 } }, "model.problem.sidePoints was given in one"],
    [
      { layers: [2, 4, 1], problem: { type: "poisson" } },
      "model.layers is [2,4,1]; it must begin with 1, the dimensions of",
    ],
    [{ layers: [1, 4, 2], problem: { type: "poisson" } }, "and end with 1"],
    [{ layers: [1], problem: { type: "poisson" } }, "model.layers is [1]"],
    [
      { layers: [1, 4, 1], problem: { type: "poisson" }, activation: "relu" },
      'model.activation is "relu", whose second derivative is zero; it must be one of tanh, sigmoid, gelu, silu',
    ],
    [{ layers: [1, 4, 1], problem: { type: "poisson" }, boundaryWeight: 0 }, "model.boundaryWeight is 0; it must be"],
    [{ layers: [1, 4, 1], problem: { type: "poisson" }, loss: "huber" }, 'model has an unknown option "loss"'],
  ])("%j is refused", (config, message) => {
    expect(() => createModel({ type: "pinn", ...config } as ModelConfig)).toThrow(message);
  });

  it("takes points alone, of as many numbers as its problem has dimensions", () => {
    const { program } = createModel(pinn([1, 4, 1], { problem: poisson() }));
    expect(() => program.checkFit({ name: "digits", features: 1, classes: 10 })).toThrow(
      "model.problem is poisson, which takes only points, such as datasets.points() makes; digits has 10 classes",
    );
    expect(() => program.checkFit(pointsDataset({ dimensions: 2, grid: 3 }))).toThrow(
      "model.layers[0] is 1; the rows of points have 2 numbers",
    );
    const perceptron = createModel({ layers: [1, 4, 1], loss: "meanSquaredError" });
    expect(() => perceptron.program.checkFit(pointsDataset({ grid: 3 }))).toThrow(
      "model.loss is meanSquaredError, which needs labels or targets; points has neither labels nor targets",
    );
  });
});

describe("how many replicas fit", () => {
  it("counts all derivatives of a row, and the boundary's rows", () => {
    const { program } = createModel(pinn([2, 32, 1], { problem: poisson({ dimensions: 2, sidePoints: 100 }) }));
    const limits = {
      maxBufferSize: 2 ** 24,
      maxStorageBufferBindingSize: 2 ** 24,
      maxComputeWorkgroupsPerDimension: 65_535,
    };
    const bytes = 4 * 32 * (5 * 1000 + 400);
    expect(replicasThatFit(limits, program, 1000, { rule: sgd })).toBe(Math.floor(2 ** 24 / bytes));
    // Of more rows than fit at once, those that do beside the boundary.
    const rows = 4 * Math.floor((2 ** 24 / (4 * 32) - 400) / 5 / 4);
    expect(rowsAtOnce(limits, program.memory, 10 ** 6, 1)).toBe(rows);
  });
});

describe("a custom problem", () => {
  it.each<[string, Partial<Record<keyof ProblemDefinition, unknown>>, string]>([
    ["no name", { name: undefined }, "problem.name is missing"],
    ["three dimensions", { dimensions: 3 }, "dimensions of problem mine is 3; it must be 1 or 2"],
    ["no left-hand side", { left: undefined }, "the left of problem mine is missing; it must be a function"],
    ["other WGSL", { wgsl: "fn left() {}" }, 'the wgsl of problem mine has no "fn left(x: vec2f, u: Jet) -> f32"'],
    ["no boundary", { boundary: [] }, "the boundary of problem mine is []; it must hold at least one point"],
    [
      "half a point",
      { boundary: [{ at: [1] }] },
      "at of point 0 of the boundary of problem mine has 1 numbers; it must have 2",
    ],
    ["a point that counts nothing", { boundary: [{ at: [1, 1], weight: 0 }] }, "weight of point 0 of the boundary"],
  ])("with %s is refused", (_, part, message) => {
    const { left, slopes, wgsl } = tangled;
    const whole = { name: "mine", dimensions: 2, boundary: [{ at: [0, 0] }], left, slopes, wgsl };
    expect(() => defineProblem({ ...whole, ...part } as ProblemDefinition)).toThrow(message);
  });
});

describe("points", () => {
  it("are evenly spaced, drawn from a seed, or given", () => {
    expect([...pointsDataset({ grid: 5 }).inputs]).toEqual([0, 0.25, 0.5, 0.75, 1]);
    const square = pointsDataset({ dimensions: 2, grid: 2, low: -1, high: 1 });
    expect([...square.inputs]).toEqual([-1, -1, -1, 1, 1, -1, 1, 1]);
    expect(square).toMatchObject({ count: 4, features: 2, outputs: 0 });
    const drawn = pointsDataset({ dimensions: 2, count: 500, seed: 4, low: 2, high: 4 });
    expect(drawn.inputs.every((x) => x >= 2 && x <= 4)).toBe(true);
    expect([...drawn.inputs].reduce((sum, x) => sum + x, 0) / 1000).toBeCloseTo(3, 1);
    expect(pointsDataset({ dimensions: 2, count: 500, seed: 4, low: 2, high: 4 })).toEqual(drawn);
    expect(pointsDataset({ dimensions: 2, count: 500, seed: 5, low: 2, high: 4 })).not.toEqual(drawn);
    const values = [
      [0, 1],
      [2, 3],
    ];
    expect(pointsDataset({ dimensions: 2, values })).toEqual(pointsDataset({ dimensions: 2, values: values.flat() }));
  });

  it.each<[object, new (message: string) => Error, string]>([
    [{}, OptionError, "grid is missing; grid, count or values must say which points there are"],
    [{ grid: 3, count: 3 }, OptionError, "grid is 3 beside count; give one or the other"],
    [{ values: [1], seed: 2 }, OptionError, "seed is 2 beside values; give one or the other"],
    [{ grid: 1 }, OptionError, "grid is 1; it must be a whole number in [2, "],
    [{ dimensions: 3, grid: 1000 }, OptionError, "grid is 1000; it must be a whole number in [2, 447]"],
    [{ count: 2, low: 1, high: 1 }, OptionError, "high is 1; it must be a finite number > 1"],
    [{ dimensions: 2, values: [1, 2, 3] }, DataError, "points has 3 numbers, which do not divide into rows of 2"],
    [{ dimensions: 2, values: [[1, 2], [3]] }, DataError, "points: row 1 has 1 numbers; it must have 2"],
    [{ values: [Number.NaN] }, DataError, "points: row 0 has NaN as number 0"],
  ])("of %j are refused", (options, kind, message) => {
    expect(() => pointsDataset(options)).toThrow(kind);
    expect(() => pointsDataset(options)).toThrow(message);
  });

  it("of a run config are read with every default filled in, and test on a grid of their own", () => {
    const config = readData({ type: "points", count: 7, seed: 2 });
    expect(readData(config)).toEqual(config);
    expect(config).toMatchObject({ dimensions: 1, grid: null, count: 7, low: 0, high: 1, testGrid: 101 });
    const { train, test } = pointRows(config as Parameters<typeof pointRows>[0]);
    expect(train).toEqual(pointsDataset({ count: 7, seed: 2 }));
    expect(test.inputs).toEqual(pointsDataset({ grid: 101 }).inputs);
    expect(() => readData({ type: "points", rows: 3 })).toThrow('data has an unknown option "rows"');
    expect(() => readData({ type: "points" })).toThrow("data.grid is missing; grid or count must say");
  });
});

describe("recorded files", () => {
  it.each<[string, object, string]>([
    ["without points", { problem: { type: "poisson" } }, 'pinns["a"].problem.points is missing; it must be an array'],
    ["without a model", { problem: { points: [0] } }, 'pinns["a"].model is missing; it must be an object'],
  ])("%s are refused", (_, fields, message) => {
    expect(() => readPinns([{ id: "a", ...fields }])).toThrow(message);
  });
});

describe("a run", () => {
  const model = { type: "pinn", layers: [1, 8, 1], problem: { type: "poisson" } };
  const config = {
    model,
    data: { type: "points", grid: 20 },
    optimizer: { rule: "adam", lr: 0.01 },
    batch: 20,
    steps: 60,
  };

  it("trains, and says how far it is from the exact solution", async () => {
    const result = await train({
      engine: cpuEngine(),
      model: pinn([1, 8, 1], { problem: poisson() }),
      data: pointsDataset({ grid: 20 }),
      test: pointsDataset({ grid: 50 }),
      optimizer: adam({ lr: 0.01 }),
      batch: 20,
      steps: 60,
      metric: { type: "testError", every: 30 },
    });
    expect(result.losses[59]).toBeLessThan(0.9 * result.losses[0]!);
    expect(result.testError).toBe(result.metrics[1]!.value);
    expect(result.metrics.map(({ step }) => step)).toEqual([30, 60]);
    expect(result).toMatchObject({ testAccuracy: null, reason: "finished" });
  });

  it("is refused where data or metric do not fit", () => {
    expect(() => readRunConfig({ ...config, data: { type: "mnist" } })).toThrow(
      "model.layers[0] is 1; the rows of MNIST",
    );
    expect(() => readRunConfig({ ...config, batch: 21 })).toThrow(
      "batch is 21; it must be at most 20, the rows of points",
    );
    expect(() => readRunConfig({ ...config, metric: { type: "testAccuracy", every: 5 } })).toThrow(
      'metric.type is "testAccuracy", which poisson does not have; it must be loss, testLoss or testError',
    );
  });

  const folder = ownFolder("pinn");

  it("is made from a file by the command line", async () => {
    const file = join(folder, "config.json");
    writeFileSync(file, JSON.stringify(config));
    const { code, stdout } = await fallline(["train", file, "--backend", "cpu", "--out", folder]);
    expect(code).toBe(0);
    expect(stdout).toContain("pinn 1-8-1 for poisson, 25 parameters, adam, 60 steps, 20 of 20 points each, seed 0");
    expect(stdout).toMatch(/test loss \d\S*, off by \d\S* from the exact solution \(root mean square\), on 101 points/);
    const run = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
    expect(run.testError).toBeGreaterThan(0);
    expect(run.config.data).toMatchObject({ type: "points", grid: 20, testGrid: 101 });
  });
});
