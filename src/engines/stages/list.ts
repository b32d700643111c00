// The stages of a step, in order: those of the whole step, then each rule set's own. Stages that nothing needs are left out.

import { needsNorm, type Plan, type RuleSet } from "../../optimizer/plan.ts";
import type { Stage } from "./stage.ts";
import { updateStage } from "./update.ts";

/** Stages dispatched with every gradient, where several make an update. */
export function gradientStages({ modifiers }: Plan): readonly Stage[] {
  return modifiers.flatMap(({ gather }) => gather ?? []);
}

/** Stages before those of the rule sets. */
export function stepStages(plan: Plan): readonly Stage[] {
  return needsNorm(plan) ? [...new Set(plan.modifiers.flatMap(({ step }) => step ?? []))] : [];
}

/**
 * The stages of a rule set: those that modify the gradient, those that the rule needs, those that depend on the whole update, and
 * the update.
 */
export function ruleStages(plan: Plan, { rule }: RuleSet): readonly Stage[] {
  const modifiers = plan.modifiers;
  return [
    ...modifiers.flatMap(({ beforeRule }) => beforeRule ?? []),
    ...[rule.factored, rule.reduction, rule.orthogonalises].flatMap((need) => need?.stage ?? []),
    ...modifiers.flatMap(({ afterRule }) => afterRule ?? []),
    updateStage,
  ];
}
