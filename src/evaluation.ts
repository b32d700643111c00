// The parameters to evaluate a model with: what is trained, but for rules that train other points than they promise.
import type { PartLayout } from "./layout.ts";
import type { TensorValues } from "./optimizer.ts";
import { hyperAt, type Plan } from "./plan.ts";

/** Reads them off the values of every role, after `step` updates. */
export function evaluationValues(
  plan: Plan,
  layouts: readonly PartLayout[],
  roles: ReadonlyMap<string, TensorValues>,
  step: number,
  replica: number,
): TensorValues {
  const values = { ...roles.get("params")! };
  plan.parts.forEach(({ rule, slots, groups }, index) => {
    const { evaluation } = rule;
    // Before the first update the slots hold nothing, and every point is the first one.
    if (!evaluation || step === 0) return;
    for (const { segment, group } of layouts[index]!.places) {
      const hypers = Object.fromEntries(
        Object.keys(rule.hypers).map((hyper) => [hyper, hyperAt(plan, groups[group]!, hyper, step - 1, replica)]),
      );
      const own = slots.map((slot) => [slot, roles.get(slot)?.[segment.name]] as const);
      values[segment.name] = values[segment.name]!.map((p, i) => {
        const x: { p: number } & Record<string, number> = { p };
        for (const slot of rule.slots) x[slot] = 0;
        for (const [slot, array] of own) x[slot] = array?.[i] ?? 0;
        return evaluation.call(rule, x, hypers);
      });
    }
  });
  return values;
}
