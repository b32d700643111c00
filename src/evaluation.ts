// The parameters to evaluate a model with: what is trained, but for rules that train other points than they promise.
import type { PartLayout } from "./layout.ts";
import { putValues, type TensorValues } from "./optimizer.ts";
import type { Plan } from "./plan.ts";
import type { CarryValues } from "./table.ts";

/** Reads them off the values of every role after `step` updates; `carried` is by part and group. */
export function evaluationValues(
  plan: Plan,
  layouts: readonly PartLayout[],
  roles: ReadonlyMap<string, TensorValues>,
  step: number,
  carried: readonly (readonly CarryValues[])[],
): TensorValues {
  const values = { ...roles.get("params")! };
  plan.parts.forEach(({ rule, slots }, index) => {
    const { evaluation } = rule;
    // Before the first update the slots hold nothing, and every point is the first one.
    if (!evaluation || step === 0) return;
    for (const { segment, group } of layouts[index]!.places) {
      const own = slots.map((slot) => [slot, roles.get(slot)?.[segment.name]] as const);
      const evaluated = values[segment.name]!.map((p, i) => {
        const x: { p: number } & Record<string, number> = { p };
        for (const slot of rule.slots) x[slot] = 0;
        for (const [slot, array] of own) x[slot] = array?.[i] ?? 0;
        return evaluation.call(rule, x, carried[index]![group]!);
      });
      putValues(values, segment.name, evaluated);
    }
  });
  return values;
}
