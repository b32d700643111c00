// Bounds on what schedules cost: thousands of milestones, a trillion steps, nests, and what a plateau makes of metrics below 0.

import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { batchGrowth } from "../../src/schedules/batch_growth.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { cosineRestarts } from "../../src/schedules/cosine_restarts.ts";
import { multiStep } from "../../src/schedules/multi_step.ts";
import { plateau } from "../../src/schedules/plateau.ts";
import { product } from "../../src/schedules/product.ts";
import type { ScheduleConfig } from "../../src/schedules/schedule.ts";
import { createSchedule } from "../../src/schedules/schedule.ts";
import { sequential } from "../../src/schedules/sequential.ts";
import { readRunConfig } from "../../src/train/run_config.ts";

const run = { model: { layers: [2, 2] }, optimizer: { rule: sgd }, batch: 1, steps: 1 } as const;

/** Milliseconds, tens of times more than it takes, and tens of times fewer than one by one would. */
const quick = 4000;

function timed<T>(work: () => T): T {
  const start = performance.now();
  const result = work();
  expect(performance.now() - start).toBeLessThan(quick);
  return result;
}

describe("schedules over many steps", () => {
  it("find their way among 20,000 milestones at every one of 1e6 steps", () => {
    const milestones = Array.from({ length: 20_000 }, (_, i) => 50 * (i + 1));
    const { at } = createSchedule({ type: multiStep, base: 1, gamma: 0.9999, milestones });
    const last = timed(() => {
      let value = 0;
      for (let step = 0; step < 1e6; step++) value = at(step);
      return value;
    });
    expect(last).toBeCloseTo(0.9999 ** 19_999, 12);
    expect([at(49), at(50), at(99), at(100)]).toEqual([1, 0.9999, 0.9999, 0.9999 ** 2]);
    const schedules = Array.from({ length: 20_001 }, (_, i) => i);
    const nested = createSchedule({ type: sequential, milestones, schedules });
    timed(() => {
      for (let step = 0; step < 1e6; step += 7)
        if (nested.at(step) !== Math.floor(step / 50)) throw new Error(`${step}`);
    });
    const optimizer = { rule: sgd, lr: { type: multiStep, base: 0.1, milestones } } as const;
    timed(() => readRunConfig({ ...run, optimizer, steps: 1e6 }));
  });

  it.each([1.0001, 1.001, 1.009])("cosineRestarts with mult %d has the closed form of what stepping gives", (mult) => {
    const { at } = createSchedule(cosineRestarts({ base: 2, min: 0.5, period: 3, mult, decay: 0.999 }));
    let [cycle, begin, length] = [0, 0, 3];
    for (let step = 0; step < 3000; step++) {
      while (step - begin >= length) {
        begin += length;
        length *= mult;
        cycle++;
      }
      const share = (step - begin) / length;
      // Where a cycle ends at a step, rounding may count it to either: the two are worlds apart in value.
      if (Math.min(share, 1 - share) * length < 1e-6) continue;
      const wanted = 0.5 + (1.5 * 0.999 ** cycle * (1 + Math.cos(Math.PI * share))) / 2;
      expect(Math.abs(at(step) - wanted), `step ${step}`).toBeLessThan(1e-8);
    }
    expect(Number.isFinite(timed(() => at(1e15)))).toBe(true);
  });

  it("may be nested 100 deep and no deeper", () => {
    const nest = (depth: number): ScheduleConfig => {
      let inner: ScheduleConfig | number = 0.5;
      for (let i = 0; i < depth; i++) inner = { type: product, schedules: [inner] };
      return inner as unknown as ScheduleConfig;
    };
    expect(createSchedule(nest(100)).at(7)).toBe(0.5);
    for (const depth of [101, 3000, 100_000]) {
      expect(() => timed(() => createSchedule(nest(depth)))).toThrow(OptionError);
      expect(() => createSchedule(nest(depth))).toThrow("a schedule is nested 101 deep; it must be at most 100 deep");
      expect(() => readRunConfig({ ...run, batch: nest(depth) })).toThrow("101 deep");
      expect(() => readRunConfig({ ...run, optimizer: { rule: sgd, lr: nest(depth) } })).toThrow("101 deep");
    }
  });

  it("that drive the batch are refused over 1e12 steps, and those of a rate are read at once", () => {
    const batch = { type: batchGrowth, base: 1, rate: 0.01, max: 8 };
    const read = () => timed(() => readRunConfig({ ...run, batch, steps: 1e12 }));
    expect(read).toThrow(/^batch is a schedule of 1000000000000 steps; it must have at most 10000000/);
    const lr = { type: cosine, base: 0.1, steps: 1e12 };
    expect(timed(() => readRunConfig({ ...run, optimizer: { rule: sgd, lr }, steps: 1e12 })).steps).toBe(1e12);
  });
});

describe("a plateau of metrics below 0", () => {
  const cuts = (mode: "min" | "max", metrics: readonly number[]): number => {
    const { at, listeners } = createSchedule({ type: plateau, base: 1, mode, factor: 0.5, patience: 3 });
    for (const metric of metrics) listeners![0]!.observe(metric);
    return Math.round(Math.log2(1 / at(0)));
  };

  it.each(["min", "max"] as const)("cuts where it stays at -1 (%s)", (mode) => {
    expect(
      cuts(
        mode,
        Array.from({ length: 9 }, () => -1),
      ),
    ).toBe(2);
  });

  it("cuts where it gets worse from -100 by 0.005, and does not where it gets better by more than the threshold", () => {
    const steps = Array.from({ length: 9 }, (_, i) => i);
    expect(
      cuts(
        "min",
        steps.map((i) => -100 + 0.005 * i),
      ),
    ).toBe(2);
    expect(
      cuts(
        "max",
        steps.map((i) => -100 - 0.005 * i),
      ),
    ).toBe(2);
    expect(
      cuts(
        "min",
        steps.map((i) => -100 - 0.02 * i),
      ),
    ).toBe(0);
    expect(
      cuts(
        "max",
        steps.map((i) => -100 + 0.02 * i),
      ),
    ).toBe(0);
  });
});
