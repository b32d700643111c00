// The range test: its ramp and its end by hand, its suggestions against readings of the published definitions, and that
// nothing of it is left behind, to the bit.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../../src/base/errors.ts";
import { short } from "../../src/base/short.ts";
import { bellMeans } from "../../src/lab/bell_means.ts";
import { jobConfig, labDefaults } from "../../src/lab/defaults.ts";
import {
  findLr,
  type RangeOptions,
  type RangeTestOptions,
  rangeTest as rangeAndTrials,
} from "../../src/lab/lr_finder.ts";
import { type RangeEnd, type RangePoint, suggestRates } from "../../src/lab/suggest.ts";
import { spaced, sweep, withPeak } from "../../src/lab/sweep.ts";
import { digitsDataset } from "../../src/objectives/data/digits.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { muon } from "../../src/rules/muon.ts";
import { nadam } from "../../src/rules/nadam.ts";
import { prodigy } from "../../src/rules/prodigy.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { constant } from "../../src/schedules/constant.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { plateau } from "../../src/schedules/plateau.ts";
import { product } from "../../src/schedules/product.ts";
import type { Scheduled } from "../../src/schedules/schedule.ts";
import { sequential } from "../../src/schedules/sequential.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { ownFolder } from "../folder.ts";
import { goldenText } from "../golden.ts";
import { createCpuOptimizer } from "../optimizers.ts";
import { fallline, spawned } from "../run_cli.ts";

/** The ramp alone, on losses that are made up. */
const rangeTest = <S>(
  optimizer: Optimizer,
  step: (index: number) => number | Promise<number>,
  options: RangeTestOptions<S> = {},
) => rangeAndTrials(optimizer, step, { trials: 0, ...options });

/** Rates from 1e-7 to 10, and a smoothed loss for each as a function of log10 of the rate. */
function curve(smooth: (log: number, i: number) => number, steps = 100): RangePoint[] {
  return Array.from({ length: steps }, (_, i) => {
    const lr = 1e-7 * 1e8 ** (i / (steps - 1));
    const value = smooth(Math.log10(lr), i);
    return { lr, loss: value, smooth: value };
  });
}

/** Flat, then a fall in a bowl around 10^-2, then steeply up. */
const bowl = (log: number) => 2.3 - 1.5 * Math.exp(-((log + 2) ** 2) / 0.8) + Math.max(0, log + 0.5) ** 2 * 4;

/** A rough bowl, the same every time. */
const rough = (log: number, i: number) => bowl(log) + 0.05 * Math.sin(7.3 * i) + 0.02 * Math.sin(2.1 * i * i);

/** What the definitions give, said in other ways than in the source. */
const published = {
  trimmed: (points: readonly RangePoint[], steps: number) => points.slice(Math.floor(steps / 10), -5),
  minimum(points: readonly RangePoint[]) {
    const sorted = [...points].sort((a, b) => a.smooth - b.smooth);
    return sorted[0]!.lr / 10;
  },
  steepest(points: readonly RangePoint[]) {
    const slopes = points
      .slice(1)
      .map((next, i) => (next.smooth - points[i]!.smooth) / (Math.log(next.lr) - Math.log(points[i]!.lr)));
    return points[slopes.indexOf(Math.min(...slopes))]!.lr;
  },
  valley(points: readonly RangePoint[]) {
    const memo = new Map<number, number>();
    const longest = (i: number): number => {
      if (!memo.has(i)) {
        const before = points.flatMap((point, j) => (j < i && point.smooth > points[i]!.smooth ? [longest(j)] : []));
        memo.set(i, 1 + Math.max(0, ...before));
      }
      return memo.get(i)!;
    };
    const lengths = points.map((_, i) => longest(i));
    const end = lengths.indexOf(Math.max(...lengths));
    const start = end - lengths[end]!;
    const section = (end - start) / 3;
    return points[start + Math.trunc(section) + Math.trunc(section / 2)]!.lr;
  },
  slide(points: readonly RangePoint[], distance = 15, threshold = 0.005) {
    const y = points.map(({ smooth }) => smooth);
    const n = y.length;
    const gradient = y.map((_, i) =>
      i === 0 ? y[1]! - y[0]! : i === n - 1 ? y[n - 1]! - y[n - 2]! : (y[i + 1]! - y[i - 1]!) / 2,
    );
    let right = -1;
    let left = right - distance;
    let lr = points.at(left)!.lr;
    while (left >= -n && Math.abs(gradient.at(right)! - gradient.at(left)!) > threshold) {
      lr = points.at(left)!.lr;
      right--;
      left--;
    }
    // One that has run off the curve has found nothing.
    return left < -n ? null : lr;
  },
};

describe("suggestions", () => {
  it("are exact where the curve's answer is known", () => {
    // A V in log10(lr) around 10^-2, a point of the ramp of 81: the minimum is there.
    const steps = 81;
    const { suggestions } = suggestRates(
      curve((log) => 1 + Math.abs(log + 2), steps),
      steps,
      "complete",
    );
    expect(suggestions.minimum.lr).toBeCloseTo(1e-3, 10);
    // The longest fall: points 8 (the first tenth is left out) to 50, 43 of them, which begin "before" point 8.
    expect(suggestions.valley.lr).toBeCloseTo(1e-7 * 10 ** ((7 + 14 + 7) / 10), 10);
    // A step down of a logistic curve is steepest at its middle.
    const logistic = suggestRates(
      curve((log) => 2 / (1 + Math.exp(3 * (log + 2.95))), steps),
      steps,
      "complete",
    );
    expect(logistic.suggestions.steepest.lr).toBeCloseTo(1e-3, 10);
    expect(logistic.suggestions.minimum).toEqual({
      lr: null,
      reason: "the loss was still falling at the end of the ramp: raise end",
    });
    expect(logistic.notes).toEqual(["the loss was still falling at the end of the ramp: raise end"]);
    // Down, flat, up: the interval slides left until both its ends are on the same stretch.
    const hinge = suggestRates(
      curve((_, i) => 3 - 0.02 * Math.min(i, 40) + 0.1 * Math.max(0, i - 60), steps),
      steps,
      "diverged",
    );
    // The right end steps off the foot of the rise, point 60, when the left end stands on the flat at 45.
    expect(hinge.suggestions.slide.lr).toBeCloseTo(1e-7 * 10 ** (45 / 10), 10);
  });

  it.each([
    ["a bowl", bowl, 100],
    ["a rough bowl", rough, 100],
    ["a rough bowl of 250 points", rough, 250],
    ["a rough bowl of 37 points", rough, 37],
  ])("are the published ones on %s", (_, smooth, steps) => {
    const points = curve(smooth, steps);
    const { suggestions, suggested } = suggestRates(points, steps, "diverged");
    const kept = published.trimmed(points, steps);
    for (const name of ["minimum", "steepest", "valley", "slide"] as const) {
      expect(suggestions[name].lr, name).toBe(published[name](kept));
    }
    expect(suggested).toEqual({ name: "fall", ...suggestions.fall });
    // Four fifths of the fall into a bowl around 10^-2 are made at 10^-2.42.
    expect(Math.abs(Math.log10(suggestions.fall.lr! / 2) + 2.42)).toBeLessThan(0.25);
  });

  it.each<[string, RangePoint[], number, RangeEnd, string]>([
    ["no point at all", [], 100, "aborted", "too few points: 0 were measured"],
    ["a test that was stopped early", curve(bowl).slice(0, 24), 100, "aborted", "too few points: 24 were measured"],
    [
      "a ramp of few steps",
      curve(bowl, 15),
      15,
      "diverged",
      "without the first 1 and the last 5, 9 are left; it takes 10",
    ],
    ["a flat loss", curve(() => 2.3), 100, "complete", "the loss never fell by more than 1 %"],
    ["a loss that only rises", curve((log) => 10 + log), 100, "diverged", "the loss never fell"],
    [
      "a minimum right at the start",
      curve((_, i) => Math.abs(i - 7), 40),
      40,
      "diverged",
      "too few points before the loss was lowest: 7; it takes 10: lower start",
    ],
  ])("are withheld with the reason for %s", (_, points, steps, ended, reason) => {
    const { suggestions, suggested } = suggestRates(points, steps, ended);
    for (const suggestion of Object.values(suggestions)) {
      expect(suggestion).toEqual({ lr: null, reason: expect.stringContaining(reason) });
    }
    expect(suggested).toEqual({ name: null, lr: null, reason: expect.stringContaining(reason) });
  });

  it("fall back on another reading where one has no rate", () => {
    // A fall of few, large steps: no longest decreasing subsequence of ten.
    const { suggestions, suggested } = suggestRates(
      curve((_, i) => (i < 60 ? 5 : i < 64 ? 65 - i : 1 + i - 64)),
      100,
      "diverged",
    );
    expect(suggestions.valley).toEqual({ lr: null, reason: expect.stringContaining("it takes 10") });
    expect(suggestions.fall.lr).toBeGreaterThan(suggestions.steepest.lr!);
    expect(suggested).toEqual({ name: "fall", ...suggestions.fall });
    // It begins low: there is nothing that it fell from.
    const noisy = suggestRates(
      curve((log, i) => (log < -4 ? (i % 2) * 40 : 9 + log)),
      100,
      "diverged",
    );
    expect(noisy.suggestions.fall.lr).toBeNull();
  });

  it("are read from 200,000 points", () => {
    const { suggestions } = suggestRates(curve(bowl, 200_000), 200_000, "diverged");
    expect(Math.abs(Math.log10(suggestions.fall.lr! / 2) + 2.42)).toBeLessThan(0.05);
    expect(suggestions.minimum.lr).toBeCloseTo(1e-3, 6);
  });

  it("do not take a mean that still falls for a loss that does", () => {
    // The loss turns ten points before the end; its mean, which lags, does not.
    const points = curve((_, i) => 100 - i).map((point, i) => ({ ...point, loss: i < 90 ? 100 - i : 2 ** (i - 80) }));
    expect(suggestRates(points, 100, "complete").notes).toEqual([]);
    expect(suggestRates(points, 100, "complete").suggestions.minimum.lr).not.toBeNull();
    expect(
      suggestRates(
        curve((_, i) => 100 - i),
        100,
        "complete",
      ).notes,
    ).toEqual(["the loss was still falling at the end of the ramp: raise end"]);
  });
});

describe("means under a bell curve", () => {
  it.each([
    [1, 5],
    [2, 0.1],
    [37, 1],
    [64, 2.5],
    [100, 40],
  ])("of %i values at a width of %d are sums of weighted neighbours", (length, width) => {
    const values = Array.from({ length }, (_, i) => Math.sin(i * i) + i / 10);
    const expected = values.map((_, i) => {
      const weights = values.map((_, j) =>
        Math.abs(j - i) <= Math.ceil(3 * width) ? Math.exp(-(((j - i) / width) ** 2) / 2) : 0,
      );
      const sum = weights.reduce((total, weight, j) => total + weight * values[j]!, 0);
      return sum / weights.reduce((total, weight) => total + weight, 0);
    });
    const means = bellMeans(values, width);
    expect(means).toHaveLength(length);
    for (const [i, mean] of means.entries()) expect(mean).toBeCloseTo(expected[i]!, 13);
  });
});

/** w², whose training step by hand is w ← w - lr·2w. */
function square(optimizer: Optimizer) {
  const losses: number[] = [];
  const step = async () => {
    const { w } = await optimizer.read();
    optimizer.write("gradients", { w: [2 * w![0]!] });
    optimizer.step();
    losses.push(w![0]! ** 2);
    return losses.at(-1)!;
  };
  return { step, losses };
}

describe("the ramp", () => {
  const start4 = () => createCpuOptimizer([{ name: "w", shape: [1], data: [4] }], sgd({ lr: 0.1 }));

  it("climbs exponentially from 1e-7 to 10 in 100 steps, and the loss of w² turns where 2·lr does", async () => {
    const optimizer = start4();
    const seen: number[] = [];
    const result = await rangeTest(optimizer, square(optimizer).step, { onPoint: ({ index }) => seen.push(index) });
    expect(result.ramp).toEqual({
      start: 1e-7,
      end: 10,
      steps: 100,
      mode: "exponential",
      smoothing: 0.98,
      diverge: 4,
    });
    // By hand, in float32 as the parameter is kept.
    let w = 4;
    let mean = 0;
    let best = Number.POSITIVE_INFINITY;
    for (const [i, { lr, loss, smooth }] of result.points.entries()) {
      expect(lr).toBeCloseTo(10 ** (-7 + (8 * i) / 99), 12);
      expect(loss / w ** 2).toBeCloseTo(1, 5);
      w = Math.fround(w - lr * 2 * w);
      mean = 0.98 * mean + 0.02 * loss;
      expect(smooth).toBeCloseTo(mean / (1 - 0.98 ** (i + 1)), 10);
      best = Math.min(best, smooth);
      const last = i === result.points.length - 1;
      expect(smooth > 4 * best).toBe(last);
    }
    expect(result).toMatchObject({ format: "fallline-lr/1", ended: "diverged", notes: [] });
    expect(result.endedAt).toBe(result.points.at(-1)!.lr);
    // Beyond lr = 1 every step enlarges w.
    expect(result.endedAt).toBeGreaterThan(1);
    expect(seen).toEqual(result.points.map((_, i) => i + 1));
    for (const { lr } of Object.values(result.suggestions)) expect(lr).toBeLessThan(1);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it("climbs linearly, ends at its end, and divides nothing by a smoothing of 0", async () => {
    const optimizer = start4();
    const options: RangeOptions = { ramp: { mode: "linear", start: 0.1, end: 0.5, steps: 5, smoothing: 0 } };
    const { points, ended, endedAt } = await rangeTest(optimizer, square(optimizer).step, options);
    expect(points.map(({ lr }) => Number(lr.toFixed(12)))).toEqual([0.1, 0.2, 0.3, 0.4, 0.5]);
    expect(points.every(({ loss, smooth }) => loss === smooth)).toBe(true);
    expect([ended, endedAt]).toEqual(["complete", 0.5]);
  });

  it("multiplies lrScale into every group's rate, whatever drives it", async () => {
    const tensors = ["a", "b", "c"].map((name) => ({ name, shape: [1], data: [0] }));
    const optimizer = createCpuOptimizer(tensors, {
      rule: sgd,
      lr: (step) => 1 / (1 + step),
      groups: [
        { params: "a", lr: 7 },
        { params: "b", lrScale: 0.5 },
      ],
    });
    const moved: number[][] = [];
    const { notes } = await rangeTest(
      optimizer,
      async () => {
        optimizer.write("params", { a: [0], b: [0], c: [0] });
        optimizer.write("gradients", { a: [-1], b: [-1], c: [-1] });
        optimizer.step();
        moved.push(Object.values(await optimizer.read()).map(([value]) => value!));
        return 1;
      },
      { ramp: { start: 1, end: 4, steps: 3 } },
    );
    expect(moved).toEqual([
      [1, 0.5, 1],
      [2, 1, 2],
      [4, 2, 4],
    ]);
    expect(notes).toEqual(["the rates are the optimizer's; groups multiply them by their lrScale"]);
  });

  it("says how rules that find their own rate use one", async () => {
    const optimizer = createCpuOptimizer([{ name: "w", shape: [1], data: [4] }], { rule: prodigy });
    const { notes } = await rangeTest(optimizer, square(optimizer).step, { ramp: { steps: 3 } });
    expect(notes).toEqual([
      expect.stringMatching(/^prodigy finds its own rate and multiplies it by lr, which should stay at about 1 /),
    ]);
  });

  it("ends at a loss that is not finite, and follows one below 0", async () => {
    const losses = [-1, -3, -2, -1, Number.NaN, 5];
    const options = { ramp: { steps: 6, smoothing: 0, diverge: 2 } };
    const ended = await rangeTest(start4(), (i) => losses[i]!, options);
    // 1 above the best of -3 is nearer than 3 above it.
    expect(ended).toMatchObject({ ended: "nonFinite", points: { length: 4 } });
    expect(ended.endedAt).toBeGreaterThan(ended.points[3]!.lr);
    losses[4] = 0.5;
    expect(await rangeTest(start4(), (i) => losses[i]!, options)).toMatchObject({
      ended: "diverged",
      points: { length: 5 },
    });
  });
});

/** Gradients of a caller's own stream of data, which the range test must rewind. */
function stream(optimizer: Optimizer) {
  let at = 0;
  const step = () => {
    at++;
    const values = ({ length }: { length: number }, seed: number) =>
      Float32Array.from({ length }, (_, i) => Math.sin(at * 12.9898 + i * 78.233 + seed));
    optimizer.write(
      "gradients",
      Object.fromEntries(optimizer.segments.map((segment, i) => [segment.name, values(segment, i)])),
    );
    optimizer.step();
    return 1 + Math.cos(at);
  };
  return {
    step,
    state: () => at,
    restore: (state: number) => {
      at = state;
    },
  };
}

const tensors = [
  { name: "layer1.weight", shape: [5, 3], data: Float32Array.from({ length: 15 }, (_, i) => Math.sin(i)) },
  { name: "layer1.bias", shape: [3], data: [0.1, -0.2, 0.3] },
  { name: "layer2.weight", shape: [3, 2], data: Float32Array.from({ length: 6 }, (_, i) => Math.cos(i)) },
];

const half = (step: number) => 0.01 / (1 + step);
const setups: [string, OptimizerConfig][] = [
  ["adamw with functions of the step", { rule: adamw, lr: half, weightDecay: (step: number) => 0.1 / (1 + step) }],
  [
    "groups with rates, functions, rules of their own, and a frozen one, of all tensors",
    {
      rule: sgd,
      lr: { type: cosine, base: 0.1, steps: 50 },
      momentum: 0.9,
      groups: [
        { params: "layer1.weight", lr: half, lrScale: 0.3 },
        { params: "*.bias", rule: adamw, lr: half },
        { params: "layer2.weight", frozen: true },
      ],
    },
  ],
  ["a fallback whose rate is a function", { rule: muon, lr: 0.02, fallback: { rule: adamw, lr: half } }],
  [
    "every modifier, halfway through an accumulation",
    {
      rule: nadam,
      lr: { type: sequential, milestones: [3], schedules: [half, { type: constant, value: 0.01 }] },
      accumulate: 2,
      ema: {},
      lookahead: { every: 2 },
      clip: { type: "globalNorm", maxNorm: 0.5 },
      lossScale: { init: 4, interval: 3 },
    },
  ],
  ["what rules sum", { rule: prodigy, cautious: true }],
  [
    "plateaus, alone and beside a function",
    {
      rule: sgd,
      lr: { type: product, schedules: [{ type: plateau, base: 1, patience: 1 }, half] },
      momentum: { type: plateau, base: 0.9, patience: 0 },
    },
  ],
];

/** Ten steps, and in one of two runs a range test after the third. */
async function twice(
  config: OptimizerConfig,
  test: (optimizer: Optimizer, data: ReturnType<typeof stream>) => unknown,
) {
  const [tested, plain] = await Promise.all(
    [true, false].map(async (tests) => {
      const optimizer = createCpuOptimizer(tensors, config);
      const data = stream(optimizer);
      const advance = (steps: number) => {
        for (let i = 0; i < steps; i++) optimizer.observe(data.step());
      };
      advance(3);
      const before = { config: configOf(optimizer), gradients: await optimizer.read("gradients") };
      if (tests) {
        await test(optimizer, data);
        expect(configOf(optimizer)).toEqual(before.config);
        expect(await optimizer.read("gradients")).toEqual(before.gradients);
      }
      const state = await saveCheckpoint(optimizer);
      advance(7);
      return {
        state,
        end: await saveCheckpoint(optimizer),
        rates: [3, 9, 20].map((step) => optimizer.hyper("lr", step)),
      };
    }),
  );
  expect(tested).toEqual(plain);
}

describe("nothing is left of a range test", () => {
  it.each(setups)("with %s", async (_, config) => {
    await twice(config, async (optimizer, data) => {
      const { points } = await rangeTest(optimizer, () => data.step(), { ramp: { steps: 9 }, data });
      expect(points.length).toBe(9);
    });
  });

  it.each(setups)("whose step throws after it has set and frozen things, with %s", async (_, config) => {
    await twice(config, async (optimizer, data) => {
      const step = (index: number) => {
        if (index === 5) throw new Error("from the step");
        optimizer.set({ lr: (at) => 1e-3 * at });
        optimizer.freeze({ group: 0 });
        optimizer.observe(index);
        return data.step();
      };
      await expect(rangeTest(optimizer, step, { data })).rejects.toThrow("from the step");
    });
  });

  it("that is stopped, which gives the points there are", async () => {
    await twice({ rule: adamw, lr: half }, async (optimizer, data) => {
      const stop = new AbortController();
      const result = await rangeTest(optimizer, () => data.step(), {
        data,
        signal: stop.signal,
        onPoint: ({ index }) => index === 4 && stop.abort(),
      });
      expect(result).toMatchObject({ ended: "aborted", points: { length: 4 }, suggested: { name: null } });
      expect(result.endedAt).toBe(result.points[3]!.lr);
    });
  });

  it.each<[string, (optimizer: Optimizer) => Promise<unknown>, typeof OptionError | typeof DataError, string]>([
    ["a loss that is NaN at once", (o) => rangeTest(o, () => Number.NaN), DataError, "the first step's loss is NaN"],
    [
      "an infinite loss",
      (o) => rangeTest(o, () => Number.POSITIVE_INFINITY),
      DataError,
      "the first step's loss is Infinity, before any rate has had an effect, so the range test cannot start; look for",
    ],
    [
      "a step that returns nothing",
      (o) => rangeTest(o, (() => undefined) as unknown as () => number),
      OptionError,
      "step 0 returned undefined; it must return the loss",
    ],
    [
      "start above end",
      (o) => rangeTest(o, () => 1, { ramp: { start: 1, end: 1 } }),
      OptionError,
      "end is 1; it must be a finite number > 1",
    ],
    [
      "start at 0",
      (o) => rangeTest(o, () => 1, { ramp: { start: 0 } }),
      OptionError,
      "start is 0; it must be a finite number > 0",
    ],
    [
      "one step",
      (o) => rangeTest(o, () => 1, { ramp: { steps: 1 } }),
      OptionError,
      "steps is 1; it must be a whole number >= 2",
    ],
    [
      "smoothing of 1",
      (o) => rangeTest(o, () => 1, { ramp: { smoothing: 1 } }),
      OptionError,
      "smoothing is 1; it must be a finite number in [0, 1)",
    ],
    [
      "diverge of 1",
      (o) => rangeTest(o, () => 1, { ramp: { diverge: 1 } }),
      OptionError,
      "diverge is 1; it must be a finite number > 1",
    ],
    [
      "an unknown mode",
      (o) => rangeTest(o, () => 1, { ramp: { mode: "log" as "linear" } }),
      OptionError,
      'mode is "log"; it must be one of exponential, linear',
    ],
    [
      "an unknown option",
      (o) => rangeTest(o, () => 1, { iterations: 5 } as RangeOptions),
      OptionError,
      'the range test has an unknown option "iterations"; the options are ramp, trials',
    ],
    [
      "a rate that float32 does not hold",
      (o) => rangeTest(o, () => 1, { ramp: { end: 1e39 } }),
      OptionError,
      "end is 1e+39; it must be at most 3.4e38",
    ],
  ])("that refuses %s", async (_, test, kind, message) => {
    await twice({ rule: sgd, lr: half }, async (optimizer) => {
      const error = await test(optimizer).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(kind);
      expect((error as Error).message).toContain(message);
    });
  });

  it("because the very array that save gave brings functions back; a copy, as of a file, cannot", async () => {
    const optimizer = createCpuOptimizer(tensors, { rule: sgd, lr: half });
    const saved = await saveCheckpoint(optimizer);
    optimizer.set({ lr: 7 });
    await loadCheckpoint(optimizer, saved.slice());
    expect(optimizer.hyper("lr", 1)).toBe(7);
    await loadCheckpoint(optimizer, saved);
    expect(optimizer.hyper("lr", 1)).toBe(half(1));
    const other = createCpuOptimizer(tensors, { rule: sgd, lr: 7 });
    await loadCheckpoint(other, saved);
    expect(other.hyper("lr", 1)).toBe(7);
  });

  it("that refuses replicas", async () => {
    const optimizer = createCpuOptimizer(tensors, { rule: sgd, replicas: [{ lr: 1 }, { lr: 2 }] });
    await expect(rangeTest(optimizer, () => 1)).rejects.toThrow("the optimizer has 2 replicas; a range test takes");
  });
});

describe("short runs after the ramp", () => {
  /** ½ Σ λ x²: gradient descent is stable below 2 / the largest λ, and best at 2 / (largest + least). */
  const parabola = (curvatures: readonly number[], options: RangeOptions = {}) => {
    const optimizer = createCpuOptimizer(
      [{ name: "x", shape: [curvatures.length], data: curvatures.map(() => 1) }],
      sgd({ lr: 0.1 }),
    );
    const step = async () => {
      const x = (await optimizer.read()).x!;
      optimizer.write("gradients", { x: curvatures.map((curvature, i) => curvature * x[i]!) });
      optimizer.step();
      return curvatures.reduce((sum, curvature, i) => sum + (curvature * x[i]! ** 2) / 2, 0);
    };
    return rangeAndTrials(optimizer, step, options);
  };

  it.each([
    ["of one curvature", [2], {}],
    ["of one curvature, from 1e-3 to 5", [2], { start: 1e-3, end: 5 }],
    ["that is flat", [0.02], { end: 1000 }],
    ["that is steep", [300], {}],
    ["of condition 100", [1, 0.3, 0.1, 0.03, 0.01], {}],
    ["of condition 100, steep", [50, 5, 0.5], {}],
  ])(
    "find the rate of a parabola %s within a factor of 3 of the best, and below its limit",
    async (_, curvatures, ramp) => {
      const { suggested, trials, suggestions, notes } = await parabola(curvatures, { ramp });
      const best = 2 / (Math.max(...curvatures) + Math.min(...curvatures));
      expect(suggested.name).toBe("trial");
      expect(suggested.lr! / best).toBeGreaterThan(1 / 3);
      expect(suggested.lr! / best).toBeLessThan(3);
      expect(suggested.lr).toBeLessThan(2 / Math.max(...curvatures));
      expect(suggestions.valley.lr).toBeLessThan(suggested.lr!);
      expect(trials.length).toBeGreaterThan(3);
      expect(trials.length).toBeLessThanOrEqual(12);
      expect(trials.some(({ lr, loss }) => lr === suggested.lr && loss !== null)).toBe(true);
      if (curvatures[0] === 2) expect(notes).toEqual([]);
    },
  );

  it("leave nothing behind, whatever becomes of them, and are as many as is said", async () => {
    const seen: number[] = [];
    const onTrial = ({ trial, index, steps }: { trial: number; index: number; steps: number }) => {
      expect(steps).toBe(100);
      if (index === 1) seen.push(trial);
    };
    const few = await parabola([2], { trials: 2, onTrial });
    expect(few.trials).toHaveLength(2);
    expect(seen).toEqual([1, 2]);
    const none = await parabola([2], { trials: 0 });
    expect(none).toMatchObject({ trials: [], suggested: { name: "fall" } });
    expect(none.suggestions).not.toHaveProperty("trial");
    await expect(parabola([2], { trials: -1 })).rejects.toThrow("trials is -1; it must be a whole number >= 0");

    const optimizer = createCpuOptimizer([{ name: "w", shape: [1], data: [4] }], {
      rule: sgd,
      lr: half,
      momentum: 0.9,
      ema: {},
    });
    const before = await saveCheckpoint(optimizer);
    const stop = new AbortController();
    const { step } = square(optimizer);
    const stopped = await rangeAndTrials(optimizer, step, {
      signal: stop.signal,
      onTrial: ({ trial, index }) => trial === 2 && index === 5 && stop.abort(),
    });
    expect(stopped).toMatchObject({
      ended: "diverged",
      suggested: { name: "fall" },
      suggestions: { trial: { lr: null, reason: "the short runs were stopped" } },
    });
    expect(await saveCheckpoint(optimizer)).toEqual(before);
    expect(optimizer.hyper("lr", 3)).toBe(half(3));
  });

  it("agree with a sweep on the standard job: what is suggested ends within 10 % of the best, and halving keeps it", async () => {
    const halves = digitsDataset(goldenText("digits.json"));
    const config = { ...jobConfig({ ...labDefaults, model: "64-16-10", steps: 120 }), data: null };
    const { lr: schedule } = config.optimizer as { readonly lr: Scheduled };
    const { suggested } = await findLr({ engine: cpuEngine(), ...config, data: halves });
    const rates = [...spaced({ min: 2e-6, max: 0.2 }, 16), suggested.lr!];
    const trials = rates.map((lr) => ({ lr: withPeak(schedule, lr, 120) }));
    const result = await sweep({ engine: cpuEngine(), ...config, data: halves, trials });
    const best = result.trials[result.best!]!.finalLoss!;
    const ours = result.trials.at(-1)!;
    expect(ours.stopped).toBeNull();
    expect(ours.finalLoss! / best).toBeLessThan(1.1);
  });

  it("are left out where a plateau drives another hyper, saying so", async () => {
    const found = await findLr({
      engine: cpuEngine(),
      model: { layers: [64, 10] },
      optimizer: { rule: sgd, lr: 0.1, momentum: { type: plateau, base: 0.9, patience: 1 } },
      batch: 16,
      steps: 40,
      metric: { type: "loss", every: 5 },
      data: digitsDataset(goldenText("digits.json")),
      ramp: { steps: 60 },
    });
    expect(found.trials).toEqual([]);
    expect(found.suggestions.trial).toEqual({
      lr: null,
      reason: expect.stringContaining("a plateau schedule drives something"),
    });
    expect(found.suggested.name).toBe("fall");
  });
});

describe("findLr", () => {
  const data = {
    name: "toy",
    count: 64,
    features: 4,
    classes: 2,
    inputs: Float32Array.from({ length: 256 }, (_, i) => Math.sin(i * i)),
    scale: 1,
    labels: Uint8Array.from({ length: 64 }, (_, i) => (Math.sin((4 * i) ** 2) > 0 ? 1 : 0)),
  };
  const config = {
    model: { layers: [4, 8, 2] },
    optimizer: sgd({ lr: { type: cosine, base: 1, steps: 3 }, momentum: 0.9 }),
    batch: 8,
    steps: 1,
    seed: 3,
  };
  const options = { ramp: { start: 1e-4, end: 1e3, steps: 60 }, trials: 4 };

  it("finds a rate for a run that learns with it, the same from the same seed", async () => {
    const result = await findLr({ engine: cpuEngine(), ...config, data, ...options });
    expect(result.ended).not.toBe("aborted");
    expect(result.suggested.lr).toBeGreaterThan(1e-3);
    expect(result.suggested.lr).toBeLessThan(10);
    expect(await findLr({ engine: cpuEngine(), ...config, data, ...options })).toEqual(result);
    expect((await findLr({ engine: cpuEngine(), ...config, seed: 4, data, ...options })).points).not.toEqual(
      result.points,
    );
  });

  it("gives what a range test on the same steps gives, a point an update where gradients are added up", async () => {
    const optimizer = { ...config.optimizer, accumulate: 2 };
    const { points } = await findLr({ engine: cpuEngine(), ...config, optimizer, data, ramp: { steps: 5 } });
    const whole = await findLr({ engine: cpuEngine(), ...config, data, ramp: { steps: 10 } });
    expect(points).toHaveLength(5);
    // At rates that hardly matter the loss of a point is the mean of two batches.
    expect(points[0]!.loss).toBeCloseTo((whole.points[0]!.loss + whole.points[1]!.loss) / 2, 4);
  });

  it("refuses replicas and runs that do not fit their data", async () => {
    const optimizer = { ...config.optimizer, replicas: [{}, {}] };
    await expect(findLr({ engine: cpuEngine(), ...config, optimizer, data })).rejects.toThrow(
      "replicas holds 2 entries",
    );
    await expect(findLr({ engine: cpuEngine(), ...config, batch: 65, data })).rejects.toThrow(
      "batch is 65; it must be at most 64, the rows of toy to train on",
    );
  });
});

describe("fallline find-lr on the CPU reference", () => {
  const folder = ownFolder("find-lr");
  const small = ["--backend", "cpu", "--model", "784-8-10", "--batch", "8", "--start", "1e-5", "--end", "100"];

  it("writes lr.json and lr.svg, and prints lr.json alone with --json", async () => {
    const out = join(folder, "deep", "found");
    const { code, stdout, stderr } = await fallline(["find-lr", ...small, "--steps", "60", "--out", out, "--json"]);
    expect(stderr).toMatch(/784-8-10 on MNIST, adamw, batches of 8, seed 1/);
    expect(code).toBe(0);
    const found = JSON.parse(stdout);
    expect(JSON.parse(readFileSync(join(out, "lr.json"), "utf8"))).toEqual(found);
    expect(found).toMatchObject({
      format: "fallline-lr/1",
      ramp: { start: 1e-5, end: 100, steps: 60, mode: "exponential", smoothing: 0.98, diverge: 4 },
      config: { format: "fallline-run/1", batch: 8, seed: 1, optimizer: { rule: "adamw" } },
      backend: "cpu",
      seconds: expect.any(Number),
    });
    expect(Object.keys(found.suggestions)).toEqual(["trial", "fall", "minimum", "steepest", "valley", "slide"]);
    expect(found.trials.some(({ lr }: { lr: number }) => lr === found.suggested.lr)).toBe(true);
    expect(found.suggested.lr).toBeGreaterThan(1e-5);
    const svg = readFileSync(join(out, "lr.svg"), "utf8");
    expect(svg).toContain("range test of 784-8-10 on MNIST, adamw");
    expect(svg).toContain(`>${found.suggested.name} ${short(found.suggested.lr)}<`);
    expect(readdirSync(out).sort()).toEqual(["lr.json", "lr.svg"]);
  });

  it("runs on a run config, prints a plot and a table, and marks the rate to take", async () => {
    const path = join(folder, "run.json");
    const config = {
      model: { layers: [784, 8, 10] },
      optimizer: { rule: sgd, lr: 0.1 },
      batch: 8,
      steps: 5,
      seed: 7,
    };
    writeFileSync(path, JSON.stringify(config));
    const args = ["find-lr", path, "--backend", "cpu", "--steps", "50", "--start", "1e-4", "--out", folder];
    const { code, stdout } = await fallline(args);
    expect(code).toBe(0);
    expect(stdout).toContain("784-8-10 on MNIST, sgd, batches of 8, seed 7");
    expect(stdout).toContain("loss against learning rate");
    expect(stdout).toMatch(/^\* (\w+) +(\S+) .*[\s\S]*^suggested rate: \2 \(\1\)$/m);
    expect(stdout).toMatch(/^ {2}short run at \S+ +(loss \d|diverged)/m);
    for (const name of ["trial", "fall", "minimum", "steepest", "valley", "slide"])
      expect(stdout).toMatch(new RegExp(`^[* ] ${name} `, "m"));
    const beside = await fallline([...args, "--rule", "adam"]);
    expect(beside.code).toBe(2);
    expect(beside.stderr).toContain(`--rule was given with ${path}; change rule in the file`);
  });

  it("stops on Ctrl-C, and says that points are too few", async () => {
    const out = join(folder, "stopped");
    const args = ["find-lr", ...small, "--steps", "100000", "--out", out];
    const { code, stdout } = await spawned(args, (child) => {
      // Once: a second Ctrl-C would quit without writing.
      child.stderr!.on("data", function interrupt(chunk) {
        if (!/range test .* [1-9]\d*\/100000/.test(String(chunk))) return;
        child.stderr!.off("data", interrupt);
        child.kill("SIGINT");
      });
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^stopped after \d+ of 100000 steps, at a rate of /m);
    expect(stdout).toMatch(/^no rate suggested: too few points/m);
    expect(JSON.parse(readFileSync(join(out, "lr.json"), "utf8"))).toMatchObject({ ended: "aborted" });
  });

  it.each<[string, string[], string]>([
    ["start above end", ["--start", "20"], "end is 10; it must be a finite number > 20"],
    ["a word for a rate", ["--end", "fast"], 'end is "fast"; it must be a finite number > 1e-7'],
    ["half a trial", ["--trials", "0.5"], "trials is 0.5; it must be a whole number >= 0"],
    ["one step", ["--steps", "1"], "steps is 1; it must be a whole number >= 2"],
    ["an unknown rule", ["--rule", "adamz"], 'rule is "adamz"; it must be one of sgd, adam, adamw'],
    ["a file that is not a config", ["package.json"], 'package.json: the run config has an unknown option "name"'],
    ["a file that is not there", [join(folder, "no.json")], "no.json is not readable"],
  ])("refuses %s before anything is written, in a sentence", async (_, args, message) => {
    const out = join(folder, "refused");
    const { code, stderr } = await fallline(["find-lr", "--backend", "cpu", "--out", out, ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(`fallline: `);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(readdirSync(folder)).not.toContain("refused");
  });
});
