// The keys of tensors in a checkpoint, and which parameter names would clash with them.

import { OptionError } from "../base/errors.ts";
import type { Segment } from "./arena.ts";
import { modifierScalars } from "./layout.ts";
import { type Plan, planSlots } from "./plan.ts";

/** The key of a tensor's role in a checkpoint. */
export const keyOf = (tensor: string, role: string) => (role === "params" ? tensor : `${tensor}:${role}`);

/** The roles in a checkpoint. */
export function savedRoles(plan: Plan): readonly string[] {
  return ["params", ...planSlots(plan), ...(plan.accumulate > 1 ? ["accumulated"] : [])];
}

/**
 * Refuses tensors whose name is the key of another tensor's slot.
 *
 * @throws OptionError that names both.
 */
export function checkKeys(plan: Plan, segments: readonly Segment[]): void {
  const names = new Set(segments.map(({ name }) => name));
  const scalars = [
    ...plan.ruleSets.flatMap(({ rule }) => Object.keys(rule.reduction?.scalars ?? {})),
    ...modifierScalars(plan),
  ];
  for (const name of names) {
    const slot = [...savedRoles(plan).slice(1), ...scalars].find((candidate) => names.has(keyOf(name, candidate)));
    if (slot) {
      throw new OptionError(
        `a tensor is called "${keyOf(name, slot)}", which checkpoints use for the slot ${slot} of "${name}"`,
      );
    }
  }
  const common = [...names].find((name) => name.startsWith(":") && scalars.includes(name.split(":").pop()!));
  if (common) {
    throw new OptionError(`a tensor is called "${common}", which checkpoints use for a rule's sums over all tensors`);
  }
}
