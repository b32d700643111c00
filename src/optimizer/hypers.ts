// The current hypers of an optimizer: the schedule of each in each group and replica, what a group inherits, and which groups are
// frozen. The plan has their initial state and never changes.
import { OptionError, show } from "../base/errors.ts";
import { describeRange, inRange, readChoice, readNumber, readObject } from "../base/options.ts";
import type { Rule } from "../rules/rule.ts";
import {
  createSchedule,
  type Listener,
  type Observable,
  observables,
  type Schedule,
  type Scheduled,
} from "../schedules/schedule.ts";
import type { Group, Plan, RuleSet } from "./plan.ts";

/** Schedules by hyper. */
export type Schedules = Readonly<Record<string, Schedule>>;

/** The source of the hypers that a group without its own rule inherits: the optimizer, or the optimizer's fallback. */
export type Source = "shared" | "fallback";

export const sources = ["shared", "fallback"] as const;

/** Which schedule drives each hyper. */
export interface HypersState {
  /** By replica, those that the optimizer's config sets. */
  readonly shared: readonly Schedules[];
  /** By replica, those of the optimizer's fallback; empty if it has none. */
  readonly fallback: readonly Schedules[];
  readonly groups: readonly {
    /** The hypers that the group sets itself, not inherited. */
    readonly explicit: ReadonlySet<string>;
    /** By replica, their schedules. */
    readonly values: readonly Schedules[];
  }[];
}

/** A state under assembly: its contents are replaced, never changed, since states share them. */
export interface HypersDraft {
  shared: HypersState["shared"];
  fallback: HypersState["fallback"];
  readonly groups: HypersState["groups"][number][];
}

type Inheriting = Pick<Group, "rule" | "inherits">;

/** The schedule that drives a hyper: the group's own, or the inherited one. */
export function scheduleIn(
  groups: readonly Inheriting[],
  state: HypersState,
  group: number,
  hyper: string,
  replica: number,
): Schedule {
  const { inherits } = groups[group]!;
  const { explicit, values } = state.groups[group]!;
  return (inherits && !explicit.has(hyper) ? state[inherits] : values)[replica]![hyper]!;
}

/** Lets the group set a hyper itself in every replica, with its current schedule. */
export function makeExplicit(groups: readonly Inheriting[], draft: HypersDraft, group: number, hyper: string): void {
  const { explicit, values } = draft.groups[group]!;
  if (explicit.has(hyper)) return;
  draft.groups[group] = {
    explicit: new Set([...explicit, hyper]),
    values: withHyper(values, hyper, (replica) => scheduleIn(groups, draft, group, hyper, replica)),
  };
}

/** Schedules by replica with one hyper's schedule replaced, where there is a new one. */
export function withHyper(
  values: readonly Schedules[],
  hyper: string,
  of: (replica: number) => Schedule | undefined,
): readonly Schedules[] {
  return values.map((its, replica) => {
    const schedule = of(replica);
    if (!schedule) return its;
    const copy = { ...its };
    copy[hyper] = schedule;
    return copy;
  });
}

/** The schedules of a rule's hypers: the given ones, else the previous ones, else the defaults. */
export function readHypers(
  rule: Rule,
  owner: string,
  fields: Readonly<Record<string, unknown>>,
  before: Schedules,
): Record<string, Schedule> {
  return Object.fromEntries(
    Object.entries(rule.hypers).map(([hyper, { default: standard }]) => {
      const given = fields[hyper];
      const kept = () => before[hyper] ?? createSchedule(standard);
      return [hyper, given === undefined ? kept() : readHyper(rule, owner, hyper, given)];
    }),
  );
}

/** One of a rule's hypers. */
export function readHyper(rule: Rule, owner: string, hyper: string, value: unknown): Schedule {
  const name = `${owner}.${hyper}`;
  if (typeof value === "number") readNumber(name, value, rule.hypers[hyper]!.range);
  return createSchedule(value as Scheduled, name);
}

/** The values of those hypers that a rule has. */
export function hypersOf<T>(rule: Rule, values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([hyper]) => Object.hasOwn(rule.hypers, hyper)));
}

/** The index of the group with the tensors that a group's rule left to its fallback; -1 if there is none. */
export function fallbackIndex(groups: readonly Pick<Group, "rule" | "fallbackOf">[], group: number): number {
  if (!groups[group]?.rule.only) return -1;
  return groups.findIndex(({ fallbackOf }) => fallbackOf === group);
}

/** The slots that a rule keeps under the hypers of its groups; contradictions are refused. */
export function ruleSlots(
  { rule, flags, groups }: Pick<RuleSet, "rule" | "flags" | "groups">,
  schedulesOf: (group: number, hyper: string) => readonly Schedule[],
): readonly string[] {
  const used = (hyper: string) =>
    groups.some((group) => schedulesOf(group, hyper).some(({ constant }) => constant !== 0));
  const conflict = rule.conflict?.(flags, used);
  if (conflict) throw new OptionError(`${rule.name}.${conflict}`);
  return rule.activeSlots?.(flags, used) ?? rule.slots;
}

export function readReplica({ replicas }: Pick<Plan, "replicas">, name: string, replica: unknown): number {
  return readNumber(name, replica, { min: 0, max: replicas - 1, integer: true });
}

/** Whether two schedules are written the same way; functions of the step are if they are the same function. */
export function sameConfig({ config: a }: Schedule, { config: b }: Schedule): boolean {
  return sameValue(a, b);
}

function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))];
  return left.length === right.size && left.every(([key, value]) => right.has(key) && sameValue(value, right.get(key)));
}

/** The parts of a plan on which hypers depend. */
type HyperPlan = Pick<Plan, "rule" | "fallback" | "replicas" | "groups" | "groupOf" | "ruleSets" | "start">;

export class Hypers {
  readonly plan: HyperPlan;
  /** Replaced, never changed. */
  state: HypersState;
  #frozen: readonly boolean[];
  readonly #replicas: readonly number[];
  readonly #all: ReadonlySet<number>;

  constructor(plan: HyperPlan) {
    const { groups } = plan;
    this.plan = plan;
    this.state = plan.start;
    this.#frozen = groups.map(({ frozen }) => frozen);
    this.#replicas = replicasOf(plan);
    this.#all = new Set(groups.keys());
  }

  /** The schedule of every hyper of a group's rule. */
  of(group: number, replica = 0): Schedules {
    return Object.fromEntries(
      Object.keys(this.plan.groups[group]!.rule.hypers).map((hyper) => [hyper, this.#schedule(group, hyper, replica)]),
    );
  }

  /** The hypers that a group sets itself, not inherited. */
  explicit(group: number): ReadonlySet<string> {
    return this.state.groups[group]!.explicit;
  }

  /** By replica, the hypers that groups inherit. */
  inherited(source: Source): readonly Schedules[] {
    return this.state[source];
  }

  /** Whether a group is frozen. */
  isFrozen(group: number): boolean {
    return this.#frozen[group]!;
  }

  /** The value of a hyper in a group at a 0-based step, checked: a schedule may leave the hyper's range. */
  at(group: number, hyper: string, step: number, replica = 0): number {
    return hyperValue(this.plan.groups[group]!, hyper, this.#schedule(group, hyper, replica), step);
  }

  /** {@link at} for a caller's names, groups and replicas. */
  readAt(group: number, hyper: string, step: number, replica: number): number {
    const { groups, groupOf } = this.plan;
    const index = this.#readGroup("group", group);
    // A group's own rule first, unless all its tensors went to the fallback.
    const its = fallbackIndex(groups, index);
    const order = groupOf.includes(index) ? [index, its] : [its, index];
    const having = order
      .filter((each) => each >= 0)
      .map((each) => [each, Object.keys(groups[each]!.rule.hypers)] as const);
    readChoice("hyper", hyper, [...new Set(having.flatMap(([, names]) => names))]);
    readNumber("step", step, { min: 0, integer: true });
    const [found] = having.find(([, names]) => names.includes(hyper))!;
    return this.at(found, hyper, step, readReplica(this.plan, "replica", replica));
  }

  /**
   * Replaces hypers in one group or in all, in one replica or in all, from the next step on. Groups that inherit a hyper follow a
   * value set in all groups; a hyper set in one group applies to that group alone.
   *
   * @throws OptionError for an unknown hyper, group or replica, a value out of range, or a hyper whose slots were not
   * created; nothing is changed then.
   */
  set(
    changes: Readonly<Record<string, Scheduled>>,
    group: number | undefined,
    replica: number | undefined,
    step: number,
  ): void {
    const { groups } = this.plan;
    if (group !== undefined) this.#readGroup("set.group", group);
    if (replica !== undefined) readReplica(this.plan, "set.replica", replica);
    const targets = this.#targetsOf(group);
    for (const index of targets) {
      const { rule, fallbackOf } = groups[index]!;
      if (fallbackOf !== undefined && targets.has(fallbackOf)) continue;
      const its = groups[fallbackIndex(groups, index)]?.rule.hypers;
      readObject(this.ownerOf(index), changes, Object.keys({ ...rule.hypers, ...its }));
    }
    const draft = draftOf(this.state);
    const put = (values: readonly Schedules[], rule: Rule, hyper: string) =>
      withHyper(values, hyper, (r) =>
        replica === undefined || replica === r ? readHyper(rule, "set", hyper, changes[hyper]) : undefined,
      );
    const given = Object.keys(changes).filter((hyper) => changes[hyper] !== undefined);
    for (const hyper of given) {
      // The optimizer's hypers and its fallback's, if the call concerns all groups, or the rest, which inherits them.
      for (const source of sources) {
        const heirs = heirsOf(groups, source, hyper);
        const rest = heirs.find((index) => groups[index]!.isRest && targets.has(index));
        if (heirs.length === 0 || (group !== undefined && rest === undefined)) continue;
        if (group !== undefined) {
          for (const index of heirs) if (!targets.has(index)) makeExplicit(groups, draft, index, hyper);
        }
        draft[source] = put(draft[source], groups[heirs[0]!]!.rule, hyper);
      }
      for (const index of targets) {
        const { rule, isRest } = groups[index]!;
        if (isRest || !Object.hasOwn(rule.hypers, hyper)) continue;
        if (group !== undefined) makeExplicit(groups, draft, index, hyper);
        const { explicit, values } = draft.groups[index]!;
        if (explicit.has(hyper)) draft.groups[index] = { explicit, values: put(values, rule, hyper) };
      }
    }
    const changed = groups.map(({ rule }, index) =>
      targets.has(index) ? given.filter((hyper) => Object.hasOwn(rule.hypers, hyper)) : [],
    );
    this.replace(
      draft,
      (r) => (replica === undefined || replica === r ? changed : []),
      () => step,
      changes,
    );
  }

  /** Passes a value to every schedule of one replica, or of all, that observes its kind; returns whether there is one. */
  observe(value: number, replica: number | undefined, of: Observable): boolean {
    if (typeof value !== "number") throw new OptionError(`observe was given ${show(value)}; it must be a number`);
    readChoice("of", of, observables);
    if (replica !== undefined) readReplica(this.plan, "replica", replica);
    // Groups may share a schedule, which must observe each metric once.
    const listeners = new Set<Listener>();
    for (const r of replica === undefined ? this.#replicas : [replica]) {
      for (const group of this.plan.groups.keys()) {
        for (const schedule of Object.values(this.of(group, r))) {
          for (const each of schedule.listeners ?? []) if (each.of === of) listeners.add(each);
        }
      }
    }
    for (const listener of listeners) listener.observe(value);
    return listeners.size > 0;
  }

  /** Freezes or thaws one group including the tensors left to its fallback, or all of them. */
  setFrozen(frozen: boolean, group: number | undefined): void {
    if (group !== undefined) this.#readGroup("group", group);
    const targets = this.#targetsOf(group);
    this.#frozen = this.#frozen.map((before, index) => (targets.has(index) ? frozen : before));
  }

  /** Freezes the given groups, and thaws the others. */
  restoreFrozen(frozen: readonly boolean[]): void {
    this.#frozen = this.#frozen.map((_, index) => frozen[index] === true);
  }

  #schedule(group: number, hyper: string, replica: number): Schedule {
    return scheduleIn(this.plan.groups, this.state, group, hyper, replica);
  }

  #readGroup(name: string, group: unknown): number {
    return readNumber(name, group, { min: 0, max: this.plan.groups.length - 1, integer: true });
  }

  /** The groups behind a caller's index: the group, and the one its rule left to its fallback; undefined: all of them. */
  #targetsOf(group: number | undefined): ReadonlySet<number> {
    const { groups } = this.plan;
    if (group === undefined) return this.#all;
    const its = fallbackIndex(groups, group);
    return new Set(its < 0 ? [group] : [group, its]);
  }

  /** The name in errors of values set in a group. */
  ownerOf(group: number): string {
    const { groups, ruleSets } = this.plan;
    return ruleSets.length > 1 ? `set of group ${group} (${groups[group]!.rule.name})` : "set";
  }

  /**
   * Adopts another state.
   *
   * @param changed The hypers that are new in a replica, by group.
   * @param cause The value that errors show.
   * @throws OptionError for changed values out of range at their step, and for hypers whose slots were not created; nothing is
   * changed then.
   */
  replace(
    draft: HypersState,
    changed: (replica: number) => readonly (readonly string[])[],
    stepOf: (replica: number) => number,
    cause: unknown,
  ): void {
    const { groups, ruleSets } = this.plan;
    for (const r of this.#replicas) {
      changed(r).forEach((hypers, index) => {
        for (const hyper of hypers) {
          hyperValue(groups[index]!, hyper, scheduleIn(groups, draft, index, hyper, r), stepOf(r));
        }
      });
    }
    const schedulesOf = (group: number, hyper: string) =>
      this.#replicas.map((r) => scheduleIn(groups, draft, group, hyper, r));
    for (const ruleSet of ruleSets) {
      const missing = ruleSlots(ruleSet, schedulesOf).find((slot) => !ruleSet.slots.includes(slot));
      if (missing === undefined) continue;
      throw new OptionError(
        `set is ${show(cause)}, which needs the slot "${missing}"; this optimizer was created without it`,
      );
    }
    this.state = draft;
  }
}

/** All replicas. */
export function replicasOf({ replicas }: Pick<Plan, "replicas">): readonly number[] {
  return Array.from({ length: replicas }, (_, r) => r);
}

/** The groups that inherit from a source and whose rule has the hyper. */
export function heirsOf(groups: readonly Inheriting[], source: Source, hyper: string): readonly number[] {
  const heirs: number[] = [];
  groups.forEach(({ rule, inherits }, index) => {
    if (inherits === source && Object.hasOwn(rule.hypers, hyper)) heirs.push(index);
  });
  return heirs;
}

/** A draft of a state. */
export function draftOf({ shared, fallback, groups }: HypersState): HypersDraft {
  return { shared, fallback, groups: [...groups] };
}

function hyperValue({ rule, lrScale }: Group, hyper: string, schedule: Schedule, step: number): number {
  const value = schedule.at(step) * (hyper === "lr" ? lrScale : 1);
  const { range } = rule.hypers[hyper]!;
  const refused = (allowed: string) =>
    new OptionError(`${rule.name}.${hyper} is ${show(value)} at step ${step}; it must be ${allowed}`);
  if (!inRange(value, range)) throw refused(describeRange(range));
  // GPUs flush numbers below the smallest normal float32 to 0, which some hypers must not be.
  const small = Math.abs(value) < 2 ** -126;
  if (!Number.isFinite(Math.fround(value)) || (small && !inRange(0, range))) {
    throw refused("a number that float32 holds, from 2^-126 to 3.4e38");
  }
  return value;
}
