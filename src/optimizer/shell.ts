// The optimizer itself: reads arguments, keeps plan and hypers, and leaves numbers and steps to a store. Each call is written
// here once, for both engines.

import { OptionError, refusal } from "../base/errors.ts";
import { inMemory, memoryError } from "../base/host_memory.ts";
import { readObject } from "../base/options.ts";
import { ruleStages } from "../engines/stages/list.ts";
import { matchSegments, type Segment } from "./arena.ts";
import { type Hypers, readReplica } from "./hypers.ts";
import type { RuleSetLayout } from "./layout.ts";
import { type Locate, locator, mustAllow } from "./locations.ts";
import {
  type InGroup,
  type InReplica,
  type ObservedOf,
  type Optimizer,
  putValues,
  type Role,
  type Stats,
  type TensorValues,
  unwatchedMessage,
} from "./optimizer.ts";
import { type Plan, planSlots, readRole } from "./plan.ts";
import type { ReplicaRecord, Store } from "./store.ts";

/** The parts of an optimizer. */
export interface Inside {
  readonly plan: Plan;
  readonly hypers: Hypers;
  readonly layouts: readonly RuleSetLayout[];
  /** Cut to the rows in use, live. */
  readonly segments: Segment[];
  readonly store: Store;
  readonly locate: Locate;
  /** After a change of the rows in use: {@link Inside.locate} looks again. */
  readonly forget: () => void;
}

type Made = Pick<Inside, "plan" | "hypers" | "layouts" | "store"> & { readonly segments: readonly Segment[] };

/** The key under which an optimizer keeps its internals, for functions that a bundle drops if nobody imports them. */
export const inside = Symbol("inside of an optimizer");

/** @throws OptionError for anything but an optimizer. */
export function insideOf(optimizer: Optimizer): Inside {
  const found = (Object(optimizer) as { readonly [inside]?: Inside })[inside];
  if (found) return found;
  throw refusal("optimizer", optimizer, "an optimizer, such as createOptimizer() or createCpuOptimizer() makes");
}

/** An optimizer over a store, with the members that only its engine has. */
export function createShell<T extends { readonly backend: Optimizer["backend"] }>(
  { plan, hypers, layouts, segments: all, store }: Made,
  engine: (locate: Locate) => T,
): Omit<Optimizer, "backend"> & T {
  const segments = [...all];
  const { locate, forget } = locator(plan, layouts, segments);
  const its: Inside = { plan, hypers, layouts, segments, store, locate, forget };
  const replicaOf = (replica: number) => readReplica(plan, "replica", replica);
  const oneReplica = (call: string, where: InReplica | undefined) => readOneReplica(plan, call, where);
  const change = (call: string, make: () => unknown) => {
    store.mustLive(call);
    store.settle();
    if (make() !== false) store.expire();
  };
  const freeze = (call: string, frozen: boolean, where: InGroup | undefined) =>
    change(call, () => {
      hypers.setFrozen(frozen, readWhere(call, where, "group").group);
      store.refreeze();
    });
  const setHalted = (call: string, replica: number, halted: boolean) => {
    store.mustLive(call);
    store.setHalted(replicaOf(replica), halted);
  };

  const stages = plan.ruleSets.flatMap((ruleSet) => ruleStages(plan, ruleSet));
  const readScalars = stages.find((stage) => stage.readScalars)?.readScalars;
  const readEvaluation = async (replica: number) => {
    const { values, past } = await fetchRoles(its, ["params", ...planSlots(plan)], replica);
    const { made, carried } = past();
    const points = { ...values.get("params")! };
    plan.ruleSets.forEach((ruleSet, i) => {
      ruleSet.rule.evaluationValues?.(ruleSet, layouts[i]!, values, made[i]!, carried[i]!, points);
    });
    return points;
  };

  const shell: Omit<Optimizer, "backend"> = {
    get segments() {
      return [...segments];
    },
    replicas: plan.replicas,
    slots: planSlots(plan),
    step() {
      store.mustLive("step");
      store.step();
    },
    zeroGrad() {
      store.mustLive("zeroGrad");
      for (const location of locate("gradients")) mustAllow(location, "COPY_DST", "zeroGrad");
      store.zeroGrad();
    },
    set(changes, where) {
      const { group, replica } = readWhere("set", where, "group", "replica");
      change("set", () => hypers.set(changes, group, replica, store.next(replica ?? 0)));
    },
    hyper(name, step, where) {
      const { group = 0, replica = 0 } = readWhere("hyper", where, "group", "replica");
      return hypers.readAt(group, name, step, replica);
    },
    freeze: (where) => freeze("freeze", true, where),
    thaw: (where) => freeze("thaw", false, where),
    halt: (replica) => setHalted("halt", replica, true),
    resume: (replica) => setHalted("resume", replica, false),
    observe(value, where) {
      const { replica, of = "metric" } = readObject("observe", where ?? {}, ["replica", "of"]) as InReplica &
        ObservedOf;
      change("observe", () => hypers.observe(value, replica, of));
    },
    async read(role = "params", where) {
      store.mustLive("read");
      readRole(plan, role);
      const replica = oneReplica("read", where);
      try {
        const isSlot = planSlots(plan).includes(role);
        // Nothing is awaited before the copy is made: steps called in the meantime must not be in it.
        const scalars = isSlot ? undefined : readScalars?.(store, layouts, role, replica);
        if (scalars) return await scalars;
        if (role === "evaluation") return await readEvaluation(replica);
        return (await fetchRoles(its, [role], replica)).values.get(role)!;
      } catch (error) {
        throw memoryError(`the values of ${role}`, error);
      }
    },
    write(role, values, where) {
      store.mustLive("write");
      readRole(plan, role);
      const { replica } = readWhere("write", where, "replica");
      if (replica !== undefined) replicaOf(replica);
      const located = new Map(locate(role).map((location) => [location.segment.name, location]));
      const stored = [...located.values()].map(({ segment, length }) => ({ ...segment, length }));
      const matched = matchSegments(role, stored, values);
      for (const { segment } of matched) mustAllow(located.get(segment.name)!, "COPY_DST", "write");
      const targets = replica === undefined ? Array.from({ length: plan.replicas }, (_, r) => r) : [replica];
      // All of them before the first write, so that an error changes nothing.
      const writes = inMemory(`the ${role} to write`, () =>
        matched.flatMap(({ segment, data }) => {
          const range = located.get(segment.name)!;
          const numbers = new Float32Array(data);
          return targets.map((target) => ({ range, replica: target, values: numbers }));
        }),
      );
      store.write(writes);
    },
    async stats(where) {
      store.mustLive("stats");
      const replica = oneReplica("stats", where);
      const { record } = await store.fetch([], replica);
      return statsOf(record);
    },
    async layers(where) {
      store.mustLive("layers");
      const replica = oneReplica("layers", where);
      if (!plan.watch) throw new OptionError(unwatchedMessage);
      return store.layers(replica);
    },
    destroy: () => store.destroy(),
  };
  return Object.defineProperty(joined(shell, engine(locate)), inside, { value: its, configurable: true });
}

/** Reads the groups or replicas of a call; their range is checked where they are used. */
function readWhere<K extends "group" | "replica">(
  call: string,
  where: { readonly [key in K]?: number | undefined } | undefined,
  ...keys: readonly K[]
): { readonly [key in K]?: number | undefined } {
  return where === undefined ? {} : (readObject(call, where, keys) as { readonly [key in K]?: number | undefined });
}

/** The replica of a call, by default the first. */
export function readOneReplica(plan: Plan, call: string, where: InReplica | undefined): number {
  return readReplica(plan, "replica", readWhere(call, where, "replica").replica ?? 0);
}

/** The values of some roles in one replica, at one moment. */
export async function fetchRoles({ store, locate }: Inside, roles: readonly Role[], replica: number) {
  const wanted = roles.flatMap((role) => locate(role).map((location) => ({ role, location })));
  for (const { location } of wanted) mustAllow(location, "COPY_SRC", "read");
  const ranges = wanted.map(({ location }) => location);
  const fetched = await store.fetch(ranges, replica);
  const values = new Map(roles.map((role): [Role, TensorValues] => [role, {}]));
  wanted.forEach(({ role, location }, i) => {
    putValues(values.get(role)!, location.segment.name, fetched.values[i]!);
  });
  return { ...fetched, values };
}

export function statsOf(record: ReplicaRecord): Stats {
  const { step, skipped, gradientNorm, clipScale, lossScale, underflowed, groupNorms } = record;
  return { step, skipped, gradientNorm, clipScale, lossScale, underflowed, ...(groupNorms ? { groupNorms } : {}) };
}

/** One object with the members of both, getters included. */
function joined<A extends object, B extends object>(a: A, b: B): A & B {
  return Object.defineProperties(a, Object.getOwnPropertyDescriptors(b)) as A & B;
}
