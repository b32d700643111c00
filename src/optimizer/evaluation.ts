// The parameters at which a rule evaluates, where these are not the ones that it trains.

import type { RuleSetLayout } from "./layout.ts";
import { putValues, type TensorValues } from "./optimizer.ts";
import type { Plan } from "./plan.ts";
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
