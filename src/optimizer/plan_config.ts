// The current config of an optimizer, from its plan and its hypers.

import { copied } from "../base/options.ts";
import { flatModifiers, modifierConfig, withJson } from "../modifiers/modifier.ts";
import type { Rule } from "../rules/rule.ts";
import type { OptimizerConfig } from "./config.ts";
import { fallbackIndex, type Hypers, type Schedules, sameConfig } from "./hypers.ts";
import type { Optimizer } from "./optimizer.ts";
import { type Plan, skipsOf } from "./plan.ts";
import { insideOf } from "./shell.ts";

/**
 * The config that an optimizer has now, as a copy: complete, with every default filled in, and with whatever was set, frozen or
 * thawed since. Functions of the step stay functions.
 *
 * @throws OptionError for anything but an optimizer.
 */
export function configOf(optimizer: Optimizer): OptimizerConfig {
  const { plan, hypers } = insideOf(optimizer);
  return planConfig(plan, hypers);
}

/**
 * The config that rebuilds the plan. It is complete, except that inherited hypers are not written into groups and replicas, so
 * that these follow when the optimizer's hypers change. Functions of the step stay functions.
 */
export function planConfig(plan: Plan, hypers: Hypers): OptimizerConfig {
  const { modifiers, replicas } = plan;
  const listed = listGroups(plan, hypers);
  const entries = hypers.inherited("shared").map((its, replica) => ({
    ...configsOf(its),
    ...replicaEntry(plan, hypers, listed, replica),
  }));
  // Defaults are left out.
  const saying = modifiers.filter(
    ({ modifier }) =>
      modifier.key !== "skipNonFinite" ||
      skipsOf(modifiers.filter((other) => other.modifier !== modifier)) !== plan.skipNonFinite,
  );
  const its = saying.map(({ modifier, json }) => modifierConfig(modifier, json));
  const before = {
    rule: plan.rule,
    ...(replicas === 1 ? entries[0] : { replicas: entries }),
    ...flagsConfig(plan),
    ...plan.rule.only?.fallbacks?.config(plan, hypers),
    maximize: plan.maximize,
  };
  const groups = listed.length > 0 ? { groups: listed.map(({ config }) => config) } : {};
  const config: Record<string, unknown> = copied({
    ...before,
    ...(its.length > 0 ? { modifiers: its } : {}),
    ...groups,
  });
  // Of the config as it is by then, since a caller may change it.
  return withJson(config, () => {
    const { modifiers: kept, groups: listed, ...others } = config as OptimizerConfig;
    return {
      ...others,
      skipNonFinite: plan.skipNonFinite,
      ...absent,
      ...flatModifiers(kept),
      ...(listed ? { groups: listed } : {}),
    };
  }) as unknown as OptimizerConfig;
}

/** JSON's values for absent modifiers. */
const absent = {
  ...{ clip: null, cautious: false, watch: false, accumulate: 1 },
  ...{ lossScale: null, ema: null, swa: null, lookahead: null },
};

/** In the rule's order, not that of `names`: configs are compared by their JSON. */
export function configsOf(hypers: Schedules, names: Iterable<string> = Object.keys(hypers)): Record<string, unknown> {
  const wanted = new Set(names);
  return Object.fromEntries(
    Object.entries(hypers).flatMap(([hyper, { config }]) => (wanted.has(hyper) ? [[hyper, config]] : [])),
  );
}

/** Flags as configs and checkpoints have them. */
export function flagsConfig({ rule, flags }: { readonly rule: Rule; readonly flags: Plan["flags"] }): Plan["flags"] {
  return Object.fromEntries(Object.entries(flags).filter(([flag, on]) => on || !rule.laterFlags?.includes(flag)));
}

/** A group in the config, with the tensors left to its fallback. */
interface Listed {
  readonly index: number;
  /** The index of the group with these tensors; -1 if the rule keeps all. */
  readonly at: number;
  /** As in the config. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** The groups that the config must list, including the unnamed rest if it is frozen or has its own fallback by now. */
function listGroups(plan: Plan, hypers: Hypers): readonly Listed[] {
  const { groups } = plan;
  return groups.flatMap((group, index): readonly Listed[] => {
    if (group.fallbackOf !== undefined) return [];
    const at = fallbackIndex(groups, index);
    const its = group.rule.only?.fallbacks;
    const fallback = its?.ofGroup(plan, hypers, index, at);
    const frozen = hypers.isFrozen(index);
    if (group.params === undefined && !frozen && !fallback) return [];
    const config = {
      params: group.params ?? plan.names.filter((_, segment) => [index, at].includes(plan.groupOf[segment]!)),
      ...(group.inherits ? {} : { rule: group.rule, ...flagsConfig(group) }),
      ...configsOf(hypers.of(index), hypers.explicit(index)),
      ...(fallback ? { fallback } : its?.lent(plan, hypers, index, at)),
      ...(group.lrScale === 1 ? {} : { lrScale: group.lrScale }),
      ...(frozen ? { frozen: true } : {}),
    };
    return [{ index, at, config }];
  });
}

/** A replica's values that follow neither from its own hypers nor from those of groups. */
function replicaEntry(plan: Plan, hypers: Hypers, listed: readonly Listed[], replica: number): Record<string, unknown> {
  if (replica === 0) return {};
  const entries = listed.map(({ index, at }) => {
    const own = differing(hypers.of(index, replica), hypers.explicit(index), hypers.of(index));
    return {
      ...own,
      ...plan.groups[index]!.rule.only?.fallbacks?.ofReplicaGroup(plan, hypers, index, at, replica, own),
    };
  });
  return {
    ...plan.rule.only?.fallbacks?.ofReplica(plan, hypers, replica),
    ...(entries.some((values) => Object.keys(values).length > 0) ? { groups: entries } : {}),
  };
}

/** The hypers whose schedules differ from those that the config implies without a replica's entry. */
export function differing(its: Schedules, names: Iterable<string>, said: Schedules): Record<string, unknown> {
  return configsOf(
    its,
    [...names].filter((hyper) => !sameConfig(its[hyper]!, said[hyper]!)),
  );
}
