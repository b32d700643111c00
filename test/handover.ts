// Laws of the handover from a rule to L-BFGS, on whichever engine.

import { describe, expect, it } from "vitest";
import { adam } from "../src/rules/adam.ts";
import { sgd } from "../src/rules/sgd.ts";
import type { Engine } from "../src/train/engine.ts";
import type { RunConfig } from "../src/train/run_config.ts";
import { type Progress, train } from "../src/train/train.ts";
import { checkpointed, expectResumed } from "./resume.ts";
import { data } from "./training.ts";

const base = { model: { layers: [4, 8, 3], l2: 0.01 }, batch: 8, seed: 3 } as const;

export function handoverLaws(makeEngine: () => Promise<{ readonly engine: Engine }>): void {
  describe("a handover", () => {
    it("after a step makes iterations over all rows, which end lower than the rule does", async () => {
      const { engine } = await makeEngine();
      const config = { ...base, optimizer: adam({ lr: 0.03 }), steps: 40 };
      const seen: Progress[] = [];
      const run = await train({
        ...{ engine, ...config, data, test: data, handover: { at: 20 } },
        onStep: (progress) => seen.push(progress),
      });
      const alone = await train({ engine, ...config, data, test: data });
      expect(run).toMatchObject({ handedOverAt: 20, reason: "finished", skipped: 0 });
      expect(alone.handedOverAt).toBeNull();
      expect(run.losses.slice(0, 20)).toEqual(alone.losses.slice(0, 20));
      // Within what rounding makes of a loss.
      for (let i = 21; i < 40; i++) expect(run.losses[i]).toBeLessThan(run.losses[i - 1]! * (1 + 2e-6));
      expect(run.testLoss).toBeLessThan(alone.testLoss!);
      expect(run.testLoss).toBeLessThanOrEqual(run.losses.at(-1)! + 1e-6);
      expect(seen.map(({ index }) => index)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
      expect(seen.map(({ step }) => step).slice(18, 23)).toEqual([19, 20, 21, 22, 23]);
      expect(seen[30]!.gradientNorm).toBeGreaterThan(0);
    });

    it("comes where the metric no longer improves", async () => {
      const { engine } = await makeEngine();
      const run = await train({
        ...{ engine, ...base, data, optimizer: sgd({ lr: 0 }), steps: 40 },
        metric: { type: "testLoss", every: 4 },
        test: data,
        handover: { at: "plateau", patience: 2 },
      });
      // The first value is the best for ever, and two are no better.
      expect(run.handedOverAt).toBe(12);
      expect(run.metrics.at(-1)!.value).toBeLessThan(run.metrics[0]!.value);
    });

    it("comes where noise drowns the gradients, and not before", async () => {
      const { engine } = await makeEngine();
      const noisy = { ...base, data, engine, optimizer: sgd({ lr: 0.5 }), steps: 60 };
      const run = await train({ ...noisy, batch: 2, handover: { at: "noise", every: 10, below: 0.5 } });
      expect(run.handedOverAt).not.toBeNull();
      expect(run.handedOverAt! % 10).toBe(0);
      // Of all rows there is no noise but from the way that the parameters go.
      const still = { ...noisy, batch: 32, optimizer: sgd({ lr: 1e-4 }), steps: 20 };
      const calm = await train({ ...still, handover: { at: "noise", every: 10 } });
      expect(calm.handedOverAt).toBeNull();
    });

    it.each([
      ["a step", { at: 6 }],
      ["noise", { at: "noise", every: 4, below: 1e6 }],
      ["a plateau", { at: "plateau", patience: 1, minDelta: 10 }],
    ] as const)("by %s goes on from every checkpoint to the bit", async (_, handover) => {
      const { engine } = await makeEngine();
      const config: RunConfig = {
        ...{ ...base, optimizer: adam({ lr: 0.03 }), steps: 14, handover },
        metric: { type: "testLoss", every: 3 },
      };
      await expectResumed(engine, config, data, 1);
    });

    it.each([
      ["a step", { at: 8 }],
      ["noise", { at: "noise", every: 8, below: 1e6 }],
      ["a plateau", { at: "plateau", patience: 1, minDelta: 10 }],
    ] as const)("by %s comes in a longer run where the shorter one ended", async (_, handover) => {
      const { engine } = await makeEngine();
      const metric = { type: "testLoss", every: 4 } as const;
      const config: RunConfig = { ...base, optimizer: adam({ lr: 0.03 }), steps: 12, handover, metric };
      const whole = await train({ engine, ...config, data, test: data });
      const { checkpoints } = await checkpointed(engine, { ...config, steps: 8 }, data);
      const rest = await train({ engine, ...config, data, test: data, resume: checkpoints.at(-1)!.bytes });
      expect(rest).toEqual(whole);
      expect(whole.handedOverAt).toBe(8);
    });

    it("waits for whole updates of several gradients", async () => {
      const { engine } = await makeEngine();
      const run = await train({
        ...{ engine, ...base, data, optimizer: { ...sgd({ lr: 0 }), accumulate: 3 } as RunConfig["optimizer"] },
        ...{ steps: 20, metric: { type: "loss", every: 2 }, handover: { at: "plateau", patience: 1, minDelta: 9 } },
      });
      expect(run.handedOverAt! % 3).toBe(0);
      expect(run.losses).toHaveLength(20);
    });

    it("ends early and gives the best parameters as any run does", async () => {
      const { engine } = await makeEngine();
      const run = await train({
        ...{ engine, ...base, data, test: data, optimizer: adam({ lr: 0.03 }), steps: 200, handover: { at: 5 } },
        ...{ metric: { type: "testLoss", every: 5 }, stop: { patience: 3, minDelta: 1e-4 } },
      });
      expect(run.reason).toBe("stopped-early");
      expect(run.testLoss).toBeCloseTo(run.best!.value, 5);
    });
  });
}
