// Restores the hypers of a checkpoint, with the observations of their schedules.
import { DataError, show } from "../base/errors.ts";
import { readChoice, readObject } from "../base/options.ts";
import { createSchedule, type ListenerState, type Schedule } from "../schedules/schedule.ts";
import { draftOf, type Hypers, heirsOf, readHypers, replicasOf, type Source, sameConfig, sources } from "./hypers.ts";

/** The states of the listeners among the schedules of hypers, by hyper. */
export type ObservedStates = Readonly<Record<string, readonly ListenerState[]>>;

/** Saved hypers, by replica and group. */
export interface SavedHypers {
  /** The known ones; the others stay. */
  readonly values: readonly (readonly Readonly<Record<string, unknown>>[])[];
  readonly observed: readonly (readonly ObservedStates[])[];
  /** By group, the hypers that it set itself; undefined: unchanged. */
  readonly explicit: readonly (readonly string[] | undefined)[];
  /** By replica, the inherited ones. */
  readonly inherited: Readonly<Record<Source, readonly Readonly<Record<string, unknown>>[]>>;
}

/**
 * Restores saved hypers at each replica's step, with the observations of their schedules.
 *
 * @throws OptionError for an unknown hyper of the rule or a malformed one; nothing is changed then.
 */
export function restoreHypers(
  hypers: Hypers,
  { values, observed, explicit, inherited }: SavedHypers,
  steps: readonly number[],
): void {
  const { groups, rule: shared, fallback } = hypers.plan;
  const replicas = replicasOf(hypers.plan);
  const after = groups.map(({ rule }, index) =>
    replicas.map((r) => {
      const change = values[r]![index]!;
      readObject(hypers.ownerOf(index), change, Object.keys(rule.hypers));
      const its = readHypers(rule, "set", change, hypers.of(index, r));
      for (const [hyper, states] of Object.entries(observed[r]?.[index] ?? {})) {
        its[hyper] = withObserved(hyper, its[hyper], states);
      }
      return its;
    }),
  );
  const owned = groups.map(({ rule }, index) => {
    const names = explicit[index] ?? [...hypers.explicit(index)];
    return new Set(names.map((name) => readChoice(`groups[${index}].own`, name, Object.keys(rule.hypers))));
  });
  const draft = draftOf(hypers.state);
  for (const source of sources) {
    const rule = source === "shared" ? shared : fallback?.rule;
    if (!rule) continue;
    draft[source] = draft[source].map((before, r) => {
      const change = readObject(source, inherited[source][r] ?? {}, Object.keys(rule.hypers));
      const its = readHypers(rule, source, change, before);
      for (const hyper of Object.keys(its)) {
        const heirs = heirsOf(groups, source, hyper);
        const common = heirs.find((index) => groups[index]!.isRest) ?? heirs.find((index) => !owned[index]!.has(hyper));
        if (common !== undefined) its[hyper] = after[common]![r]![hyper]!;
      }
      return its;
    });
  }
  groups.forEach(({ rule, inherits, isRest }, index) => {
    const names = Object.keys(rule.hypers).filter((hyper) => {
      if (!inherits || isRest) return !inherits;
      // Older checkpoints do not record which hypers a group set itself; those that differ count as its own.
      const differs = (r: number) => {
        const [its, base] = [after[index]![r]![hyper]!, draft[inherits][r]![hyper]!];
        return !sameConfig(its, base) || observedIn(its) !== observedIn(base);
      };
      return owned[index]!.has(hyper) || replicas.some(differs);
    });
    draft.groups[index] = {
      explicit: new Set(names),
      values: after[index]!.map((its) => Object.fromEntries(names.map((hyper) => [hyper, its[hyper]!]))),
    };
  });
  const changed = (r: number) => groups.map((_, index) => Object.keys(values[r]![index]!));
  hypers.replace(draft, changed, (r) => steps[r]!, values);
}

/** A schedule that continues from its observations. */
function withObserved(hyper: string, schedule: Schedule | undefined, states: readonly ListenerState[]): Schedule {
  const fresh = schedule && createSchedule(schedule.config, hyper);
  const listeners = fresh?.listeners ?? [];
  if (!fresh || !Array.isArray(states) || states.length !== listeners.length) {
    throw new DataError(
      `the state of the schedules of ${hyper} is ${show(states)}, which does not fit the ${listeners.length} that observe`,
    );
  }
  listeners.forEach((listener, i) => {
    listener.restore(states[i]!);
  });
  return fresh;
}

const observedIn = ({ listeners }: Schedule) => JSON.stringify(listeners?.map((listener) => listener.state()));
