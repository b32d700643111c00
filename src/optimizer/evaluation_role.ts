// Which parameters a model is evaluated with: the trained ones, an average of them, or a rule's evaluation point.

import { readMade, readNumber } from "../base/options.ts";
import type { Segment } from "./arena.ts";
import type { OptimizerConfig } from "./config.ts";
import type { Optimizer, Role } from "./optimizer.ts";
import { createPlan, type Plan } from "./plan.ts";
import { inside, insideOf } from "./shell.ts";

/**
 * The role of the parameters to use and to evaluate, after this many updates: `"swa"` once it averages parameters, else `"ema"`,
 * else the slow weights of lookahead (`"lookahead"`), else `"evaluation"` for rules that train and evaluate at different points
 * (scheduleFreeSgd …), else `"params"`. Before the first update it is always `"params"`. `train`, sweeps and searches use it.
 *
 * @param updates A whole number >= 0.
 * @throws OptionError for any other number, and for anything but an optimizer.
 */
export function evaluationRole(optimizer: Optimizer | Described, updates: number): Role {
  const plan = inside in Object(optimizer) ? insideOf(optimizer as Optimizer).plan : planOf(optimizer as Described);
  readNumber("updates", updates, { min: 0, integer: true });
  return roleOf(plan, updates);
}

/** What stands for an optimizer that was not made. */
interface Described {
  readonly config: OptimizerConfig;
  readonly segments: readonly Segment[];
}

function planOf(described: Described): Plan {
  const allowed = "an optimizer, or its config and segments";
  const { config, segments } = readMade("optimizer", described, allowed, { config: "object", segments: "array" });
  return createPlan(config, segments);
}

/** {@link evaluationRole} for a plan. */
export function roleOf({ modifiers, ruleSets }: Pick<Plan, "modifiers" | "ruleSets">, updates: number): Role {
  // The slots start with the first update.
  if (updates === 0) return "params";
  const average = modifiers.findLast(({ evaluates }) => evaluates?.(updates));
  if (average) return average.name;
  return ruleSets.some(({ rule }) => rule.evaluation) ? "evaluation" : "params";
}
