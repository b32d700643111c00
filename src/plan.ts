// The plan of an optimizer: its config, read and checked once, with every default filled in. Both engines work from it:
// which tensors form which group, which rule updates them with which flags and slots, which schedule drives each hyper.
import type { Segment } from "./arena.ts";
import type { OptimizerConfig, Pattern } from "./config.ts";
import { DataError, OptionError, show } from "./errors.ts";
import { readPatterns } from "./groups.ts";
import type { ActiveModifier, LossScale } from "./modifier.ts";
import { describeRange, inRange, readArray, readBoolean, readChoice, readNumber, readObject } from "./options.ts";
import { absentModifiers, modifierKeys, readModifiers } from "./read_modifiers.ts";
import { isRule, type Rule } from "./rule.ts";
import type { Listener, ListenerState, Schedule, Scheduled } from "./schedule.ts";
import { createSchedule } from "./schedule.ts";

/** Segments that share hypers. */
export interface Group {
  /** What the config calls its tensors; undefined for a group that the config does not list. */
  readonly params: readonly Pattern[] | undefined;
  /** The index of the group whose rule left these tensors to its fallback. */
  readonly fallbackOf?: number;
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  /** By replica, what it inherits its hypers from; undefined where its rule is its own and so all of them are. */
  readonly base: readonly Record<string, Schedule>[] | undefined;
  /** For each replica a schedule for every hyper of the rule. */
  readonly hypers: readonly Record<string, Schedule>[];
  /** The hypers that are the group's own, not inherited. */
  readonly own: Set<string>;
  /** The fallback that the group names itself. */
  readonly fallback?: Fallback | undefined;
  readonly lrScale: number;
  frozen: boolean;
}

/** The rule of tensors that another rule cannot update, as an optimizer or a group names it. */
export interface Fallback {
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  /** For each replica a schedule for every hyper of the rule. */
  readonly hypers: readonly Record<string, Schedule>[];
  /** Undefined: as the group whose tensors they are. */
  readonly frozen: boolean | undefined;
}

/** All groups with the same rule and flags: what one update kernel serves. */
export interface Part {
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  /** Every state array that is kept: the rule's slots under these options, then those of what stands around it. */
  readonly slots: readonly string[];
  /** Its groups and segments, by their indices in the plan and in the arena. */
  readonly groups: readonly number[];
  readonly segments: readonly number[];
}

export interface Plan {
  /** The rule that the config names first. */
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  readonly maximize: boolean;
  /** In the order in which they come into effect. */
  readonly modifiers: readonly ActiveModifier[];
  /** Clipping by a norm. */
  readonly clipNorm: ActiveModifier["norm"];
  readonly skipNonFinite: boolean;
  readonly lossScale: LossScale | undefined;
  /** Gradients whose mean makes an update. */
  readonly accumulate: number;
  /** Whether updates measure what they do to each tensor. */
  readonly watch: boolean;
  /** Copies of all parameters. */
  readonly replicas: number;
  /** In the order of the config, then the group of the rest if there is a rest, then those of fallbacks. */
  readonly groups: readonly Group[];
  /** The group of each segment. */
  readonly groupOf: readonly number[];
  readonly parts: readonly Part[];
  /** The names of the tensors. */
  readonly names: readonly string[];
  /** For each replica the hypers of the groups that have no others. */
  readonly shared: readonly Record<string, Schedule>[];
  /** The optimizer's fallback, whose hypers its groups inherit. */
  readonly fallback: Fallback | undefined;
  /** What decides the hypers and the freezing at creation, as JSON: checkpoints of the same go on with what was set. */
  readonly created: string;
}

const common = ["rule", "groups", "maximize", "modifiers", "replicas"] as const;

const inGroups = ["params", "lrScale", "frozen", "rule"] as const;

/**
 * Reads an optimizer's config against the tensors it is to update.
 *
 * @throws OptionError for an unknown rule or option, values out of range, groups that match nothing or overlap.
 */
export function createPlan(config: OptimizerConfig, segments: readonly Segment[]): Plan {
  const rule = readRule("rule", config);
  const name = rule.name;
  const fields = readObject(`rule ${name}`, config, [...common, ...modifierKeys(), ...ruleOptions(rule)]);
  const flags = readFlags(rule, name, fields);
  const maximize = fields.maximize === undefined ? false : readBoolean(`${name}.maximize`, fields.maximize);
  const modifiers = readModifiers(name, fields);
  const { shared, entries } = readReplicas(rule, name, fields);
  const replicas = shared.length;
  const fallback = fields.fallback === undefined ? undefined : readFallback(rule, fields.fallback, replicas);
  const { groups, groupOf } = readGroups({ rule, flags, shared, fallback, fields, segments });
  readReplicaGroups(name, entries, fallback, groups);
  const read: Omit<Plan, "created"> = {
    rule,
    flags,
    maximize,
    modifiers,
    ...effectsOf(name, modifiers),
    replicas,
    groups,
    groupOf,
    parts: partsOf(groups, groupOf, modifierSlots(modifiers)),
    shared,
    fallback,
    names: segments.map(({ name }) => name),
  };
  const plan: Plan = { ...read, created: creationOf(read) };
  const surroundings = { rules: plan.parts.map((part) => part.rule), segments };
  for (const active of modifiers) {
    const refusal = active.modifier.refusal(active, surroundings);
    if (refusal !== undefined) throw new OptionError(refusal);
    active.row?.(0);
  }
  for (let replica = 0; replica < replicas; replica++) {
    for (const [index, group] of groups.entries()) {
      for (const hyper of Object.keys(group.rule.hypers)) hyperAt(plan, index, hyper, 0, replica);
    }
  }
  return plan;
}

/** Whether the step needs the norm of the gradient. */
export function needsNorm(plan: Plan): boolean {
  return plan.clipNorm !== undefined || plan.skipNonFinite;
}

/** The groups that are clipped apart from each other: all of them under a groupNorm, else everything together. */
export function clipBins(plan: Plan): number {
  return plan.clipNorm?.byGroup ? plan.groups.length : 1;
}

/** All slots of all parts that last from one update to the next, without repetition. */
export function planSlots(plan: Plan): readonly string[] {
  const lasting = ({ slots, rule }: Part) => slots.filter((slot) => slot !== rule.orthogonalises?.slot);
  return [...new Set(plan.parts.flatMap(lasting))];
}

/** @throws OptionError for what is no name; which names there are is looked up where they are kept. */
export function readRole(plan: Plan, role: unknown): void {
  if (typeof role === "string") return;
  throw new OptionError(`role is ${show(role)}; it must be one of ${rolesOf(plan).join(", ")}`);
}

/** Every role that can be read. */
export function rolesOf(plan: Plan): readonly string[] {
  const scalars = plan.parts.flatMap(({ rule }) => Object.keys(rule.reduction?.scalars ?? {}));
  const sum = plan.accumulate > 1 ? ["accumulated"] : [];
  return [...new Set(["params", "gradients", ...planSlots(plan), ...sum, "evaluation", ...scalars])];
}

/**
 * Replaces hypers in one group or in all of them, in one replica or in all, from the next step on.
 *
 * @throws OptionError for an unknown hyper, group or replica, a value out of range, or a hyper whose slots were not
 * created.
 */
export function setHypers(
  plan: Plan,
  changes: Readonly<Record<string, Scheduled>>,
  group: number | undefined,
  replica: number | undefined,
  step: number,
): void {
  if (group !== undefined) readGroup(plan, "set.group", group);
  if (replica !== undefined) readReplica(plan, "set.replica", replica);
  const targets = targetsOf(plan, group);
  plan.groups.forEach(({ rule, fallbackOf }, index) => {
    if (!targets.has(index) || (fallbackOf !== undefined && targets.has(fallbackOf))) return;
    const its = plan.groups[fallbackIndex(plan, index)];
    const owner = plan.parts.length > 1 ? `set of group ${index} (${rule.name})` : "set";
    readObject(owner, changes, [...new Set([rule, its?.rule].flatMap((each) => Object.keys(each?.hypers ?? {})))]);
  });
  const all = Array.from({ length: plan.replicas }, (_, r) =>
    plan.groups.map(({ rule }, g) =>
      targets.has(g) && (replica === undefined || replica === r) ? hypersOf(rule, changes) : {},
    ),
  );
  replaceHypers(
    plan,
    all,
    all.map(() => step),
    changes,
  );
  for (const base of [plan.shared, plan.fallback?.hypers]) {
    if (base) noteInheritance(plan, base, Object.keys(changes), group === undefined ? undefined : targets, replica);
  }
}

/** What a group is called by: the group, and what its rule left to its fallback; undefined: all of them. */
function targetsOf(plan: Plan, group: number | undefined): ReadonlySet<number> {
  if (group === undefined) return new Set(plan.groups.keys());
  return new Set([group, fallbackIndex(plan, group)]);
}

/** The index of the group of the tensors that a group's rule left to its fallback; -1 where there are none. */
function fallbackIndex(plan: Pick<Plan, "groups">, group: number): number {
  if (!plan.groups[group]?.rule.only) return -1;
  return plan.groups.findIndex(({ fallbackOf }) => fallbackOf === group);
}

/** Those of some hypers that a rule has. */
function hypersOf<T>(rule: Rule, values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([hyper]) => Object.hasOwn(rule.hypers, hyper)));
}

/** After hypers were set: what is inherited from `base` follows it, and what is not is a group's own. */
function noteInheritance(
  { groups }: Plan,
  base: readonly Record<string, Schedule>[],
  changed: readonly string[],
  targets: ReadonlySet<number> | undefined,
  replica: number | undefined,
): void {
  const heirs = [...groups.entries()].filter(([, group]) => group.base === base);
  for (const hyper of changed) {
    const having = heirs.filter(([, { rule }]) => Object.hasOwn(rule.hypers, hyper));
    if (targets) {
      // The rest goes by the very hypers that others inherit: with those changed, what others had of them is their own now.
      const ofRest = having.some(([index, { hypers }]) => hypers === base && targets.has(index));
      for (const [index, { own }] of having) if (targets.has(index) !== ofRest) own.add(hyper);
      continue;
    }
    const common = having[0]?.[1];
    base.forEach((hypers, r) => {
      if (common && (replica === undefined || replica === r)) hypers[hyper] = common.hypers[r]![hyper]!;
    });
  }
}

/** Tells a metric to every plateau of one replica, or of all, and says whether there is one. */
export function observeMetric(plan: Plan, metric: number, replica: number | undefined): boolean {
  if (typeof metric !== "number") throw new OptionError(`observe was given ${show(metric)}; it must be a number`);
  if (replica !== undefined) readReplica(plan, "replica", replica);
  // Groups may share a schedule, which must hear each metric once.
  const listeners = new Set<Listener>();
  for (const { hypers } of plan.groups) {
    for (const schedules of replica === undefined ? hypers : [hypers[replica]!]) {
      for (const schedule of Object.values(schedules)) for (const each of schedule.listeners ?? []) listeners.add(each);
    }
  }
  for (const listener of listeners) listener.observe(metric);
  return listeners.size > 0;
}

/** What the schedules of hypers have heard, by hyper. */
export type Heard = Readonly<Record<string, readonly ListenerState[]>>;

/**
 * Replaces hypers by replica and group, for a replica's `step` and those after it: all of them, or on an error none. With
 * `heard` the schedules go on from what they had heard.
 */
export function replaceHypers(
  plan: Plan,
  changes: readonly (readonly Readonly<Record<string, unknown>>[])[],
  steps: readonly number[],
  cause: unknown = changes,
  heard?: readonly (readonly Heard[])[],
): void {
  const changed = plan.groups.map((old, index) => {
    const hypers = old.hypers.map((before, replica) => {
      const change = changes[replica]![index]!;
      const owner = plan.parts.length > 1 ? `set of group ${index} (${old.rule.name})` : "set";
      readObject(owner, change, Object.keys(old.rule.hypers));
      const after = readHypers(old.rule, "set", change, before);
      for (const [hyper, states] of Object.entries(heard?.[replica]?.[index] ?? {})) {
        after[hyper] = withHeard(hyper, after[hyper], states);
      }
      return after;
    });
    return { ...old, hypers };
  });
  const trial: Plan = { ...plan, groups: changed };
  changes.forEach((groups, replica) => {
    groups.forEach((change, index) => {
      for (const hyper of Object.keys(change)) hyperAt(trial, index, hyper, steps[replica]!, replica);
    });
  });
  for (const part of plan.parts) {
    const slots = ruleSlots(part, changed);
    const missing = slots.find((slot) => !part.slots.includes(slot));
    if (missing) {
      throw new OptionError(
        `set is ${show(cause)}, which needs the slot "${missing}"; this optimizer was created without it`,
      );
    }
  }
  plan.groups.forEach((old, index) => {
    old.hypers.forEach((hypers, replica) => {
      Object.assign(hypers, changed[index]!.hypers[replica]);
    });
  });
}

/**
 * Puts back which hypers are groups' own, and with them what the others inherit, by replica.
 *
 * @throws OptionError for what is no hyper of the rule or out of its form; nothing is changed then.
 */
export function replaceOwn(
  plan: Plan,
  own: readonly (readonly string[] | undefined)[],
  inherited: Readonly<Record<"shared" | "fallback", readonly Readonly<Record<string, unknown>>[]>>,
): void {
  const { groups, fallback } = plan;
  const sets = groups.map((group, index) => {
    const names = own[index] ?? [...group.own];
    return new Set(names.map((name) => readChoice(`groups[${index}].own`, name, Object.keys(group.rule.hypers))));
  });
  const after = (["shared", "fallback"] as const).flatMap((name) => {
    const [rule, base] = name === "shared" ? [plan.rule, plan.shared] : [fallback?.rule, fallback?.hypers];
    if (!rule || !base) return [];
    const heirs = [...groups.entries()].filter(([, group]) => group.base === base);
    return base.map((before, replica) => {
      const change = readObject(name, inherited[name][replica] ?? {}, Object.keys(rule.hypers));
      const hypers = readHypers(rule, name, change, before);
      for (const hyper of Object.keys(hypers)) {
        const [, common] =
          heirs.find(([, { hypers }]) => hypers === base) ?? heirs.find(([index]) => !sets[index]!.has(hyper)) ?? [];
        if (common) hypers[hyper] = common.hypers[replica]![hyper]!;
      }
      return { before, hypers };
    });
  });
  groups.forEach((group, index) => {
    group.own.clear();
    for (const hyper of sets[index]!) group.own.add(hyper);
  });
  for (const { before, hypers } of after) Object.assign(before, hypers);
}

/** A schedule anew that goes on from what it had heard. */
function withHeard(hyper: string, schedule: Schedule | undefined, states: readonly ListenerState[]): Schedule {
  const fresh = schedule && createSchedule(schedule.config, hyper);
  const listeners = fresh?.listeners ?? [];
  if (!fresh || !Array.isArray(states) || states.length !== listeners.length) {
    throw new DataError(
      `what the plateaus of ${hyper} have heard is ${show(states)}, which does not fit the ${listeners.length} it has`,
    );
  }
  listeners.forEach((listener, i) => {
    listener.restore(states[i]!);
  });
  return fresh;
}

/** Remembers which schedule drives each hyper, functions too, and gives what puts them back. */
export function rememberHypers({ groups, shared, fallback }: Plan): () => void {
  const copies = [...shared, ...(fallback?.hypers ?? []), ...groups.flatMap(({ hypers }) => hypers)].map((hypers) => ({
    hypers,
    as: { ...hypers },
  }));
  const owned = groups.map(({ own }) => ({ own, as: [...own] }));
  return () => {
    for (const { hypers, as } of copies) Object.assign(hypers, as);
    for (const { own, as } of owned) {
      own.clear();
      for (const hyper of as) own.add(hyper);
    }
  };
}

/** Freezes or thaws one group with what it leaves to its fallback, or all of them. */
export function setFrozen(plan: Plan, frozen: boolean, group: number | undefined): void {
  if (group !== undefined) readGroup(plan, "group", group);
  for (const index of targetsOf(plan, group)) {
    const target = plan.groups[index];
    if (target) target.frozen = frozen;
  }
}

/** The value of a hyper in a group at the 0-based step, checked: schedules may leave a hyper's range as they go. */
export function hyperAt(plan: Plan, group: number, hyper: string, step: number, replica = 0): number {
  const { rule, hypers, lrScale } = plan.groups[group]!;
  const value = hypers[replica]![hyper]!.at(step) * (hyper === "lr" ? lrScale : 1);
  const { range } = rule.hypers[hyper]!;
  if (!inRange(value, range)) {
    throw new OptionError(
      `${rule.name}.${hyper} is ${show(value)} at step ${step}; it must be ${describeRange(range)}`,
    );
  }
  // GPUs take less than the least normal float32 for 0, which some hypers must not be.
  const small = Math.abs(value) < 2 ** -126;
  if (!Number.isFinite(Math.fround(value)) || (small && !inRange(0, range))) {
    throw new OptionError(
      `${rule.name}.${hyper} is ${show(value)} at step ${step}; it must be a number that float32 holds, from 2^-126 to 3.4e38`,
    );
  }
  return value;
}

/** {@link hyperAt} for names, groups and replicas that a caller gives. */
export function readHyperAt(plan: Plan, group: number, hyper: string, step: number, replica: number): number {
  const index = readGroup(plan, "group", group);
  // A group's own rule first, unless all of its tensors went to the fallback.
  const its = fallbackIndex(plan, index);
  const order = plan.groupOf.includes(index) ? [index, its] : [its, index];
  const having = order
    .filter((each) => each >= 0)
    .map((each) => [each, Object.keys(plan.groups[each]!.rule.hypers)] as const);
  readChoice("hyper", hyper, [...new Set(having.flatMap(([, names]) => names))]);
  readNumber("step", step, { min: 0, integer: true });
  const [found] = having.find(([, names]) => names.includes(hyper))!;
  return hyperAt(plan, found, hyper, step, readReplica(plan, "replica", replica));
}

function readGroup(plan: Plan, name: string, group: unknown): number {
  return readNumber(name, group, { min: 0, max: plan.groups.length - 1, integer: true });
}

export function readReplica(plan: Plan, name: string, replica: unknown): number {
  return readNumber(name, replica, { min: 0, max: plan.replicas - 1, integer: true });
}

/**
 * The config that rebuilds the plan: complete, but that what groups and replicas inherit is not written into them, so that
 * they follow the optimizer's own hypers when those are changed. Hypers given as functions of the step stay functions.
 */
export function planConfig(plan: Omit<Plan, "created">): OptimizerConfig {
  const { modifiers, replicas, shared, fallback } = plan;
  const listed = listGroups(plan);
  const entries = shared.map((hypers, replica) => ({
    ...configsOf(hypers),
    ...replicaEntry(plan, listed, replica),
  }));
  const config: Record<string, unknown> = {
    rule: plan.rule,
    ...(replicas === 1 ? entries[0] : { replicas: entries }),
    ...plan.flags,
    ...(fallback ? { fallback: fallbackConfig(fallback, fallback.hypers[0]!, fallback.frozen) } : {}),
    maximize: plan.maximize,
    skipNonFinite: plan.skipNonFinite,
    ...absentModifiers,
    ...Object.fromEntries(
      modifiers.flatMap(({ modifier, json }) => (modifier.key === "skipNonFinite" ? [] : [[modifier.key, json]])),
    ),
  };
  if (listed.length > 0) config.groups = listed.map(({ config }) => config);
  return config as unknown as OptimizerConfig;
}

/** In the rule's order, whatever that of `names`: whether two configs are the same goes by their JSON. */
function configsOf(
  hypers: Readonly<Record<string, Schedule>>,
  names: Iterable<string> = Object.keys(hypers),
): Record<string, unknown> {
  const wanted = new Set(names);
  return Object.fromEntries(
    Object.entries(hypers).flatMap(([hyper, { config }]) => (wanted.has(hyper) ? [[hyper, config]] : [])),
  );
}

function fallbackConfig(
  { rule, flags }: Pick<Fallback, "rule" | "flags">,
  hypers: Readonly<Record<string, Schedule>>,
  frozen: boolean | undefined,
): Record<string, unknown> {
  return { rule, ...flags, ...configsOf(hypers), ...(frozen === undefined ? {} : { frozen }) };
}

/** A group in the config, with what its rule leaves to its fallback. */
interface Listed {
  readonly group: Group;
  /** Undefined where all tensors are the rule's. */
  readonly its: Group | undefined;
  /** As the config has it. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** The groups that the config must list: also what it did not, if that is frozen or has a fallback of its own by now. */
function listGroups(plan: Omit<Plan, "created">): readonly Listed[] {
  return plan.groups.flatMap((group, index): readonly Listed[] => {
    if (group.fallbackOf !== undefined) return [];
    const at = fallbackIndex(plan, index);
    const its = plan.groups[at];
    const fallback = ownFallback(plan, group, its);
    if (group.params === undefined && !group.frozen && !fallback) return [];
    // What the group says though only its fallback's rule has it.
    const lent = its ? [...its.own].filter((hyper) => !Object.hasOwn(group.rule.hypers, hyper)) : [];
    const config = {
      params: group.params ?? plan.names.filter((_, segment) => [index, at].includes(plan.groupOf[segment]!)),
      ...(group.base ? {} : { rule: group.rule, ...group.flags }),
      ...configsOf(group.hypers[0]!, group.own),
      ...(its && !fallback ? configsOf(its.hypers[0]!, lent) : {}),
      ...(fallback ? { fallback } : {}),
      ...(group.lrScale === 1 ? {} : { lrScale: group.lrScale }),
      ...(group.frozen ? { frozen: true } : {}),
    };
    return [{ group, its, config }];
  });
}

/** What a group in the config must say of its fallback; nothing where that follows from the rest of the config. */
function ownFallback(plan: Omit<Plan, "created">, group: Group, its: Group | undefined) {
  if (!its) return group.fallback && fallbackConfig(group.fallback, group.fallback.hypers[0]!, group.fallback.frozen);
  const frozen = its.frozen === group.frozen ? undefined : its.frozen;
  const inherits =
    its.base !== undefined &&
    its.frozen === (plan.fallback?.frozen ?? group.frozen) &&
    Object.keys(its.rule.hypers).every((hyper) => {
      if (!Object.hasOwn(group.rule.hypers, hyper)) return true;
      const own = group.own.has(hyper);
      return own === its.own.has(hyper) && (!own || sameConfig(group.hypers[0]![hyper]!, its.hypers[0]![hyper]!));
    });
  return inherits ? undefined : fallbackConfig(its, its.hypers[0]!, frozen);
}

/** What a replica has that neither its own hypers nor those of groups say. */
function replicaEntry(
  plan: Omit<Plan, "created">,
  listed: readonly Listed[],
  replica: number,
): Record<string, unknown> {
  if (replica === 0) return {};
  const { fallback } = plan;
  /** The hypers whose schedules are not those that the config says without this entry. */
  const differing = (hypers: readonly Record<string, Schedule>[], names: Iterable<string>, said = hypers[0]!) =>
    configsOf(
      hypers[replica]!,
      [...names].filter((hyper) => !sameConfig(hypers[replica]![hyper]!, said[hyper]!)),
    );
  const filled = (name: string, values: Record<string, unknown>) =>
    Object.keys(values).length > 0 ? { [name]: values } : {};
  const groups = listed.map(({ group, its }) => {
    const own = differing(group.hypers, group.own);
    if (!its) return own;
    // What the entry says of a group without a rule of its own holds for its fallback too.
    const both = group.base ? Object.keys(hypersOf(its.rule, own)) : [];
    const said = {
      ...its.hypers[0]!,
      ...Object.fromEntries(both.map((name) => [name, group.hypers[replica]![name]!])),
    };
    return { ...own, ...filled("fallback", differing(its.hypers, new Set([...its.own, ...both]), said)) };
  });
  return {
    ...filled("fallback", fallback ? differing(fallback.hypers, Object.keys(fallback.rule.hypers)) : {}),
    ...(groups.some((values) => Object.keys(values).length > 0) ? { groups } : {}),
  };
}

/** Whether two schedules are written the same way; functions of the step are where they are one function. */
function sameConfig({ config: a }: Schedule, { config: b }: Schedule): boolean {
  return sameValue(a, b);
}

function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))];
  return left.length === right.size && left.every(([key, value]) => right.has(key) && sameValue(value, right.get(key)));
}

/** What a config says of hypers and freezing, as JSON; functions of the step are alike there. */
function creationOf(plan: Omit<Plan, "created">): string {
  const { replicas, groups, fallback, ...config } = planConfig(plan) as unknown as Record<string, unknown>;
  const own = Object.fromEntries(Object.entries(config).filter(([option]) => Object.hasOwn(plan.rule.hypers, option)));
  return JSON.stringify({ ...own, replicas, groups, fallback }, (_, value: unknown) =>
    typeof value === "function" ? "a function" : value,
  );
}

/** The slots that modifiers keep; they start as the parameters. */
export function modifierSlots(modifiers: readonly ActiveModifier[]): readonly string[] {
  return modifiers.flatMap(({ slots = [] }) => slots);
}

/** What modifiers say of the step as a whole. */
function effectsOf(name: string, modifiers: readonly ActiveModifier[]) {
  const said = <T>(of: (modifier: ActiveModifier) => T | undefined): T | undefined =>
    modifiers.map(of).findLast((value) => value !== undefined);
  const [skipNonFinite, lossScale] = [said(({ skips }) => skips) ?? false, said((modifier) => modifier.lossScale)];
  if (lossScale && !skipNonFinite) {
    throw new OptionError(`${name}.skipNonFinite is false; with lossScale it must be true, since that goes by skips`);
  }
  return {
    clipNorm: said(({ norm }) => norm),
    skipNonFinite,
    lossScale,
    accumulate: said(({ accumulate }) => accumulate) ?? 1,
    watch: modifiers.some(({ files }) => files !== undefined),
  };
}

function ruleOptions(rule: Rule): readonly string[] {
  return [...Object.keys(rule.hypers), ...Object.keys(rule.flags), ...(rule.only ? ["fallback"] : [])];
}

function readRule(owner: string, config: unknown): Rule {
  const rule = (config as { rule?: unknown } | null | undefined)?.rule;
  if (isRule(rule)) return checkRule(rule);
  const given = isRule(config) ? `the rule ${config} alone` : rule === undefined ? "missing" : show(rule);
  throw new OptionError(
    `${owner} is ${given}; it must be a rule: take the config that adamw({ lr }) or another rule of the library makes, or readConfig() for JSON`,
  );
}

const reserved = ["ema", "swa", "lookahead", "params", "gradients", "evaluation", "accumulated"];

/** Slots and scalars must not be called what the optimizer calls something else. */
function checkRule(rule: Rule): Rule {
  const { name, slots } = rule;
  for (const [what, names] of [
    ["slot", slots],
    ["scalar", Object.keys(rule.reduction?.scalars ?? {})],
  ] as const) {
    const taken = names.find((each) => reserved.includes(each));
    if (!taken) continue;
    throw new OptionError(`the rule ${name} has a ${what} "${taken}", which is a name of the optimizer's own`);
  }
  return rule;
}

function readFlags(rule: Rule, owner: string, fields: Readonly<Record<string, unknown>>): Record<string, boolean> {
  const flags: Record<string, boolean> = {};
  for (const [flag, standard] of Object.entries(rule.flags)) {
    flags[flag] = fields[flag] === undefined ? standard : readBoolean(`${owner}.${flag}`, fields[flag]);
  }
  return flags;
}

function readHypers(
  rule: Rule,
  owner: string,
  fields: Readonly<Record<string, unknown>>,
  fallback: Readonly<Record<string, Schedule>>,
): Record<string, Schedule> {
  const hypers: Record<string, Schedule> = {};
  for (const [hyper, { default: standard, range }] of Object.entries(rule.hypers)) {
    const given = fields[hyper];
    if (given === undefined) {
      hypers[hyper] = fallback[hyper] ?? createSchedule(standard);
      continue;
    }
    if (typeof given === "number") readNumber(`${owner}.${hyper}`, given, range);
    hypers[hyper] = createSchedule(given as Scheduled, `${owner}.${hyper}`);
  }
  return hypers;
}

/** The same hypers for one replica more: what listens there hears that replica's metric. */
function unheard(hypers: Readonly<Record<string, Schedule>>): Record<string, Schedule> {
  return Object.fromEntries(
    Object.entries(hypers).map(([hyper, schedule]) => [
      hyper,
      schedule.listeners ? createSchedule(schedule.config, hyper) : schedule,
    ]),
  );
}

/** The hypers of each replica: the optimizer's, with those of the replica's entry in their place; and the entries. */
function readReplicas(rule: Rule, name: string, fields: Readonly<Record<string, unknown>>) {
  const shared = readHypers(rule, name, fields, {});
  if (fields.replicas === undefined) return { shared: [shared], entries: [{}] };
  const given = readArray(`${name}.replicas`, fields.replicas, "hypers, one entry for each copy");
  if (given.length === 0) throw new OptionError(`${name}.replicas is []; it must have at least one entry`);
  const known = [...Object.keys(rule.hypers), "groups", ...(rule.only ? ["fallback"] : [])];
  const entries = given.map((entry, index) => readObject(`${name}.replicas[${index}]`, entry, known));
  return {
    shared: entries.map((entry, index) => readHypers(rule, `${name}.replicas[${index}]`, entry, unheard(shared))),
    entries,
  };
}

/** What replicas say of single groups, and of fallbacks: hypers in place of what those have. */
function readReplicaGroups(
  name: string,
  entries: readonly Readonly<Record<string, unknown>>[],
  fallback: Fallback | undefined,
  groups: readonly Group[],
): void {
  const put = (
    owner: string,
    value: unknown,
    replica: number,
    into: readonly Pick<Group, "rule" | "hypers" | "own">[],
  ) => {
    const known = new Set(into.flatMap(({ rule }) => Object.keys(rule.hypers)));
    const changes = readObject(owner, value, [...known]);
    for (const { rule, hypers, own } of into) {
      const its = hypersOf(rule, changes);
      Object.assign(hypers[replica]!, readHypers(rule, owner, its, hypers[replica]!));
      for (const hyper of Object.keys(its)) own.add(hyper);
    }
  };
  entries.forEach((entry, replica) => {
    const owner = `${name}.replicas[${replica}]`;
    if (entry.fallback !== undefined) {
      if (!fallback)
        throw new OptionError(`${owner}.fallback is ${show(entry.fallback)}; the optimizer has no fallback`);
      // Those who inherit it hold its schedules already.
      const before = { ...fallback.hypers[replica]! };
      put(`${owner}.fallback`, entry.fallback, replica, [{ ...fallback, own: new Set() }]);
      for (const { base, hypers } of groups) {
        if (base !== fallback.hypers || hypers === base) continue;
        for (const [hyper, schedule] of Object.entries(hypers[replica]!)) {
          if (schedule === before[hyper]) hypers[replica]![hyper] = fallback.hypers[replica]![hyper]!;
        }
      }
    }
    if (entry.groups === undefined) return;
    const listed = groups.filter(({ params }) => params !== undefined).length;
    const given = readArray(`${owner}.groups`, entry.groups, "hypers, one entry for each group");
    if (given.length > listed) {
      throw new OptionError(`${owner}.groups has ${given.length} entries; ${name}.groups has ${listed}`);
    }
    given.forEach((value, index) => {
      const where = `${owner}.groups[${index}]`;
      const group = groups[index]!;
      const its = groups[fallbackIndex({ groups }, index)];
      const known = [group, its].flatMap((each) => Object.keys(each?.rule.hypers ?? {}));
      const { fallback: forIts, ...hypers } = readObject(where, value, [
        ...new Set(known),
        ...(its ? ["fallback"] : []),
      ]);
      // Beside a rule of the group's own, its fallback has hypers of its own.
      put(where, hypers, replica, its && group.base ? [group, its] : [group]);
      if (forIts !== undefined) put(`${where}.fallback`, forIts, replica, [its!]);
    });
  });
}

interface GroupsInput {
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  readonly shared: readonly Record<string, Schedule>[];
  readonly fallback: Fallback | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly segments: readonly Segment[];
}

function readGroups({ rule, flags, shared, fallback, fields, segments }: GroupsInput) {
  const groups: Group[] = [];
  const groupOf = new Map<string, number>();
  const names = segments.map(({ name }) => name);
  const known = new Set(names);
  const entries = fields.groups === undefined ? [] : readArray(`${rule.name}.groups`, fields.groups, "groups");
  const given = entries.map((entry, index) => {
    const owner = `${rule.name}.groups[${index}]`;
    const ownRule = (entry as { rule?: unknown } | null)?.rule !== undefined;
    const its = ownRule ? readRule(`${owner}.rule`, entry) : rule;
    const own = (entry as { fallback?: unknown } | null)?.fallback;
    const ownFallback = its.only && own !== undefined ? readFallback(its, own, shared.length) : undefined;
    // A group without a rule of its own may also say what its fallback is to go by.
    const lent = ownRule ? [] : Object.keys((ownFallback ?? fallback)?.rule.hypers ?? {});
    const options = [...inGroups, ...ruleOptions(its).filter((option) => ownRule || !Object.hasOwn(its.flags, option))];
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
      flags: ownRule ? readFlags(its, owner, group) : flags,
      base: ownRule ? undefined : shared,
      hypers: shared.map((replica) => readHypers(its, owner, group, ownRule ? {} : replica)),
      own: new Set(Object.keys(its.hypers).filter((hyper) => ownRule || group[hyper] !== undefined)),
      fallback: ownFallback,
      lrScale: group.lrScale === undefined ? 1 : readNumber(`${owner}.lrScale`, group.lrScale, { min: 0 }),
      frozen: group.frozen === undefined ? false : readBoolean(`${owner}.frozen`, group.frozen),
    });
    return { owner, group };
  });
  if (names.some((name) => !groupOf.has(name))) {
    // The very objects that all groups without hypers of their own go by: setting theirs sets the optimizer's.
    const rest = { params: undefined, rule, flags, base: shared, hypers: shared, own: new Set<string>() };
    groups.push({ ...rest, lrScale: 1, frozen: false });
  }
  const indices = names.map((name) => groupOf.get(name) ?? groups.length - 1);
  [...groups].forEach((group, index) => {
    const left = leaveToFallback(groups, index, group.base ? fallback : undefined, given[index], indices, segments);
    if (left) groups.push(left);
  });
  return { groups, groupOf: indices };
}

/** Takes the tensors that a group's rule cannot update out of it, into a group of the rule's fallback. */
function leaveToFallback(
  groups: readonly Group[],
  index: number,
  inherited: Fallback | undefined,
  given: { readonly owner: string; readonly group: Readonly<Record<string, unknown>> } | undefined,
  groupOf: number[],
  segments: readonly Segment[],
): Group | undefined {
  const { rule, base, hypers, lrScale, frozen, fallback: own } = groups[index]!;
  const { only } = rule;
  const fallback = own ?? inherited;
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
    if (lent === undefined) return undefined;
    throw new OptionError(
      `${given!.owner}.${lent} is ${show(given!.group[lent])}; ${rule.name} has no ${lent}, and none of the group's tensors goes to its fallback ${fallback!.rule.name}`,
    );
  }
  for (const i of left) groupOf[i] = groups.length;
  const { rule: its, flags } = fallback;
  // What stands beside a rule is that rule's; what a group says without one holds for all of its tensors.
  const said = given && base ? hypersOf(its, given.group) : {};
  const named = own ? readObject("fallback", given!.group.fallback, ["rule", ...ruleOptions(its), "frozen"]) : {};
  const fields = { ...said, ...hypersOf(its, named) };
  const owner = given?.owner ?? rule.name;
  // The rest goes by the very objects that others inherit, as above.
  const isRest = !own && hypers === base;
  return {
    params: undefined,
    fallbackOf: index,
    rule: its,
    flags,
    base: own ? undefined : fallback.hypers,
    hypers: isRest ? fallback.hypers : fallback.hypers.map((replica) => readHypers(its, owner, fields, replica)),
    own: new Set(Object.keys(its.hypers).filter((hyper) => own || fields[hyper] !== undefined)),
    lrScale,
    frozen: fallback.frozen ?? frozen,
  };
}

/** The rule, with its options, of tensors that `rule` cannot update. */
function readFallback(rule: Rule, config: unknown, replicas: number): Fallback {
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

function partsOf(groups: readonly Group[], groupOf: readonly number[], slotsAround: readonly string[]): Part[] {
  const byKey = new Map<string, { rule: Rule; flags: Readonly<Record<string, boolean>>; groups: number[] }>();
  const ruleIds = new Map<Rule, number>();
  const inhabited = new Set(groupOf);
  groups.forEach(({ rule, flags }, index) => {
    // A muon whose every tensor went to its fallback is no part.
    if (!inhabited.has(index)) return;
    if (!ruleIds.has(rule)) ruleIds.set(rule, ruleIds.size);
    const key = JSON.stringify([ruleIds.get(rule), flags]);
    const part = byKey.get(key) ?? { rule, flags, groups: [] };
    part.groups.push(index);
    byKey.set(key, part);
  });
  return [...byKey.values()].map((part) => {
    const members = new Set(part.groups);
    return {
      ...part,
      slots: [...ruleSlots(part, groups), ...slotsAround],
      segments: groupOf.flatMap((group, segment) => (members.has(group) ? [segment] : [])),
    };
  });
}

/** The slots that a part's rule keeps; what contradicts itself is refused. */
function ruleSlots({ rule, flags, groups }: Pick<Part, "rule" | "flags" | "groups">, all: readonly Group[]) {
  const used = (hyper: string) =>
    groups.some((group) => all[group]!.hypers.some((replica) => replica[hyper]!.constant !== 0));
  const conflict = rule.conflict?.(flags, used);
  if (conflict) throw new OptionError(`${rule.name}.${conflict}`);
  return rule.activeSlots?.(flags, used) ?? rule.slots;
}
