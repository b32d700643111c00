// Reads a config's rules, groups, fallbacks and replicas: the tensors of each group, and the initial hypers.

import { OptionError, show, showGiven } from "../base/errors.ts";
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
  withHyper,
} from "./hypers.ts";
import type { Fallback, Group } from "./plan.ts";

const inGroups = ["params", "lrScale", "frozen", "rule"] as const;

export function ruleOptions(rule: Rule): readonly string[] {
  return [...Object.keys(rule.hypers), ...Object.keys(rule.flags), ...(rule.only ? ["fallback"] : [])];
}

export function readRule(owner: string, config: unknown): Rule {
  const rule = (config as { rule?: unknown } | null | undefined)?.rule;
  if (isRule(rule)) return rule;
  const given = isRule(config) ? `the rule ${config} alone` : showGiven(rule);
  throw new OptionError(
    `${owner} is ${given}; it must be a rule's config: call adamw({ lr }) or another rule, or readConfig() for JSON`,
  );
}

export function readFlags(
  rule: Rule,
  owner: string,
  fields: Readonly<Record<string, unknown>>,
): Record<string, boolean> {
  return Object.fromEntries(
    Object.entries(rule.flags).map(([flag, standard]) => {
      const { [flag]: value = standard } = fields;
      return [flag, readBoolean(`${owner}.${flag}`, value)];
    }),
  );
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

/** The hypers of each replica: the optimizer's, overridden by those of the replica's entry; and the entries. */
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

/** Overrides by replicas for single groups and for fallbacks. */
export function readReplicaGroups(
  { only, name }: Rule,
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
        if (given === undefined) continue;
        const schedule = readHyper(rule, owner, hyper, given);
        const { explicit, values } = draft.groups[index]!;
        draft.groups[index] = {
          explicit,
          values: withHyper(values, hyper, (r) => (r === replica ? schedule : undefined)),
        };
      }
    }
  };
  // Before the overrides of groups, which may hold on to inherited values.
  only?.fallbacks?.readReplicas(name, entries, fallback, draft);
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
      // If the group has its own rule, its fallback has its own hypers.
      put(where, hypers, replica, at >= 0 && group.inherits ? [index, at] : [index]);
      if (forIts !== undefined) put(`${where}.fallback`, forIts, replica, [at]);
    });
  });
}

interface GroupsInput {
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  readonly fallback: Fallback | undefined;
  /** The hypers that groups inherit; the groups' own are added. */
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
  const { groups: entries = [] } = fields;
  const given = readArray(`${rule.name}.groups`, entries, "groups").map((entry, index) => {
    const owner = `${rule.name}.groups[${index}]`;
    const hasRule = (entry as { rule?: unknown } | null)?.rule !== undefined;
    const its = hasRule ? readRule(`${owner}.rule`, entry) : rule;
    const fallbackEntry = (entry as { fallback?: unknown } | null)?.fallback;
    const groupFallback =
      fallbackEntry === undefined ? undefined : its.only?.fallbacks?.read(its, fallbackEntry, shared.length);
    // A group without its own rule may also set options of its fallback.
    const lent = hasRule ? [] : Object.keys((groupFallback ?? fallback)?.rule.hypers ?? {});
    const options = [...inGroups, ...ruleOptions(its).filter((option) => hasRule || !Object.hasOwn(its.flags, option))];
    const group = readObject(owner, entry, [...new Set([...options, ...lent])]);
    const { lrScale = 1, frozen = false } = group;
    const { patterns, matched } = readPatterns(`${owner}.params`, group.params, names, known);
    for (const param of matched) {
      const before = groupOf.get(param);
      if (before !== undefined) {
        throw new OptionError(
          `${owner}.params names ${show(param)}, which groups[${before}] already names; a tensor belongs to one group`,
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
      lrScale: readNumber(`${owner}.lrScale`, lrScale, { min: 0 }),
      frozen: readBoolean(`${owner}.frozen`, frozen),
    });
    const named = Object.keys(its.hypers).filter((hyper) => hasRule || group[hyper] !== undefined);
    draft.groups.push({
      explicit: new Set(named),
      values: shared.map(() => pick(named, readHypers(its, owner, group, {}))),
    });
    return { owner, group };
  });
  if (names.some((name) => !groupOf.has(name))) {
    // Uses the very hypers that groups without their own inherit: setting its hypers sets the optimizer's.
    const rest = { params: undefined, rule, flags, inherits: "shared", isRest: true, fallback: undefined } as const;
    groups.push({ ...rest, lrScale: 1, frozen: false });
    draft.groups.push({ explicit: new Set(), values: shared.map(() => ({})) });
  }
  const indices = names.map((name) => groupOf.get(name) ?? groups.length - 1);
  for (const [index, group] of [...groups].entries()) {
    const inherited = group.inherits ? fallback : undefined;
    group.rule.only?.fallbacks?.leave(groups, index, inherited, given[index], indices, segments, draft);
  }
  return { groups, groupOf: indices };
}

/** The schedules with the given names. */
export function pick(names: readonly string[], schedules: Schedules): Record<string, Schedule> {
  return Object.fromEntries(names.map((hyper) => [hyper, schedules[hyper]!]));
}
