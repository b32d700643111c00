// Fallbacks: the rules of tensors that another rule cannot update (for muon, all but matrices). Rules with `only` include this.

import { OptionError, refusal, show } from "../base/errors.ts";
import { readBoolean, readObject } from "../base/options.ts";
import type { Rule } from "../rules/rule.ts";
import type { Segment } from "./arena.ts";
import { type Hypers, type HypersDraft, hypersOf, readHypers, type Schedules, sameConfig } from "./hypers.ts";
import type { Fallback, Group, GroupFallback, Plan } from "./plan.ts";
import { configsOf, differing, flagsConfig } from "./plan_config.ts";
import { pick, readFlags, readRule, ruleOptions } from "./read_groups.ts";

/** Reads and writes the parts of a config about fallbacks. */
export const fallbacks = { read, leave, readReplicas, config, ofGroup, lent, ofReplica, ofReplicaGroup } as const;

/** Moves the tensors that a group's rule cannot update into a group of the rule's fallback. */
function leave(
  groups: Group[],
  index: number,
  inherited: Fallback | undefined,
  given: { readonly owner: string; readonly group: Readonly<Record<string, unknown>> } | undefined,
  groupOf: number[],
  segments: readonly Segment[],
  draft: HypersDraft,
): void {
  const { rule, inherits, isRest, lrScale, frozen, fallback: groupFallback } = groups[index]!;
  const { only } = rule;
  const fallback = groupFallback ?? inherited;
  const left = only
    ? segments.flatMap((segment, i) => (groupOf[i] === index && !only.takes(segment.shape) ? [i] : []))
    : [];
  const first = segments[left[0] ?? -1];
  if (!fallback && first) {
    throw new OptionError(
      `${rule.name}.fallback is missing; the rule ${rule.name} takes ${only!.what}, and "${first.name}" has shape [${first.shape}]: give a rule for such tensors`,
    );
  }
  if (!fallback || !first) {
    const lent = Object.keys(fallback?.rule.hypers ?? {}).find(
      (hyper) => given?.group[hyper] !== undefined && !Object.hasOwn(rule.hypers, hyper),
    );
    if (lent === undefined) return;
    throw new OptionError(
      `${given!.owner}.${lent} is ${show(given!.group[lent])}; ${rule.name} has no ${lent}, and none of the group's tensors use its fallback ${fallback!.rule.name}`,
    );
  }
  for (const i of left) groupOf[i] = groups.length;
  const { rule: its, flags } = fallback;
  // Options next to a rule belong to that rule; options of a group without a rule apply to all of its tensors.
  const said = given && inherits ? hypersOf(its, given.group) : {};
  const named = groupFallback
    ? readObject("fallback", given!.group.fallback, ["rule", ...ruleOptions(its), "frozen"])
    : {};
  const fields = { ...said, ...hypersOf(its, named) };
  const owner = given?.owner ?? rule.name;
  groups.push({
    params: undefined,
    fallbackOf: index,
    rule: its,
    flags,
    inherits: groupFallback ? undefined : "fallback",
    // Here too, the remaining tensors use the hypers that the others inherit.
    isRest: isRest && !groupFallback,
    fallback: undefined,
    lrScale,
    frozen: fallback.frozen ?? frozen,
  });
  const explicitNames = Object.keys(its.hypers).filter((hyper) => groupFallback || fields[hyper] !== undefined);
  draft.groups.push({
    explicit: new Set(explicitNames),
    values: draft.shared.map((_, replica) =>
      pick(
        explicitNames,
        readHypers(its, owner, fields, groupFallback ? groupFallback.hypers[replica]! : draft.fallback[replica]!),
      ),
    ),
  });
}

/** The rule, with its options, of tensors that `rule` cannot update. */
function read(rule: Rule, config: unknown, replicas: number): GroupFallback {
  const owner = `${rule.name}.fallback`;
  if (typeof config !== "object") {
    throw refusal(owner, config, 'an object such as { rule: "adamw", lr: 3e-4 }');
  }
  const its = readRule(`${owner}.rule`, config);
  const fields = readObject(owner, config, ["rule", ...ruleOptions(its), "frozen"]);
  if (its.only) throw new OptionError(`${owner}.rule is "${its.name}"; it must be a rule for tensors of every shape`);
  return {
    rule: its,
    flags: readFlags(its, owner, fields),
    hypers: Array.from({ length: replicas }, () => readHypers(its, owner, fields, {})),
    frozen: fields.frozen === undefined ? undefined : readBoolean(`${owner}.frozen`, fields.frozen),
  };
}

/** Hypers of replicas in place of those of the optimizer's fallback. */
function readReplicas(
  name: string,
  entries: readonly Readonly<Record<string, unknown>>[],
  fallback: Fallback | undefined,
  draft: HypersDraft,
): void {
  entries.forEach((entry, replica) => {
    if (entry.fallback === undefined) return;
    const owner = `${name}.replicas[${replica}].fallback`;
    if (!fallback) throw new OptionError(`${owner} is ${show(entry.fallback)}; the optimizer has no fallback`);
    const { rule } = fallback;
    const changes = readObject(owner, entry.fallback, Object.keys(rule.hypers));
    draft.fallback = draft.fallback.with(replica, readHypers(rule, owner, changes, draft.fallback[replica]!));
  });
}

function fallbackConfig(
  fallback: Pick<Fallback, "rule" | "flags">,
  hypers: Schedules,
  frozen: boolean | undefined,
): Record<string, unknown> {
  return {
    rule: fallback.rule,
    ...flagsConfig(fallback),
    ...configsOf(hypers),
    ...(frozen === undefined ? {} : { frozen }),
  };
}

/** The optimizer's fallback, as in its config. */
function config({ fallback }: Plan, hypers: Hypers): Record<string, unknown> {
  return fallback ? { fallback: fallbackConfig(fallback, hypers.inherited("fallback")[0]!, fallback.frozen) } : {};
}

/** A group's fallback in the config; nothing if it follows from the rest of the config. */
function ofGroup(plan: Plan, hypers: Hypers, index: number, at: number) {
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

/** The options of a group that only its fallback's rule has. */
function lent({ groups }: Plan, hypers: Hypers, index: number, at: number): Record<string, unknown> {
  if (at < 0) return {};
  const names = [...hypers.explicit(at)].filter((hyper) => !Object.hasOwn(groups[index]!.rule.hypers, hyper));
  return configsOf(hypers.of(at), names);
}

const filled = (values: Record<string, unknown>) => (Object.keys(values).length > 0 ? { fallback: values } : {});

/** A replica's own hypers for the optimizer's fallback. */
function ofReplica({ fallback }: Plan, hypers: Hypers, replica: number): Record<string, unknown> {
  if (!fallback) return {};
  const [first, its] = [0, replica].map((r) => hypers.inherited("fallback")[r]!);
  return filled(differing(its!, Object.keys(fallback.rule.hypers), first!));
}

/** A replica's own hypers for the fallback of a group whose own rule gets `own`. */
function ofReplicaGroup(
  { groups }: Plan,
  hypers: Hypers,
  index: number,
  at: number,
  replica: number,
  own: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const its = groups[at];
  if (!its) return {};
  const ours = hypers.of(index, replica);
  // An entry's options for a group without its own rule apply to its fallback too.
  const both = groups[index]!.inherits ? Object.keys(hypersOf(its.rule, own)) : [];
  const said = { ...hypers.of(at), ...Object.fromEntries(both.map((name) => [name, ours[name]!])) };
  return filled(differing(hypers.of(at, replica), new Set([...hypers.explicit(at), ...both]), said));
}
