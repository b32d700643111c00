// What the file of a checkpoint holds: its optimizer described in the metadata, and its numbers as tensors by key. Parameters are
// stored under their names, slots and scalars under NAME:SLOT, scalars of all tensors together under :SCALAR; with replicas every
// shape starts with their number. Both engines write the same.

import { encodeSafetensors, type SafeTensor } from "../base/safetensors.ts";
import { holdsFunction, type Schedule } from "../schedules/schedule.ts";
import { Hypers, type HypersState } from "./hypers.ts";
import { keyOf, savedRoles } from "./keys.ts";
import { slotRange } from "./layout.ts";
import { putValues, type TensorValues } from "./optimizer.ts";
import type { Plan } from "./plan.ts";
import { flagsConfig, planConfig } from "./plan_config.ts";
import type { ObservedStates } from "./restore_hypers.ts";
import type { Inside } from "./shell.ts";
import type { Clock } from "./store.ts";
import type { CarryValues } from "./table.ts";

/** With checksums. Two bits away from the previous format's name, so that no single flipped bit turns one into the other. */
export const format = "fallline-checkpoint/2";

/** The format of fallline 0.1, whose files have no checksums. */
export const unsealedFormat = "fallline-checkpoint/1";

/** An optimizer's state, outside the engine. */
export interface Snapshot {
  /** One for each replica. */
  readonly clocks: readonly Clock[];
  /** Gradients added up since the last update. */
  readonly micro: number;
  /** The values that rules carry, by rule set, replica and group; null before a group's first update. */
  readonly carried: readonly (readonly (readonly (CarryValues | null)[])[])[];
  /** Updates that groups have made, by rule set, replica and group. */
  readonly made: readonly (readonly (readonly number[])[])[];
  /** By role (params, each slot, accumulated) and replica. */
  readonly roles: ReadonlyMap<string, readonly TensorValues[]>;
  /** By rule set and replica: a record of all tensors together, then one for each place. */
  readonly scalars: readonly (readonly Float32Array<ArrayBuffer>[])[];
}

/** A checkpoint's description of its optimizer. */
export interface Description {
  /** The metadata of its file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The hypers of the saved optimizer, including functions. */
  readonly state: HypersState;
}

/** For checkpoints made in this process: whose hypers they hold, and functions of the step, which no file can hold. */
export const recalls = new WeakMap<object, { readonly hypers: Hypers; readonly state: HypersState }>();

/** The current plan, without hypers that are or contain functions of the step, which JSON cannot hold. */
export function describe({ plan, hypers }: Inside): Description {
  const groups = plan.groups.map(({ params, rule, flags }, index) => {
    const its = Array.from({ length: plan.replicas }, (_, replica) => hypers.of(index, replica));
    return {
      params: params ?? null,
      rule: rule.name,
      flags: flagsConfig({ rule, flags }),
      frozen: hypers.isFrozen(index),
      hypers: its.map(configsOf),
      own: [...hypers.explicit(index)],
      heard: its.map(observedBy),
      tensors: plan.names.filter((_, segment) => plan.groupOf[segment] === index),
    };
  });
  const metadata = {
    format,
    rule: plan.rule.name,
    config: JSON.stringify(planConfig(plan, hypers)),
    flags: JSON.stringify({
      ...flagsConfig(plan),
      maximize: plan.maximize,
      cautious: plan.modifiers.some(({ name }) => name === "cautious"),
      accumulate: plan.accumulate,
      replicas: plan.replicas,
    }),
    groups: JSON.stringify(groups),
    shared: JSON.stringify(hypers.inherited("shared").map(configsOf)),
    fallback: JSON.stringify(hypers.inherited("fallback").map(configsOf)),
    created: creationOf(plan),
  };
  return { metadata, state: hypers.state };
}

/**
 * Everything that decides hypers and freezing at creation, as JSON: an optimizer with the same text continues with the values
 * that were set. All functions of the step look alike in it.
 */
function creationOf(plan: Plan): string {
  const { replicas, groups, fallback, ...config } = planConfig(plan, new Hypers(plan)) as unknown as Record<
    string,
    unknown
  >;
  const shared = Object.fromEntries(
    Object.entries(config).filter(([option]) => Object.hasOwn(plan.rule.hypers, option)),
  );
  return JSON.stringify({ ...shared, replicas, groups, fallback }, (_, value: unknown) =>
    typeof value === "function" ? "a function" : value,
  );
}

/** Hypers as JSON, without functions. */
function configsOf(hypers: Readonly<Record<string, Schedule>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(hypers)
      .filter(([, { config }]) => !holdsFunction(config))
      .map(([hyper, { config }]) => [hyper, config]),
  );
}

/** The observations of the listeners among hypers. */
function observedBy(hypers: Readonly<Record<string, Schedule>>): ObservedStates {
  return Object.fromEntries(
    Object.entries(hypers).flatMap(([hyper, { listeners }]) =>
      listeners ? [[hyper, listeners.map((listener) => listener.state())]] : [],
    ),
  );
}

export function encodeCheckpoint(
  inside: Inside,
  description: Description,
  snapshot: Snapshot,
): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, SafeTensor>();
  for (const { key, shape, pick } of entries(inside)) {
    const parts = snapshot.clocks.map((_, replica) => pick(snapshot, replica));
    const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      data.set(part, at);
      at += part.length;
    }
    tensors.set(key, { shape, data });
  }
  const { clocks, micro, carried, made } = snapshot;
  const column = (name: keyof Clock) => clocks.map((clock) => clock[name]).join(" ");
  const metadata = {
    ...description.metadata,
    step: column("step"),
    skipped: column("skipped"),
    lossScale: column("lossScale"),
    goodSteps: column("goodSteps"),
    micro: String(micro),
    carried: JSON.stringify(carried),
    made: JSON.stringify(made),
  };
  const bytes = encodeSafetensors({ metadata, tensors });
  recalls.set(bytes, { hypers: inside.hypers, state: description.state });
  return bytes;
}

export interface Entry {
  readonly key: string;
  readonly shape: readonly number[];
  /** One replica's values. */
  pick(snapshot: Snapshot, replica: number): Float32Array;
  /** Puts one replica's values in. */
  put(snapshot: Pick<Snapshot, "roles" | "scalars">, replica: number, values: Float32Array): void;
}

/** Everything in a checkpoint of this plan. */
export function* entries({ plan, layouts, segments }: Inside): Generator<Entry> {
  const stacked = (shape: readonly number[]) => (plan.replicas === 1 ? shape : [plan.replicas, ...shape]);
  const homes = new Map(
    layouts.flatMap(({ used }, ruleSet) =>
      used.map((place) => [place.index, { place, ruleSet: plan.ruleSets[ruleSet]!, layout: layouts[ruleSet]! }]),
    ),
  );
  for (const role of savedRoles(plan)) {
    for (const [index, { name, shape }] of segments.entries()) {
      const { place, ruleSet, layout } = homes.get(index)!;
      const everywhere = role === "params" || role === "accumulated";
      if (!everywhere && !ruleSet.slots.includes(role)) continue;
      const factored = !everywhere && ruleSet.rule.factored?.slot === role && place.factored;
      yield {
        key: keyOf(name, role),
        shape: stacked(factored ? [slotRange(layout, place, role).length] : shape),
        pick: ({ roles }, replica) => roles.get(role)![replica]![name]!,
        put: ({ roles }, replica, values) => {
          putValues(roles.get(role)![replica]!, name, values);
        },
      };
    }
  }
  for (const [ruleSet, { scalars, places }] of layouts.entries()) {
    for (const [field, { name, scope }] of scalars.entries()) {
      const owners = scope === "all" ? [""] : places.map(({ segment }) => segment.name);
      for (const [index, owner] of owners.entries()) {
        const at = (scope === "all" ? 0 : 1 + index) * scalars.length + field;
        yield {
          // Two rule sets may both have a scalar of this name for all their tensors.
          key: keyOf(scope === "all" && layouts.length > 1 ? `:${ruleSet}` : owner, name),
          shape: stacked([]),
          pick: (snapshot, replica) => snapshot.scalars[ruleSet]![replica]!.slice(at, at + 1),
          put: (snapshot, replica, values) => {
            snapshot.scalars[ruleSet]![replica]!.set(values, at);
          },
        };
      }
    }
  }
}
