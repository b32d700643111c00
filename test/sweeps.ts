// The law of sweeps on whichever engine, and what it is tried on.
import { describe, expect, it } from "vitest";
import { Random } from "../src/base/random.ts";
import { gridTrials, sweep, trialConfig } from "../src/lab/sweep.ts";
import type { Dataset } from "../src/objectives/data/dataset.ts";
import type { Engine } from "../src/train/engine.ts";
import type { RunConfig } from "../src/train/run_config.ts";
import { train } from "../src/train/train.ts";

const random = new Random(5);
/** Three clouds that a small network can tell apart. */
export const data: Dataset = {
  name: "clouds",
  count: 96,
  features: 4,
  classes: 3,
  inputs: Float32Array.from({ length: 96 * 4 }, (_, i) => 0.4 * random.normal() + (i % 4 === (i >> 2) % 3 ? 1 : 0)),
  scale: 1,
  labels: Uint8Array.from({ length: 96 }, (_, i) => i % 3),
};

export const config: RunConfig = {
  model: { layers: [4, 8, 3] },
  optimizer: { rule: "sgd", lr: { type: "cosine", base: 0.1, steps: 48 } },
  batch: 16,
  steps: 48,
  seed: 3,
};

export function sweepLaw(makeEngine: () => Promise<Engine>): void {
  describe("sweep", () => {
    it("trains each trial as it would be alone, to the bit, and stops the hopeless on the way", async () => {
      const engine = await makeEngine();
      const trials = gridTrials({ lr: [1e-5, 0.01, 0.1, 1e30, 1e-4, 0.3, 1, 1e-6] });
      const stood: number[] = [];
      const result = await sweep({
        engine,
        ...config,
        data,
        trials,
        test: data,
        onStep: (entrants) => stood.push(entrants.filter(({ stopped }) => stopped === null).length),
      });
      expect(result).toMatchObject({ format: "fallline-sweep/1", interrupted: false });
      const lengths = result.trials.map(({ losses }) => losses.length);
      // Rungs at a quarter and half of the run (an eighth of it is too early): all until 12, 4 until 24, 2 to the end.
      expect(Math.max(...lengths)).toBe(48);
      expect(lengths.filter((length) => length === 48)).toHaveLength(2);
      expect(lengths.filter((length) => length >= 24)).toHaveLength(4);
      expect(lengths.filter((length) => length >= 12)).toHaveLength(7);
      expect(result.steps).toBe(lengths.reduce((sum, length) => sum + length));
      expect(stood[stood.length - 1]).toBe(2);
      const diverged = result.trials[3]!;
      expect(diverged).toMatchObject({ stopped: "diverged", finalLoss: null, verdict: { state: "diverged" } });
      expect(diverged.losses[diverged.losses.length - 1]).toBeNull();
      const best = result.trials[result.best!]!;
      expect(best).toMatchObject({ stopped: null, evaluation: { accuracy: expect.any(Number) } });
      expect(best.evaluation!.accuracy).toBeGreaterThan(0.8);
      for (const { trial, losses, stopped } of result.trials) {
        if (stopped === "diverged") continue;
        const alone = await train({ engine, ...trialConfig(config, trial), steps: losses.length, data });
        expect(alone.losses).toEqual(losses);
      }
    });
  });
}
