// The config of an optimizer as it is now, from its plan and its hypers.

import { flatModifiers, modifierConfig, withJson } from "../modifiers/modifier.ts";
import type { OptimizerConfig } from "./config.ts";
import { fallbackIndex, type Hypers, hypersOf, type Schedules, sameConfig } from "./hypers.ts";
import { type Fallback, type Plan, skipsOf } from "./plan.ts";

type Planned = Omit<Plan, "created">;

/**
 * The config that rebuilds the plan: complete, but that what groups and replicas inherit is not written into them, so that
 * they follow the optimizer's own hypers when those are changed. Hypers given as functions of the step stay functions.
 */
export function planConfig(plan: Planned, hypers: Hypers): OptimizerConfig {
  const { modifiers, replicas, fallback } = plan;
  const listed = listGroups(plan, hypers);
  const entries = hypers.inherited("shared").map((its, replica) => ({
    ...configsOf(its),
    ...replicaEntry(plan, hypers, listed, replica),
  }));
  // What goes without saying is left out.
  const saying = modifiers.filter(
    ({ modifier }) =>
      modifier.key !== "skipNonFinite" ||
      skipsOf(modifiers.filter((other) => other.modifier !== modifier)) !== plan.skipNonFinite,
  );
  const its = saying.map(({ modifier, json }) => modifierConfig(modifier, json));
  const before = {
    rule: plan.rule,
    ...(replicas === 1 ? entries[0] : { replicas: entries }),
    ...plan.flags,
    ...(fallback ? { fallback: fallbackConfig(fallback, hypers.inherited("fallback")[0]!, fallback.frozen) } : {}),
    maximize: plan.maximize,
  };
  const groups = listed.length > 0 ? { groups: listed.map(({ config }) => config) } : {};
  const config = { ...before, ...(its.length > 0 ? { modifiers: its } : {}), ...groups };
  return withJson(config, () => ({
    ...before,
    skipNonFinite: plan.skipNonFinite,
    ...absent,
    ...flatModifiers(its),
    ...groups,
  })) as unknown as OptimizerConfig;
}

/** What JSON says of modifiers that are not there. */
const absent = {
  ...{ clip: null, cautious: false, watch: false, accumulate: 1 },
  ...{ lossScale: null, ema: null, swa: null, lookahead: null },
};

/** In the rule's order, whatever that of `names`: whether two configs are the same goes by their JSON. */
function configsOf(hypers: Schedules, names: Iterable<string> = Object.keys(hypers)): Record<string, unknown> {
  const wanted = new Set(names);
  return Object.fromEntries(
    Object.entries(hypers).flatMap(([hyper, { config }]) => (wanted.has(hyper) ? [[hyper, config]] : [])),
  );
}

function fallbackConfig(
  { rule, flags }: Pick<Fallback, "rule" | "flags">,
  hypers: Schedules,
  frozen: boolean | undefined,
): Record<string, unknown> {
  return { rule, ...flags, ...configsOf(hypers), ...(frozen === undefined ? {} : { frozen }) };
}

/** A group in the config, with what its rule leaves to its fallback. */
interface Listed {
  readonly index: number;
  /** The index of the group of what it leaves; -1 where all tensors are the rule's. */
  readonly at: number;
  /** As the config has it. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** The groups that the config must list: also what it did not, if that is frozen or has a fallback of its own by now. */
function listGroups(plan: Planned, hypers: Hypers): readonly Listed[] {
  const { groups } = plan;
  return groups.flatMap((group, index): readonly Listed[] => {
    if (group.fallbackOf !== undefined) return [];
    const at = fallbackIndex(groups, index);
    const fallback = groupFallbackConfig(plan, hypers, index, at);
    const frozen = hypers.isFrozen(index);
    if (group.params === undefined && !frozen && !fallback) return [];
    // What the group says though only its fallback's rule has it.
    const lent = at < 0 ? [] : [...hypers.explicit(at)].filter((hyper) => !Object.hasOwn(group.rule.hypers, hyper));
    const config = {
      params: group.params ?? plan.names.filter((_, segment) => [index, at].includes(plan.groupOf[segment]!)),
      ...(group.inherits ? {} : { rule: group.rule, ...group.flags }),
      ...configsOf(hypers.of(index), hypers.explicit(index)),
      ...(at >= 0 && !fallback ? configsOf(hypers.of(at), lent) : {}),
      ...(fallback ? { fallback } : {}),
      ...(group.lrScale === 1 ? {} : { lrScale: group.lrScale }),
      ...(frozen ? { frozen: true } : {}),
    };
    return [{ index, at, config }];
  });
}

/** What a group in the config must say of its fallback; nothing where that follows from the rest of the config. */
function groupFallbackConfig(plan: Planned, hypers: Hypers, index: number, at: number) {
  const group = plan.groups[index]!;
  const its = plan.groups[at];
  if (!its) return group.fallback && fallbackConfig(group.fallback, group.fallback.hypers[0]!, group.fallback.frozen);
  const [groupFrozen, itsFrozen] = [hypers.isFrozen(index), hypers.isFrozen(at)];
  const [ours, theirs] = [hypers.of(index), hypers.of(at)];
  const inherits =
    its.inherits !== undefined &&
    itsFrozen === (plan.fallback?.frozen ?? groupFrozen) &&
    Object.keys(theirs).every((hyper) => {
      if (!Object.hasOwn(ours, hyper)) return true;
      const explicit = hypers.explicit(index).has(hyper);
      return explicit === hypers.explicit(at).has(hyper) && (!explicit || sameConfig(ours[hyper]!, theirs[hyper]!));
    });
  return inherits ? undefined : fallbackConfig(its, theirs, itsFrozen === groupFrozen ? undefined : itsFrozen);
}

/** What a replica has that neither its own hypers nor those of groups say. */
function replicaEntry(
  { groups, fallback }: Planned,
  hypers: Hypers,
  listed: readonly Listed[],
  replica: number,
): Record<string, unknown> {
  if (replica === 0) return {};
  /** The hypers whose schedules are not those that the config says without this entry. */
  const differing = (its: Schedules, names: Iterable<string>, said: Schedules) =>
    configsOf(
      its,
      [...names].filter((hyper) => !sameConfig(its[hyper]!, said[hyper]!)),
    );
  const filled = (name: string, values: Record<string, unknown>) =>
    Object.keys(values).length > 0 ? { [name]: values } : {};
  const entries = listed.map(({ index, at }) => {
    const ours = hypers.of(index, replica);
    const changed = differing(ours, hypers.explicit(index), hypers.of(index));
    const its = groups[at];
    if (!its) return changed;
    // What the entry says of a group without a rule of its own holds for its fallback too.
    const both = groups[index]!.inherits ? Object.keys(hypersOf(its.rule, changed)) : [];
    const said = { ...hypers.of(at), ...Object.fromEntries(both.map((name) => [name, ours[name]!])) };
    const theirs = differing(hypers.of(at, replica), new Set([...hypers.explicit(at), ...both]), said);
    return { ...changed, ...filled("fallback", theirs) };
  });
  const [first, its] = [0, replica].map((r) => hypers.inherited("fallback")[r]);
  return {
    ...filled("fallback", fallback ? differing(its!, Object.keys(fallback.rule.hypers), first!) : {}),
    ...(entries.some((values) => Object.keys(values).length > 0) ? { groups: entries } : {}),
  };
}

/** What a config says of hypers and freezing, as JSON; functions of the step are alike there. */
export function creationOf(plan: Planned, hypers: Hypers): string {
  const { replicas, groups, fallback, ...config } = planConfig(plan, hypers) as unknown as Record<string, unknown>;
  const shared = Object.fromEntries(
    Object.entries(config).filter(([option]) => Object.hasOwn(plan.rule.hypers, option)),
  );
  return JSON.stringify({ ...shared, replicas, groups, fallback }, (_, value: unknown) =>
    typeof value === "function" ? "a function" : value,
  );
}
