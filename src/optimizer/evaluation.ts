// The parameters to evaluate a model with: the trained ones, an average of them, or a rule's evaluation point.

import { readMade, readNumber } from "../base/options.ts";
import type { RuleSetLayout } from "./layout.ts";
import { type Optimizer, putValues, type Role, type TensorValues } from "./optimizer.ts";
import { createPlan, type Plan } from "./plan.ts";
import type { CarryValues } from "./table.ts";

/** Computes them from the values of every role; `carried` and the number of updates are by rule set and group. */
export function evaluationValues(
  plan: Plan,
  layouts: readonly RuleSetLayout[],
  roles: ReadonlyMap<string, TensorValues>,
  made: readonly (readonly number[])[],
  carried: readonly (readonly (CarryValues | null)[])[],
): TensorValues {
  const values = { ...roles.get("params")! };
  plan.ruleSets.forEach(({ rule, slots }, index) => {
    const { evaluation } = rule;
    if (!evaluation) return;
    for (const { segment, group } of layouts[index]!.places) {
      // Before the first update the slots are empty, so every point is the starting point.
      if (made[index]![group] === 0) continue;
      const kept = slots.map((slot) => [slot, roles.get(slot)?.[segment.name]] as const);
      const evaluated = values[segment.name]!.map((p, i) => {
        const x: { p: number } & Record<string, number> = { p };
        for (const slot of rule.slots) x[slot] = 0;
        for (const [slot, array] of kept) x[slot] = array?.[i] ?? 0;
        return evaluation.call(rule, x, carried[index]![group] ?? {});
      });
      putValues(values, segment.name, evaluated);
    }
  });
  return values;
}

/**
 * The role of the parameters to use and to evaluate, after this many updates: `"swa"` once it averages parameters, else `"ema"`,
 * else the slow weights of lookahead (`"lookahead"`), else `"evaluation"` for rules that train and evaluate at different points
 * (scheduleFreeSgd …), else `"params"`. Before the first update it is always `"params"`. `train`, sweeps and searches use it.
 *
 * @param updates A whole number >= 0.
 * @throws OptionError for any other number, and for anything but an optimizer.
 */
export function evaluationRole(optimizer: Pick<Optimizer, "config" | "segments">, updates: number): Role {
  const allowed = "an optimizer, or its config and segments";
  const { config, segments } = readMade("optimizer", optimizer, allowed, { config: "object", segments: "array" });
  readNumber("updates", updates, { min: 0, integer: true });
  return roleOf(createPlan(config, segments), updates);
}

/** {@link evaluationRole} for a plan. */
export function roleOf({ modifiers, ruleSets }: Pick<Plan, "modifiers" | "ruleSets">, updates: number): Role {
  // The slots start with the first update.
  if (updates === 0) return "params";
  const average = modifiers.findLast(({ evaluates }) => evaluates?.(updates));
  if (average) return average.name;
  return ruleSets.some(({ rule }) => rule.evaluation) ? "evaluation" : "params";
}
