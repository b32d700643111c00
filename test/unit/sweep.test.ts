// Sweeps and searches on the CPU, how trials are made, and bad input.

import { describe, expect, it } from "vitest";
import { findLr } from "../../src/lab/lr_finder.ts";
import { halvingRungs } from "../../src/lab/race.ts";
import { type ScheduleShape, scheduleShapeNames, scheduleShapes } from "../../src/lab/schedule_shapes.ts";
import { search } from "../../src/lab/search.ts";
import {
  gridTrials,
  randomTrials,
  type SweepOptions,
  spaced,
  sweep,
  trialConfig,
  withPeak,
} from "../../src/lab/sweep.ts";
import { adamw } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { constant } from "../../src/schedules/constant.ts";
import { linear } from "../../src/schedules/linear.ts";
import { plateau } from "../../src/schedules/plateau.ts";
import type { Scheduled } from "../../src/schedules/schedule.ts";
import { createSchedule } from "../../src/schedules/schedule.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { type RunConfig, readRunConfig } from "../../src/train/run_config.ts";
import { train } from "../../src/train/train.ts";
import { config, data, sweepLaw } from "../sweeps.ts";

const engine = cpuEngine();
sweepLaw(async () => engine);

describe("sweep", () => {
  it("without halving runs every one to its end, and ranks what is left", async () => {
    const trials = gridTrials({ lr: spaced({ min: 0.01, max: 1 }, 2), momentum: [0, 0.9] });
    const result = await sweep({ engine, ...config, data, trials, halving: null });
    expect(result.trials.map(({ losses }) => losses.length)).toEqual([48, 48, 48, 48]);
    const finals = result.trials.map(({ finalLoss }) => finalLoss!);
    expect(result.best).toBe(finals.indexOf(Math.min(...finals)));
    expect(result.trials.every(({ evaluation }) => evaluation === null)).toBe(true);
  });

  it("varies the rate of groups that set none, from a complete config and a raw one, and keeps their freezing", async () => {
    const optimizer = { rule: adamw, lr: 0.01, groups: [{ params: "*.bias", weightDecay: 0 }] } as const;
    const grouped: RunConfig = { ...config, optimizer };
    const alone = await Promise.all(
      [0.001, 0.1].map((lr) => train({ engine, ...grouped, optimizer: { ...optimizer, lr }, data })),
    );
    for (const each of [grouped, readRunConfig(grouped)]) {
      const result = await sweep({ engine, ...each, data, trials: gridTrials({ lr: [0.001, 0.1] }), halving: null });
      expect(result.trials.map(({ losses }) => losses)).toEqual(alone.map(({ losses }) => losses));
      expect(trialConfig(result.config, { lr: 0.1 }).optimizer.groups).toEqual([
        { params: ["*.bias"], weightDecay: 0 },
      ]);
    }
    const found = await search({
      engine,
      ...grouped,
      optimizer: { ...optimizer, groups: [{ params: "*.bias", weightDecay: 0, beta1: 0.5, lrScale: 2 }] },
      data,
      rules: ["sgd"],
      schedules: ["constant"],
    });
    expect(found.best!.optimizer.groups).toEqual([{ params: ["*.bias"], weightDecay: 0, lrScale: 2 }]);
  });

  it("stops on a signal with what there is", async () => {
    const stop = new AbortController();
    const result = await sweep({
      engine,
      ...config,
      data,
      trials: [{ lr: 0.1 }, { lr: 0.2 }],
      signal: stop.signal,
      onStep: (_, step) => step >= 5 && stop.abort(),
    });
    expect(result.interrupted).toBe(true);
    expect(result.trials[0]!.losses.length).toBeGreaterThanOrEqual(1);
    expect(result.trials[0]!.losses.length).toBeLessThan(48);
  });

  it("refuses a handover, which only a run alone makes, and ascent, in searches too", async () => {
    const job = { engine, ...config, handover: { at: 8 }, data, trials: [{ lr: 0.1 }, { lr: 0.2 }] };
    const message = 'handover is {"at":8}; parallel runs do not hand over to L-BFGS, so it must be left out';
    await expect(sweep(job)).rejects.toThrow(message);
    const { trials: _, ...searched } = job;
    await expect(search(searched)).rejects.toThrow(message);
    const up = { ...searched, handover: null, optimizer: sgd({ lr: 0.1, maximize: true }) };
    const ascent = "optimizer.maximize is true; parallel runs look for the lowest loss, so it must be false";
    await expect(sweep({ ...up, trials: [{ lr: 0.1 }] })).rejects.toThrow(ascent);
    await expect(search(up)).rejects.toThrow(ascent);
    await expect(findLr(up)).rejects.toThrow(
      "optimizer.maximize is true; range tests look for the lowest loss, so it must be false",
    );
  });

  it("lets the plateaus of each run observe that run's metric", async () => {
    const plateauFrom = (base: number) => plateau({ base, factor: 0.1, patience: 0, threshold: 0 });
    const rates: RunConfig = {
      ...config,
      optimizer: { rule: sgd, lr: plateauFrom(0.1) },
      metric: { type: "loss", every: 4 },
    };
    const trials = [{ lr: plateauFrom(0.1) }, { lr: plateauFrom(30) }];
    const { trials: together } = await sweep({ engine, ...rates, data, trials, halving: null });
    for (const [index, trial] of trials.entries()) {
      const alone = await train({ engine, ...trialConfig(rates, trial), data });
      expect(together[index]!.losses).toEqual(alone.losses);
    }
  });
});

describe("search", () => {
  it("finds a rule, a schedule and a rate within its budget, as a run config that repeats the run", async () => {
    const result = await search({
      engine,
      ...config,
      data,
      rules: ["adamw", "sgd"],
      schedules: ["constant", "cosine"],
      rates: [1, 10],
      budget: 200,
      test: data,
    });
    expect(result.candidates).toHaveLength(8);
    expect(result.steps).toBeLessThanOrEqual(200);
    const best = result.candidates[result.bestIndex!]!;
    expect(best).toMatchObject({ stopped: null, evaluation: { accuracy: expect.any(Number) } });
    expect(JSON.parse(JSON.stringify(result.best))).toMatchObject({
      format: "fallline-run/1",
      optimizer: { rule: best.rule },
      steps: 48,
    });
    const again = await train({ engine, ...JSON.parse(JSON.stringify(result.best)), data });
    expect(again.losses).toEqual(best.losses);
  });
});

describe("what a sweep takes for the best", () => {
  it("is not what blew up, however low it has fallen again", async () => {
    const wild = { ...config, optimizer: { rule: sgd }, steps: 40 } as RunConfig;
    const result = await sweep({ engine, ...wild, data, trials: gridTrials({ lr: [1e6, 1e7, 1e8] }) });
    expect(result.trials.map(({ verdict }) => verdict.state)).toEqual(["diverged", "diverged", "diverged"]);
    expect(result.best).toBeNull();
    const mixed = await sweep({ engine, ...wild, data, trials: gridTrials({ lr: [1e6, 1e-6] }), halving: null });
    expect(mixed.best).toBe(1);
  });

  it("does not end with the run whose loss scale underflows", async () => {
    const optimizer = { rule: sgd, lossScale: { init: 2, min: 1 } } as const;
    const trials = gridTrials({ lr: [0.1, 1e30, 0.2] });
    const { trials: ended } = await sweep({ engine, ...config, optimizer, data, trials, halving: null });
    expect(ended.map(({ stopped }) => stopped)).toEqual([null, "diverged", null]);
    expect(ended[2]!.losses).toHaveLength(48);
    const none = await sweep({ engine, ...config, optimizer, data, trials: gridTrials({ lr: [1e30, 1e31] }) });
    expect(none.trials.map(({ stopped }) => stopped)).toEqual(["diverged", "diverged"]);
    expect(none.best).toBeNull();
  });

  it("goes by updates where several steps make one", async () => {
    const optimizer = { rule: sgd, lr: (step: number) => 0.1 * (1 - step / 24), accumulate: 2 } as const;
    const trials = [{}, { lr: 1e-6 }];
    const { best, trials: ended } = await sweep({ engine, ...config, optimizer, steps: 48, data, trials });
    expect(best).toBe(0);
    expect(ended.map(({ losses }) => losses.length)).toEqual([48, 24]);
    const found = await search({
      engine,
      ...config,
      optimizer: { rule: sgd, accumulate: 4 },
      steps: 96,
      data,
      rules: ["sgd"],
      schedules: ["cosine"],
    });
    const { at } = createSchedule((found.best!.optimizer as { lr: Scheduled }).lr);
    const rates = Array.from({ length: 24 }, (_, update) => at(update));
    expect(rates.indexOf(Math.max(...rates))).toBe(3);
    expect(rates[23]).toBeLessThan(0.02 * Math.max(...rates));
  });
});

describe("trials", () => {
  it("are spaced by equal factors or steps, both ends included", () => {
    expect(spaced({ min: 1e-4, max: 1 }, 5).map((value) => Number(value.toPrecision(12)))).toEqual([
      1e-4, 1e-3, 1e-2, 0.1, 1,
    ]);
    expect(spaced({ min: 0.003, max: 7 }, 4)[0]).toBe(0.003);
    expect(spaced({ min: 0.003, max: 7 }, 4)[3]).toBe(7);
    expect(spaced({ min: -1, max: 1, scale: "linear" }, 3)).toEqual([-1, 0, 1]);
    expect(spaced({ min: 1, max: 100 }, 1)).toEqual([10]);
  });

  it("of a grid are every combination", () => {
    expect(gridTrials({ lr: [1, 2], momentum: [0, 0.9] })).toEqual([
      { lr: 1, momentum: 0 },
      { lr: 1, momentum: 0.9 },
      { lr: 2, momentum: 0 },
      { lr: 2, momentum: 0.9 },
    ]);
  });

  it("at random are uniform in the logarithm, and the seed's", () => {
    const draw = (seed: number) => randomTrials({ lr: { min: 1e-6, max: 1 }, momentum: [0, 0.9] }, 4000, seed);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    const exponents = draw(3).map(({ lr }) => Math.log10(lr as number));
    expect(Math.min(...exponents)).toBeGreaterThanOrEqual(-6);
    expect(Math.max(...exponents)).toBeLessThanOrEqual(0);
    // Each of six decades has a sixth of them: 667, with a standard deviation of 24.
    for (let decade = -6; decade < 0; decade++) {
      const inside = exponents.filter((exponent) => exponent >= decade && exponent < decade + 1).length;
      expect(Math.abs(inside - 4000 / 6)).toBeLessThan(5 * 24);
    }
    const none = draw(3).filter(({ momentum }) => momentum === 0).length;
    expect(Math.abs(none - 2000)).toBeLessThan(5 * 32);
  });

  it("of a rate scale a schedule to that highest value", () => {
    const { at } = createSchedule(withPeak({ type: linear, start: 0, end: 0.5, steps: 10 }, 0.02, 100));
    expect(at(99)).toBeCloseTo(0.02, 15);
    expect(at(5)).toBeCloseTo(0.01, 15);
    expect(withPeak(0.3, 0.02, 10)).toBe(0.02);
  });
});

describe("rungs", () => {
  it("halve at an eighth, a quarter and half of the run", () => {
    expect(halvingRungs(16, 80, 3)).toEqual([
      { step: 10, keep: 8 },
      { step: 20, keep: 4 },
      { step: 40, keep: 2 },
      { step: 80, keep: 0 },
    ]);
    expect(halvingRungs(9, 90, 2, { eta: 3 })).toEqual([
      { step: 10, keep: 3 },
      { step: 30, keep: 1 },
      { step: 90, keep: 0 },
    ]);
    expect(halvingRungs(4, 10, 0)).toEqual([{ step: 10, keep: 0 }]);
    // Nobody is judged by what came before eight updates, nor left to run alone where two began.
    expect(halvingRungs(16, 15, 3)).toEqual([{ step: 15, keep: 0 }]);
    expect(halvingRungs(16, 32, 3)).toEqual([
      { step: 8, keep: 8 },
      { step: 16, keep: 4 },
      { step: 32, keep: 0 },
    ]);
    expect(halvingRungs(16, 80, 3, { accumulate: 4 })).toEqual([
      { step: 40, keep: 8 },
      { step: 80, keep: 0 },
    ]);
    expect(halvingRungs(2, 80, 3)).toEqual([
      { step: 40, keep: 1 },
      { step: 80, keep: 0 },
    ]);
  });
});

describe("shapes", () => {
  it.each(scheduleShapeNames)(
    "%s has the highest rate that it is given, and is never negative",
    (name: ScheduleShape) => {
      for (const steps of [1, 2, 3, 10, 57, 300]) {
        const { at } = createSchedule(scheduleShapes[name](0.3, steps));
        const values = Array.from({ length: steps }, (_, step) => at(step));
        expect(Math.max(...values)).toBeCloseTo(0.3, 12);
        expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
      }
    },
  );
});

describe("bad input", () => {
  const run = (options: Partial<SweepOptions>, changed: object = {}) =>
    sweep({ engine, ...config, ...changed, data, trials: [{ lr: 0.1 }], ...options });

  it.each<[Partial<SweepOptions>, object, RegExp]>([
    [{ trials: [] }, {}, /^trials is \[\]; it must have at least one entry$/],
    [{ trials: [{ lr: 0.1 }, { lr: -1 }] }, {}, /^trials\[1\]: .*lr is -1; it must be a finite number >= 0$/],
    [{ trials: [{ speed: 1 }] }, {}, /^trials\[0\]: .*unknown option "speed"/],
    [{}, { optimizer: { rule: sgd, replicas: [{}, {}] } }, /replicas holds 2 entries/],
    [{ halving: { eta: 1 } }, {}, /^halving\.eta is 1; it must be a whole number >= 2$/],
    [{ halving: { times: -1 } }, {}, /^halving\.times is -1/],
    [{}, { metric: { type: "testLoss", every: 4 } }, /^metric\.type is "testLoss", which needs a test set$/],
    [{}, { model: { layers: [5, 3] } }, /^model\.layers\[0\] is 5; the rows of clouds have 4 numbers$/],
  ])("%j of a sweep", async (options, changed, message) => {
    await expect(run(options, changed)).rejects.toThrow(message);
  });

  it.each([1, 4])("of runs that make one update of %i steps", async (accumulate) => {
    const optimizer = { rule: sgd, accumulate } as const;
    const message = /^steps is \d; to compare runs it must be more than/;
    await expect(run({}, { optimizer, steps: accumulate })).rejects.toThrow(message);
    await expect(search({ engine, ...config, optimizer, steps: accumulate, data })).rejects.toThrow(message);
  });

  it.each<[object, RegExp]>([
    [{ rules: ["sgdd"] }, /^rules\[0\] is "sgdd"; it must be one of sgd, adam/],
    [{ schedules: ["zigzag"] }, /^schedules\[0\] is "zigzag"; it must be one of constant, cosine/],
    [{ rates: [0] }, /^rates\[0\] is 0; it must be a finite number > 0$/],
    [{ rates: [] }, /^rates is \[\]; it must have at least one entry$/],
    [{ budget: 50 }, /^budget is 50 steps; 2 candidates over 48 steps need 72$/],
    [{ budget: 0.5 }, /^budget is 0.5/],
  ])("%j of a search", async (options, message) => {
    await expect(search({ engine, ...config, data, ...options })).rejects.toThrow(message);
  });

  it("of trials", () => {
    expect(() => spaced({ min: 0, max: 1 }, 3)).toThrow("span.min is 0; it must be a finite number > 0");
    expect(() => spaced({ min: 2, max: 1 }, 3)).toThrow("span.max is 1; it must be >= span.min, which is 2");
    expect(() => spaced({ min: 1, max: 2 }, 0)).toThrow("count is 0; it must be a whole number >= 1");
    expect(() => gridTrials({ lr: [] })).toThrow("lr is []; it must have at least one value");
    expect(() => randomTrials({ lr: [] }, 3)).toThrow("lr is []; it must have at least one value");
    expect(() => withPeak({ type: constant, value: 0 }, 1, 5)).not.toThrow();
    expect(() => withPeak(() => 0, 1, 5)).toThrow("lr is a function, which is 0 at every step");
  });
});
