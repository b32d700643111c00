// Which parameters are evaluated, ranked and returned, on whichever engine: those to use, and those that are trained are as if
// nobody had looked.

import { describe, expect, it } from "vitest";
import { sweep } from "../src/lab/sweep.ts";
import type { OptimizerConfig } from "../src/optimizer/config.ts";
import type { Role } from "../src/optimizer/optimizer.ts";
import { scheduleFreeAdamw, scheduleFreeSgd } from "../src/rules/schedule_free.ts";
import { sgd } from "../src/rules/sgd.ts";
import type { Engine } from "../src/train/engine.ts";
import { openRun, readRun } from "../src/train/open_run.ts";
import { train } from "../src/train/train.ts";
import { config, data } from "./training.ts";

const plainSgd = { rule: sgd, lr: 0.1 } as const;
export const optimizers: readonly (readonly [string, OptimizerConfig, Role])[] = [
  ["scheduleFreeSgd", { rule: scheduleFreeSgd, lr: 1 }, "evaluation"],
  ["scheduleFreeAdamw, replicas of it", { rule: scheduleFreeAdamw, lr: 0.1 }, "evaluation"],
  [
    "a group of scheduleFreeSgd",
    { ...plainSgd, groups: [{ params: "layer1.*", rule: scheduleFreeSgd, lr: 1 }] } as OptimizerConfig,
    "evaluation",
  ],
  ["ema", { ...plainSgd, ema: { decay: 0.9 } }, "ema"],
  ["ema of scheduleFreeSgd", { rule: scheduleFreeSgd, lr: 1, ema: { decay: 0.9 } }, "ema"],
  ["swa", { ...plainSgd, ema: {}, swa: { start: 3, every: 2 } }, "swa"],
  ["swa that has not begun", { ...plainSgd, swa: { start: 12 } }, "params"],
  ["lookahead", { ...plainSgd, lookahead: { every: 5 } }, "lookahead"],
  ["none of it", plainSgd, "params"],
];

export function evaluatedLaw(engine: Engine, some: typeof optimizers): void {
  describe("the parameters to use", () => {
    it.each(some)("%s", async (_, optimizer, role) => {
      // The averages of lookahead are not what is trained after 7 and 12 steps.
      const run = { ...config, optimizer, steps: 12 };
      const metric = { type: "testLoss", every: 7 } as const;
      const plain = await train({ engine, ...run, data });
      const result = await train({ engine, ...run, metric, data, test: data, snapshotAfter: 12 });
      // By hand.
      const { optimizer: manual, objective, order, destroy } = await openRun(engine, readRun(run, data), data);
      const values: number[] = [];
      for (let step = 1; step <= 12; step++) {
        await objective.step(order.next().value);
        if (step !== 7 && step !== 12) continue;
        const [trained, toUse] = [await manual.read(), await manual.read(role)];
        manual.write("params", toUse);
        values.push((await objective.evaluate(data)).loss);
        manual.write("params", trained);
        if (step < 12) continue;
        expect(result.params).toEqual(toUse);
        expect(result.snapshot).toEqual(trained);
      }
      destroy();
      expect(result.role).toBe(role);
      expect(result.metrics.map(({ value }) => value)).toEqual(values);
      expect(result.testLoss).toBe(values[1]);
      expect(result.losses).toEqual(plain.losses);
      expect(plain.params).toEqual(result.params);
    });

    it("are those of a sweep's every replica", async () => {
      const [, optimizer] = some[0]!;
      const trials = [{ lr: 0.3 }, { lr: 1 }];
      const run = { ...config, optimizer, steps: 12 };
      const result = await sweep({ engine, ...run, data, trials, test: data, halving: null });
      for (const [index, trial] of trials.entries()) {
        const alone = { ...run, optimizer: { ...optimizer, ...trial } as OptimizerConfig };
        const { testLoss } = await train({ engine, ...alone, data, test: data });
        expect(result.trials[index]!.evaluation!.loss).toBe(testLoss);
      }
    });

    it("are the start's before the first update", async () => {
      const optimizer = { ...plainSgd, ema: {}, accumulate: 4 };
      const { optimizer: begun, destroy } = await openRun(engine, readRun(config, data), data);
      const start = await begun.read();
      destroy();
      const stop = new AbortController();
      const { params, role } = await train({
        engine,
        ...config,
        optimizer,
        data,
        signal: stop.signal,
        onStart: () => stop.abort(),
      });
      expect([params, role]).toEqual([start, "params"]);
    });
  });
}
