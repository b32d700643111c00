// Landscapes: known values, gradients and Hessians against finite differences, minima, what optimizers do on them on the
// CPU, and bad input.

import { describe, expect, it } from "vitest";
import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { OptionError } from "../../src/base/errors.ts";
import { landscapeSource, landscapeTotalSource } from "../../src/objectives/landscape_gpu.ts";
import type { LandscapeConfig } from "../../src/objectives/landscapes/define.ts";
import { createLandscape, landscapeDefinitions, landscapeTypes } from "../../src/objectives/landscapes/index.ts";
import { createCpuObjective } from "../../src/objectives/objective_cpu.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import { adam } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { landscapes, makers, pointsIn } from "../landscapes.ts";
import { createCpuOptimizer } from "../optimizers.ts";

const { beale, himmelblau, logisticMap, quadratic, quartic, rastrigin, rosenbrock, saddle } = makers;

function trained(config: LandscapeConfig, optimizer: OptimizerConfig, points?: ArrayLike<number>) {
  const landscape = createLandscape(config);
  const made = createCpuOptimizer(initialTensors(landscape, points), optimizer);
  return { landscape, optimizer: made, objective: createCpuObjective(made, landscape) };
}

/** The points after so many steps. */
async function pointsAfter(steps: number, config: LandscapeConfig, rule: OptimizerConfig, points?: ArrayLike<number>) {
  const { optimizer, objective } = trained(config, rule, points);
  for (let step = 0; step < steps; step++) await objective.step();
  return [...(await optimizer.read()).points!];
}

describe("known values", () => {
  it.each<[LandscapeConfig, number[], number]>([
    [rosenbrock(), [-1.2, 1], 24.2],
    [rosenbrock(), [1, 1], 0],
    [rosenbrock({ a: 2, b: 1 }), [1, 3], 5],
    [rosenbrock({ dimension: 3 }), [0, 0, 1], 102],
    [rastrigin({ dimension: 3 }), [0, 0, 0], 0],
    [rastrigin(), [0.5, 1], 21.25],
    [beale(), [3, 0.5], 0],
    [beale(), [0, 0], 14.203125],
    [beale(), [1, 1], 14.203125],
    [himmelblau(), [3, 2], 0],
    [himmelblau(), [0, 0], 170],
    [saddle(), [1, 0], 1],
    [saddle(), [0, 1], -0.5],
    [saddle({ bound: 0 }), [3, 2], 5],
    [saddle({ dimension: 3, down: 2, bound: 2 }), [1, 1, 2], 13],
    [quartic({ dimension: 3 }), [1, -2, 3], 98],
    [logisticMap(), [1], -1 / 6],
    [logisticMap({ dimension: 2 }), [3, -3], -9],
    [quadratic(), [1, 1], 0.505],
    [quadratic({ spectrum: [2, 6] }), [1, 2], 13],
    [quadratic({ spectrum: [2, 6], angle: Math.PI / 2 }), [1, 2], 7],
  ])("%j at %j is %d", (config, point, value) => {
    expect(createLandscape(config).value(point)).toBeCloseTo(value, 12);
  });

  it("the spectrum of a canyon is what its options say", () => {
    const diagonal = (options: object) => {
      const { dimension, hessian } = createLandscape(quadratic(options));
      return hessian(new Float64Array(dimension)).map((row, i) => row[i]!);
    };
    const geometric = diagonal({ dimension: 3, condition: 1e4, scale: 5 });
    [5e-4, 0.05, 5].forEach((want, i) => {
      expect(geometric[i]).toBeCloseTo(want, 14);
    });
    const linear = diagonal({ dimension: 3, condition: 4, spacing: "linear", scale: 8 });
    [2, 5, 8].forEach((want, i) => {
      expect(linear[i]).toBeCloseTo(want, 14);
    });
    expect(diagonal({ dimension: 1, condition: 50, scale: 3 })).toEqual([3]);
  });
});

describe.each(landscapes)("$config", (landscape) => {
  const { config, dimension } = landscape;
  const points = pointsIn(landscape, 10);
  const each = Array.from({ length: 10 }, (_, p) =>
    Float64Array.from(points.subarray(p * dimension, (p + 1) * dimension)),
  );
  const moved = (x: Float64Array, i: number, by: number) => x.map((value, k) => (k === i ? value + by : value));

  it("has the gradient and Hessian of finite differences", () => {
    const h = 1e-4;
    for (const x of each) {
      // Differences of fourth order, so that h need not be small.
      const difference = (of: (x: Float64Array) => number, i: number) =>
        (8 * (of(moved(x, i, h)) - of(moved(x, i, -h))) - of(moved(x, i, 2 * h)) + of(moved(x, i, -2 * h))) / (12 * h);
      const [gradient, hessian] = [landscape.gradient(x), landscape.hessian(x)];
      const size = Math.max(1, Math.abs(landscape.value(x)), ...gradient.map(Math.abs));
      for (let i = 0; i < dimension; i++) {
        expect(Math.abs(gradient[i]! - difference(landscape.value, i)) / size).toBeLessThan(1e-9);
        for (let j = 0; j < dimension; j++) {
          const want = difference((at) => landscape.gradient(at)[j]!, i);
          expect(Math.abs(hessian[i]![j]! - want) / size, `${i}, ${j}`).toBeLessThan(1e-9);
          expect(hessian[i]![j]).toBe(hessian[j]![i]);
        }
      }
    }
  });

  it("is least, nearby, at its minima", () => {
    const minima = landscape.minima();
    expect(minima.length > 0).toBe(landscape.minimum !== null);
    for (const point of minima) {
      expect(landscape.value(point)).toBeCloseTo(landscape.minimum!, 13);
      for (const slope of landscape.gradient(point)) expect(Math.abs(slope)).toBeLessThan(1e-12);
      for (const other of each) {
        const near = point.map((value, i) => value + 0.02 * other[i]!);
        expect(landscape.value(near)).toBeGreaterThanOrEqual(landscape.minimum! - 1e-15);
      }
    }
  });

  it("is rebuilt by its complete config", () => {
    const again = createLandscape(JSON.parse(JSON.stringify(config)));
    expect(again.config).toEqual(config);
    expect(again.value(each[0]!)).toBe(landscape.value(each[0]!));
    expect(again.start()).toHaveLength(dimension);
  });

  it("has a kernel whose bindings and setting are the host's", () => {
    const gradient = landscapeSource(landscape);
    const storage = (code: string) =>
      new WgslReflect(code).storage
        .sort((a, b) => a.binding - b.binding)
        .map(({ name, access }) => `${name} ${access}`);
    const shared = ["points read", "setting read"];
    expect(storage(gradient.code)).toEqual([...shared, "gradients read_write", "partials read_write", "control read"]);
    const setting = new WgslReflect(gradient.code).structs.find(({ name }) => name === "Setting");
    const before = 5 + Object.keys(landscape.kernel.constants).length;
    expect(setting?.members.map(({ offset }) => offset)).toEqual(Array.from({ length: before + 1 }, (_, i) => 4 * i));
  });
});

describe("the registry", () => {
  it("is all tested", () => {
    expect(new Set(landscapes.map(({ type }) => type))).toEqual(new Set(landscapeTypes));
  });

  it("has a function of each name, and fills in every default", () => {
    expect(Object.keys(makers)).toEqual(landscapeTypes);
    for (const { type, options } of landscapeDefinitions) {
      const { config } = createLandscape(makers[type as keyof typeof makers]());
      const defaults = options.filter(({ default: standard }) => standard !== undefined);
      expect(config).toEqual({ type, ...Object.fromEntries(defaults.map((option) => [option.name, option.default])) });
    }
    expect(createLandscape(quadratic({ spectrum: [1, 2] })).config).toEqual({
      type: "quadratic",
      spectrum: [1, 2],
      angle: 0,
    });
    expect(createLandscape({ ...beale(), version: 1 }).config).toEqual({ type: "beale", version: 1 });
  });

  it("sums in a kernel without the points", () => {
    expect(new WgslReflect(landscapeTotalSource.code).storage.map(({ name }) => name)).toEqual(["partials", "totals"]);
  });
});

describe("gradient descent on the logistic map's loss is the map", () => {
  /** Iterates of the map itself, as coordinates of the loss. */
  function iterates(lr: number, x: number, steps: number): number[] {
    let y = (x * lr) / (1 + lr);
    return Array.from({ length: steps }, () => {
      y = (1 + lr) * y * (1 - y);
      return (y * (1 + lr)) / lr;
    });
  }
  const descent = (steps: number, lr: number, x = 0.5) => pointsAfter(steps, logisticMap(), { rule: sgd, lr }, [x]);

  it.each([0.5, 1.5, 2.2, 2.5, 3])("step by step, at a rate of %d", async (lr) => {
    const want = iterates(lr, 0.5, 12);
    for (const [step, x] of want.entries()) expect((await descent(step + 1, lr))[0]).toBeCloseTo(x, 3);
  });

  it("at rest below a rate of 2, in cycles above, gone above 3", async () => {
    expect((await descent(400, 1.9))[0]).toBeCloseTo(1, 5);
    const cycle = async (lr: number, period: number) => [
      (await descent(600, lr))[0]!,
      (await descent(600 + period, lr))[0]!,
      (await descent(600 + period / 2, lr))[0]!,
    ];
    for (const [lr, period] of [
      [2.3, 2],
      [2.5, 4],
    ] as const) {
      const [now, later, between] = await cycle(lr, period);
      expect(later).toBeCloseTo(now!, 5);
      expect(Math.abs(between! - now!)).toBeGreaterThan(0.05);
    }
    expect(Number.isFinite((await descent(60, 3.1))[0])).toBe(false);
  });
});

describe("optimizers", () => {
  it("descend a canyon below 2 / scale and leave it above", async () => {
    const canyon = quadratic({ dimension: 3, condition: 10, scale: 4, angle: 0.5 });
    for (const x of await pointsAfter(500, canyon, { rule: sgd, lr: 0.49 })) expect(Math.abs(x)).toBeLessThan(1e-6);
    const far = await pointsAfter(500, canyon, { rule: sgd, lr: 0.51 });
    expect(Math.max(...far.map(Math.abs))).toBeGreaterThan(10);
  });

  it("find the valley's end, whichever hollow is near, and the way off a saddle", async () => {
    const end = await pointsAfter(5000, rosenbrock(), { rule: adam, lr: 0.02 });
    for (const x of end) expect(x).toBeCloseTo(1, 3);
    const corners = [4, 4, -4, 4, -4, -4, 4, -4];
    const ends = await pointsAfter(400, himmelblau(), { rule: sgd, lr: 0.01 }, corners);
    createLandscape(himmelblau())
      .minima()
      .flatMap((point) => [...point])
      .forEach((want, i) => {
        expect(ends[i]).toBeCloseTo(want, 4);
      });
    const [up, down] = await pointsAfter(200, saddle({ bound: 4 }), { rule: sgd, lr: 0.05 });
    expect(up).toBeCloseTo(0, 5);
    expect(down).toBeCloseTo(0.5, 5);
  });
});

describe("a bound landscape", () => {
  it("has each point's loss, their mean, and each point's own gradient, times the loss scale", async () => {
    const { landscape, optimizer, objective } = trained(
      himmelblau(),
      { rule: sgd, lr: 0, lossScale: { init: 8 } },
      [0, 0, 1, 2, 3, 2],
    );
    expect([...landscape.values((await optimizer.read()).points!)]).toEqual([170, 68, 0]);
    expect(await objective.evaluate()).toMatchObject({ loss: 238 / 3, accuracy: Number.NaN });
    expect(await objective.gradient()).toEqual([238 / 3]);
    const { points } = await optimizer.read("gradients");
    expect([...points!.subarray(2, 4)]).toEqual([...landscape.gradient([1, 2])].map((slope) => 8 * slope));
    expect(await objective.step()).toMatchObject({ loss: 238 / 3, step: 1, replicas: [{ loss: 238 / 3 }] });
    await expect(objective.step(Uint32Array.of(0))).rejects.toThrow(
      "rows is Uint32Array(1); himmelblau takes no data, so it must be left out",
    );
  });

  it("keeps what a halted replica has", async () => {
    const config = { rule: sgd, replicas: [{ lr: 0.1 }, { lr: 0.2 }] } as const;
    const { optimizer, objective } = trained(quartic({ dimension: 1 }), config, [1]);
    await objective.step();
    optimizer.halt(1);
    const { replicas } = await objective.step();
    expect(replicas.map(({ step }) => step)).toEqual([2, 1]);
    expect(replicas[1]!.loss).toBe(1);
    expect((await objective.evaluate()).replicas[1]!.loss).toBe(0);
    expect((await optimizer.read("params", { replica: 1 })).points![0]).toBeCloseTo(0.2, 6);
  });
});

describe("bad input", () => {
  it.each<[unknown, string]>([
    [undefined, "landscape is missing; it must be a landscape's config"],
    ["beale", 'landscape is "beale"; it must be a landscape\'s config'],
    [{}, `landscape.type is missing; known landscapes are ${landscapeTypes.join(", ")}`],
    [{ type: "hill" }, 'landscape.type is "hill", which is not a known landscape; the known ones are quadratic,'],
    [{ type: "beale", version: 2 }, "landscape.version is 2, which is not a known version; the only one is 1"],
    [{ type: "beale", dimension: 3 }, 'landscape has an unknown option "dimension"; the options are type'],
    [rosenbrock({ dimension: 1 }), "landscape.dimension is 1; it must be a whole number in [2, 4194304]"],
    [
      quadratic({ dimension: 2 ** 40 }),
      "landscape.dimension is 1099511627776; it must be a whole number in [1, 4194304]",
    ],
    [rosenbrock({ b: 0 }), "landscape.b is 0; it must be a finite number > 0"],
    [rastrigin({ amplitude: Number.NaN }), "landscape.amplitude is NaN; it must be a finite number >= 0"],
    [saddle({ down: 3 }), "landscape.down is 3; it must be at most landscape.dimension, 2"],
    [quadratic({ condition: 0.5 }), "landscape.condition is 0.5; it must be a finite number >= 1"],
    [quadratic({ spectrum: [] }), "landscape.spectrum is []; it must hold at least one number"],
    [quadratic({ spectrum: [1, -1] }), "landscape.spectrum[1] is -1; it must be a finite number >= 0"],
    [quadratic({ spectrum: [1], scale: 2 }), "landscape.spectrum is [1] beside landscape.scale; give one or the other"],
    [{ type: "quadratic", spacing: "log" }, 'landscape.spacing is "log"; it must be one of geometric, linear'],
  ])("%j", (config, message) => {
    expect(() => createLandscape(config as LandscapeConfig)).toThrow(OptionError);
    expect(() => createLandscape(config as LandscapeConfig)).toThrow(message);
  });

  it("of points", () => {
    const landscape = createLandscape(beale());
    const tensors = (points: unknown) => () => initialTensors(landscape, points as number[]);
    expect(tensors([1, 2, 3])).toThrow("points holds 3 numbers; it must hold at least one point, and 2 for each");
    expect(tensors([])).toThrow("points holds 0 numbers; it must hold at least one point, and 2 for each");
    expect(tensors(5)).toThrow("points is 5; it must be an array of numbers, point after point");
    expect(tensors([0, 1, Number.NaN, 0])).toThrow(
      "points is NaN at coordinate 0 of point 1; it must be a finite number",
    );
    expect(() => landscape.value([1])).toThrow("a point has 1 coordinates; this landscape's have 2");
    expect(initialTensors(landscape)[0]).toEqual({ name: "points", shape: [1, 2], data: Float64Array.of(1, 1) });
  });

  it("of an optimizer that was made for something else", () => {
    const optimizer = (name: string, shape: number[]) => createCpuOptimizer([{ name, shape }], { rule: sgd });
    expect(() => createCpuObjective(optimizer("w", [1, 2]), createLandscape(beale()))).toThrow(
      'the optimizer\'s tensor "points" is missing; points on this beale have shape [count, 2]',
    );
    expect(() => createCpuObjective(optimizer("points", [4, 3]), createLandscape(beale()))).toThrow(
      'the optimizer\'s tensor "points" has shape [4, 3]; points on this beale have shape [count, 2]',
    );
  });
});
