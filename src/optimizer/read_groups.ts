// Reading a config's rules, groups, fallbacks and replicas: which tensors form a group, and which hypers begin where.

import { OptionError, show } from "../base/errors.ts";
import { readArray, readBoolean, readNumber, readObject } from "../base/options.ts";
import { isRule, type Rule } from "../rules/rule.ts";
import { createSchedule, type Schedule } from "../schedules/schedule.ts";
import type { Segment } from "./arena.ts";
import { readPatterns } from "./groups.ts";
import {
  fallbackIndex,
  type HypersDraft,
  hypersOf,
  makeExplicit,
  readHyper,
  readHypers,
  type Schedules,
} from "./hypers.ts";
import type { Fallback, Group, GroupFallback } from "./plan.ts";

const inGroups = ["params", "lrScale", "frozen", "rule"] as const;

export function ruleOptions(rule: Rule): readonly string[] {
  return [...Object.keys(rule.hypers), ...Object.keys(rule.flags), ...(rule.only ? ["fallback"] : [])];
}

export function readRule(owner: string, config: unknown): Rule {
  const rule = (config as { rule?: unknown } | null | undefined)?.rule;
  if (isRule(rule)) return rule;
  const given = isRule(config) ? `the rule ${config} alone` : rule === undefined ? "missing" : show(rule);
  throw new OptionError(
    `${owner} is ${given}; it must be a rule: take the config that adamw({ lr }) or another rule of the library makes, or readConfig() for JSON`,
  );
}

export function readFlags(
  rule: Rule,
  owner: string,
  fields: Readonly<Record<string, unknown>>,
): Record<string, boolean> {
  const flags: Record<string, boolean> = {};
  for (const [flag, standard] of Object.entries(rule.flags)) {
    flags[flag] = fields[flag] === undefined ? standard : readBoolean(`${owner}.${flag}`, fields[flag]);
  }
  return flags;
}

/** The same hypers for another replica, with listeners that observe that replica's metric. */
function withFreshListeners(hypers: Schedules): Record<string, Schedule> {
  return Object.fromEntries(
    Object.entries(hypers).map(([hyper, schedule]) => [
      hyper,
      schedule.listeners ? createSchedule(schedule.config, hyper) : schedule,
    ]),
  );
}

/** The hypers of each replica: the optimizer's, with those of the replica's entry in their place; and the entries. */
export function readReplicas(rule: Rule, name: string, fields: Readonly<Record<string, unknown>>) {
  const shared = readHypers(rule, name, fields, {});
  if (fields.replicas === undefined) return { shared: [shared], entries: [{}] };
  const given = readArray(`${name}.replicas`, fields.replicas, "hypers, one entry for each copy");
  if (given.length === 0) throw new OptionError(`${name}.replicas is []; it must have at least one entry`);
  const known = [...Object.keys(rule.hypers), "groups", ...(rule.only ? ["fallback"] : [])];
  const entries = given.map((entry, index) => readObject(`${name}.replicas[${index}]`, entry, known));
  return {
    shared: entries.map((entry, index) =>
      readHypers(rule, `${name}.replicas[${index}]`, entry, withFreshListeners(shared)),
    ),
    entries,
  };
}

/** What replicas say of single groups, and of fallbacks: hypers in place of what those have. */
export function readReplicaGroups(
  name: string,
  entries: readonly Readonly<Record<string, unknown>>[],
  fallback: Fallback | undefined,
  groups: readonly Group[],
  draft: HypersDraft,
): void {
  const put = (owner: string, value: unknown, replica: number, into: readonly number[]) => {
    const known = new Set(into.flatMap((index) => Object.keys(groups[index]!.rule.hypers)));
    const changes = readObject(owner, value, [...known]);
    for (const index of into) {
      const { rule } = groups[index]!;
      for (const [hyper, given] of Object.entries(hypersOf(rule, changes))) {
        makeExplicit(groups, draft, index, hyper);
        if (given !== undefined) draft.groups[index]!.values[replica]![hyper] = readHyper(rule, owner, hyper, given);
      }
    }
  };
  // Before what groups say, which may keep what they inherit.
  entries.forEach((entry, replica) => {
    if (entry.fallback === undefined) return;
    const owner = `${name}.replicas[${replica}].fallback`;
    if (!fallback) throw new OptionError(`${owner} is ${show(entry.fallback)}; the optimizer has no fallback`);
    const { rule } = fallback;
    const changes = readObject(owner, entry.fallback, Object.keys(rule.hypers));
    draft.fallback[replica] = readHypers(rule, owner, changes, draft.fallback[replica]!);
  });
  entries.forEach((entry, replica) => {
    if (entry.groups === undefined) return;
    const owner = `${name}.replicas[${replica}]`;
    const listed = groups.filter(({ params }) => params !== undefined).length;
    const given = readArray(`${owner}.groups`, entry.groups, "hypers, one entry for each group");
    if (given.length > listed) {
      throw new OptionError(`${owner}.groups has ${given.length} entries; ${name}.groups has ${listed}`);
    }
    given.forEach((value, index) => {
      const where = `${owner}.groups[${index}]`;
      const group = groups[index]!;
      const at = fallbackIndex(groups, index);
      const known = [group, groups[at]].flatMap((each) => Object.keys(each?.rule.hypers ?? {}));
      const { fallback: forIts, ...hypers } = readObject(where, value, [
        ...new Set(known),
        ...(at >= 0 ? ["fallback"] : []),
      ]);
      // Beside a rule of the group's own, its fallback has hypers of its own.
      put(where, hypers, replica, at >= 0 && group.inherits ? [index, at] : [index]);
      if (forIts !== undefined) put(`${where}.fallback`, forIts, replica, [at]);
    });
  });
}

interface GroupsInput {
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  readonly fallback: Fallback | undefined;
  /** What groups inherit; their own hypers are put into it. */
  readonly draft: HypersDraft;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly segments: readonly Segment[];
}

export function readGroups({ rule, flags, fallback, draft, fields, segments }: GroupsInput) {
  const { shared } = draft;
  const groups: Group[] = [];
  const groupOf = new Map<string, number>();
  const names = segments.map(({ name }) => name);
  const known = new Set(names);
  const entries = fields.groups === undefined ? [] : readArray(`${rule.name}.groups`, fields.groups, "groups");
  const given = entries.map((entry, index) => {
    const owner = `${rule.name}.groups[${index}]`;
    const hasRule = (entry as { rule?: unknown } | null)?.rule !== undefined;
    const its = hasRule ? readRule(`${owner}.rule`, entry) : rule;
    const fallbackEntry = (entry as { fallback?: unknown } | null)?.fallback;
    const groupFallback =
      its.only && fallbackEntry !== undefined ? readFallback(its, fallbackEntry, shared.length) : undefined;
    // A group without a rule of its own may also say what its fallback is to go by.
    const lent = hasRule ? [] : Object.keys((groupFallback ?? fallback)?.rule.hypers ?? {});
    const options = [...inGroups, ...ruleOptions(its).filter((option) => hasRule || !Object.hasOwn(its.flags, option))];
    const group = readObject(owner, entry, [...new Set([...options, ...lent])]);
    const { patterns, matched } = readPatterns(`${owner}.params`, group.params, names, known);
    for (const param of matched) {
      const before = groupOf.get(param);
      if (before !== undefined) {
        throw new OptionError(
          `${owner}.params names ${show(param)}, which groups[${before}] names already; a tensor belongs to one group`,
        );
      }
      groupOf.set(param, index);
    }
    groups.push({
      params: patterns,
      rule: its,
      flags: hasRule ? readFlags(its, owner, group) : flags,
      inherits: hasRule ? undefined : "shared",
      isRest: false,
      fallback: groupFallback,
      lrScale: group.lrScale === undefined ? 1 : readNumber(`${owner}.lrScale`, group.lrScale, { min: 0 }),
      frozen: group.frozen === undefined ? false : readBoolean(`${owner}.frozen`, group.frozen),
    });
    const named = Object.keys(its.hypers).filter((hyper) => hasRule || group[hyper] !== undefined);
    draft.groups.push({
      explicit: new Set(named),
      values: shared.map(() => pick(named, readHypers(its, owner, group, {}))),
    });
    return { owner, group };
  });
  if (names.some((name) => !groupOf.has(name))) {
    // Goes by the very hypers that all groups without hypers of their own inherit: setting its sets the optimizer's.
    const rest = { params: undefined, rule, flags, inherits: "shared", isRest: true, fallback: undefined } as const;
    groups.push({ ...rest, lrScale: 1, frozen: false });
    draft.groups.push({ explicit: new Set(), values: shared.map(() => ({})) });
  }
  const indices = names.map((name) => groupOf.get(name) ?? groups.length - 1);
  [...groups].forEach((group, index) => {
    const inherited = group.inherits ? fallback : undefined;
    leaveToFallback(groups, index, inherited, given[index], indices, segments, draft);
  });
  return { groups, groupOf: indices };
}

/** Takes the tensors that a group's rule cannot update out of it, into a group of the rule's fallback. */
function leaveToFallback(
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
      `${rule.name}.fallback is missing; the rule ${rule.name} takes ${only!.what}, and "${first.name}" has shape [${first.shape}]: name a rule for such tensors`,
    );
  }
  if (!fallback || !first) {
    const lent = Object.keys(fallback?.rule.hypers ?? {}).find(
      (hyper) => given?.group[hyper] !== undefined && !Object.hasOwn(rule.hypers, hyper),
    );
    if (lent === undefined) return;
    throw new OptionError(
      `${given!.owner}.${lent} is ${show(given!.group[lent])}; ${rule.name} has no ${lent}, and none of the group's tensors goes to its fallback ${fallback!.rule.name}`,
    );
  }
  for (const i of left) groupOf[i] = groups.length;
  const { rule: its, flags } = fallback;
  // What stands beside a rule is that rule's; what a group says without one holds for all of its tensors.
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
    // The rest of the tensors goes by what others inherit here too.
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

/** Those of some schedules that have one of the names. */
function pick(names: readonly string[], schedules: Schedules): Record<string, Schedule> {
  return Object.fromEntries(names.map((hyper) => [hyper, schedules[hyper]!]));
}

/** The rule, with its options, of tensors that `rule` cannot update. */
export function readFallback(rule: Rule, config: unknown, replicas: number): GroupFallback {
  const owner = `${rule.name}.fallback`;
  if (typeof config !== "object") {
    throw new OptionError(`${owner} is ${show(config)}; it must be an object such as { rule: "adamw", lr: 3e-4 }`);
  }
  const its = readRule(`${owner}.rule`, config);
  const fields = readObject(owner, config, ["rule", ...ruleOptions(its), "frozen"]);
  if (its.only) throw new OptionError(`${owner}.rule is "${its.name}"; it must be a rule that takes every tensor`);
  return {
    rule: its,
    flags: readFlags(its, owner, fields),
    hypers: Array.from({ length: replicas }, () => readHypers(its, owner, fields, {})),
    frozen: fields.frozen === undefined ? undefined : readBoolean(`${owner}.frozen`, fields.frozen),
  };
}
