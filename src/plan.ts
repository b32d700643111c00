// The plan of an optimizer: its config, read and checked once, with every default filled in. Both engines work from it:
// which tensors form which group, which rule updates them with which flags and slots, which schedule drives each hyper.
import type { Segment } from "./arena.ts";
import type { Pattern } from "./around.ts";
import { type Averages, averageColumns, type Clip, type LossScale, readAround } from "./around_plan.ts";
import { DataError, OptionError, show } from "./errors.ts";
import { readPatterns } from "./groups.ts";
import { describeRange, inRange, readArray, readBoolean, readChoice, readNumber, readObject } from "./options.ts";
import type { Rule } from "./rule.ts";
import { type OptimizerConfig, rules } from "./rules/index.ts";
import type { Listener, ListenerState, Schedule, Scheduled } from "./schedule.ts";
import { createSchedule } from "./schedules/index.ts";

/** Segments that share hypers. */
export interface Group {
  /** What the config calls its tensors; undefined for a group that the config does not list. */
  readonly params: readonly Pattern[] | undefined;
  /** The index of the group whose rule left these tensors to its fallback. */
  readonly fallbackOf?: number;
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  /** Whether the rule is the group's own, not the optimizer's. */
  readonly ownRule: boolean;
  /** For each replica a schedule for every hyper of the rule. */
  readonly hypers: readonly Record<string, Schedule>[];
  /** The hypers that are the group's own, not the optimizer's. */
  readonly own: Set<string>;
  readonly lrScale: number;
  frozen: boolean;
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
  readonly clip: Clip | undefined;
  readonly skipNonFinite: boolean;
  readonly lossScale: LossScale | undefined;
  readonly accumulate: number;
  readonly cautious: boolean;
  /** Whether each update notes what it does to each tensor. */
  readonly watch: boolean;
  readonly averages: Averages;
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
}

const around = [
  "rule",
  "groups",
  "clip",
  "skipNonFinite",
  "maximize",
  "cautious",
  "lossScale",
  "accumulate",
  "ema",
  "swa",
  "lookahead",
  "replicas",
  "watch",
] as const;

const inGroups = ["params", "lrScale", "frozen", "rule"] as const;

/**
 * Reads an optimizer's config against the tensors it is to update.
 *
 * @throws OptionError for an unknown rule or option, values out of range, groups that match nothing or overlap.
 */
export function createPlan(config: OptimizerConfig, segments: readonly Segment[]): Plan {
  const rule = readRule("rule", config);
  const name = rule.name;
  const fields = readObject(`rule ${name}`, config, [...around, ...ruleOptions(rule)]);
  const flags = readFlags(rule, name, fields);
  const maximize = fields.maximize === undefined ? false : readBoolean(`${name}.maximize`, fields.maximize);
  const watch = fields.watch === undefined ? false : readBoolean(`${name}.watch`, fields.watch);
  const { clip, skipNonFinite, lossScale, accumulate, cautious, averages } = readAround(name, fields);
  const turned = segments.find(({ shape, layout }) => layout === "out-in" && shape.length > 1);
  if (clip?.type === "adaptive" && turned) {
    throw new OptionError(
      `clip.type is "adaptive", whose units are the outputs of [in, out]; the layout of tensor "${turned.name}" is "out-in"`,
    );
  }
  const shared = readReplicas(rule, name, fields);
  const replicas = shared.length;
  const { groups, groupOf } = readGroups({ rule, flags, shared, fields, segments });
  const plan: Plan = {
    rule,
    flags,
    maximize,
    clip,
    skipNonFinite,
    lossScale,
    accumulate,
    cautious,
    watch,
    averages,
    replicas,
    groups,
    groupOf,
    parts: partsOf(groups, groupOf, aroundSlots(averages)),
    shared,
    names: segments.map(({ name }) => name),
  };
  averageColumns(averages, 0);
  for (let replica = 0; replica < replicas; replica++) {
    for (const [index, group] of groups.entries()) {
      for (const hyper of Object.keys(group.rule.hypers)) hyperAt(plan, index, hyper, 0, replica);
    }
  }
  return plan;
}

/** Whether the step needs the norm of the gradient. */
export function needsNorm(plan: Plan): boolean {
  return plan.clip?.type === "globalNorm" || plan.clip?.type === "groupNorm" || plan.skipNonFinite;
}

/** The groups that are clipped apart from each other: all of them under a groupNorm, else everything together. */
export function clipBins(plan: Plan): number {
  return plan.clip?.type === "groupNorm" ? plan.groups.length : 1;
}

/** All slots of all parts that last from one update to the next, without repetition. */
export function planSlots(plan: Plan): readonly string[] {
  const lasting = ({ slots, rule }: Part) => slots.filter((slot) => slot !== rule.orthogonalises?.slot);
  return [...new Set(plan.parts.flatMap(lasting))];
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
  const all = Array.from({ length: plan.replicas }, (_, r) =>
    plan.groups.map((_, g) =>
      (group === undefined || group === g) && (replica === undefined || replica === r) ? changes : {},
    ),
  );
  replaceHypers(
    plan,
    all,
    all.map(() => step),
    changes,
  );
  // So that the config tells of it.
  for (const hyper of Object.keys(changes)) {
    if (group !== undefined) {
      // The rest goes by the optimizer's own hypers: with those changed, what others had of them is their own now.
      const rest = plan.groups[group]!.hypers === plan.shared;
      plan.groups.forEach(({ ownRule, own }, index) => {
        if (!ownRule && rest !== (index === group)) own.add(hyper);
      });
      continue;
    }
    plan.shared.forEach((hypers, r) => {
      const common = plan.groups.find(({ ownRule }) => !ownRule);
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
 * Puts back which hypers are groups' own, and with them what the others go by: `shared` holds those that no group does.
 *
 * @throws OptionError for what is no hyper of the rule or out of its form; nothing is changed then.
 */
export function replaceOwn(
  plan: Plan,
  own: readonly (readonly string[] | undefined)[],
  shared: readonly Readonly<Record<string, unknown>>[],
): void {
  const { rule, groups } = plan;
  const sets = groups.map((group, index) => {
    const names = own[index] ?? [...group.own];
    return new Set(names.map((name) => readChoice(`groups[${index}].own`, name, Object.keys(group.rule.hypers))));
  });
  const all = plan.shared.map((before, replica) => {
    const change = readObject("shared", shared[replica] ?? {}, Object.keys(rule.hypers));
    const after = readHypers(rule, "shared", change, before);
    for (const hyper of Object.keys(after)) {
      const common =
        groups.find(({ hypers }) => hypers === plan.shared) ??
        groups.find(({ ownRule }, index) => !ownRule && !sets[index]!.has(hyper));
      if (common) after[hyper] = common.hypers[replica]![hyper]!;
    }
    return after;
  });
  groups.forEach((group, index) => {
    group.own.clear();
    for (const hyper of sets[index]!) group.own.add(hyper);
  });
  plan.shared.forEach((hypers, replica) => {
    Object.assign(hypers, all[replica]);
  });
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
export function rememberHypers({ groups, shared }: Plan): () => void {
  const copies = [...shared, ...groups.flatMap(({ hypers }) => hypers)].map((hypers) => ({
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

/** Freezes or thaws one group, or all of them. */
export function setFrozen(plan: Plan, frozen: boolean, group: number | undefined): void {
  if (group !== undefined) readGroup(plan, "group", group);
  plan.groups.forEach((candidate, index) => {
    if (group === undefined || group === index) candidate.frozen = frozen;
  });
}

/** The value of a hyper in a group at the 0-based step, checked: schedules may leave a hyper's range as they go. */
export function hyperAt(plan: Plan, group: number, hyper: string, step: number, replica = 0): number {
  const { rule, hypers, lrScale } = plan.groups[group]!;
  const value = hypers[replica]![hyper]!.at(step) * (hyper === "lr" ? lrScale : 1);
  const { range } = rule.hypers[hyper]!;
  if (!inRange(value, range) || !Number.isFinite(Math.fround(value))) {
    throw new OptionError(
      `${rule.name}.${hyper} is ${show(value)} at step ${step}; it must be ${describeRange(range)}`,
    );
  }
  return value;
}

/** {@link hyperAt} for names, groups and replicas that a caller gives. */
export function readHyperAt(plan: Plan, group: number, hyper: string, step: number, replica: number): number {
  const index = readGroup(plan, "group", group);
  readChoice("hyper", hyper, Object.keys(plan.groups[index]!.rule.hypers));
  readNumber("step", step, { min: 0, integer: true });
  return hyperAt(plan, index, hyper, step, readReplica(plan, "replica", replica));
}

function readGroup(plan: Plan, name: string, group: unknown): number {
  return readNumber(name, group, { min: 0, max: plan.groups.length - 1, integer: true });
}

export function readReplica(plan: Plan, name: string, replica: unknown): number {
  return readNumber(name, replica, { min: 0, max: plan.replicas - 1, integer: true });
}

/** The config that rebuilds the plan, complete; hypers given as functions of the step stay functions. */
export function planConfig(plan: Plan): OptimizerConfig {
  const nameOf = (rule: Rule) => (rules.includes(rule) ? rule.name : rule);
  const values = (hypers: Readonly<Record<string, Schedule>>) =>
    Object.fromEntries(Object.entries(hypers).map(([hyper, schedule]) => [hyper, schedule.config]));
  /** The fallback of the first of some groups that has one. */
  const fallbackOf = (isOne: (group: Group, index: number) => boolean) => {
    const found = plan.groups.find(
      ({ fallbackOf }) => fallbackOf !== undefined && isOne(plan.groups[fallbackOf]!, fallbackOf),
    );
    return found ? { fallback: { rule: nameOf(found.rule), ...found.flags, ...values(found.hypers[0]!) } } : {};
  };
  const { clip, lossScale, averages, replicas, shared } = plan;
  const config: Record<string, unknown> = {
    rule: nameOf(plan.rule),
    ...(replicas === 1 ? values(shared[0]!) : { replicas: shared.map(values) }),
    ...plan.flags,
    ...fallbackOf(({ ownRule }) => !ownRule),
    maximize: plan.maximize,
    skipNonFinite: plan.skipNonFinite,
    clip: clip ?? null,
    cautious: plan.cautious,
    watch: plan.watch,
    accumulate: plan.accumulate,
    lossScale: lossScale ?? null,
    ema: averages.ema ? { ...averages.ema, decay: averages.ema.decay.config } : null,
    swa: averages.swa ?? null,
    lookahead: averages.lookahead ?? null,
  };
  // What the config does not list, it must if that is frozen.
  const listed = plan.groups.flatMap((group, index) => {
    if (group.params !== undefined) return [{ group, params: group.params }];
    return group.frozen ? [{ group, params: plan.names.filter((_, segment) => plan.groupOf[segment] === index) }] : [];
  });
  if (listed.length > 0) {
    config.groups = listed.map(({ group, params }, index) => ({
      params,
      ...(group.ownRule ? { rule: nameOf(group.rule), ...group.flags } : {}),
      ...Object.fromEntries(
        Object.entries(values(group.hypers[0]!)).filter(([hyper]) => replicas === 1 || group.own.has(hyper)),
      ),
      ...(group.ownRule ? fallbackOf((_, of) => of === index) : {}),
      ...(group.lrScale === 1 ? {} : { lrScale: group.lrScale }),
      ...(group.frozen ? { frozen: true } : {}),
    }));
  }
  return config as unknown as OptimizerConfig;
}

/** The slots that averages of the parameters keep; they start as the parameters. */
export function aroundSlots(averages: Averages): readonly string[] {
  return [
    ...(averages.lookahead ? ["lookahead"] : []),
    ...(averages.ema ? ["ema"] : []),
    ...(averages.swa ? ["swa"] : []),
  ];
}

function ruleOptions(rule: Rule): readonly string[] {
  return [...Object.keys(rule.hypers), ...Object.keys(rule.flags), ...(rule.only ? ["fallback"] : [])];
}

function readRule(owner: string, config: unknown): Rule {
  const name = (config as { rule?: unknown } | null | undefined)?.rule;
  if (typeof name === "object" && name !== null) return checkRule(owner, name as Rule);
  const rule = rules.find((candidate) => candidate.name === name);
  if (!rule) {
    const known = rules.map((candidate) => candidate.name).join(", ");
    throw new OptionError(`${owner} is ${name === undefined ? "missing" : show(name)}; it must be one of ${known}`);
  }
  return rule;
}

const reserved = ["ema", "swa", "lookahead", "params", "gradients", "evaluation", "accumulated"];

/** A rule of the caller's own, as far as its shape can tell; its WGSL is checked when it is compiled. */
function checkRule(owner: string, rule: Rule): Rule {
  const { name, hypers, flags, slots, columns, row, wgsl, update } = rule;
  const objects = [hypers, flags, slots, columns].every((field) => typeof field === "object" && field !== null);
  const functions = typeof row === "function" && typeof update === "function";
  if (typeof name !== "string" || typeof wgsl !== "string" || !objects || !functions || !("lr" in hypers)) {
    throw new OptionError(
      `${owner} is ${show(rule)}; it must be a rule's name or what defineRule returns: name, hypers with lr, flags, slots, columns, row, wgsl, update`,
    );
  }
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

/** The hypers of each replica: the optimizer's, with those of the replica's entry in their place. */
function readReplicas(rule: Rule, name: string, fields: Readonly<Record<string, unknown>>): Record<string, Schedule>[] {
  const shared = readHypers(rule, name, fields, {});
  if (fields.replicas === undefined) return [shared];
  const entries = readArray(`${name}.replicas`, fields.replicas, "hypers, one entry for each copy");
  if (entries.length === 0) throw new OptionError(`${name}.replicas is []; it must have at least one entry`);
  return entries.map((entry, index) => {
    const owner = `${name}.replicas[${index}]`;
    return readHypers(rule, owner, readObject(owner, entry, Object.keys(rule.hypers)), unheard(shared));
  });
}

interface GroupsInput {
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  readonly shared: readonly Record<string, Schedule>[];
  readonly fields: Readonly<Record<string, unknown>>;
  readonly segments: readonly Segment[];
}

function readGroups({ rule, flags, shared, fields, segments }: GroupsInput): { groups: Group[]; groupOf: number[] } {
  const groups: Group[] = [];
  const fallbacks: unknown[] = [];
  const groupOf = new Map<string, number>();
  const names = segments.map(({ name }) => name);
  const known = new Set(names);
  const entries = fields.groups === undefined ? [] : readArray(`${rule.name}.groups`, fields.groups, "groups");
  entries.forEach((entry, index) => {
    const owner = `${rule.name}.groups[${index}]`;
    const ownRule = (entry as { rule?: unknown } | null)?.rule !== undefined;
    const its = ownRule ? readRule(`${owner}.rule`, entry) : rule;
    const options = ownRule ? ruleOptions(its) : Object.keys(rule.hypers);
    const group = readObject(owner, entry, [...inGroups, ...options]);
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
      ownRule,
      hypers: shared.map((replica) => readHypers(its, owner, group, ownRule ? {} : replica)),
      own: new Set(Object.keys(its.hypers).filter((hyper) => ownRule || group[hyper] !== undefined)),
      lrScale: group.lrScale === undefined ? 1 : readNumber(`${owner}.lrScale`, group.lrScale, { min: 0 }),
      frozen: group.frozen === undefined ? false : readBoolean(`${owner}.frozen`, group.frozen),
    });
    fallbacks.push(ownRule ? group.fallback : fields.fallback);
  });
  if (names.some((name) => !groupOf.has(name))) {
    // The very objects that all groups without hypers of their own go by: setting theirs sets the optimizer's.
    groups.push({
      params: undefined,
      rule,
      flags,
      ownRule: false,
      hypers: shared,
      own: new Set(),
      lrScale: 1,
      frozen: false,
    });
    fallbacks.push(fields.fallback);
  }
  const indices = names.map((name) => groupOf.get(name) ?? groups.length - 1);
  leaveToFallbacks(groups, fallbacks, indices, segments);
  return { groups, groupOf: indices };
}

/** Takes the tensors that a group's rule cannot update out of it, into a group of the rule's fallback. */
function leaveToFallbacks(
  groups: Group[],
  fallbacks: readonly unknown[],
  groupOf: number[],
  segments: readonly Segment[],
): void {
  fallbacks.forEach((config, index) => {
    const { rule, hypers, lrScale, frozen } = groups[index]!;
    const { only } = rule;
    const left = only
      ? segments.flatMap((segment, i) => (groupOf[i] === index && !only.takes(segment.shape) ? [i] : []))
      : [];
    const owner = `${rule.name}.fallback`;
    const first = segments[left[0] ?? -1];
    if (config === undefined && first) {
      throw new OptionError(
        `${owner} is missing; the rule ${rule.name} takes ${only!.what}, and "${first.name}" has shape [${first.shape}]: name a rule for such tensors`,
      );
    }
    if (config === undefined) return;
    if (typeof config !== "object") {
      throw new OptionError(`${owner} is ${show(config)}; it must be an object such as { rule: "adamw", lr: 3e-4 }`);
    }
    const its = readRule(`${owner}.rule`, config);
    const fields = readObject(owner, config, ["rule", ...ruleOptions(its)]);
    if (its.only) throw new OptionError(`${owner}.rule is "${its.name}"; it must be a rule that takes every tensor`);
    const group = {
      params: undefined,
      fallbackOf: index,
      rule: its,
      flags: readFlags(its, owner, fields),
      ownRule: true,
      hypers: hypers.map(() => readHypers(its, owner, fields, {})),
      own: new Set(Object.keys(its.hypers)),
      lrScale,
      frozen,
    };
    if (!first) return;
    groups.push(group);
    for (const i of left) groupOf[i] = groups.length - 1;
  });
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
