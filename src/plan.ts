// The plan of an optimizer: its config, read and checked once, with every default filled in. Both engines work from it:
// which rule with which flags and slots, which tensors form which group, which schedule drives each hyper.
import type { Segment } from "./arena.ts";
import { OptionError, show } from "./errors.ts";
import { describeRange, inRange, readArray, readBoolean, readChoice, readNumber, readObject } from "./options.ts";
import type { Rule } from "./rule.ts";
import { type OptimizerConfig, rules } from "./rules/index.ts";
import type { Schedule, Scheduled } from "./schedule.ts";
import { createSchedule } from "./schedules/index.ts";

/** Segments that share hypers. */
export interface Group {
  /** The names of its tensors; undefined for the group of all tensors that no other group names. */
  readonly params: readonly string[] | undefined;
  /** A schedule for every hyper of the rule. */
  readonly hypers: Record<string, Schedule>;
}

export interface Plan {
  readonly rule: Rule;
  readonly flags: Readonly<Record<string, boolean>>;
  /** The slots that are kept under these options. */
  readonly slots: readonly string[];
  readonly maximize: boolean;
  /** The norm above which the gradient is scaled down; undefined without clipping. */
  readonly maxNorm: number | undefined;
  readonly skipNonFinite: boolean;
  /** In the order of the config, then the group of the rest if there is a rest. */
  readonly groups: readonly Group[];
  /** The group of each segment. */
  readonly groupOf: readonly number[];
}

const around = ["rule", "groups", "clip", "skipNonFinite", "maximize"] as const;

/**
 * Reads an optimizer's config against the tensors it is to update.
 *
 * @throws OptionError for an unknown rule or option, values out of range, groups that match nothing or overlap.
 */
export function createPlan(config: OptimizerConfig, segments: readonly Segment[]): Plan {
  const rule = readRule(config);
  const name = rule.name;
  const fields = readObject(`rule ${name}`, config, [
    ...around,
    ...Object.keys(rule.hypers),
    ...Object.keys(rule.flags),
  ]);
  const flags: Record<string, boolean> = {};
  for (const [flag, standard] of Object.entries(rule.flags)) {
    flags[flag] = fields[flag] === undefined ? standard : readBoolean(`${name}.${flag}`, fields[flag]);
  }
  const maximize = fields.maximize === undefined ? false : readBoolean(`${name}.maximize`, fields.maximize);
  const maxNorm = readClip(fields.clip);
  const skipNonFinite =
    fields.skipNonFinite === undefined
      ? maxNorm !== undefined
      : readBoolean(`${name}.skipNonFinite`, fields.skipNonFinite);
  const shared = readHypers(rule, name, fields, {});
  const { groups, groupOf } = readGroups(rule, fields.groups, shared, segments);
  const used = usedIn(groups);
  const conflict = rule.conflict?.(flags, used);
  if (conflict) throw new OptionError(`${name}.${conflict}`);
  const slots = rule.activeSlots?.(flags, used) ?? rule.slots;
  const plan: Plan = { rule, flags, slots, maximize, maxNorm, skipNonFinite, groups, groupOf };
  for (const index of groups.keys()) {
    for (const hyper of Object.keys(rule.hypers)) hyperAt(plan, index, hyper, 0);
  }
  return plan;
}

/** Whether the step needs the norm of the gradient. */
export function needsNorm(plan: Plan): boolean {
  return plan.maxNorm !== undefined || plan.skipNonFinite;
}

/**
 * Replaces hypers in one group or in all of them, from the next step on.
 *
 * @throws OptionError for an unknown hyper or group, a value out of range, or a hyper whose slots were not created.
 */
export function setHypers(
  plan: Plan,
  changes: Readonly<Record<string, Scheduled>>,
  group: number | undefined,
  step: number,
): void {
  const { groups } = plan;
  if (group !== undefined) readGroup(plan, "set.group", group);
  replaceHypers(
    plan,
    groups.map((_, index) => (group === undefined || group === index ? changes : {})),
    step,
  );
}

/** Replaces hypers group by group, for `step` and those after it: all of them, or on an error none. */
export function replaceHypers(plan: Plan, changes: readonly Readonly<Record<string, unknown>>[], step: number): void {
  const { rule, groups } = plan;
  const changed = groups.map((old, index) => {
    readObject("set", changes[index], Object.keys(rule.hypers));
    return { ...old, hypers: readHypers(rule, "set", changes[index]!, old.hypers) };
  });
  const trial: Plan = { ...plan, groups: changed };
  for (const index of changed.keys()) {
    for (const hyper of Object.keys(changes[index]!)) hyperAt(trial, index, hyper, step);
  }
  const used = usedIn(changed);
  const conflict = rule.conflict?.(plan.flags, used);
  if (conflict) throw new OptionError(`${rule.name}.${conflict}`);
  const slots = rule.activeSlots?.(plan.flags, used) ?? rule.slots;
  const missing = slots.find((slot) => !plan.slots.includes(slot));
  if (missing) {
    throw new OptionError(
      `set is ${show(changes.find((change) => Object.keys(change).length > 0))}, which needs the slot "${missing}"; this optimizer was created without it`,
    );
  }
  groups.forEach((old, index) => {
    Object.assign(old.hypers, changed[index]!.hypers);
  });
}

/** The value of a hyper in a group at the 0-based step, checked: schedules may leave a hyper's range as they go. */
export function hyperAt(plan: Plan, group: number, hyper: string, step: number): number {
  const value = plan.groups[group]!.hypers[hyper]!.at(step);
  const { range } = plan.rule.hypers[hyper]!;
  if (!inRange(value, range) || !Number.isFinite(Math.fround(value))) {
    throw new OptionError(
      `${plan.rule.name}.${hyper} is ${show(value)} at step ${step}; it must be ${describeRange(range)}`,
    );
  }
  return value;
}

/** {@link hyperAt} for names and groups that a caller gives. */
export function readHyperAt(plan: Plan, group: number, hyper: string, step: number): number {
  readChoice("hyper", hyper, Object.keys(plan.rule.hypers));
  readNumber("step", step, { min: 0, integer: true });
  return hyperAt(plan, readGroup(plan, "group", group), hyper, step);
}

function readGroup(plan: Plan, name: string, group: unknown): number {
  return readNumber(name, group, { min: 0, max: plan.groups.length - 1, integer: true });
}

/** The config that rebuilds the plan, complete; hypers given as functions of the step stay functions. */
export function planConfig(plan: Plan): OptimizerConfig {
  const rest = plan.groups.find((group) => group.params === undefined);
  const named = plan.groups.filter((group) => group.params !== undefined);
  const values = (group: Group) =>
    Object.fromEntries(Object.entries(group.hypers).map(([hyper, schedule]) => [hyper, schedule.config]));
  const config: Record<string, unknown> = {
    rule: rules.includes(plan.rule) ? plan.rule.name : plan.rule,
    ...(rest ? values(rest) : {}),
    ...plan.flags,
    maximize: plan.maximize,
    skipNonFinite: plan.skipNonFinite,
    clip: plan.maxNorm === undefined ? null : { type: "globalNorm", maxNorm: plan.maxNorm },
  };
  if (named.length > 0) config.groups = named.map((group) => ({ params: group.params, ...values(group) }));
  return config as unknown as OptimizerConfig;
}

function readRule(config: unknown): Rule {
  const name = (config as { rule?: unknown } | null | undefined)?.rule;
  if (typeof name === "object" && name !== null) return checkRule(name as Rule);
  const rule = rules.find((candidate) => candidate.name === name);
  if (!rule) {
    const known = rules.map((candidate) => candidate.name).join(", ");
    throw new OptionError(`rule is ${name === undefined ? "missing" : show(name)}; it must be one of ${known}`);
  }
  return rule;
}

/** A rule of the caller's own, as far as its shape can tell; its WGSL is checked when it is compiled. */
function checkRule(rule: Rule): Rule {
  const { name, hypers, flags, slots, columns, row, wgsl, update } = rule;
  const objects = [hypers, flags, slots, columns].every((field) => typeof field === "object" && field !== null);
  const functions = typeof row === "function" && typeof update === "function";
  if (typeof name !== "string" || typeof wgsl !== "string" || !objects || !functions || !("lr" in hypers)) {
    throw new OptionError(
      `rule is ${show(rule)}; it must be a rule's name or what defineRule returns: name, hypers with lr, flags, slots, columns, row, wgsl, update`,
    );
  }
  return rule;
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

function readGroups(
  rule: Rule,
  value: unknown,
  shared: Record<string, Schedule>,
  segments: readonly Segment[],
): { groups: Group[]; groupOf: number[] } {
  const groups: Group[] = [];
  const groupOf = new Map<string, number>();
  const names = new Set(segments.map(({ name }) => name));
  const entries = value === undefined ? [] : readArray(`${rule.name}.groups`, value, "groups");
  entries.forEach((entry, index) => {
    const owner = `${rule.name}.groups[${index}]`;
    const fields = readObject(owner, entry, ["params", ...Object.keys(rule.hypers)]);
    const params = readArray(`${owner}.params`, fields.params, "tensor names") as readonly string[];
    if (params.length === 0) throw new OptionError(`${owner}.params is []; it must name at least one tensor`);
    for (const param of params) {
      if (!names.has(param)) {
        const known = [...names].join(", ");
        throw new OptionError(
          `${owner}.params names ${show(param)}, which matches no tensor; the tensors are ${known}`,
        );
      }
      const before = groupOf.get(param);
      if (before !== undefined) {
        throw new OptionError(
          `${owner}.params names ${show(param)}, which groups[${before}] names already; a tensor belongs to one group`,
        );
      }
      groupOf.set(param, index);
    }
    groups.push({ params: [...params], hypers: readHypers(rule, owner, fields, shared) });
  });
  if (segments.some((segment) => !groupOf.has(segment.name))) groups.push({ params: undefined, hypers: shared });
  return { groups, groupOf: segments.map((segment) => groupOf.get(segment.name) ?? groups.length - 1) };
}

function readClip(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  const type = (value as { type?: unknown }).type;
  if (type !== "globalNorm") {
    throw new OptionError(
      `clip.type is ${type === undefined ? "missing" : show(type)}, which is not a known clipping; known are globalNorm`,
    );
  }
  const fields = readObject("clip", value, ["type", "maxNorm", "norm"]);
  if (fields.norm !== undefined && fields.norm !== 2) {
    throw new OptionError(`clip.norm is ${show(fields.norm)}; it must be 2`);
  }
  return readNumber("clip.maxNorm", fields.maxNorm, { above: 0 });
}

function usedIn(groups: readonly Group[]): (hyper: string) => boolean {
  return (hyper) => groups.some((group) => group.hypers[hyper]!.constant !== 0);
}
