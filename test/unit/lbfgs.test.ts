// L-BFGS on the CPU: its parts by hand and against the textbook's recursion, closures beside objectives, saving, freezing,
// losses that are not finite, and what is refused.
import { describe, expect, it } from "vitest";
import { type CpuOptimizer, createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { arrayDataset } from "../../src/objectives/data/arrays.ts";
import { landscapeOf } from "../../src/objectives/landscapes/define.ts";
import { quadratic } from "../../src/objectives/landscapes/quadratic.ts";
import { rosenbrock } from "../../src/objectives/landscapes/rosenbrock.ts";
import { createLbfgs, type LbfgsOptions } from "../../src/objectives/lbfgs/lbfgs.ts";
import { cubicMinimum, type Point, strongWolfe } from "../../src/objectives/lbfgs/line_search.ts";
import { Pairs } from "../../src/objectives/lbfgs/pairs.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { createCpuObjective } from "../../src/objectives/objective_cpu.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import { adam } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

describe("the pairs of L-BFGS", () => {
  it("give the direction of the two-loop recursion, also where the oldest is forgotten", () => {
    const curvature = [1, 3, 10, 0.5];
    const pairs = new Pairs(3);
    const vectors: { s: number[]; y: number[] }[] = [];
    const kept: (typeof vectors)[number][] = [];
    for (let i = 0; i < 5; i++) {
      const s = curvature.map((_, k) => Math.sin(3 * i + k + 1));
      const y = s.map((value, k) => curvature[k]! * value + 0.1 * Math.cos(i + k));
      const slot = pairs.next;
      const withEach = (a: readonly number[], of: "s" | "y") => vectors.map((each) => dot(a, each?.[of] ?? []));
      pairs.add({ sy: dot(s, y), yy: dot(y, y), yWithS: withEach(y, "s"), yWithY: withEach(y, "y") });
      vectors[slot] = { s, y };
      kept.push({ s, y });
    }
    const g = [1, -2, 0.5, 3];
    // Nocedal and Wright 2006, algorithm 7.4.
    let q = [...g];
    const alphas: number[] = [];
    const last = kept.slice(-3);
    for (const { s, y } of last.toReversed()) {
      const alpha = dot(s, q) / dot(s, y);
      alphas.unshift(alpha);
      q = q.map((value, k) => value - alpha * y[k]!);
    }
    const { s: sN, y: yN } = last.at(-1)!;
    q = q.map((value) => (value * dot(sN, yN)) / dot(yN, yN));
    for (const [i, { s, y }] of last.entries()) {
      const beta = dot(y, q) / dot(s, y);
      q = q.map((value, k) => value + (alphas[i]! - beta) * s[k]!);
    }
    const { s, y, gradient } = pairs.direction(
      vectors.map((each) => dot(g, each.s)),
      vectors.map((each) => dot(g, each.y)),
    );
    const ours = g.map((value, k) => {
      return vectors.reduce((sum, each, slot) => sum + s[slot]! * each.s[k]! + y[slot]! * each.y[k]!, gradient * value);
    });
    for (const [k, value] of q.entries()) expect(ours[k]).toBeCloseTo(-value, 12);
    expect(pairs.count).toBe(3);
  });
});

describe("the line search", () => {
  const limits = { decrease: 1e-4, curvature: 0.9, evaluations: 25, resolution: 0, noise: 0 };
  const search = (f: (t: number) => { value: number; slope: number }, first: number, more = {}) => {
    const asked: number[] = [];
    const run = strongWolfe(f(0), first, { ...limits, ...more });
    let next = run.next();
    while (!next.done) {
      asked.push(next.value);
      next = run.next(f(next.value));
    }
    return { ...next.value, asked };
  };

  it("interpolates by the cubic that it is of", () => {
    const cubic = (t: number): Point => ({ at: t, value: t ** 3 - 3 * t, slope: 3 * t ** 2 - 3 });
    expect(cubicMinimum(cubic(0), cubic(3))).toBeCloseTo(1, 14);
    expect(cubicMinimum(cubic(4), cubic(-0.5))).toBeCloseTo(1, 13);
  });

  it.each([
    ["too short", 1e-3],
    ["right", 1],
    ["too long", 100],
  ])("meets both conditions from a first step that is %s", (_, first) => {
    const f = (t: number) => ({ value: (t - 1) ** 4 - t / 10, slope: 4 * (t - 1) ** 3 - 0.1 });
    const { point, asked } = search(f, first, { curvature: 0.1 });
    expect(asked[0]).toBe(first);
    expect(point!.value).toBeLessThanOrEqual(1 + 1e-4 * point!.at * f(0).slope);
    expect(Math.abs(point!.slope)).toBeLessThanOrEqual(0.1 * Math.abs(f(0).slope));
    expect(asked.length).toBeLessThan(15);
  });

  it("turns back from where the function is not finite", () => {
    const { point } = search(
      (t) => (t > 2 ? { value: Number.NaN, slope: Number.NaN } : { value: (t - 1) ** 2, slope: 2 * (t - 1) }),
      50,
    );
    expect(point!.value).toBeLessThan(1);
    expect(Math.abs(point!.slope)).toBeLessThanOrEqual(1.8);
  });

  it("finds nothing where the slope is wrong, and stops at its evaluations", () => {
    const { point, asked } = search((t) => ({ value: t, slope: -1 }), 1, { evaluations: 7 });
    expect([point, asked.length]).toEqual([null, 7]);
  });
});

const valley = landscapeOf(rosenbrock({ dimension: 6 }));
const onValley = async (options: LbfgsOptions = {}, dimension = 6) => {
  const landscape = landscapeOf(rosenbrock({ dimension }));
  const optimizer = createCpuOptimizer(initialTensors(landscape), adam({ lr: 0.01 }));
  const lbfgs = await createLbfgs(optimizer, { gradientTolerance: 0, changeTolerance: 0, ...options });
  return { optimizer, objective: createCpuObjective(optimizer, landscape), lbfgs };
};

/** What a CPU closure of the valley does. */
const closureOf =
  (optimizer: CpuOptimizer, landscape = valley) =>
  () => {
    const point = optimizer.view("params", "points");
    optimizer.view("gradients", "points").set(landscape.gradient(point));
    return landscape.value(point);
  };

const model = createModel({ layers: [3, 4, 2], activation: "tanh" });
const rows = Uint32Array.of(0, 1, 2, 3);
const data = {
  name: "four rows",
  count: 4,
  features: 3,
  inputs: Uint8Array.of(1, 2, 3, 0, 1, 0, 2, 2, 1, 3, 0, 1),
  scale: 3,
  labels: Uint8Array.of(0, 1, 1, 0),
  classes: 2,
};

describe("L-BFGS", () => {
  it("takes the rows of a step as they are when it is called", async () => {
    const model = createModel({ layers: [2, 1], loss: "meanSquaredError" });
    const inputs = [
      [1, 2],
      [3, 1],
      [0, 1],
    ];
    const data = arrayDataset({ inputs, targets: [[1], [2], [5]] });
    const losses = [];
    for (const later of [0, 2]) {
      const optimizer = createCpuOptimizer(initialTensors(model), sgd());
      const lbfgs = await createLbfgs(optimizer, { maxIterations: 2 });
      const rows = Uint32Array.of(0, 1);
      const step = lbfgs.step(createCpuObjective(optimizer, model, { data, batch: 2 }), rows);
      rows[0] = later;
      losses.push((await step).startLoss);
    }
    expect(losses[1]).toBe(losses[0]);
  });

  it("ends in the valley's minimum, each iteration lower than the one before", async () => {
    const { optimizer, objective, lbfgs } = await onValley({ maxIterations: 100, gradientTolerance: 1e-9 });
    const report = await lbfgs.step(objective);
    expect(report).toMatchObject({ reason: "gradient", startLoss: expect.closeTo(1040.6, 3) });
    expect(report.loss).toBeLessThan(1e-18);
    expect(report.evaluations).toBeLessThan(80);
    expect((await optimizer.read()).points!.every((x) => Math.abs(x - 1) < 1e-6)).toBe(true);
    expect((await optimizer.stats()).step).toBe(0);
  });

  it("makes the same of single iterations as of many at once, and of as many evaluations", async () => {
    const [whole, single] = [await onValley({ maxIterations: 20 }), await onValley({ maxIterations: 1 })];
    const { loss, evaluations } = await whole.lbfgs.step(whole.objective);
    let [sum, last] = [0, { loss: Number.NaN, startLoss: Number.NaN }];
    for (let i = 0; i < 20; i++) {
      const report = await single.lbfgs.step(single.objective);
      if (i > 0) expect(report.startLoss).toBe(last.loss);
      [sum, last] = [sum + report.evaluations, report];
    }
    expect([last.loss, sum]).toEqual([loss, evaluations]);
    expect(await single.optimizer.read()).toEqual(await whole.optimizer.read());
  });

  it("notices parameters that were changed since, and begins there", async () => {
    const { optimizer, objective, lbfgs } = await onValley({ maxIterations: 2 });
    await lbfgs.step(objective);
    optimizer.write("params", { points: [0, 0, 0, 0, 0, 0.5] });
    const report = await lbfgs.step(objective);
    expect(report.startLoss).toBe(valley.value([0, 0, 0, 0, 0, 0.5]));
    expect(report.loss).toBeLessThan(report.startLoss);
  });

  it("takes a closure, as torch's does", async () => {
    const { optimizer, lbfgs } = await onValley({ maxIterations: 60 });
    const report = await lbfgs.step(closureOf(optimizer));
    expect(report.loss).toBeLessThan(1e-8);
    expect(valley.value((await optimizer.read()).points!)).toBeCloseTo(report.loss, 10);
  });

  it("puts the parameters back where the closure throws", async () => {
    const { optimizer, lbfgs } = await onValley();
    const before = await optimizer.read();
    const closure = closureOf(optimizer);
    let calls = 0;
    const failing = () => {
      if (++calls === 2) throw new Error("no more");
      return closure();
    };
    await expect(lbfgs.step(failing)).rejects.toThrow("no more");
    expect(await optimizer.read()).toEqual(before);
    expect((await lbfgs.step(closure)).loss).toBeLessThan(2057);
  });

  it("without a line search takes the rate", async () => {
    const bowl = landscapeOf(quadratic({ spectrum: [1, 4] }));
    const optimizer = createCpuOptimizer(initialTensors(bowl), sgd({ lr: 0.1 }));
    const lbfgs = await createLbfgs(optimizer, { lineSearch: "none", lr: 0.5, maxIterations: 20, changeTolerance: 0 });
    const report = await lbfgs.step(createCpuObjective(optimizer, bowl));
    expect(report).toMatchObject({ iterations: 20, evaluations: 21, stepLength: 0.5, reason: "iterations" });
    expect(report.loss).toBeLessThan(1e-9);
  });

  it("says why it ended", async () => {
    const reasons = async (options: LbfgsOptions) => {
      const { objective, lbfgs } = await onValley(options);
      return (await lbfgs.step(objective)).reason;
    };
    expect(await reasons({ maxIterations: 3 })).toBe("iterations");
    expect(await reasons({ maxEvaluations: 4 })).toBe("evaluations");
    expect(await reasons({ changeTolerance: 1e3 })).toBe("change");
    expect(await reasons({ gradientTolerance: 1e6 })).toBe("gradient");
    // Along the gradient's opposite it only rises.
    const { optimizer, lbfgs } = await onValley();
    const closure = closureOf(optimizer);
    const upwards = () => -closure();
    expect(await lbfgs.step(upwards)).toMatchObject({ reason: "stuck", iterations: 0 });
  });

  it("undoes a step onto a loss that is not finite", async () => {
    const { optimizer, lbfgs } = await onValley({ lineSearch: "none" });
    const closure = closureOf(optimizer);
    let calls = 0;
    const before = await optimizer.read();
    const report = await lbfgs.step(() => (++calls > 1 ? Number.NaN : closure()));
    expect(report).toMatchObject({ reason: "notFinite", iterations: 0, loss: report.startLoss });
    expect(await optimizer.read()).toEqual(before);
    const lost = await lbfgs.step(() => Number.POSITIVE_INFINITY);
    expect(lost).toMatchObject({ reason: "notFinite", evaluations: 1, iterations: 0 });
    expect(await optimizer.read()).toEqual(before);
    // It goes on as if nothing had been.
    expect((await lbfgs.step(closure)).iterations).toBeGreaterThan(0);
  });

  it("leaves what is frozen as it is, and notices what is thawed", async () => {
    const optimizer = createCpuOptimizer(
      initialTensors(model),
      adam({ groups: [{ params: "layer1.*", frozen: true }] }),
    );
    const objective = createCpuObjective(optimizer, model, { data, batch: 4 });
    const lbfgs = await createLbfgs(optimizer, { maxIterations: 3 });
    const before = await optimizer.read();
    const frozen = await lbfgs.step(objective, rows);
    const after = await optimizer.read();
    expect(after["layer1.weight"]).toEqual(before["layer1.weight"]);
    expect(after["layer2.weight"]).not.toEqual(before["layer2.weight"]);
    optimizer.thaw();
    const thawed = await lbfgs.step(objective, rows);
    expect((await optimizer.read())["layer1.weight"]).not.toEqual(before["layer1.weight"]);
    expect(thawed.startLoss).toBeCloseTo(frozen.loss, 6);
    expect(thawed.loss).toBeLessThan(frozen.loss);
  });

  it("goes on from what was saved, to the bit", async () => {
    const options = { maxIterations: 7, history: 4 };
    const first = await onValley(options);
    await first.lbfgs.step(first.objective);
    const [parameters, state] = [await saveCheckpoint(first.optimizer), await first.lbfgs.save()];
    const expected = await first.lbfgs.step(first.objective);
    const second = await onValley(options);
    await loadCheckpoint(second.optimizer, parameters);
    await second.lbfgs.load(state);
    expect(second.lbfgs.pairs).toBe(4);
    expect(await second.lbfgs.step(second.objective)).toEqual(expected);
    expect(await second.optimizer.read()).toEqual(await first.optimizer.read());

    const other = await onValley({ history: 5 });
    await expect(other.lbfgs.load(state)).rejects.toThrow("has a history of 4; this one has 5");
    await expect(other.lbfgs.load(parameters)).rejects.toThrow("this version reads fallline-lbfgs/1");
    const wider = await onValley(options, 7);
    await expect(wider.lbfgs.load(state)).rejects.toThrow("must be 7 numbers");
  });

  it("forgets when told", async () => {
    const { objective, lbfgs } = await onValley({ maxIterations: 3 });
    await lbfgs.step(objective);
    expect(lbfgs.pairs).toBe(3);
    lbfgs.reset();
    expect(lbfgs.pairs).toBe(0);
  });

  it("takes other rows only where told", async () => {
    const optimizer = createCpuOptimizer(initialTensors(model), adam());
    const objective = createCpuObjective(optimizer, model, { data, batch: 4 });
    const strict = await createLbfgs(optimizer, { maxIterations: 1 });
    await strict.step(objective, rows);
    await strict.step(objective, rows.slice());
    await expect(strict.step(objective, rows.subarray(1))).rejects.toThrow("unless created with stochastic: true");
    const told = await createLbfgs(optimizer, { maxIterations: 1, stochastic: true });
    await told.step(objective, rows);
    const report = await told.step(objective, rows.subarray(1));
    expect(report.startLoss).toBeCloseTo((await objective.gradient(rows.subarray(1)))[0]!, 0);
    expect(told.pairs).toBeGreaterThan(0);
  });

  it("refuses invalid input in a sentence", async () => {
    const { optimizer, objective, lbfgs } = await onValley();
    const refused = (options: object) => expect(createLbfgs(optimizer, options as LbfgsOptions)).rejects;
    await refused({ lr: 0 }).toThrow("options.lr is 0; it must be a finite number > 0");
    await refused({ history: 0 }).toThrow("options.history is 0; it must be a whole number in [1, 1000]");
    await refused({ maxIterations: 1.5 }).toThrow("options.maxIterations is 1.5; it must be a whole number >= 1");
    await refused({ lineSearch: "armijo" }).toThrow('options.lineSearch is "armijo"; it must be one of');
    await refused({ memory: 5 }).toThrow('options has an unknown option "memory"');
    const pair = createCpuOptimizer(initialTensors(valley), { ...sgd(), replicas: [{}, {}] });
    await expect(createLbfgs(pair)).rejects.toThrow("optimizer has 2 replicas; L-BFGS takes an optimizer with one");
    const up = createCpuOptimizer(initialTensors(valley), { ...sgd(), maximize: true });
    await expect(createLbfgs(up)).rejects.toThrow("optimizer has maximize: true");
    optimizer.freeze();
    await expect(createLbfgs(optimizer)).rejects.toThrow("has every tensor frozen");
    optimizer.thaw();
    await expect(lbfgs.step(objective, rows)).rejects.toThrow("takes no data, so it must be left out");
    await expect(lbfgs.step(() => "low" as never)).rejects.toThrow(
      'the closure returned "low"; it must return the loss',
    );
    const other = await onValley();
    await expect(lbfgs.step(other.objective)).rejects.toThrow("space belongs to another optimizer");
    const dropping = createModel({ layers: [3, 4, 2], dropout: 0.5 });
    const its = createCpuOptimizer(initialTensors(dropping), adam());
    const noisy = createCpuObjective(its, dropping, { data, batch: 4 });
    await expect((await createLbfgs(its)).step(noisy, rows)).rejects.toThrow("objective has dropout");
    expect((await (await createLbfgs(its, { stochastic: true })).step(noisy, rows)).iterations).toBeGreaterThan(0);
    const [one, two] = [lbfgs.step(objective), lbfgs.step(objective)];
    await expect(two).rejects.toThrow("step() was called during a step; it must come after it");
    await one;
    lbfgs.destroy();
    await expect(lbfgs.step(objective)).rejects.toThrow("destroyed");
  });
});
