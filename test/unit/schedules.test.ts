// Every schedule against the values of PyTorch, Optax and the papers, what compositions promise, and its bad input.
import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../../src/base/errors.ts";
import * as library from "../../src/schedules/functions.ts";
import { scheduleDefinitions, scheduleTypes } from "../../src/schedules/index.ts";
import { readSchedule } from "../../src/schedules/read_schedule.ts";
import type { Listener, ListenerState, ScheduleConfig, Scheduled } from "../../src/schedules/schedule.ts";
import { createSchedule as create } from "../../src/schedules/schedule.ts";
import { golden } from "../golden.ts";

const { batchGrowth, batchScaled, constant, cosine, halveEvery, linear, multiStep, oneCycle, oneCycleMomentum } =
  library;
const { piecewise, plateau, product, scale, sequential, step, stochastic, tanh, warmupStableDecay } = library;

interface Golden {
  cases: { id: string; schedule: Record<string, unknown>; values: number[] }[];
  plateau: { id: string; schedule: ScheduleConfig; metrics: number[]; values: number[] }[];
}
const { cases, plateau: plateaus } = golden<Golden>("schedules.json");

/** From JSON or a config. */
const createSchedule = (value: unknown, name = "schedule") => create(readSchedule(value, name), name);

/** A config after a trip through JSON. */
const saved = <T>(config: T): T => JSON.parse(JSON.stringify(config));

const firstValues = (config: unknown, count: number) => {
  const { at } = createSchedule(config);
  return Array.from({ length: count }, (_, t) => at(t));
};

function expectClose(got: number, want: number): void {
  expect(Math.abs(got - want), `${got} instead of ${want}`).toBeLessThanOrEqual(1e-9 * Math.abs(want) + 1e-18);
}

describe("schedules.json", () => {
  it.each(cases)("$id", ({ schedule, values }) => {
    const { at } = createSchedule(schedule);
    values.forEach((want, t) => {
      expectClose(at(t), want);
    });
  });

  it.each(plateaus)("$id", ({ schedule, metrics, values }) => {
    const { at, listeners } = createSchedule(schedule);
    const got = metrics.map((metric, t) => {
      for (const listener of listeners!) listener.observe(metric);
      return at(t);
    });
    expect(got).toEqual(values);
  });
});

describe("what PyTorch 2.13 computes with other options", () => {
  it.each<[object, Record<number, number>]>([
    [
      oneCycle({ max: 0.1, steps: 10, pctStart: 0.45, divFactor: 10, finalDivFactor: 100, threePhase: true }),
      { 0: 0.01, 1: 0.02694295891635698, 3: 0.09554359905560886, 6: 0.026942958916356993, 8: 0.00505, 9: 0.0001 },
    ],
    [
      oneCycle({ max: 0.1, steps: 3, pctStart: 0.25, anneal: "linear", divFactor: 3, finalDivFactor: 1e8 }),
      { 0: 0.08888888892592593, 1: 0.04444444462962963, 2: 3.333333331578814e-10, 3: 3.333333331578814e-10 },
    ],
    [
      oneCycleMomentum({ steps: 11 }),
      { 0: 0.95, 1: 0.9101728006526316, 2: 0.8541394349247273, 3: 0.8520253513192751, 9: 0.9458958292626879, 10: 0.95 },
    ],
    [
      oneCycleMomentum({ steps: 11, anneal: "linear", threePhase: true }),
      { 0: 0.95, 1: 0.9065217391304348, 2: 0.8630434782608696, 4: 0.9239130434782609, 5: 0.95, 10: 0.95, 99: 0.95 },
    ],
    [
      { type: "cosineRestarts", base: 0.1, min: 0.003, period: 7, mult: 3 },
      { 6: 0.007803009906732677, 7: 0.1, 27: 0.003541704928081267, 28: 0.1, 90: 0.0030602893208822664, 91: 0.1 },
    ],
    [
      { type: "cyclic", base: 0, max: 0.1, up: 3, mode: "triangular2" },
      { 0: 0, 1: 0.03333333333333335, 3: 0.1, 6: 0, 7: 0.016666666666666698, 9: 0.05, 33: 0.003125, 36: 0 },
    ],
    [
      { type: "cyclic", base: 0.01, max: 0.1, up: 7, down: 2, mode: "expRange", gamma: 0.999 },
      { 7: 0.0993718868531481, 8: 0.05464125748314751, 9: 0.01, 70: 0.09391250484297184, 76: 0.05766302104256861 },
    ],
    [
      { type: "polynomial", base: 0.3, steps: 7, power: 3.7 },
      { 0: 0.3, 1: 0.16959698724176675, 6: 0.00022400540972773836, 7: 0, 20: 0 },
    ],
  ])("%j", (config, values) => {
    const { at } = createSchedule(config);
    for (const [t, want] of Object.entries(values)) expectClose(at(Number(t)), want);
  });
});

describe("the formulas of papers", () => {
  it("cosineRestarts: a cycle of half a step more starts where it should, each `decay` times as high", () => {
    const { at } = createSchedule({ type: "cosineRestarts", base: 1.5, min: 0.5, period: 10, mult: 1.5, decay: 0.5 });
    expect(at(0)).toBe(1.5);
    expect(at(10)).toBe(1);
    expect(at(25)).toBe(0.75);
    expectClose(at(48), 0.5 + (0.125 * (1 + Math.cos((Math.PI * 0.5) / 33.75))) / 2);
  });

  it("tanh starts at base and ends a quarter of a percent above min (Hsueh et al. 2019)", () => {
    const { at } = createSchedule(tanh({ base: 1, min: 0.2, steps: 90 }));
    expectClose(at(0), 0.2 + 0.4 * (1 - Math.tanh(-6)));
    expectClose(at(60), 0.6);
    expectClose(at(90), 0.2 + 0.4 * (1 - Math.tanh(3)));
  });

  it.each([
    ["linear", 0.075],
    ["cosine", 0.1 * ((1 + Math.SQRT1_2) / 2)],
    ["1-sqrt", 0.05],
  ] as const)("warmupStableDecay cools down as %s", (cooldown, quarter) => {
    const { at } = createSchedule(warmupStableDecay({ base: 0.1, warmup: 4, stable: 10, decay: 8, cooldown }));
    expect([0, 1, 4, 13, 14].map(at)).toEqual([0, 0.025, 0.1, 0.1, 0.1]);
    expectClose(at(16), quarter);
    expect(at(22)).toBeCloseTo(0, 16);
  });

  it("warmupStableDecay may start above 0 and end above it", () => {
    const config = warmupStableDecay({
      base: 1,
      start: 0.5,
      min: 0.25,
      warmup: 2,
      stable: 0,
      decay: 2,
      cooldown: "linear",
    });
    expect(firstValues(config, 6)).toEqual([0.5, 0.75, 1, 0.625, 0.25, 0.25]);
  });

  it("linear ends at `end` to the bit, however long it is", () => {
    for (let steps = 1; steps < 200; steps++) {
      for (const [start, end] of [
        [0.1, 0],
        [0.9, 0],
        [1e-4, 0.3],
      ] as const) {
        expect(createSchedule(linear({ start, end, steps })).at(steps)).toBe(end);
      }
    }
  });

  it("multiStep by fractions of the run is multiStep at those steps", () => {
    const byFractions = multiStep({ base: 0.1, fractions: [0.3, 0.6, 0.9], steps: 60 });
    expect(firstValues(byFractions, 70)).toEqual(firstValues(multiStep({ base: 0.1, milestones: [18, 36, 54] }), 70));
    expectClose(createSchedule(multiStep({ base: 1, fractions: [0.1, 0.9], steps: 1 })).at(1), 0.01);
  });

  it("halveEvery halves every k steps", () => {
    expect(firstValues(halveEvery({ base: 8, every: 2 }), 6)).toEqual([8, 8, 4, 4, 2, 2]);
  });

  it.each([
    ["constant", [1, 1, 1, 1, 3, 3, 2, 2]],
    ["linear", [1, 1, 1, 2, 3, 2.5, 2, 2]],
    ["cosine", [1, 1, 1, 2, 3, 2.5, 2, 2]],
  ] as const)("piecewise, %s between its points", (interpolate, values) => {
    const config = piecewise({
      points: [
        [2, 1],
        [4, 3],
        [6, 2],
      ],
      interpolate,
    });
    firstValues(config, 8).forEach((value, t) => {
      expect(value).toBeCloseTo(values[t]!, 15);
    });
  });

  it("inverseSqrt is Noam's rate for a model of that width", () => {
    const { at } = createSchedule({ type: "inverseSqrt", base: 1 / Math.sqrt(512 * 4000), warmup: 4000 });
    for (const t of [0, 3999, 99_999]) {
      expectClose(at(t), 512 ** -0.5 * Math.min((t + 1) ** -0.5, (t + 1) * 4000 ** -1.5));
    }
  });
});

describe("the batch", () => {
  it("grows where the rate would be cut, and the rate stays until it has grown up (Smith et al. 2018)", () => {
    const rate = step({ base: 0.1, every: 3, gamma: 0.5 });
    const batch = batchGrowth({ base: 32, rate, max: 100 });
    expect(firstValues(batch, 12)).toEqual([32, 32, 32, 64, 64, 64, 100, 100, 100, 100, 100, 100]);
    const coupled = batchScaled({ schedule: rate, batch, baseBatch: 32, rule: "linear" });
    const want = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.078125, 0.078125, 0.078125, 0.0390625, 0.0390625, 0.0390625];
    firstValues(coupled, 12).forEach((value, t) => {
      expectClose(value, want[t]!);
    });
  });

  it("is a whole number, and its max where the rate is 0", () => {
    const batch = batchGrowth({ base: 10, rate: linear({ start: 1, end: 0, steps: 4 }), max: 64 });
    expect(firstValues(batch, 6)).toEqual([10, 13, 20, 40, 64, 64]);
    expect(firstValues(batchGrowth({ base: 1, rate: linear({ start: 1, end: 9, steps: 1 }), max: 2 }), 2)).toEqual([
      1, 1,
    ]);
  });

  it.each([
    ["linear", 0.8],
    ["sqrt", 0.1 * Math.sqrt(8)],
  ] as const)("scales a rate by the %s rule", (rule, want) => {
    expectClose(createSchedule(batchScaled({ schedule: 0.1, batch: 256, baseBatch: 32, rule })).at(5), want);
  });
});

describe("noise", () => {
  const noisy = (options: object) => ({
    type: "stochastic",
    schedule: cosine({ base: 1, steps: 50 }),
    seed: 7,
    ...options,
  });

  it.each(["normal", "uniform", "logNormal"])("%s depends on the seed and the step alone", (distribution) => {
    const forwards = firstValues(noisy({ distribution }), 40);
    const { at } = createSchedule(saved(noisy({ distribution })));
    const backwards = Array.from({ length: 40 }, (_, i) => at(39 - i)).reverse();
    expect(backwards).toEqual(forwards);
    expect(new Set(forwards).size).toBe(40);
    expect(firstValues(noisy({ distribution, seed: 8 }), 40)).not.toEqual(forwards);
  });

  it("is as strong as `amount` says, and absent at 0", () => {
    const factors = (options: object) => firstValues({ ...noisy(options), schedule: 1 }, 4000);
    const spread = (values: number[]) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
    expect(spread(factors({ amount: 0.2 }).map((factor) => factor - 1))).toBeCloseTo(0.2, 2);
    expect(spread(factors({ amount: 0.2, distribution: "logNormal" }).map(Math.log))).toBeCloseTo(0.2, 2);
    const uniform = factors({ amount: 0.5, distribution: "uniform" });
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0.5);
    expect(Math.max(...uniform)).toBeLessThan(1.5);
    expect(Math.min(...factors({ amount: 5 }))).toBe(0);
    expect(new Set(factors({ amount: 0 }))).toEqual(new Set([1]));
  });
});

describe("compositions", () => {
  it("multiply, scale and follow one another", () => {
    expect(firstValues(product({ schedules: [2, linear({ start: 0, end: 1, steps: 2 }), (t) => t] }), 4)).toEqual([
      0, 1, 4, 6,
    ]);
    expect(firstValues(scale({ by: 3, schedule: (t) => t }), 3)).toEqual([0, 3, 6]);
  });

  it("observe through all their schedules, in their order", () => {
    const [a, b, c] = [1, 2, 3].map((base) => plateau({ base, patience: 0, factor: 0.5 }));
    const config = sequential({
      milestones: [1],
      schedules: [
        product({ schedules: [a!, scale({ by: 10, schedule: b! })] }),
        stochastic({ schedule: c!, amount: 0 }),
      ],
    });
    const { at, listeners } = createSchedule(config);
    expect(listeners!.map((listener) => listener.state().value)).toEqual([1, 2, 3]);
    for (const metric of [1, 1]) listeners![2]!.observe(metric);
    expect([at(0), at(1)]).toEqual([20, 1.5]);
    for (const metric of [1, 1]) listeners![0]!.observe(metric);
    expect(at(0)).toBe(10);
  });

  it("have no listeners where none of their schedules has", () => {
    expect(createSchedule(product({ schedules: [1, 2] }))).not.toHaveProperty("listeners");
  });
});

describe("plateau", () => {
  const listener = (options: object = {}): { at(step: number): number; listener: Listener } => {
    const { at, listeners } = createSchedule({ type: "plateau", base: 1, patience: 1, factor: 0.5, ...options });
    return { at, listener: listeners![0]! };
  };
  const observe = ({ listener }: { listener: Listener }, metrics: readonly number[]) => {
    for (const metric of metrics) listener.observe(metric);
  };

  it("goes on from a saved state to the bit", () => {
    const metrics = Array.from({ length: 40 }, (_, t) => 1 / (1 + t) + (t % 3) / 10);
    const [whole, first, second] = [listener({ cooldown: 2 }), listener({ cooldown: 2 }), listener({ cooldown: 2 })];
    observe(whole, metrics);
    observe(first, metrics.slice(0, 17));
    second.listener.restore(saved(first.listener.state()));
    observe(second, metrics.slice(17));
    expect(second.listener.state()).toEqual(whole.listener.state());
    expect(whole.at(0)).toBeLessThan(1);
    expect(second.at(123)).toBe(whole.at(0));
  });

  it("takes what is not finite for no improvement", () => {
    const one = listener();
    observe(one, [1, Number.NaN, Number.NEGATIVE_INFINITY]);
    expect(one.listener.state()).toEqual({ value: 0.5, best: 1, bad: 0, resting: 0 });
    const first = listener();
    observe(first, [Number.NaN]);
    expect(saved(first.listener.state())).toEqual({ value: 1, best: null, bad: 1, resting: 0 });
  });

  it("does not go below min, nor by less than eps", () => {
    const floor = listener({ min: 0.4 });
    observe(floor, Array(20).fill(1));
    expect(floor.at(0)).toBe(0.4);
    const small = listener({ eps: 0.3 });
    observe(small, Array(20).fill(1));
    expect(small.at(0)).toBe(0.5);
  });

  it.each([[undefined], ["0.3"], [null]])("refuses the metric %j, unchanged", (metric) => {
    const one = listener();
    expect(() => one.listener.observe(metric as unknown as number)).toThrow(OptionError);
    expect(() => one.listener.observe(metric as unknown as number)).toThrow(/^metric is .*; it must be a number$/);
    expect(one.listener.state().bad).toBe(0);
  });

  it.each<[unknown]>([
    [null],
    [{}],
    [{ value: 1, best: 1, bad: 0 }],
    [{ value: 1, best: 1, bad: 0, resting: 0, more: 1 }],
    [{ value: 2, best: 1, bad: 0, resting: 0 }],
    [{ value: 1, best: "low", bad: 0, resting: 0 }],
    [{ value: null, best: 1, bad: 0, resting: 0 }],
    [{ value: 1, best: 1, bad: 0.5, resting: 0 }],
    [{ value: 1, best: 1, bad: 0, resting: 1 }],
  ])("refuses the state %j, unchanged", (state) => {
    const one = listener();
    const before = one.listener.state();
    expect(() => one.listener.restore(state as ListenerState)).toThrow(DataError);
    expect(one.listener.state()).toEqual(before);
  });
});

describe("a user's function", () => {
  it("is a schedule, and its config", () => {
    const rate = (t: number) => 1 / (1 + t);
    expect(createSchedule(rate).at(3)).toBe(0.25);
    expect(createSchedule(rate).config).toBe(rate);
    expect(createSchedule(scale({ by: 2, schedule: rate })).config).toEqual({ type: scale, by: 2, schedule: rate });
  });

  it.each<[unknown, RegExp]>([
    [() => "fast", /^lr returned "fast" at step 4; it must return a number$/],
    [() => undefined, /^lr returned undefined at step 4; it must return a number$/],
    [
      () => {
        throw new Error("no such rate");
      },
      /^lr threw at step 4: no such rate$/,
    ],
  ])("that makes a mistake is an error with the hyper and the step: %s", (rate, message) => {
    const { at } = createSchedule(rate as Scheduled, "lr");
    expect(() => at(4)).toThrow(OptionError);
    expect(() => at(4)).toThrow(message);
  });

  it("is named by its place in a composition", () => {
    const { at } = createSchedule(product({ schedules: [1, (() => "x") as unknown as () => number] }), "lr");
    expect(() => at(0)).toThrow('lr.schedules[1] returned "x" at step 0');
  });
});

/** Each type with its own required options, and as few others as possible. */
const least: Record<string, Readonly<Record<string, unknown>>> = Object.fromEntries(
  [
    { type: "constant", value: 0.3 },
    { type: "step", base: 0.3, every: 7 },
    { type: "multiStep", base: 0.3, fractions: [0.3, 0.7], steps: 31 },
    { type: "exponential", base: 0.3, gamma: 0.9 },
    { type: "polynomial", base: 0.3, steps: 31 },
    { type: "linear", start: 0.3, end: 0.1, steps: 31 },
    { type: "cosine", base: 0.3, steps: 31 },
    { type: "cosineRestarts", base: 0.3, period: 7 },
    { type: "cyclic", base: 0.1, max: 0.3, up: 5 },
    { type: "oneCycle", max: 0.3, steps: 31 },
    { type: "inverseTime", base: 0.3, decay: 0.1 },
    { type: "inverseSqrt", base: 0.3, warmup: 5 },
    { type: "tanh", base: 0.3, steps: 31 },
    { type: "warmupStableDecay", base: 0.3, stable: 11, decay: 7 },
    {
      type: "piecewise",
      points: [
        [3, 0.3],
        [9, 0.1],
      ],
    },
    { type: "plateau", base: 0.3 },
    { type: "curvature", base: 0.3 },
    { type: "sequential", milestones: [5], schedules: [0.1, { type: "cosine", base: 0.3, steps: 31 }] },
    { type: "product", schedules: [0.1, { type: "cosine", base: 0.3, steps: 31 }] },
    { type: "scale", by: 3, schedule: { type: "cosine", base: 0.3, steps: 31 } },
    { type: "stochastic", schedule: { type: "cosine", base: 0.3, steps: 31 } },
    { type: "batchScaled", schedule: 0.1, batch: { type: "step", base: 64, every: 7, gamma: 2 }, baseBatch: 32 },
    { type: "batchGrowth", base: 32, rate: { type: "step", base: 0.3, every: 7 }, max: 512 },
  ].map((config) => [config.type, config]),
);

/** The library's exports by name; what is no function form fails its test. */
const forms = library as unknown as Record<string, (options: object) => ScheduleConfig>;

it("has the least config of every type, in `least` above", () => {
  expect(Object.keys(least)).toEqual(scheduleDefinitions.map(({ type }) => type));
});

describe.each(scheduleDefinitions.filter(({ type }) => least[type]))("$type", ({ type, options }) => {
  const { type: _, ...fields } = least[type]!;

  it("has a function form of that name, whose JSON is the config", () => {
    expect(saved(forms[type]!(fields))).toEqual(least[type]);
  });

  it("has a complete config with every default that rebuilds the same values to the bit", () => {
    const { config, at } = createSchedule(least[type]!);
    const defaults = options.filter((option) => option.default !== undefined);
    for (const { name, default: standard } of defaults) {
      if (!(name in fields)) expect(config).toHaveProperty(name, standard);
    }
    const again = createSchedule(saved(config));
    expect(again.config).toEqual(config);
    for (let t = 0; t < 60; t++) {
      expect(again.at(t)).toBe(at(t));
      expect(Number.isFinite(at(t))).toBe(true);
    }
  });

  it("keeps the version that it is given, and refuses others and unknown options", () => {
    expect(createSchedule({ ...least[type]!, version: 1 }).config).toHaveProperty("version", 1);
    expect(createSchedule(least[type]!).config).not.toHaveProperty("version");
    for (const version of [2, "1", null]) {
      expect(() => createSchedule({ ...least[type]!, version }, "lr")).toThrow(
        `lr.version is ${JSON.stringify(version)}, which is not a known version; the only one is 1`,
      );
    }
    expect(() => createSchedule({ ...least[type]!, mim: 0 }, "lr")).toThrow('lr has an unknown option "mim"');
  });

  it("says which option is missing, and takes none for null", () => {
    for (const { name, default: standard, optional } of options) {
      const { [name]: _, ...rest } = least[type]!;
      if (standard === undefined && !optional) {
        expect(() => createSchedule(rest, "lr")).toThrow(`lr.${name} is missing`);
      }
      expect(() => createSchedule({ ...least[type]!, [name]: null }, "lr")).toThrow(`lr.${name} is null`);
    }
  });
});

it("a version inside a composition is kept and checked too", () => {
  const inner = (version: number) => scale({ by: 2, schedule: { ...constant({ value: 1 }), version } });
  expect(createSchedule(inner(1)).config).toEqual(inner(1));
  expect(() => createSchedule(inner(3), "lr")).toThrow("lr.schedule.version is 3, which is not a known version");
});

describe("after its end a schedule stays where it is", () => {
  it.each<[ScheduleConfig, number, number]>([
    [linear({ start: 1, end: 0.1, steps: 7 }), 7, 0.1],
    [cosine({ base: 1, min: 0.25, steps: 7 }), 7, 0.25],
    [cosine({ base: 1, steps: 7 }), 7, 0],
    [oneCycle({ max: 1, steps: 7 }), 6, 1 / 25 / 1e4],
    [oneCycle({ max: 1, steps: 1 }), 0, 1 / 25 / 1e4],
    [warmupStableDecay({ base: 1, min: 0.5, stable: 3, decay: 4 }), 7, 0.5],
    [piecewise({ points: [[7, 0.5]] }), 0, 0.5],
  ])("%j", (config, end, value) => {
    const { at } = createSchedule(config);
    expect(at(end)).toBeCloseTo(value, 15);
    expect(at(end + 1)).toBe(at(end));
    expect(at(1_000_000)).toBe(at(end));
  });
});

describe("bad input names the option, the value and what is allowed", () => {
  it.each<[unknown, RegExp]>([
    [
      { type: "zigzag" },
      /^lr\.type is "zigzag", which is not a known schedule; the known ones are constant, step, multiStep, /,
    ],
    [{ value: 1 }, /lr\.type is missing/],
    [{ type: "constant" }, /lr\.value is missing; it must be a finite number/],
    [{ type: "constant", value: Number.NaN }, /lr\.value is NaN/],
    [{ type: "cosine", base: 1, steps: 0 }, /^lr\.steps is 0; it must be a whole number >= 1$/],
    [{ type: "cosine", base: 1, steps: 2.5 }, /lr\.steps is 2\.5/],
    [
      { type: "cosine", base: 1, steps: 5, mim: 0 },
      /^lr has an unknown option "mim"; the options are type, base, min, st/,
    ],
    [{ type: "linear", start: 0, end: 1, steps: -5 }, /lr\.steps is -5; it must be a whole number >= 1/],
    [{ type: "step", base: 1, every: 0 }, /lr\.every is 0; it must be a whole number >= 1/],
    [{ type: "multiStep", base: 1, milestones: [30, 20] }, /^lr\.milestones is \[30,20\]; they must rise$/],
    [{ type: "multiStep", base: 1, milestones: [0, 20] }, /lr\.milestones\[0\] is 0; it must be a whole number >= 1/],
    [{ type: "multiStep", base: 1, milestones: [] }, /lr\.milestones is \[\]; it must hold at least one number/],
    [{ type: "multiStep", base: 1 }, /lr\.milestones is missing; give it, or fractions and steps/],
    [
      { type: "multiStep", base: 1, milestones: [3], fractions: [0.5], steps: 9 },
      /^lr\.fractions is \[0\.5\]; with milestones, which are already steps, it must be left out/,
    ],
    [
      { type: "multiStep", base: 1, milestones: [3], steps: 9 },
      /^lr\.steps is 9; with milestones, which are already steps, it must be left out/,
    ],
    [{ type: "multiStep", base: 1, fractions: [0.5] }, /^lr\.steps is missing; fractions need the length of the run/],
    [{ type: "multiStep", base: 1, steps: 9 }, /^lr\.milestones is missing/],
    [
      { type: "multiStep", base: 1, fractions: [0.5, 1], steps: 9 },
      /lr\.fractions\[1\] is 1; it must be a .* in \(0, 1\)/,
    ],
    [{ type: "multiStep", base: 1, fractions: [0.6, 0.3], steps: 9 }, /lr\.fractions is \[0\.6,0\.3\]; they must rise/],
    [{ type: "polynomial", base: 1, steps: 5, power: 0 }, /lr\.power is 0; it must be a finite number > 0/],
    [{ type: "cosineRestarts", base: 1, period: 0 }, /lr\.period is 0; it must be a whole number >= 1/],
    [{ type: "cosineRestarts", base: 1, period: 3, mult: 0.5 }, /lr\.mult is 0\.5; it must be a finite number >= 1/],
    [
      { type: "cosineRestarts", base: 1, period: 3, decay: 2 },
      /lr\.decay is 2; it must be a finite number in \(0, 1\]/,
    ],
    [{ type: "cyclic", base: 0.1, max: 0.01, up: 5 }, /^lr\.max is 0\.01; it must be >= base, which is 0\.1$/],
    [{ type: "cyclic", base: 0.1, max: 1, up: 5, down: 0 }, /lr\.down is 0; it must be a whole number >= 1/],
    [
      { type: "cyclic", base: 0.1, max: 1, up: 5, mode: "square" },
      /^lr\.mode is "square"; it must be one of triangular, triangular2, expRange$/,
    ],
    [{ type: "oneCycle", max: 1, steps: 0 }, /lr\.steps is 0/],
    [{ type: "oneCycle", max: 1, steps: 9, pctStart: 0 }, /lr\.pctStart is 0; it must be a finite number in \(0, 1\)/],
    [{ type: "oneCycle", max: 1, steps: 9, pctStart: 1 }, /lr\.pctStart is 1; it must be a finite number in \(0, 1\)/],
    [
      { type: "oneCycle", max: 1, steps: 9, pctStart: 0.6, threePhase: true },
      /pctStart is 0\.6; with threePhase.* <= 0\.5/,
    ],
    [{ type: "oneCycle", max: 1, steps: 9, anneal: "exp" }, /lr\.anneal is "exp"; it must be one of cos, linear/],
    [{ type: "oneCycle", max: 1, steps: 9, divFactor: 0 }, /lr\.divFactor is 0; it must be a finite number > 0/],
    [{ type: "oneCycle", max: 1, steps: 9, threePhase: 1 }, /lr\.threePhase is 1; it must be true or false/],
    [{ type: "inverseTime", base: 1, decay: -1 }, /lr\.decay is -1; it must be a finite number >= 0/],
    [{ type: "inverseSqrt", base: 1, warmup: 0 }, /lr\.warmup is 0; it must be a whole number >= 1/],
    [{ type: "tanh", base: 1, steps: 9, lower: 3 }, /^lr\.upper is 3; it must be > lower, which is 3$/],
    [{ type: "warmupStableDecay", base: 1, stable: 3, decay: 0 }, /lr\.decay is 0; it must be a whole number >= 1/],
    [{ type: "warmupStableDecay", base: 1, stable: -1, decay: 1 }, /lr\.stable is -1; it must be a whole number >= 0/],
    [
      { type: "warmupStableDecay", base: 1, stable: 3, decay: 1, cooldown: "sqrt" },
      /lr\.cooldown is "sqrt"; it must be one/,
    ],
    [{ type: "piecewise", points: [] }, /lr\.points is \[\]; it must hold at least one \[step, value\]/],
    [
      {
        type: "piecewise",
        points: [
          [5, 1],
          [5, 2],
        ],
      },
      /^lr\.points is \[\[5,1\],\[5,2\]\]; the steps must rise$/,
    ],
    [{ type: "piecewise", points: [[5]] }, /lr\.points\[0\]\[1\] is missing/],
    [{ type: "piecewise", points: [[5, 1, 2]] }, /lr\.points\[0\] is \[5,1,2\]; it must be \[step, value\]/],
    [{ type: "piecewise", points: [[-1, 1]] }, /lr\.points\[0\]\[0\] is -1; it must be a whole number >= 0/],
    [{ type: "plateau", base: 1, factor: 1 }, /lr\.factor is 1; it must be a finite number in \(0, 1\)/],
    [{ type: "plateau", base: 1, mode: "avg" }, /lr\.mode is "avg"; it must be one of min, max/],
    [{ type: "plateau", base: 1, patience: -1 }, /lr\.patience is -1; it must be a whole number >= 0/],
    [{ type: "plateau", base: 1, min: 2 }, /^lr\.min is 2; it must be <= base, which is 1$/],
    [
      { type: "sequential", milestones: [], schedules: [] },
      /lr\.schedules is \[\]; it must hold at least one schedule/,
    ],
    [{ type: "sequential", milestones: [2], schedules: [1] }, /lr\.milestones is \[2\]; 1 schedules need 0 milestones/],
    [{ type: "sequential", milestones: [5, 5], schedules: [1, 2, 3] }, /lr\.milestones is \[5,5\]; they must rise/],
    [
      { type: "sequential", milestones: [5], schedules: [1, { type: "cosine", base: 1 }] },
      /lr\.schedules\[1\]\.steps is missing/,
    ],
    [{ type: "product", schedules: [] }, /lr\.schedules is \[\]; it must hold at least one schedule/],
    [{ type: "scale", by: "2", schedule: 1 }, /lr\.by is "2"; it must be a finite number/],
    [{ type: "stochastic", schedule: 1, amount: -1 }, /lr\.amount is -1; it must be a finite number >= 0/],
    [{ type: "stochastic", schedule: 1, seed: 0.5 }, /lr\.seed is 0\.5; it must be a whole number/],
    [
      { type: "stochastic", schedule: 1, amount: 2, distribution: "uniform" },
      /lr\.amount is 2; with a uniform .* <= 1/,
    ],
    [
      { type: "batchScaled", schedule: 1, batch: 0, baseBatch: 8 },
      /^lr\.batch is 0 at step 0; it must be a finite number >= 1/,
    ],
    [
      { type: "batchScaled", schedule: 1, batch: 8, baseBatch: 0 },
      /lr\.baseBatch is 0; it must be a whole number >= 1/,
    ],
    [
      { type: "batchScaled", schedule: 1, batch: 8, baseBatch: 8, rule: "cube" },
      /lr\.rule is "cube"; it must be one of lin/,
    ],
    [{ type: "batchGrowth", base: 32, rate: 1, max: 16 }, /^lr\.max is 16; it must be >= base, which is 32$/],
    [{ type: "batchGrowth", base: 32, rate: 0, max: 64 }, /^lr\.rate is 0 at step 0; it must be a finite number > 0$/],
    ["fast", /lr is "fast"; it must be a number, a schedule or a function/],
    [[1], /lr is \[1\]; it must be a number/],
    [null, /lr is null/],
    [Number.POSITIVE_INFINITY, /lr is Infinity; it must be a finite number/],
  ])("%j", (config, message) => {
    expect(() => createSchedule(config, "lr")).toThrow(OptionError);
    expect(() => createSchedule(config, "lr")).toThrow(message);
  });

  it("also at a step, where a schedule inside leaves what is allowed", () => {
    const rate = linear({ start: 1, end: -1, steps: 2 });
    const { at } = createSchedule(batchGrowth({ base: 8, rate, max: 64 }), "batch");
    expect(at(1)).toBe(64);
    expect(() => at(2)).toThrow("batch.rate is -1 at step 2; it must be a finite number >= 0");
  });
});

it("the tests above know every type", () => {
  expect(Object.keys(least)).toEqual(scheduleTypes);
  expect(scheduleTypes).toEqual(expect.arrayContaining(cases.map(({ schedule }) => schedule.type)));
  expect(constant({ value: 2 })).toEqual({ type: constant, value: 2 });
});
