// The plan of an optimizer: its config, read and checked once, with every default filled in. Both engines work from it:
// which tensors form which group, which rule updates them with which flags and slots, which schedule drives each hyper.

import { OptionError, refusal } from "../base/errors.ts";
import { readBoolean, readObject } from "../base/options.ts";
import { type ActiveModifier, type LossScaling, readModifiers } from "../modifiers/modifier.ts";
import type { Rule } from "../rules/rule.ts";
import type { Segment } from "./arena.ts";
import type { OptimizerConfig, Pattern } from "./config.ts";
import {
  Hypers,
  type HypersDraft,
  type HypersState,
  ruleSlots,
  type Schedules,
  type Source,
  scheduleIn,
} from "./hypers.ts";
import { readFlags, readGroups, readReplicaGroups, readReplicas, readRule, ruleOptions } from "./read_groups.ts";

/** Segments that share hypers. */
export interface Group {
  /** The config's patterns for its tensors; undefined for a group that the config does not list. */
  readonly params: readonly Pattern[] | undefined;
  /** The index of the group whose rule left these tensors to its fallback. */
  readonly fallbackOf?: number;
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  /** The source of its inherited hypers; undefined if it has its own rule, and so all its own hypers. */
  readonly inherits: Source | undefined;
  /** Whether it holds the tensors that no group names: it has no own hypers, and setting them sets those that others inherit. */
  readonly isRest: boolean;
  /** The group's own fallback. */
  readonly fallback: GroupFallback | undefined;
  readonly lrScale: number;
  /** Whether it starts frozen. */
  readonly frozen: boolean;
}

/** The rule of tensors that another rule cannot update, named by an optimizer or a group. */
export interface Fallback {
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  /** Undefined: like the group whose tensors they are. */
  readonly frozen: boolean | undefined;
}

/** A group's own fallback, with a schedule for every hyper of its rule, by replica. */
export interface GroupFallback extends Fallback {
  readonly hypers: readonly Schedules[];
}

/** All groups with the same rule and flags: the scope of one update kernel. */
export interface RuleSet {
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  /** Every state array it keeps: the rule's slots under these options, then those of its modifiers. */
  readonly slots: readonly string[];
  /** Its groups and segments, by their indices in the plan and in the arena. */
  readonly groups: readonly number[];
  readonly segments: readonly number[];
}

export interface Plan {
  /** The main rule of the config. */
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  readonly maximize: boolean;
  /** In the order in which they take effect. */
  readonly modifiers: readonly ActiveModifier[];
  /** Clipping by a norm. */
  readonly clipNorm: ActiveModifier["norm"];
  readonly skipNonFinite: boolean;
  readonly lossScale: LossScaling | undefined;
  /** Gradients whose mean makes an update. */
  readonly accumulate: number;
  /** The message about gradients that are missing from the mean. */
  readonly missed: ActiveModifier["missed"];
  /** Whether updates measure their effect on each tensor. */
  readonly watch: boolean;
  /** Copies of all parameters. */
  readonly replicas: number;
  /** In the order of the config, then the group of the remaining tensors, if any, then those of fallbacks. */
  readonly groups: readonly Group[];
  /** The group of each segment. */
  readonly groupOf: readonly number[];
  readonly ruleSets: readonly RuleSet[];
  /** The names of the tensors. */
  readonly names: readonly string[];
  /** The initial hypers. An optimizer keeps the current ones apart from its plan ({@link Hypers}). */
  readonly start: HypersState;
  /** The optimizer's fallback, whose hypers its groups inherit. */
  readonly fallback: Fallback | undefined;
}

/** The options of a config with this rule. */
export function planOptions(rule: Rule): readonly string[] {
  return ["rule", "groups", "maximize", "modifiers", "replicas", ...ruleOptions(rule)];
}

/**
 * Reads an optimizer's config against its tensors.
 *
 * @throws OptionError for an unknown rule or option, values out of range, and groups that match nothing or overlap.
 */
export function createPlan(config: OptimizerConfig, segments: readonly Segment[]): Plan {
  const rule = readRule("rule", config);
  const name = rule.name;
  const fields = readObject(`rule ${name}`, config, planOptions(rule));
  const flags = readFlags(rule, name, fields);
  const { maximize = false } = fields;
  const modifiers = readModifiers(name, fields.modifiers);
  const { shared, entries } = readReplicas(rule, name, fields);
  const replicas = shared.length;
  const fallback =
    fields.fallback === undefined ? undefined : rule.only?.fallbacks?.read(rule, fields.fallback, replicas);
  const draft: HypersDraft = { shared, fallback: fallback?.hypers ?? [], groups: [] };
  const { groups, groupOf } = readGroups({ rule, flags, fallback, draft, fields, segments });
  readReplicaGroups(rule, entries, fallback, groups, draft);
  const plan: Plan = {
    rule,
    flags,
    maximize: readBoolean(`${name}.maximize`, maximize),
    modifiers,
    ...effectsOf(modifiers),
    replicas,
    groups,
    groupOf,
    ruleSets: partsOf(groups, groupOf, modifierSlots(modifiers), draft),
    fallback: fallback && { rule: fallback.rule, flags: fallback.flags, frozen: fallback.frozen },
    start: draft,
    names: segments.map(({ name }) => name),
  };
  const hypers = new Hypers(plan);
  const rules = plan.ruleSets.map((ruleSet) => ruleSet.rule);
  for (const active of modifiers) {
    const refusal = active.modifier.refusal(active, { rules, segments, skips: plan.skipNonFinite });
    if (refusal !== undefined) throw new OptionError(refusal);
    active.row?.(0);
  }
  for (let replica = 0; replica < replicas; replica++) {
    for (const [index, group] of groups.entries()) {
      for (const hyper of Object.keys(group.rule.hypers)) hypers.at(index, hyper, 0, replica);
    }
  }
  return plan;
}

/** Whether the step needs the norm of the gradient. */
export function needsNorm(plan: Plan): boolean {
  return plan.clipNorm !== undefined || plan.skipNonFinite;
}

/** The number of groups that are clipped apart: all of them under a groupNorm, else one. */
export function clipBins(plan: Plan): number {
  return plan.clipNorm?.byGroup ? plan.groups.length : 1;
}

/** All slots of all rule sets that last from one update to the next, without repetition. */
export function planSlots(plan: Plan): readonly string[] {
  const lasting = ({ slots, rule }: RuleSet) => slots.filter((slot) => slot !== rule.orthogonalises?.slot);
  return [...new Set(plan.ruleSets.flatMap(lasting))];
}

/** @throws OptionError for anything but a string; whether the name is known is checked at the lookup. */
export function readRole(plan: Plan, role: unknown): void {
  if (typeof role === "string") return;
  throw refusal("role", role, `one of ${rolesOf(plan).join(", ")}`);
}

/** Every readable role. */
export function rolesOf(plan: Plan): readonly string[] {
  const scalars = plan.ruleSets.flatMap(({ rule }) => Object.keys(rule.reduction?.scalars ?? {}));
  const sum = plan.accumulate > 1 ? ["accumulated"] : [];
  return [...new Set(["params", "gradients", ...planSlots(plan), ...sum, "evaluation", ...scalars])];
}

/** The slots that modifiers keep; they start as the parameters. */
export function modifierSlots(modifiers: readonly ActiveModifier[]): readonly string[] {
  return modifiers.flatMap(({ slots = [] }) => slots);
}

/** Whether modifiers ask for skipping; the last to decide counts. */
export function skipsOf(modifiers: readonly ActiveModifier[]): boolean {
  return modifiers.findLast(({ skips }) => skips !== undefined)?.skips ?? false;
}

/** The effects of modifiers on the step as a whole. */
function effectsOf(modifiers: readonly ActiveModifier[]) {
  const said = <T>(of: (modifier: ActiveModifier) => T | undefined): T | undefined =>
    modifiers.map(of).findLast((value) => value !== undefined);
  return {
    clipNorm: said(({ norm }) => norm),
    skipNonFinite: skipsOf(modifiers),
    lossScale: said((modifier) => modifier.lossScale),
    accumulate: said(({ accumulate }) => accumulate) ?? 1,
    missed: said(({ missed }) => missed),
    watch: modifiers.some(({ partials }) => partials !== undefined),
  };
}

function partsOf(
  groups: readonly Group[],
  groupOf: readonly number[],
  modifierSlots: readonly string[],
  start: HypersState,
): RuleSet[] {
  const byKey = new Map<string, { rule: Rule; flags: Readonly<Record<string, boolean>>; groups: number[] }>();
  const ruleIds = new Map<Rule, number>();
  const inhabited = new Set(groupOf);
  groups.forEach(({ rule, flags }, index) => {
    // A muon whose tensors all went to its fallback forms no rule set.
    if (!inhabited.has(index)) return;
    if (!ruleIds.has(rule)) ruleIds.set(rule, ruleIds.size);
    const key = JSON.stringify([ruleIds.get(rule), flags]);
    const ruleSet = byKey.get(key) ?? { rule, flags, groups: [] };
    ruleSet.groups.push(index);
    byKey.set(key, ruleSet);
  });
  const schedulesOf = (group: number, hyper: string) =>
    start.shared.map((_, replica) => scheduleIn(groups, start, group, hyper, replica));
  return [...byKey.values()].map((ruleSet) => {
    const members = new Set(ruleSet.groups);
    return {
      ...ruleSet,
      slots: [...ruleSlots(ruleSet, schedulesOf), ...modifierSlots],
      segments: groupOf.flatMap((group, segment) => (members.has(group) ? [segment] : [])),
    };
  });
}
