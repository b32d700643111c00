// The sharpness meter of a run on the CPU: its laws, its config, what goes by it, and what it refuses.
import { describe, expect, it } from "vitest";
import { chartSvg } from "../../src/app/cli/chart.ts";
import { createCpuOptimizer } from "../../src/index.ts";
import { curvatureChart } from "../../src/lab/chart.ts";
import { sweep } from "../../src/lab/sweep.ts";
import { adam } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { curvature } from "../../src/schedules/curvature.ts";
import { plateau } from "../../src/schedules/plateau.ts";
import { createSchedule, type ListenerState } from "../../src/schedules/schedule.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { readRunConfig } from "../../src/train/run_config.ts";
import { train } from "../../src/train/train.ts";
import { createWatch } from "../../src/train/watch.ts";
import { curvatureLaws } from "../curvature_meter.ts";
import { data } from "../training.ts";

curvatureLaws(async () => ({ engine: cpuEngine() }));

const small = { model: { layers: [4, 8, 3] }, optimizer: sgd(), batch: 8, steps: 8 } as const;

describe("the config of the meter", () => {
  it("is complete once it is read", () => {
    expect(readRunConfig(small).curvature).toBeNull();
    expect(readRunConfig({ ...small, curvature: { every: 3 } }).curvature).toEqual({ every: 3, rows: 1000 });
    const landscape = { landscape: { type: "rosenbrock" }, optimizer: { rule: "sgd" }, steps: 3 };
    expect(readRunConfig({ ...landscape, curvature: { every: 3 } }).curvature).toEqual({ every: 3, rows: null });
  });

  it.each([
    [{ curvature: {} }, "curvature.every is missing; it must be a whole number >= 1"],
    [{ curvature: { every: 0 } }, "curvature.every is 0; it must be a whole number >= 1"],
    [{ curvature: { every: 5, rows: 0 } }, "curvature.rows is 0; it must be a whole number >= 1"],
    [{ curvature: { every: 5, row: 1 } }, 'curvature has an unknown option "row"; the options are every, rows'],
    [
      { optimizer: sgd({ lr: curvature({ base: 1 }) }), metric: { type: "loss", every: 2 } },
      'optimizer: sgd.lr holds a curvature schedule, which needs curvature, such as { "every": 50 }',
    ],
  ])("%j is refused", (more, message) => {
    expect(() => readRunConfig({ ...small, ...more })).toThrow(message);
  });

  it("has no meter for runs side by side", async () => {
    const job = { ...small, data, engine: cpuEngine(), curvature: { every: 5 }, trials: [{ lr: 0.1 }] };
    await expect(sweep(job as never)).rejects.toThrow("parallel runs do not measure sharpness");
  });
});

describe("a landscape", () => {
  it("has the curvature of its formula", async () => {
    const landscape = { type: "quadratic", dimension: 4, condition: 10, scale: 5 } as const;
    const config = { landscape, optimizer: { rule: "sgd", lr: 0.1 }, steps: 6, curvature: { every: 3 } };
    const run = await train({ engine: cpuEngine(), ...config } as never);
    for (const { sharpness, fraction } of run.curvature) {
      expect(sharpness).toBeCloseTo(5, 4);
      expect(fraction).toBeCloseTo(0.25, 5);
    }
  });
});

describe("a schedule of curvature", () => {
  const made = (options: object = {}) => createSchedule(curvature({ base: 0.1, share: 0.5, ...options }));

  it("takes its share of 2 / λ, and leaves what sets no limit", () => {
    const { at, listeners } = made({ max: 4 });
    const values = [2, -1, 0, Number.NaN, Number.POSITIVE_INFINITY, 0.01].map((sharpness) => {
      listeners![0]!.observe(sharpness);
      return at(7);
    });
    expect(values).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 4]);
    expect(() => listeners![0]!.observe("1" as never)).toThrow('sharpness is "1"; it must be a number');
  });

  it("goes on from what it has observed, and refuses what it has not", () => {
    const [one, other] = [made({ max: 4 }), made({ max: 4 })];
    one.listeners![0]!.observe(3);
    other.listeners![0]!.restore(JSON.parse(JSON.stringify(one.listeners![0]!.state())));
    expect(other.at(0)).toBe(one.at(0));
    for (const state of [null, {}, { value: 5 }, { value: 0 }, { value: 1, more: 1 }, { value: null }]) {
      expect(() => other.listeners![0]!.restore(state as ListenerState)).toThrow("a curvature schedule's state is");
    }
    expect(other.at(0)).toBe(one.at(0));
    expect(() => made({ max: 0.01 })).toThrow("schedule.max is 0.01; it must be >= base, which is 0.1");
  });

  it("observes what is reported to it, and a plateau what is reported to that", () => {
    const optimizer = createCpuOptimizer(
      [{ name: "w", shape: [2], data: new Float32Array(2) }],
      sgd({ lr: curvature({ base: 1, share: 1 }), momentum: plateau({ base: 0.5, factor: 0.5, patience: 0 }) }),
    );
    const values = () => ["lr", "momentum"].map((name) => optimizer.hyper(name, 0));
    for (const metric of [1, 1]) optimizer.observe(metric);
    expect(values()).toEqual([1, 0.25]);
    for (const sharpness of [8, 8]) optimizer.observe(sharpness, { of: "sharpness" });
    expect(values()).toEqual([0.25, 0.25]);
    expect(() => optimizer.observe(1, { of: "loss" } as never)).toThrow(
      'of is "loss"; it must be one of metric, sharpness',
    );
    optimizer.destroy();
  });
});

describe("a watch", () => {
  it("reports the edge once, and again after the run was away from it", () => {
    const watch = createWatch();
    const seen = [1, 2.1, 1.9, 2.2, ...Array(5).fill(1), 2].map(
      (sharpness, step) => watch.observeCurvature(step, { sharpness, bound: 0, lr: 1, edge: 2 }).length,
    );
    expect(seen).toEqual([0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(watch.observeCurvature(20, { sharpness: 9, bound: 0, lr: 1, edge: null })).toEqual([]);
    expect(() => watch.observeCurvature(21, { sharpness: 9, bound: 0, lr: 1, edge: -1 })).toThrow(
      "curvature.edge is -1",
    );
  });
});

it("is drawn with its edge", async () => {
  const run = await train({ engine: cpuEngine(), ...small, optimizer: adam(), data, curvature: { every: 2 } });
  const chart = curvatureChart({ title: "run", losses: run.losses, curvature: run.curvature });
  expect(chart.series.map(({ name }) => name)).toEqual(["loss", "smoothed", "sharpness", "edge"]);
  expect(chartSvg(chart)).toContain("sharpness");
  expect(curvatureChart({ title: "run", losses: run.losses, curvature: [] }).series).toHaveLength(2);
});
