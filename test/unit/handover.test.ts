// The handover from a rule to L-BFGS on the CPU: its laws, its config, and what it refuses.
import { describe, expect, it } from "vitest";
import { ema } from "../../src/modifiers/functions.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { adam } from "../../src/rules/adam.ts";
import { scheduleFreeSgd } from "../../src/rules/schedule_free.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { type RunConfig, readRunConfig } from "../../src/train/run_config.ts";
import { handoverLaws } from "../handover.ts";

handoverLaws(async () => ({ engine: cpuEngine() }));

describe("the config of a handover", () => {
  const read = (handover: unknown, more: Partial<RunConfig> = {}) =>
    readRunConfig({
      model: { layers: [4, 8, 3] },
      optimizer: adam(),
      batch: 8,
      steps: 20,
      handover,
      ...more,
    } as RunConfig).handover;

  it("is complete once it is read, as JSON too", () => {
    expect(read(null)).toBeNull();
    expect(read({ at: 5 })).toEqual({ at: 5, history: 10 });
    expect(read({ at: "noise" })).toEqual({ at: "noise", below: 1, every: 50, history: 10 });
    const accumulating = { optimizer: { ...adam(), accumulate: 3 } } as Partial<RunConfig>;
    expect(read({ at: "noise" }, accumulating)).toMatchObject({ every: 51 });
    const metric = { type: "loss", every: 5 } as const;
    const whole = { at: "plateau", patience: 5, minDelta: 0, history: 10 };
    expect(read({ at: "plateau" }, { metric })).toEqual(whole);
    expect(read(JSON.parse(JSON.stringify(whole)), { metric })).toEqual(whole);
  });

  it.each([
    [{}, {}, 'handover.at is missing; it must be a number of steps, "plateau" or "noise"'],
    [{ at: "soon" }, {}, 'handover.at is "soon"; it must be a number of steps, "plateau" or "noise"'],
    [{ at: 0 }, {}, "handover.at is 0; it must be a whole number >= 1"],
    [{ at: 5, below: 1 }, {}, 'handover has an unknown option "below"; the options are at, history'],
    [{ at: "noise", every: 1 }, {}, "handover.every is 1; it must be a whole number in [2, 500]"],
    [{ at: "noise", below: 0 }, {}, "handover.below is 0; it must be a finite number > 0"],
    [{ at: 5, history: 0 }, {}, "handover.history is 0; it must be a whole number in [1, 1000]"],
    [{ at: "plateau" }, {}, 'handover.at is "plateau", which needs metric'],
    [{ at: 5 }, { optimizer: { ...adam(), accumulate: 2 } }, "with accumulate: 2 it must be a multiple of that"],
    [
      { at: "noise", every: 10 },
      { optimizer: { ...adam(), accumulate: 3 } },
      "handover.every is 10; with accumulate: 3 it must be a multiple of that, since other steps make no update",
    ],
    [{ at: 5 }, { optimizer: { ...adam(), maximize: true } }, "with maximize: true it must be left out"],
    [{ at: 5 }, { optimizer: { ...adam(), modifiers: [ema({ decay: 0.9 })] } }, "results are its ema"],
    [{ at: 5 }, { optimizer: scheduleFreeSgd() }, "results are its evaluation"],
    [
      { at: 5 },
      { model: createModel({ layers: [4, 8, 3], dropout: 0.5 }) },
      "has dropout, which L-BFGS does not support",
    ],
  ])("%j is refused", (handover, more, message) => {
    expect(() => read(handover, more as Partial<RunConfig>)).toThrow(message);
  });
});
