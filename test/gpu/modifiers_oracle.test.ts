// Modifiers, on both engines, against plain float64 arithmetic: clipping, caution, averages, accumulation,
// loss scaling, freezing, schedules of any hyper, what rules carry, evaluation.

import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../../src/base/errors.ts";
import { Random } from "../../src/base/random.ts";
import type { GpuOptimizer } from "../../src/engines/gpu/optimizer.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { adam, adamw } from "../../src/rules/adam.ts";
import { asgd } from "../../src/rules/asgd.ts";
import { lion } from "../../src/rules/lion.ts";
import { muon } from "../../src/rules/muon.ts";
import { nadam } from "../../src/rules/nadam.ts";
import { prodigy } from "../../src/rules/prodigy.ts";
import { scheduleFreeAdamw, scheduleFreeSgd } from "../../src/rules/schedule_free.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { linear } from "../../src/schedules/linear.ts";
import type { Scheduled } from "../../src/schedules/schedule.ts";
import { createOptimizer } from "../optimizers.ts";
import { engines } from "./engines.ts";
import { device } from "./setup.ts";

type Values = Record<string, number[]>;

const random = new Random(7);
const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
/** Values that float32 holds, so that the oracle starts where the optimizer does. */
const normals = (count: number, scale = 1) => Array.from({ length: count }, () => Math.fround(scale * random.normal()));
const tensorsOf = (shapes: Record<string, readonly number[]>): (Tensor & { readonly data: number[] })[] =>
  Object.entries(shapes).map(([name, shape]) => ({ name, shape, data: normals(size(shape)) }));
const gradientsOf = (tensors: readonly Tensor[], scale = 1): Values =>
  Object.fromEntries(tensors.map(({ name, shape }) => [name, normals(size(shape), scale)]));
const paramsOf = (tensors: readonly (Tensor & { readonly data: number[] })[]): Values =>
  Object.fromEntries(tensors.map(({ name, data }) => [name, data]));
const mapValues = (values: Values, change: (value: number, i: number, name: string) => number): Values =>
  Object.fromEntries(Object.entries(values).map(([name, list]) => [name, list.map((v, i) => change(v, i, name))]));

/** As close as float32 comes, relative to the largest value of the tensor. */
function expectClose(actual: Record<string, ArrayLike<number>>, expected: Values, tolerance = 2e-6): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, list] of Object.entries(expected)) {
    const most = Math.max(1e-30, ...list.map(Math.abs));
    const worst = list.map((value, i) => {
      const error = Math.abs(actual[name]![i]! - value) / most;
      return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
    });
    const at = worst.indexOf(Math.max(...worst));
    if (worst[at]! > tolerance) {
      expect.fail(`${name}[${at}] is ${actual[name]![at]}; it should be ${list[at]} (error ${worst[at]})`);
    }
  }
}

function norm(lists: readonly (readonly number[])[], kind: 1 | 2 | "inf"): number {
  const all = lists.flat();
  if (kind === "inf") return Math.max(...all.map(Math.abs));
  if (kind === 1) return all.reduce((sum, value) => sum + Math.abs(value), 0);
  return Math.sqrt(all.reduce((sum, value) => sum + value * value, 0));
}

/** One step of a rule in float64: what decay leaves of the parameters, and what is then taken off. */
type Rule64 = (p: readonly number[], g: readonly number[], t: number) => { kept: number[]; step: number[] };

const at = (value: Scheduled, t: number) => (typeof value === "function" ? value(t - 1) : (value as number));

function adamw64(h: {
  lr: Scheduled;
  beta1: Scheduled;
  beta2: number;
  eps: Scheduled;
  weightDecay: Scheduled;
}): Rule64 {
  let m: number[] = [];
  let v: number[] = [];
  return (p, g, t) => {
    const [lr, beta1, eps] = [at(h.lr, t), at(h.beta1, t), at(h.eps, t)];
    m = g.map((value, i) => beta1 * (m[i] ?? 0) + (1 - beta1) * value);
    v = g.map((value, i) => h.beta2 * (v[i] ?? 0) + (1 - h.beta2) * value * value);
    return {
      kept: p.map((value) => value * (1 - lr * at(h.weightDecay, t))),
      step: m.map((value, i) => {
        return (lr * value) / (1 - beta1 ** t) / (Math.sqrt(v[i]!) / Math.sqrt(1 - h.beta2 ** t) + eps);
      }),
    };
  };
}

function lion64(h: { lr: number; beta1: number; beta2: number; weightDecay: number }): Rule64 {
  let m: number[] = [];
  return (p, g) => {
    const step = g.map((value, i) => h.lr * Math.sign(h.beta1 * (m[i] ?? 0) + (1 - h.beta1) * value));
    m = g.map((value, i) => h.beta2 * (m[i] ?? 0) + (1 - h.beta2) * value);
    return { kept: p.map((value) => value * (1 - h.lr * h.weightDecay)), step };
  };
}

function sgd64(h: { lr: number; momentum: number; weightDecay?: number }): Rule64 {
  let b: number[] = [];
  return (p, g) => {
    b = g.map((value, i) => h.momentum * (b[i] ?? 0) + value + (h.weightDecay ?? 0) * p[i]!);
    return { kept: [...p], step: b.map((value) => h.lr * value) };
  };
}

/** Muon's step of one matrix [in, out], t = 1, with Nesterov momentum and torch's scale. */
function muon64(h: { lr: number; momentum: number; weightDecay: number }, [rows, columns]: [number, number]): Rule64 {
  let b: number[] = [];
  return (p, g) => {
    b = g.map((value, i) => h.momentum * (b[i] ?? 0) + (1 - h.momentum) * value);
    const u = g.map((value, i) => (1 - h.momentum) * value + h.momentum * b[i]!);
    const length = Math.max(norm([u], 2), 1e-7);
    // X is [small, large]
    const tall = rows > columns;
    const [small, large] = tall ? [columns, rows] : [rows, columns];
    let x = Array.from({ length: small }, (_, i) =>
      Array.from({ length: large }, (_, j) => u[tall ? j * columns + i : i * columns + j]! / length),
    );
    for (let round = 0; round < 5; round++) {
      const gram = x.map((a) => x.map((b) => a.reduce((sum, value, k) => sum + value * b[k]!, 0)));
      const mixed = gram.map((row, i) =>
        row.map(
          (value, j) => -4.775 * value + 2.0315 * row.reduce((sum, _, k) => sum + gram[i]![k]! * gram[k]![j]!, 0),
        ),
      );
      x = x.map((row, i) =>
        row.map((value, j) => 3.4445 * value + mixed[i]!.reduce((sum, weight, k) => sum + weight * x[k]![j]!, 0)),
      );
    }
    const scale = h.lr * Math.sqrt(Math.max(1, columns / rows));
    return {
      kept: p.map((value) => value * (1 - h.lr * h.weightDecay)),
      step: p.map((_, i) => {
        const [row, column] = [Math.floor(i / columns), i % columns];
        return scale * (tall ? x[column]![row]! : x[row]![column]!);
      }),
    };
  };
}

interface Modifiers64 {
  readonly cautious?: boolean;
  readonly ema?: (t: number) => number;
  readonly swa?: { readonly start: number; readonly every: number };
  readonly lookahead?: { readonly every: number; readonly share: number };
}

/** One tensor's parameters and averages after the gradients given. */
function simulate(
  start: readonly number[],
  gradients: readonly (readonly number[])[],
  rule: Rule64,
  modifiers: Modifiers64,
) {
  let p = [...start];
  let [ema, swa, slow] = [[...start], [...start], [...start]];
  let averaged = 0;
  gradients.forEach((g, index) => {
    const t = index + 1;
    const { kept, step } = rule(p, g, t);
    const with_ = step.map((value, i) => value * g[i]! > 0);
    const share = Math.max(with_.filter(Boolean).length / g.length, 1e-3);
    p = kept.map((value, i) => value - (modifiers.cautious ? (with_[i] ? step[i]! / share : 0) : step[i]!));
    if (modifiers.lookahead && t % modifiers.lookahead.every === 0) {
      slow = slow.map((value, i) => value + modifiers.lookahead!.share * (p[i]! - value));
      p = [...slow];
    }
    if (modifiers.ema) {
      const decay = modifiers.ema(t);
      ema = ema.map((value, i) => decay * value + (1 - decay) * p[i]!);
    }
    if (modifiers.swa && index >= modifiers.swa.start && (index - modifiers.swa.start) % modifiers.swa.every === 0) {
      averaged++;
      swa = swa.map((value, i) => (averaged === 1 ? p[i]! : value + (p[i]! - value) / averaged));
    }
  });
  return { p, ema, swa, lookahead: slow };
}

/** The parameters of all tensors after the gradients given. */
const simulated = (
  tensors: readonly (Tensor & { readonly data: number[] })[],
  gradients: readonly Values[],
  rule: (shape: readonly number[]) => Rule64,
  modifiers: Modifiers64 = {},
): Values =>
  Object.fromEntries(
    tensors.map(({ name, shape, data }) => {
      const its = gradients.map((g) => g[name]!);
      return [name, simulate(data, its, rule(shape), modifiers).p];
    }),
  );

function step(optimizer: Optimizer, gradients: Values): void {
  optimizer.write("gradients", gradients);
  optimizer.step();
}

/** Every role to the bit, and how far it has come. */
async function stateOf(optimizer: Optimizer) {
  const roles = ["params", ...optimizer.slots];
  return Promise.all([optimizer.stats(), ...roles.map((role) => optimizer.read(role))]);
}

describe.each(engines)("clipping (%s)", (_, create) => {
  const tensors = tensorsOf({ a: [5, 7], b: [4099], c: [1] });
  const params = paramsOf(tensors);
  const gradients = gradientsOf(tensors, 3);
  const tiny = mapValues(gradients, (g) => Math.fround(g * 1e-6));

  it.each([1, 2, "inf"] as const)("by a norm of all tensors, kind %s", async (kind) => {
    const optimizer = await create(tensors, {
      rule: sgd,
      lr: 0.5,
      clip: { type: "globalNorm", maxNorm: 2.5, norm: kind },
    });
    const all = norm(Object.values(gradients), kind);
    const scale = Math.min(1, 2.5 / (all + 1e-6));
    step(optimizer, gradients);
    const after = mapValues(params, (p, i, name) => p - 0.5 * scale * gradients[name]![i]!);
    expectClose(await optimizer.read(), after);
    const stats = await optimizer.stats();
    expect(stats.gradientNorm / all).toBeCloseTo(1, 5);
    expect(stats.clipScale / scale).toBeCloseTo(1, 5);
    expect(stats).not.toHaveProperty("groupNorms");
    // Below the limit nothing is scaled.
    step(optimizer, tiny);
    expect((await optimizer.stats()).clipScale).toBe(1);
    expect((await optimizer.stats()).gradientNorm / norm(Object.values(tiny), kind)).toBeCloseTo(1, 5);
    optimizer.destroy();
  });

  it.each([1, 2, "inf"] as const)("by the norm of each group, kind %s", async (kind) => {
    const optimizer = await create(tensors, {
      rule: sgd,
      lr: 0.5,
      clip: { type: "groupNorm", maxNorm: 4, norm: kind },
      groups: [{ params: "b" }, { params: "a", lr: 0.25 }],
    });
    step(optimizer, gradients);
    const norms = [gradients.b!, gradients.a!, gradients.c!].map((list) => norm([list], kind));
    const of = (name: string) => ["b", "a", "c"].indexOf(name);
    expectClose(
      await optimizer.read(),
      mapValues(params, (p, i, name) => {
        const scale = Math.min(1, 4 / (norms[of(name)]! + 1e-6));
        return p - (name === "a" ? 0.25 : 0.5) * scale * gradients[name]![i]!;
      }),
    );
    const stats = await optimizer.stats();
    expect(stats.groupNorms).toHaveLength(3);
    stats.groupNorms!.forEach((value, i) => {
      expect(value / norms[i]!).toBeCloseTo(1, 5);
    });
    expect(stats.gradientNorm / norm(Object.values(gradients), kind)).toBeCloseTo(1, 5);
    expect(stats.clipScale).toBe(1);
    // A skipped gradient is the last gradient too; what is not finite is in one group only.
    step(optimizer, { ...tiny, c: [Number.POSITIVE_INFINITY] });
    const skipped = await optimizer.stats();
    expect(skipped.skipped).toBe(1);
    expect(skipped.groupNorms![0]! / norm([tiny.b!], kind)).toBeCloseTo(1, 5);
    expect(skipped.groupNorms![2]).toBe(Number.POSITIVE_INFINITY);
    optimizer.destroy();
  });

  it("has no norms of groups before the first update but zeros", async () => {
    const optimizer = await create(tensors, { rule: sgd, clip: { type: "groupNorm", maxNorm: 4 } });
    expect((await optimizer.stats()).groupNorms).toEqual([0]);
    optimizer.destroy();
  });

  it("by value", async () => {
    const optimizer = await create(tensors, {
      rule: sgd,
      lr: 1,
      maximize: true,
      clip: { type: "value", maxValue: 0.7 },
    });
    step(optimizer, gradients);
    expectClose(
      await optimizer.read(),
      mapValues(params, (p, i, name) => p + Math.max(-0.7, Math.min(0.7, gradients[name]![i]!))),
    );
    expect((await optimizer.stats()).gradientNorm / norm(Object.values(gradients), 2)).toBeCloseTo(1, 5);
    expect((await optimizer.stats()).clipScale).toBe(1);
    optimizer.destroy();
  });
});

/** The units of optax.adaptive_grad_clip: which one an element belongs to. */
function unitOf(shape: readonly number[], i: number): number {
  if (shape.filter((length) => length > 1).length <= 1) return 0;
  if (shape.length === 2 || shape.length === 3) return i % (size(shape) / shape[0]!);
  return i % shape[3]!;
}

function agc(
  shape: readonly number[],
  p: readonly number[],
  g: readonly number[],
  clipping: number,
  eps: number,
): number[] {
  const sums = new Map<number, [p2: number, g2: number]>();
  g.forEach((value, i) => {
    const unit = unitOf(shape, i);
    const [p2, g2] = sums.get(unit) ?? [0, 0];
    sums.set(unit, [p2 + p[i]! ** 2, g2 + value ** 2]);
  });
  return g.map((value, i) => {
    const [p2, g2] = sums.get(unitOf(shape, i))!;
    const most = clipping * Math.max(Math.sqrt(p2), eps);
    return Math.sqrt(g2) < most ? value : (value * most) / Math.max(Math.sqrt(g2), 1e-6);
  });
}

const unitShapes = {
  vector: [9],
  scalar: [],
  one: [1],
  matrix: [6, 7],
  wide: [3, 301],
  wider: [2, 1030],
  long: [301, 3],
  column: [7, 1],
  row: [1, 7],
  three: [4, 3, 5],
  flat: [1, 5, 3],
  kernel: [2, 3, 2, 5],
  zero: [3, 5],
};

describe.each(engines)("adaptive clipping (%s)", (_, create) => {
  const tensors = tensorsOf(unitShapes).map((tensor) =>
    tensor.name === "zero" ? { ...tensor, data: tensor.data.map(() => 0) } : tensor,
  );
  const params = paramsOf(tensors);
  const shapeOf = (name: string) => unitShapes[name as keyof typeof unitShapes];
  const clipped = (p: Values, g: Values, clipping: number, eps: number): Values =>
    Object.fromEntries(Object.keys(p).map((name) => [name, agc(shapeOf(name), p[name]!, g[name]!, clipping, eps)]));

  it.each<[string, Partial<OptimizerConfig>, number]>([
    ["plain", {}, 1],
    ["with loss scaling, accumulation and ascent", { lossScale: { init: 8 }, accumulate: 2, maximize: true }, 8],
  ])("clips each unit as optax does, %s", async (_, more, scale) => {
    // Some units stay below the limit, some do not.
    const gradients = gradientsOf(tensors, 0.5);
    const optimizer = await create(tensors, {
      rule: sgd,
      lr: 1,
      clip: { type: "adaptive", clipping: 0.45, eps: 0.01 },
      ...more,
    } as OptimizerConfig);
    optimizer.write(
      "gradients",
      mapValues(gradients, (g) => g * scale),
    );
    for (let i = 0; i < Number(more.accumulate ?? 1); i++) optimizer.step();
    const expected = clipped(params, gradients, 0.45, 0.01);
    const sign = more.maximize ? 1 : -1;
    expectClose(
      await optimizer.read(),
      mapValues(params, (p, i, name) => p + sign * expected[name]![i]!),
    );
    const stats = await optimizer.stats();
    expect(stats.step).toBe(1);
    expect(stats.gradientNorm / norm(Object.values(gradients), 2)).toBeCloseTo(1, 5);
    expect(stats.clipScale).toBe(1);
    optimizer.destroy();
  });

  it("makes a unit NaN whose parameters are, and no other", async () => {
    const data = [1, 1, 1, Number.NaN, 1, 1];
    const clip = { type: "adaptive", clipping: 0.1 };
    const config = { rule: sgd, lr: 1, clip, skipNonFinite: false } as OptimizerConfig;
    const optimizer = await create([{ name: "w", shape: [3, 2], data }], config);
    step(optimizer, { w: data.map(() => 1) });
    expect(Array.from((await optimizer.read()).w!, Number.isNaN)).toEqual([false, true, false, true, false, true]);
    optimizer.destroy();
  });

  it.each<[string, object]>([
    ["adaptive", { type: "adaptive", clipping: 0.2 }],
    ["value", { type: "value", maxValue: 0.3 }],
    ["globalNorm", { type: "globalNorm", maxNorm: 0.3 }],
  ])("adafactor sees the gradient clipped, by %s, in its means too", async (type, clip) => {
    const shape = [6, 7];
    const [rows, columns] = [6, 7];
    const tensor = { name: "w", shape, data: normals(42) };
    const optimizer = await create([tensor], {
      rule: adafactor,
      lr: 0.05,
      eps2: 0.02,
      d: 0.8,
      weightDecay: 0.1,
      clip,
    });
    let p: number[] = [...tensor.data];
    let row = Array<number>(rows).fill(0);
    let column = Array<number>(columns).fill(0);
    for (let t = 1; t <= 3; t++) {
      const raw = normals(42);
      step(optimizer, { w: raw });
      const g =
        type === "adaptive"
          ? agc(shape, p, raw, 0.2, 1e-3)
          : type === "value"
            ? raw.map((value) => Math.max(-0.3, Math.min(0.3, value)))
            : raw.map((value) => value * Math.min(1, 0.3 / (norm([raw], 2) + 1e-6)));
      const share = t ** -0.8;
      const mean = (indices: number[]) => indices.reduce((sum, i) => sum + g[i]! ** 2, 0) / indices.length;
      const indices = g.map((_, i) => i);
      row = row.map((v, r) => v + share * (mean(indices.filter((i) => Math.floor(i / columns) === r)) - v));
      column = column.map((v, c) => v + share * (mean(indices.filter((i) => i % columns === c)) - v));
      const least = 2 ** -23;
      const whole = Math.max(row.reduce((sum, value) => sum + value, 0) / rows, least);
      const u = g.map((value, i) => {
        const v = (row[Math.floor(i / columns)]! * column[i % columns]!) / whole;
        return value / Math.sqrt(Math.max(v, least * least));
      });
      const rms = (list: readonly number[]) => norm([list], 2) / Math.sqrt(list.length);
      const alpha = Math.min(0.05, 1 / Math.sqrt(t)) * Math.max(0.02, rms(p));
      p = p.map((value, i) => value * (1 - 0.05 * 0.1) - (alpha / Math.max(1, rms(u) / 0.8)) * u[i]!);
    }
    expectClose(await optimizer.read(), { w: p }, 5e-6);
    optimizer.destroy();
  });
});

describe.each(engines)("caution (%s)", (_, create) => {
  const rules64: readonly [OptimizerConfig, () => Rule64][] = [
    [
      { rule: adamw, lr: 0.1, beta1: 0.8, beta2: 0.95, eps: 1e-4, weightDecay: 0.3 },
      () => adamw64({ lr: 0.1, beta1: 0.8, beta2: 0.95, eps: 1e-4, weightDecay: 0.3 }),
    ],
    [
      { rule: lion, lr: 0.05, beta1: 0.7, beta2: 0.9, weightDecay: 0.5 },
      () => lion64({ lr: 0.05, beta1: 0.7, beta2: 0.9, weightDecay: 0.5 }),
    ],
    [
      { rule: sgd, lr: 0.1, momentum: 0.9, weightDecay: 0.2 },
      () => sgd64({ lr: 0.1, momentum: 0.9, weightDecay: 0.2 }),
    ],
  ];

  it.each(rules64)("%j", async (config, rule) => {
    const tensors = tensorsOf({ a: [37], b: [5, 3], c: [1], d: [4097] });
    const optimizer = await create(tensors, { ...config, cautious: true } as OptimizerConfig);
    const gradients = Array.from({ length: 6 }, () => gradientsOf(tensors));
    for (const g of gradients) step(optimizer, g);
    const expected = simulated(tensors, gradients, rule, { cautious: true });
    expectClose(await optimizer.read(), expected, 1e-5);
    optimizer.destroy();
  });

  it("scales by at most 1,000 where everything goes against the gradient, and decay goes on", async () => {
    const tensors = [{ name: "x", shape: [3], data: [1, 2, 3] }];
    const optimizer = await create(tensors, { rule: lion, lr: 0.5, weightDecay: 0.5, beta1: 0.99, cautious: true });
    step(optimizer, { x: [1, 1, 1] });
    step(optimizer, { x: [-0.001, -0.001, -0.001] });
    // The second update is decay alone.
    const first = [1, 2, 3].map((p) => 0.75 * p - 0.5);
    expectClose(await optimizer.read(), { x: first.map((p) => 0.75 * p) });
    optimizer.destroy();
  });

  it("measures muon's update, not the one before", async () => {
    const tensors = [
      { name: "tall", shape: [7, 5], data: normals(35) },
      { name: "wide", shape: [3, 6], data: normals(18) },
    ];
    const h = { lr: 0.1, momentum: 0.9, weightDecay: 0.2 };
    const optimizer = await create(tensors, { rule: muon, ...h, cautious: true });
    const gradients = Array.from({ length: 3 }, () => gradientsOf(tensors));
    for (const g of gradients) step(optimizer, g);
    const expected = simulated(tensors, gradients, (shape) => muon64(h, shape as [number, number]), { cautious: true });
    expectClose(await optimizer.read(), expected, 2e-5);
    optimizer.destroy();
  });

  it("finds the direction of updates and gradients whose product float32 does not hold", async () => {
    const optimizer = await create([{ name: "x", shape: [2] }], { rule: sgd, lr: 1, cautious: true });
    step(optimizer, { x: [1e-24, -1e-24] });
    expectClose(await optimizer.read(), { x: [-1e-24, 1e-24] });
    optimizer.destroy();
  });
});

describe.each(engines)("averages (%s)", (_, create) => {
  const h = { lr: 0.1, beta1: 0.8, beta2: 0.95, eps: 1e-4, weightDecay: 0.3 };
  const tensors = tensorsOf({ a: [5, 7], b: [3], s: [] });
  const gradients = Array.from({ length: 8 }, () => gradientsOf(tensors));
  const scheduled = { type: linear, start: 0.2, end: 0.8, steps: 5 };
  const warm = (decay: (t: number) => number) => (t: number) => Math.min(decay(t), t / (9 + t));

  it.each<[object, Modifiers64]>([
    [{ ema: { decay: 0.6, warmup: false } }, { ema: () => 0.6 }],
    [{ ema: { decay: 0.35 } }, { ema: warm(() => 0.35) }],
    [{ ema: { decay: scheduled, warmup: false } }, { ema: (t) => 0.2 + (0.6 * Math.min(t - 1, 5)) / 5 }],
    [{ swa: { start: 2, every: 3 } }, { swa: { start: 2, every: 3 } }],
    [{ swa: {} }, { swa: { start: 0, every: 1 } }],
    [{ lookahead: { every: 3, share: 0.4 } }, { lookahead: { every: 3, share: 0.4 } }],
    [
      { ema: { decay: 0.5 }, swa: { start: 1, every: 2 }, lookahead: { every: 2, share: 0.8 }, cautious: true },
      {
        ema: warm(() => 0.5),
        swa: { start: 1, every: 2 },
        lookahead: { every: 2, share: 0.8 },
        cautious: true,
      },
    ],
  ])("%j", async (options, modifiers) => {
    // The parameters are written after creation: averages start from what they are at the first update.
    const optimizer = await create(
      tensors.map(({ name, shape }) => ({ name, shape, data: normals(size(shape)) })),
      { rule: adamw, ...h, ...options } as OptimizerConfig,
    );
    optimizer.write("params", paramsOf(tensors));
    for (const g of gradients) step(optimizer, g);
    const roles = (["ema", "swa", "lookahead"] as const).filter((role) => role in options);
    expect(optimizer.slots).toEqual(["m", "v", ...(["lookahead", "ema", "swa"] as const).filter((r) => r in options)]);
    const results = tensors.map(({ name, data }) => {
      const its = gradients.map((g) => g[name]!);
      return [name, simulate(data, its, adamw64(h), modifiers)] as const;
    });
    const expected = (role: "p" | (typeof roles)[number]) =>
      Object.fromEntries(results.map(([name, result]) => [name, result[role]]));
    expectClose(await optimizer.read(), expected("p"), 1e-5);
    for (const role of roles) expectClose(await optimizer.read(role), expected(role), 1e-5);
    optimizer.destroy();
  });

  it("keep what they hold where an update that they leave out makes a parameter NaN", async () => {
    const config: OptimizerConfig = { rule: sgd, lr: 0.1, swa: { every: 2 }, lookahead: { every: 3, share: 0.5 } };
    const optimizer = await create(tensors, config);
    step(optimizer, gradients[0]!);
    const roles = ["swa", "lookahead"];
    const before = await Promise.all(roles.map((role) => optimizer.read(role)));
    step(optimizer, { a: gradients[1]!.a!.with(3, Number.NaN) });
    expect((await optimizer.read()).a![3]).toBeNaN();
    expect(await Promise.all(roles.map((role) => optimizer.read(role)))).toEqual(before);
    optimizer.destroy();
  });

  it("of frozen tensors are the parameters themselves, and go on once thawed", async () => {
    const config: OptimizerConfig = {
      rule: adamw,
      ...h,
      groups: [{ params: "a", frozen: true }],
      ema: { decay: 0.5, warmup: false },
      swa: {},
      lookahead: { every: 2, share: 0.5 },
    };
    const optimizer = await create(tensors, config);
    for (const g of gradients.slice(0, 3)) step(optimizer, g);
    for (const role of ["params", "ema", "swa", "lookahead"]) {
      expect((await optimizer.read(role)).a).toEqual(Float32Array.from(tensors[0]!.data));
    }
    optimizer.thaw({ group: 0 });
    step(optimizer, gradients[3]!);
    const [p, ema, slow] = await Promise.all(["params", "ema", "lookahead"].map((role) => optimizer.read(role)));
    // The fourth update returns half of the way, and half of that enters the average.
    expect(slow!.a).toEqual(p!.a);
    expectClose({ a: ema!.a! }, { a: tensors[0]!.data.map((start, i) => (start + p!.a![i]!) / 2) });
    // Adam's first update of these tensors has t = 1 in its corrections, though it is the optimizer's fourth.
    const once = tensors[0]!.data.map((start, i) => {
      const g = gradients[3]!.a![i]!;
      const m = (0.2 * g) / (1 - 0.8);
      const v = Math.sqrt(0.05 * g * g) / Math.sqrt(1 - 0.95);
      const moved = start * (1 - 0.1 * 0.3) - (0.1 * m) / (v + 1e-4);
      return start + 0.5 * (moved - start);
    });
    expectClose({ a: p!.a! }, { a: once });
    optimizer.destroy();
  });
});

describe.each(engines)("a read (%s)", (_, create) => {
  it("is of the moment of the call, whatever is called before it is awaited", async () => {
    const tensors = tensorsOf({ a: [5], b: [2, 3] });
    const optimizer = await create(tensors, { rule: prodigy, d0: 0.1, ema: {}, accumulate: 2 });
    for (let micro = 0; micro < 3; micro++) step(optimizer, gradientsOf(tensors));
    const roles = ["params", "gradients", "m", "ema", "accumulated", "evaluation", "d"];
    const before = [];
    for (const role of roles) before.push(await optimizer.read(role));
    const under = roles.map((role) => optimizer.read(role));
    for (let micro = 0; micro < 2; micro++) step(optimizer, gradientsOf(tensors));
    optimizer.write("params", { a: [1, 2, 3, 4, 5] });
    expect(await Promise.all(under)).toEqual(before);
    optimizer.destroy();
  });
});

describe.each(engines)("accumulation (%s)", (_, create) => {
  const tensors = tensorsOf({ a: [5, 7], b: [259] });
  const micro = Array.from({ length: 9 }, () => gradientsOf(tensors));
  const lr = (now: number) => 0.1 / (1 + now);
  const config: OptimizerConfig = {
    rule: adamw,
    lr,
    beta1: 0.8,
    beta2: 0.95,
    eps: 1e-4,
    weightDecay: 0.3,
    accumulate: 3,
    clip: { type: "globalNorm", maxNorm: 4 },
  };

  it("of three gradients with clipping is one update of their mean, one step of the schedule", async () => {
    const optimizer = await create(tensors, config);
    const means: Values[] = [];
    for (const [i, g] of micro.entries()) {
      step(optimizer, g);
      if (i === 1) {
        expect(await optimizer.read()).toEqual(mapTyped(paramsOf(tensors)));
        expect((await optimizer.stats()).step).toBe(0);
        expectClose(
          await optimizer.read("accumulated"),
          mapValues(g, (v, k, name) => v + micro[0]![name]![k]!),
        );
      }
      if (i % 3 !== 2) continue;
      const mean = mapValues(g, (v, k, name) => (v + micro[i - 1]![name]![k]! + micro[i - 2]![name]![k]!) / 3);
      const all = norm(Object.values(mean), 2);
      expect((await optimizer.stats()).gradientNorm / all).toBeCloseTo(1, 5);
      means.push(mapValues(mean, (v) => v * Math.min(1, 4 / (all + 1e-6))));
    }
    const expected = simulated(tensors, means, () =>
      adamw64({ lr, beta1: 0.8, beta2: 0.95, eps: 1e-4, weightDecay: 0.3 }),
    );
    expectClose(await optimizer.read(), expected, 1e-5);
    expect((await optimizer.stats()).step).toBe(3);
    optimizer.destroy();
  });

  it("continues to the bit from the middle of an update", async () => {
    const whole = await create(tensors, config);
    const resumed = await create(tensors, config);
    for (const g of micro.slice(0, 5)) step(whole, g);
    // What the other had begun is forgotten.
    step(resumed, micro[8]!);
    await loadCheckpoint(resumed, await saveCheckpoint(whole));
    expect(await resumed.read("accumulated")).toEqual(await whole.read("accumulated"));
    for (const g of micro.slice(5)) {
      for (const optimizer of [whole, resumed]) step(optimizer, g);
    }
    expect((await whole.stats()).step).toBe(3);
    expect(await stateOf(resumed)).toEqual(await stateOf(whole));
    for (const optimizer of [whole, resumed]) optimizer.destroy();
  });

  it("adds nothing of a gradient that was set to zero, and skips the update of a broken one", async () => {
    const optimizer = await create(tensors, config);
    step(optimizer, micro[0]!);
    optimizer.zeroGrad();
    optimizer.step();
    expect(await optimizer.read("accumulated")).toEqual(mapTyped(micro[0]!));
    step(optimizer, { b: normals(259).fill(Number.NaN, 3, 4) });
    expect(await optimizer.stats()).toMatchObject({ step: 0, skipped: 1 });
    expect(await optimizer.read()).toEqual(mapTyped(paramsOf(tensors)));
    for (const g of micro.slice(0, 3)) step(optimizer, g);
    expect(await optimizer.stats()).toMatchObject({ step: 1, skipped: 1 });
    optimizer.destroy();
  });
});

const mapTyped = (values: Values) =>
  Object.fromEntries(Object.entries(values).map(([name, list]) => [name, Float32Array.from(list)]));

describe.each(engines)("loss scaling (%s)", (_, create) => {
  const tensors = tensorsOf({ a: [5, 7], b: [259] });
  const rule = { rule: adamw, lr: 0.1, weightDecay: 0.3, clip: { type: "globalNorm", maxNorm: 4 } } as const;

  it("of powers of two changes nothing in the parameters, to the bit", async () => {
    const plain = await create(tensors, rule);
    const scaled = await create(tensors, { ...rule, lossScale: { init: 1024, interval: 2, growth: 4 } });
    let scale = 1024;
    for (let i = 0; i < 7; i++) {
      const g = gradientsOf(tensors);
      expect((await scaled.stats()).lossScale).toBe(scale);
      step(plain, g);
      step(
        scaled,
        mapValues(g, (value) => value * scale),
      );
      if (i % 2 === 1) scale *= 4;
    }
    expect(await scaled.read()).toEqual(await plain.read());
    expect(await scaled.read("v")).toEqual(await plain.read("v"));
    expect((await scaled.stats()).gradientNorm).toBe((await plain.stats()).gradientNorm);
    expect((await plain.stats()).lossScale).toBe(1);
    for (const optimizer of [plain, scaled]) optimizer.destroy();
  });

  it("backs off and changes nothing else, grows again, is saved and resumed", async () => {
    const lossScale = { init: 64, interval: 3, growth: 2, backoff: 0.25, min: 2 };
    const optimizer = await create(tensors, { ...rule, lossScale, ema: {} });
    const good = gradientsOf(tensors);
    const bad = { ...good, b: good.b!.map((value, i) => (i === 258 ? Number.POSITIVE_INFINITY : value)) };
    step(optimizer, good);
    step(optimizer, good);
    const [, ...before] = await stateOf(optimizer);
    step(optimizer, bad);
    const [stats, ...after] = await stateOf(optimizer);
    expect(after).toEqual(before);
    expect(stats).toMatchObject({ step: 2, skipped: 1, lossScale: 16 });
    // The skip starts the count of good updates again.
    const scales: number[] = [];
    const other = await create(tensors, { ...rule, lossScale, ema: {} });
    for (let i = 0; i < 5; i++) {
      step(optimizer, good);
      if (i === 1) await loadCheckpoint(other, await saveCheckpoint(optimizer));
      if (i > 1) step(other, good);
      scales.push((await optimizer.stats()).lossScale);
    }
    expect(scales).toEqual([16, 16, 32, 32, 32]);
    expect(await stateOf(other)).toEqual(await stateOf(optimizer));
    for (const made of [optimizer, other]) made.destroy();
  });

  it.each([
    [{ init: 4, min: 2 }, 2, 2],
    [{ init: 3, min: 2 }, 1, 3],
    [{ init: 0.7, min: 0.35 }, 2, Math.fround(0.35)],
  ])(
    "%j underflows after some skips, says so, and stops until a checkpoint is loaded",
    async (lossScale, skips, scale) => {
      const optimizer = await create(tensors, { ...rule, lossScale });
      const good = gradientsOf(tensors);
      step(optimizer, good);
      const checkpoint = await saveCheckpoint(optimizer);
      const before = await optimizer.read();
      for (let i = 0; i < skips; i++) {
        await optimizer.stats();
        step(optimizer, { b: Array<number>(259).fill(Number.NaN) });
      }
      expect(await optimizer.stats()).toMatchObject({ step: 1, skipped: skips });
      optimizer.write("gradients", good);
      const message = `lossScale underflowed after step 1: gradients were not finite at a scale of ${scale}, and a lower one would be below its min, ${Math.fround(lossScale.min)}`;
      expect(() => optimizer.step()).toThrow(DataError);
      expect(messageOf(() => optimizer.step())).toMatch(message.slice(0, message.lastIndexOf(",")));
      expect(await optimizer.read()).toEqual(before);
      await loadCheckpoint(optimizer, checkpoint);
      expect((await optimizer.stats()).lossScale).toBe(Math.fround(lossScale.init));
      step(
        optimizer,
        mapValues(good, (value) => value * lossScale.init),
      );
      expect((await optimizer.stats()).step).toBe(2);
      optimizer.destroy();
    },
  );

  it("does not come from a checkpoint to an optimizer without it", async () => {
    const scaled = await create(tensors, { ...rule, lossScale: {} });
    const plain = await create(tensors, rule);
    await loadCheckpoint(plain, await saveCheckpoint(scaled));
    expect((await plain.stats()).lossScale).toBe(1);
    for (const made of [scaled, plain]) made.destroy();
  });

  it("grows no further than to where its reciprocal is a normal float32", async () => {
    const optimizer = await create(tensors, { ...rule, lossScale: { init: 2 ** 125, interval: 1 } });
    optimizer.step();
    expect((await optimizer.stats()).lossScale).toBe(2 ** 126);
    optimizer.step();
    expect((await optimizer.stats()).lossScale).toBe(2 ** 126);
    optimizer.destroy();
  });
});

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

it("keeps the loss scale where lossScaleIndex says", async () => {
  const optimizer = (await createOptimizer(device, [{ name: "x", shape: [3] }], {
    rule: sgd,
    lossScale: { init: 512 },
    replicas: [{}, {}, {}],
    clip: { type: "groupNorm", maxNorm: 1 },
  })) satisfies GpuOptimizer;
  optimizer.write("gradients", { x: [0, Number.NaN, 0] }, { replica: 1 });
  optimizer.step();
  const copy = device.createBuffer({
    size: optimizer.controlBytes,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(optimizer.control, 0, copy, 0, optimizer.controlBytes);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const numbers = new Float32Array(copy.getMappedRange());
  expect([0, 1, 2].map((replica) => numbers[optimizer.controlIndex("lossScale", { replica })])).toEqual([
    512, 256, 512,
  ]);
  copy.destroy();
  optimizer.destroy();
});

describe.each(engines)("what is frozen (%s)", (_, create) => {
  const tensors = tensorsOf({ a: [5, 7], b: [259], c: [3] });
  const config: OptimizerConfig = {
    rule: adamw,
    lr: 0.1,
    amsgrad: true,
    clip: { type: "globalNorm", maxNorm: 2 },
    groups: [{ params: "a", frozen: true }, { params: "b" }],
  };

  it("stays to the bit, out of the norm, and is reported", async () => {
    const optimizer = await create(tensors, config);
    const all = async () => await Promise.all(["params", "m", "v", "vMax"].map((role) => optimizer.read(role)));
    const g = gradientsOf(tensors);
    // Not even what is not finite matters there.
    const broken = { ...g, a: g.a!.map(() => Number.NaN) };
    const begin = await all();
    step(optimizer, broken);
    const first = await all();
    first.forEach((role, i) => {
      expect(role.a).toEqual(begin[i]!.a);
      expect(role.b).not.toEqual(begin[i]!.b);
    });
    expect((await optimizer.stats()).gradientNorm / norm([g.b!, g.c!], 2)).toBeCloseTo(1, 5);
    optimizer.thaw({ group: 0 });
    optimizer.freeze({ group: 1 });
    const frozenOf = () =>
      (configOf(optimizer) as unknown as { groups: { frozen?: boolean }[] }).groups.map(({ frozen }) => frozen);
    expect(frozenOf()).toEqual([undefined, true]);
    step(optimizer, g);
    const second = await all();
    second.forEach((role, i) => {
      expect(role.b).toEqual(first[i]!.b);
      expect(role.a).not.toEqual(first[i]!.a);
    });
    expect((await optimizer.stats()).gradientNorm / norm([g.a!, g.c!], 2)).toBeCloseTo(1, 5);
    optimizer.freeze();
    expect(frozenOf()).toEqual([true, true, true]);
    step(optimizer, g);
    expect(await all()).toEqual(second);
    expect(await optimizer.stats()).toMatchObject({ step: 3, gradientNorm: 0 });
    // A checkpoint brings it along.
    const other = await create(tensors, config);
    await loadCheckpoint(other, await saveCheckpoint(optimizer));
    step(other, g);
    expect(await other.read()).toEqual(second[0]);
    other.thaw();
    step(other, g);
    expect((await other.read()).c).not.toEqual(second[0]!.c);
    for (const made of [optimizer, other]) made.destroy();
  });

  it("begins with slots that start at the parameters, and is evaluated as it is", async () => {
    for (const rule of [scheduleFreeSgd, asgd]) {
      const optimizer = await create(tensors, {
        rule,
        lr: 0.1,
        ...(rule === asgd ? { t0: 0 } : {}),
        groups: [{ params: "a", frozen: true }],
      } as OptimizerConfig);
      step(optimizer, gradientsOf(tensors));
      step(optimizer, gradientsOf(tensors));
      expectClose({ a: (await optimizer.read("evaluation")).a! }, { a: tensors[0]!.data });
      expect((await optimizer.read()).a).toEqual(Float32Array.from(tensors[0]!.data));
      optimizer.thaw();
      const before = await optimizer.read();
      const g = gradientsOf(tensors);
      step(optimizer, g);
      if (rule === scheduleFreeSgd) {
        // z moves by lr·g from where the parameters were; x is the mean of what z was, weighed alike.
        const z = tensors[0]!.data.map((p, i) => p - 0.1 * g.a![i]!);
        expectClose({ a: (await optimizer.read("z")).a! }, { a: z });
      } else {
        const [p, ax] = [(await optimizer.read()).a!, (await optimizer.read("ax")).a!];
        // The group's first update has mu = 1.
        expect(ax).toEqual(p);
      }
      expect((await optimizer.read()).a).not.toEqual(before.a);
      optimizer.destroy();
    }
  });

  it("is refused for a group that is not there", async () => {
    const optimizer = await create(tensors, config);
    expect(() => optimizer.freeze({ group: 3 })).toThrow("group is 3; it must be a whole number in [0, 2]");
    expect(() => optimizer.thaw({ group: -1 })).toThrow(OptionError);
    optimizer.destroy();
  });
});

describe.each(engines)("schedules of any hyper (%s)", (_, create) => {
  it("cycles beta1 against the rate, with decay and eps that change too", async () => {
    const tensors = tensorsOf({ a: [5, 7], b: [259] });
    const cycle = (low: number, high: number) => (now: number) => low + ((high - low) * (4 - Math.abs(4 - now))) / 4;
    const h = {
      lr: cycle(0.01, 0.2),
      beta1: cycle(0.95, 0.7),
      beta2: 0.9,
      eps: (now: number) => 10 ** (-2 - now / 4),
      weightDecay: cycle(0.4, 0),
    };
    const optimizer = await create(tensors, { rule: adamw, ...h });
    const gradients = Array.from({ length: 9 }, () => gradientsOf(tensors));
    for (const g of gradients) step(optimizer, g);
    const expected = simulated(tensors, gradients, () => adamw64(h));
    expectClose(await optimizer.read(), expected, 1e-5);
    optimizer.destroy();
  });

  it("names the step at which an average's decay leaves its range, and changes nothing", async () => {
    const optimizer = await create([{ name: "x", shape: [3], data: [1, 2, 3] }], {
      rule: sgd,
      momentum: 0.5,
      ema: { decay: (now: number) => (now < 2 ? 0.5 : 1) },
    });
    for (let i = 0; i < 2; i++) step(optimizer, { x: [1, 1, 1] });
    const before = await stateOf(optimizer);
    expect(() => optimizer.step()).toThrow(/ema\.decay is 1 at step 2; it must be a finite number in \[0, 1\)$/);
    expect(await stateOf(optimizer)).toEqual(before);
    optimizer.destroy();
  });
});

describe.each(engines)("what a rule carries (%s)", (_, create) => {
  const start = normals(37);
  const tensors = [{ name: "x", shape: [37], data: start }];
  const gradients = Array.from({ length: 8 }, () => normals(37));

  /** NAdam with each update's own hypers. */
  function nadam64(h: (t: number) => { beta1: number; decay: number }): number[] {
    let [m, v, p] = [start.map(() => 0), start.map(() => 0), start];
    let product = 1;
    gradients.forEach((g, index) => {
      const t = index + 1;
      const { beta1, decay } = h(t);
      const mu = (k: number) => beta1 * (1 - 0.5 * 0.96 ** (k * decay));
      product *= mu(t);
      const next = product * mu(t + 1);
      m = m.map((value, i) => value + (1 - beta1) * (g[i]! - value));
      v = v.map((value, i) => 0.9 * value + 0.1 * g[i]! ** 2);
      p = p.map((value, i) => {
        const d = Math.sqrt(v[i]! / (1 - 0.9 ** t)) + 1e-4;
        return value - (0.1 * (1 - mu(t)) * g[i]!) / (1 - product) / d - (0.1 * mu(t + 1) * m[i]!) / (1 - next) / d;
      });
    });
    return p;
  }

  it("nadam with scheduled momentum, saved and resumed", async () => {
    const config: OptimizerConfig = {
      rule: nadam,
      lr: 0.1,
      beta2: 0.9,
      eps: 1e-4,
      beta1: (now: number) => 0.5 + 0.05 * now,
      momentumDecay: { type: linear, start: 4, end: 0.5, steps: 6 },
    };
    const whole = await create(tensors, config);
    const resumed = await create(tensors, config);
    for (const [i, g] of gradients.entries()) {
      step(whole, { x: g });
      if (i === 2) await loadCheckpoint(resumed, await saveCheckpoint(whole));
      if (i > 2) step(resumed, { x: g });
    }
    expect(await stateOf(resumed)).toEqual(await stateOf(whole));
    const expected = nadam64((t) => ({ beta1: 0.5 + 0.05 * (t - 1), decay: 4 - (3.5 * Math.min(t - 1, 6)) / 6 }));
    expectClose(await whole.read(), { x: expected }, 1e-5);
    for (const made of [whole, resumed]) made.destroy();
  });

  it("nadam with beta1 set on the way", async () => {
    const optimizer = await create(tensors, { rule: nadam, lr: 0.1, beta2: 0.9, eps: 1e-4, momentumDecay: 2 });
    for (const [i, g] of gradients.entries()) {
      if (i === 3) optimizer.set({ beta1: 0.5, momentumDecay: 1 });
      step(optimizer, { x: g });
    }
    const expected = nadam64((t) => (t <= 3 ? { beta1: 0.9, decay: 2 } : { beta1: 0.5, decay: 1 }));
    expectClose(await optimizer.read(), { x: expected }, 1e-5);
    optimizer.destroy();
  });
});

describe.each(engines)("parameters to evaluate with (%s)", (_, create) => {
  const tensors = tensorsOf({ a: [5, 7], b: [3] });
  const params = paramsOf(tensors);

  it("are the parameters before the first step, and of rules that promise no others", async () => {
    for (const rule of [scheduleFreeSgd, scheduleFreeAdamw, asgd, adam]) {
      const optimizer = await create(tensors, { rule, lr: 0.1 });
      expect(await optimizer.read("evaluation")).toEqual(mapTyped(params));
      if (rule === adam) {
        step(optimizer, gradientsOf(tensors));
        expect(await optimizer.read("evaluation")).toEqual(await optimizer.read());
      }
      optimizer.destroy();
    }
  });

  it("are schedule-free's mean, whatever is set afterwards, and asgd's", async () => {
    const gradients = Array.from({ length: 5 }, () => gradientsOf(tensors));
    const free = await create(tensors, { rule: scheduleFreeSgd, lr: 0.2, beta1: 0.8 });
    for (const g of gradients) step(free, g);
    // z is plain SGD, the first of equal weights; x is the mean of every z after an update.
    const sums = mapValues(params, (p, i, name) => {
      let [z, sum] = [p, 0];
      for (const g of gradients) {
        z -= 0.2 * g[name]![i]!;
        sum += z;
      }
      return sum / gradients.length;
    });
    expectClose(await free.read("evaluation"), sums, 1e-5);
    free.set({ beta1: 0.3 });
    expectClose(await free.read("evaluation"), sums, 1e-5);
    // What is set need not be in range in the past.
    free.set({ lr: (now) => (now < 5 ? -1 : 0.1) });
    expectClose(await free.read("evaluation"), sums, 1e-5);
    free.destroy();

    const averaged = await create(tensors, { rule: asgd, lr: 0.1, lambd: 0, alpha: 0, t0: 1 });
    for (const g of gradients) step(averaged, g);
    const paths = mapValues(params, (p, i, name) => {
      // mu is 1 in the updates 1, 2 and 3, then 1/2 and 1/3.
      const path = gradients.map((g) => {
        p -= 0.1 * g[name]![i]!;
        return p;
      });
      return path.slice(2).reduce((sum, value) => sum + value, 0) / 3;
    });
    expectClose(await averaged.read("evaluation"), paths, 1e-5);
    averaged.destroy();
  });
});
