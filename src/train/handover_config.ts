// When a run hands over from its rule to L-BFGS: the config.

import { OptionError, show, showGiven } from "../base/errors.ts";
import { meant, type Name } from "../base/names.ts";
import { readNumber } from "../base/options.ts";
import { readFields } from "../base/words.ts";
import type { Program } from "../objectives/program.ts";
import { roleOf } from "../optimizer/evaluation_role.ts";
import type { Plan } from "../optimizer/plan.ts";

/** When a run hands over from its rule to L-BFGS, and how L-BFGS runs. */
export interface HandoverConfig {
  /**
   * After this many steps, a whole number >= 1; "plateau": when the run's metric no longer improves; "noise": when the
   * signal-to-noise ratio of the gradients falls below `below`.
   */
  readonly at: number | Name<"plateau" | "noise">;
  /** With "plateau": values in a row without an improvement, a whole number >= 1, default 5. */
  readonly patience?: number | undefined;
  /** With "plateau": how much better than the best a value must be to count, >= 0, default 0. */
  readonly minDelta?: number | undefined;
  /**
   * With "noise": the square of the mean gradient over its variance from step to step, > 0, default 1. When steps overshoot,
   * successive gradients point against each other, and the ratio is negative.
   */
  readonly below?: number | undefined;
  /**
   * With "noise": steps from one ratio to the next, a whole number in [2, 500] and a multiple of `accumulate`; default 50, or with
   * `accumulate` the next multiple of it.
   */
  readonly every?: number | undefined;
  /** Pairs that L-BFGS keeps, a whole number in [1, 1000]; default 10. */
  readonly history?: number | undefined;
}

/** {@link HandoverConfig} with the options of its `at` filled in. */
export type CompleteHandoverConfig = HandoverConfig & { readonly history: number };

/**
 * @throws OptionError for a malformed handover, options that its `at` does not take, and runs that L-BFGS cannot continue: with
 * dropout, averages of parameters, or rules that evaluate at different points from those where they train.
 */
export function readHandover(value: unknown, program: Program, plan: Plan, hasMetric: boolean): CompleteHandoverConfig {
  const config = readConfig(value, plan.accumulate, hasMetric);
  const refused = (what: string) => new OptionError(`handover is ${show(value)}; ${what}`);
  if (program.draws)
    throw refused(`${program.title} has dropout, which L-BFGS does not support, so it must be left out`);
  if (plan.maximize) throw refused("with maximize: true it must be left out, since L-BFGS minimizes");
  const role = roleOf(plan, Number.POSITIVE_INFINITY);
  if (role !== "params") {
    throw refused(`this optimizer's results are its ${role}, which L-BFGS does not keep, so it must be left out`);
  }
  return config;
}

function readConfig(value: unknown, accumulate: number, hasMetric: boolean): CompleteHandoverConfig {
  const { at: when } = readFields("handover", value, ["at", "patience", "minDelta", "below", "every", "history"]);
  const kind = typeof when === "number" ? "step" : (meant(when, ["plateau", "noise"]) ?? when);
  const names = { step: [], plateau: ["patience", "minDelta"], noise: ["below", "every"] } as const;
  if (kind !== "step" && kind !== "plateau" && kind !== "noise") {
    const given = showGiven(when);
    throw new OptionError(`handover.at is ${given}; it must be a number of steps, "plateau" or "noise"`);
  }
  const fields = readFields("handover", value, ["at", ...names[kind], "history"]);
  const history = readNumber("handover.history", fields.history ?? 10, { min: 1, max: 1000, integer: true });
  const whole = (name: string, given: unknown, min: number, max?: number) =>
    readNumber(`handover.${name}`, given, { min, integer: true, ...(max ? { max } : {}) });
  /** A number of steps after which there is an update. */
  const updating = (name: string, given: unknown, min: number, max?: number) => {
    const steps = whole(name, given, min, max);
    if (steps % accumulate === 0) return steps;
    throw new OptionError(
      `handover.${name} is ${steps}; with accumulate: ${accumulate} it must be a multiple of that, since other steps make no update`,
    );
  };
  if (kind === "step") {
    return { at: updating("at", when, 1), history };
  }
  if (kind === "plateau") {
    if (!hasMetric) {
      throw new OptionError('handover.at is "plateau", which needs metric, such as { "type": "loss", "every": 100 }');
    }
    return {
      at: kind,
      patience: whole("patience", fields.patience ?? 5, 1),
      minDelta: readNumber("handover.minDelta", fields.minDelta ?? 0, { min: 0 }),
      history,
    };
  }
  const every = updating("every", fields.every ?? accumulate * Math.ceil(50 / accumulate), 2, 500);
  return { at: kind, below: readNumber("handover.below", fields.below ?? 1, { above: 0 }), every, history };
}
