// The parameters at which a rule evaluates, where these are not the ones that it trains.

import type { RuleSetLayout } from "./layout.ts";
import { putValues, type TensorValues } from "./optimizer.ts";
import type { RuleSet } from "./plan.ts";
import type { CarryValues } from "./table.ts";

/**
 * Replaces the parameters of a rule set in `points`.
 *
 * @param roles The values of every role.
 * @param made The updates of each group so far.
 * @param carried The values that each group carries.
 */
export function evaluationValues(
  { rule, slots }: RuleSet,
  { places }: RuleSetLayout,
  roles: ReadonlyMap<string, TensorValues>,
  made: readonly number[],
  carried: readonly (CarryValues | null)[],
  points: TensorValues,
): void {
  for (const { segment, group } of places) {
    // Before the first update the slots are empty, so every point is the starting point.
    if (made[group] === 0) continue;
    const kept = slots.map((slot) => [slot, roles.get(slot)?.[segment.name]] as const);
    const evaluated = points[segment.name]!.map((p, i) => {
      const x: { p: number } & Record<string, number> = { p };
      for (const slot of rule.slots) x[slot] = 0;
      for (const [slot, array] of kept) x[slot] = array?.[i] ?? 0;
      return rule.evaluation!(x, carried[group] ?? {});
    });
    putValues(points, segment.name, evaluated);
  }
}
