// The laws of tools over any program, on whichever engine: points on a landscape and custom objectives train, are swept, and
// have a rate found for them, as models do.
import { describe, expect, it } from "vitest";
import { findLr } from "../src/lab/lr_finder.ts";
import { search } from "../src/lab/search.ts";
import { sweep } from "../src/lab/sweep.ts";
import { defineObjective } from "../src/objectives/custom.ts";
import { quadratic } from "../src/objectives/landscapes/quadratic.ts";
import { rosenbrock } from "../src/objectives/landscapes/rosenbrock.ts";
import { adamw } from "../src/rules/adam.ts";
import { sgd } from "../src/rules/sgd.ts";
import type { Engine } from "../src/train/engine.ts";
import type { RunCheckpoint } from "../src/train/run_checkpoint.ts";
import { train } from "../src/train/train.ts";
import { curve, peaks } from "./custom_objectives.ts";

export function programLaws(makeEngine: () => Promise<Engine>): void {
  const bowl = { landscape: quadratic({ dimension: 3, condition: 10 }), optimizer: sgd({ lr: 0.5 }), steps: 60 };
  const tensors = peaks.tensors.map((tensor, i) => ({ ...tensor, data: Float32Array.of(1, 0.5, -1, i) }));
  const bumps = { ...peaks, tensors };

  describe("points on a landscape", () => {
    it("train from their start, and have no test", async () => {
      const engine = await makeEngine();
      const result = await train({ engine, ...bowl, init: [2, 2, 2, -1, 0, 1] });
      expect(result.losses[59]).toBeLessThan(1e-2 * result.losses[0]!);
      expect(result.shapes.get("points")).toEqual([2, 3]);
      expect(result).toMatchObject({ reason: "finished", testLoss: null, backend: engine.backend });
      expect(result.config).toMatchObject({ landscape: { type: "quadratic", dimension: 3 }, batch: null, data: null });
      const valley = await train({ engine, landscape: rosenbrock(), optimizer: adamw({ lr: 0.1 }), steps: 50 });
      expect(valley.losses[49]).toBeLessThan(valley.losses[0]!);
    });

    it("go on from a checkpoint to the bit", async () => {
      const engine = await makeEngine();
      let latest: RunCheckpoint | undefined;
      const onCheckpoint = (checkpoint: RunCheckpoint) => {
        latest ??= checkpoint;
      };
      const whole = await train({ engine, ...bowl, saveEvery: 25, onCheckpoint });
      const resumed = await train({ engine, ...bowl, resume: latest!.bytes });
      expect(resumed.losses).toEqual(whole.losses);
      expect(resumed.params).toEqual(whole.params);
    });

    it("are swept side by side, searched and have a rate found for them", async () => {
      const engine = await makeEngine();
      const trials = [0.01, 0.5, 1.9].map((lr) => ({ lr }));
      const swept = await sweep({ engine, ...bowl, trials, halving: null });
      expect(swept.trials.map(({ losses }) => losses.length)).toEqual([60, 60, 60]);
      expect(swept.best).toBe(1);
      const searched = await search({ engine, ...bowl, rules: ["sgd", "adamw"], schedules: ["constant"], budget: 400 });
      expect(searched.best).toMatchObject({ landscape: { type: "quadratic" } });
      const { suggested } = await findLr({ engine, ...bowl, ramp: { start: 1e-4, end: 100, steps: 60 }, trials: 6 });
      expect(suggested.lr).toBeGreaterThan(0.2);
      expect(suggested.lr).toBeLessThan(2);
    });

    it.each<[string, object, string]>([
      ["data", { data: curve(4) }, "takes no data, so it must be left out"],
      ["a batch", { batch: 3 }, "batch is 3; quadratic takes no data, so it must be left out"],
      ["a model beside it", { model: { layers: [1, 1] } }, "landscape was given with model; a run trains one of them"],
      ["a test's metric", { metric: { type: "testLoss", every: 2 } }, 'metric.type is "testLoss"; quadratic takes'],
      ["half a point", { init: [1, 2] }, "points holds 2 numbers; it must hold at least one point, and 3 for each"],
    ])("refuse %s", async (_, more, message) => {
      await expect(train({ engine: await makeEngine(), ...bowl, ...more })).rejects.toThrow(message);
    });
  });

  describe("a custom objective", () => {
    const run = async () => {
      const job = { objective: defineObjective(bumps), data: curve(40), optimizer: adamw({ lr: 0.05 }) };
      return { engine: await makeEngine(), ...job, batch: 20, steps: 40 };
    };

    it("trains and is tested", async () => {
      const result = await train({ ...(await run()), test: curve(30) });
      expect(result.losses[39]).toBeLessThan(result.losses[0]!);
      expect(result.testLoss).toBeGreaterThan(0);
      expect(result).toMatchObject({ testAccuracy: null, config: { init: null, objective: { name: "peaks" } } });
    });

    it("is swept, and has a rate found for it", async () => {
      const job = await run();
      const swept = await sweep({ ...job, trials: [{ lr: 1e-4 }, { lr: 0.05 }], halving: null });
      expect(swept.best).toBe(1);
      const { suggested } = await findLr({ ...job, ramp: { start: 1e-5, end: 10, steps: 50 }, trials: 4 });
      expect(suggested.lr).toBeGreaterThan(1e-3);
    });

    it("is none where it was not defined, as in a file", async () => {
      const job = { ...(await run()), objective: JSON.parse(JSON.stringify(peaks)) };
      await expect(train(job)).rejects.toThrow("it must be a result of defineObjective(), which a file cannot hold");
    });
  });
}
