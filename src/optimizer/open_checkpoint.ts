// Reads the file of a checkpoint for an optimizer. Whatever does not fit its plan and tensors is an error, before anything changes.

import { DataError, OptionError, refusal, show } from "../base/errors.ts";
import { deepest, isDeep, readArray, readChoice, readObject } from "../base/options.ts";
import { openSafetensors, type SafeTensor } from "../base/safetensors.ts";
import { largestLossScale } from "../modifiers/modifier.ts";
import { definitionsIn, scheduleFromJson } from "../schedules/from_json.ts";
import { isScheduleDefinition, type ScheduleDefinition } from "../schedules/schedule.ts";
import type { LoadOptions } from "./checkpoint.ts";
import { describe, entries, format, recalls, type Snapshot, unsealedFormat } from "./checkpoint_file.ts";
import type { Hypers, HypersState } from "./hypers.ts";
import { keyOf, savedRoles } from "./keys.ts";
import type { TensorValues } from "./optimizer.ts";
import type { Plan } from "./plan.ts";
import { type ObservedStates, restoreHypers } from "./restore_hypers.ts";
import type { Inside } from "./shell.ts";
import type { Clock } from "./store.ts";
import type { CarryValues } from "./table.ts";

/**
 * Reads a checkpoint, and takes over its hypers and freezing if they apply.
 *
 * @throws DataError that says what does not fit this plan and these tensors; OptionError for a bad option. Hypers are not changed
 * then.
 */
export function openCheckpoint(inside: Inside, bytes: Uint8Array | ArrayBuffer, options: LoadOptions = {}): Snapshot {
  const { plan } = inside;
  const { hypers: given, schedules: kinds } = readObject("loadCheckpoint", options, ["hypers", "schedules"]);
  const whose = given === undefined ? undefined : readChoice("loadCheckpoint.hypers", given, ["saved", "config"]);
  const schedules = kinds === undefined ? [] : readKinds(kinds);
  const { metadata, tensors, sealed } = openSafetensors(bytes);
  if (metadata.format !== format && metadata.format !== unsealedFormat) {
    throw new DataError(
      `the checkpoint's format is ${show(metadata.format)}; this version reads ${format} and ${unsealedFormat}`,
    );
  }
  if (metadata.format === format && !sealed) {
    throw new DataError(`the checkpoint has no checksums (metadata fallline.crc32), which its format ${format} needs`);
  }
  const current = describe(inside).metadata;
  for (const key of ["rule", "flags"]) {
    if (metadata[key] !== current[key]) {
      throw new DataError(
        `the checkpoint's ${key} is ${metadata[key] ?? "missing"}; this optimizer's is ${current[key]}`,
      );
    }
  }
  const groups = readGroups(metadata.groups);
  const ours = readGroups(current.groups);
  // Older checkpoints lack it: treat them as saved by an optimizer like this one if the groups are the same.
  const saved = whose === "saved" || (whose === undefined && (metadata.created ?? current.created) === current.created);
  const heirs = matchGroups(groups, ours, saved);
  const clocks = readClocks(plan, metadata);
  const [micro] = wholeNumbers(metadata, "micro", 1);
  if (micro! >= plan.accumulate) {
    throw new DataError(
      `the checkpoint's micro is ${micro}; it must be less than accumulate, which is ${plan.accumulate}`,
    );
  }
  const found: Saved = { metadata, groups, heirs, clocks };
  const snapshot = readTensors(inside, tensors);
  const past = readPast(plan, found);
  if (saved) recallHypers(inside.hypers, found, schedules, recalls.get(bytes));
  return { ...snapshot, ...past, clocks, micro: micro! };
}

function readKinds(value: unknown): readonly ScheduleDefinition[] {
  return readArray("loadCheckpoint.schedules", value, "schedules").map((kind, i) => {
    if (isScheduleDefinition(kind)) return kind;
    throw refusal(`loadCheckpoint.schedules[${i}]`, kind, "a kind of schedule, such as schedules.cosine");
  });
}

/** Takes over the saved hypers and freezing; on an error nothing is changed. */
function recallHypers(
  hypers: Hypers,
  { metadata, groups, clocks }: Saved,
  schedules: readonly ScheduleDefinition[],
  here: { readonly hypers: Hypers; readonly state: HypersState } | undefined,
): void {
  const before = hypers.state;
  if (here?.hypers === hypers) hypers.state = here.state;
  const states = [hypers.plan.start, before, hypers.state].flatMap(({ shared, fallback, groups }) =>
    [...shared, ...fallback, ...groups.flatMap(({ values }) => values)].flatMap((its) => Object.values(its)),
  );
  const known = [...new Set([...schedules, ...states.flatMap(({ config }) => definitionsIn(config))])];
  const hint = () =>
    "; name the kinds that were set: loadCheckpoint(optimizer, bytes, { schedules: [schedules.cosine] })";
  const read = (saved: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(
      Object.entries(saved).map(([hyper, value]) => [hyper, scheduleFromJson(value, `set.${hyper}`, known, { hint })]),
    );
  try {
    const saved = {
      values: clocks.map((_, r) => groups.map((group) => read(group.hypers[r] ?? {}))),
      observed: clocks.map((_, r) => groups.map(({ heard }) => heard?.[r] ?? {})),
      explicit: groups.map(({ own }) => own),
      inherited: {
        shared: readShared("shared", metadata).map(read),
        fallback: readShared("fallback", metadata).map(read),
      },
    };
    const steps = clocks.map(({ step }) => step);
    restoreHypers(hypers, saved, steps);
  } catch (error) {
    hypers.state = before;
    if (!(error instanceof OptionError)) throw error;
    throw new DataError(`the checkpoint's hypers do not fit: ${error.message}`, { cause: error });
  }
  hypers.restoreFrozen(groups.map(({ frozen }) => frozen === true));
}

/**
 * For each group here, the groups of the checkpoint that its tensors come from. If only the state is taken over, groups may
 * differ, but each tensor must keep its rule.
 */
function matchGroups(
  groups: readonly SavedGroup[],
  ours: readonly SavedGroup[],
  asSaved: boolean,
): readonly (readonly number[])[] {
  const list = (key: "params" | "rule" | "flags", from: readonly SavedGroup[]) =>
    JSON.stringify(from.map((group) => group[key]));
  const refuse = (key: "params" | "rule" | "flags") => {
    const what = key === "params" ? "groups" : `groups' ${key === "rule" ? "rules" : "flags"}`;
    return new DataError(`the checkpoint's ${what} are ${list(key, groups)}; this optimizer's are ${list(key, ours)}`);
  };
  const [same, namesTensors] = [
    list("params", groups) === list("params", ours),
    groups.every(({ tensors }) => tensors),
  ];
  if (!same && (asSaved || !namesTensors)) throw refuse("params");
  const homes = new Map(groups.flatMap(({ tensors }, index) => (tensors ?? []).map((name) => [name, index] as const)));
  const heirs = ours.map(({ tensors }, index) => {
    const from = same ? [index] : (tensors ?? []).flatMap((name) => homes.get(name) ?? []);
    return [...new Set(from)];
  });
  for (const key of ["rule", "flags"] as const) {
    const differs = ours.some((group, index) =>
      heirs[index]!.some((from) => JSON.stringify(groups[from]![key]) !== JSON.stringify(group[key])),
    );
    if (differs || (same && groups.length !== ours.length)) throw refuse(key);
  }
  return heirs;
}

function readTensors(inside: Inside, tensors: ReadonlyMap<string, SafeTensor>): Pick<Snapshot, "roles" | "scalars"> {
  const { plan, layouts, segments } = inside;
  const { replicas } = plan;
  const each = <T>(make: () => T) => Array.from({ length: replicas }, make);
  const snapshot = {
    roles: new Map(savedRoles(plan).map((role) => [role, each((): TensorValues => ({}))])),
    scalars: layouts.map(({ scalars, places }) => each(() => new Float32Array(scalars.length * (1 + places.length)))),
  };
  const known = new Set<string>();
  for (const { key, shape, put } of entries(inside)) {
    known.add(key);
    const tensor = tensors.get(key);
    if (!tensor) throw new DataError(`the checkpoint has no "${key}"`);
    if (tensor.shape.join() !== shape.join()) {
      throw new DataError(`the checkpoint's "${key}" has shape [${tensor.shape}]; this optimizer's has [${shape}]`);
    }
    const length = tensor.data.length / replicas;
    for (let replica = 0; replica < replicas; replica++) {
      put(snapshot, replica, tensor.data.slice(replica * length, (replica + 1) * length));
    }
  }
  // Slots of the rule that this optimizer does not keep are ignored: its hypers decide whether it needs them.
  for (const { rule, segments: members } of plan.ruleSets) {
    for (const index of members) for (const slot of rule.slots) known.add(keyOf(segments[index]!.name, slot));
  }
  for (const key of tensors.keys()) {
    if (!known.has(key)) throw new DataError(`the checkpoint has "${key}", which this optimizer does not`);
  }
  return snapshot;
}

/** A checkpoint's metadata, read. */
interface Saved {
  readonly metadata: Readonly<Record<string, string>>;
  readonly groups: readonly SavedGroup[];
  /** For each group here, the groups of the checkpoint that its tensors come from. */
  readonly heirs: readonly (readonly number[])[];
  /** By replica. */
  readonly clocks: readonly Clock[];
}

interface SavedGroup {
  readonly params: unknown;
  readonly rule: unknown;
  readonly flags: unknown;
  readonly frozen: unknown;
  readonly hypers: readonly Readonly<Record<string, unknown>>[];
  /** The hypers that the group set itself; missing in older checkpoints, as `heard` is: the states of listeners. */
  readonly own?: readonly string[];
  readonly heard?: readonly ObservedStates[];
  readonly tensors?: readonly string[];
}

function readGroups(text: string | undefined): readonly SavedGroup[] {
  const groups = readJson("groups", text) as SavedGroup[];
  const list = (value: unknown) => value === undefined || Array.isArray(value);
  const whole = ({ hypers, own, tensors }: SavedGroup) => Array.isArray(hypers) && list(own) && list(tensors);
  if (Array.isArray(groups) && groups.every((group) => typeof group === "object" && group !== null && whole(group))) {
    return groups;
  }
  throw new DataError(`the checkpoint's groups are ${text}; they must be an array of { params, rule, hypers, own }`);
}

/** Hypers that groups inherited, by replica; older checkpoints name them only in their groups. */
function readShared(
  key: "shared" | "fallback",
  metadata: Readonly<Record<string, string>>,
): readonly Readonly<Record<string, unknown>>[] {
  const text = metadata[key];
  const shared = text === undefined ? [] : readJson(key, text);
  if (Array.isArray(shared)) return shared;
  throw new DataError(`the checkpoint's ${key} hypers are ${text}; they must be an array`);
}

/** The groups of each rule set of the saved optimizer. */
function savedRuleSets(
  plan: Plan,
  groups: readonly SavedGroup[],
  heirs: readonly (readonly number[])[],
): readonly (readonly number[])[] {
  if (heirs.every((from, index) => from.length === 1 && from[0] === index))
    return plan.ruleSets.map(({ groups }) => groups);
  // Groups with tensors, by rule and flags, in the order of their first groups.
  const ruleSets = new Map<string, number[]>();
  groups.forEach(({ rule, flags, tensors }, index) => {
    if (!tensors?.length) return;
    const key = JSON.stringify([rule, flags]);
    const ruleSet = ruleSets.get(key) ?? [];
    ruleSets.set(key, ruleSet);
    ruleSet.push(index);
  });
  return [...ruleSets.values()];
}

/** Whether a value has an entry by rule set, replica and group. */
function isTable<T>(
  value: unknown,
  ruleSets: readonly (readonly number[])[],
  replicas: number,
): value is readonly (readonly (readonly T[])[])[] {
  const isList = (list: unknown, length: number): list is readonly unknown[] =>
    Array.isArray(list) && list.length === length;
  return (
    isList(value, ruleSets.length) &&
    ruleSets.every((members, ruleSet) => {
      const its = value[ruleSet];
      return isList(its, replicas) && its.every((replica) => isList(replica, members.length));
    })
  );
}

function misfit(what: string, text: string | undefined): DataError {
  return new DataError(`the checkpoint's ${what} are ${text}, which do not fit this optimizer's rules`);
}

/** The values that each group here carries, and the updates it has made, by rule set, replica and group. */
function readPast(plan: Plan, { metadata, groups, heirs, clocks }: Saved): Pick<Snapshot, "carried" | "made"> {
  const ruleSets = savedRuleSets(plan, groups, heirs);
  const places = new Map(
    ruleSets.flatMap((members, ruleSet) => members.map((from, at) => [from, [ruleSet, at]] as const)),
  );
  const texts = { carried: metadata.carried, made: metadata.made };
  const carried = readJson("carried", texts.carried);
  // Older checkpoints lack it: all their groups counted the optimizer's steps.
  const made = texts.made === undefined ? undefined : readJson("made", texts.made);
  if (!isTable<CarryValues | null>(carried, ruleSets, plan.replicas)) throw misfit("carried values", texts.carried);
  if (made !== undefined && !isTable<number>(made, ruleSets, plan.replicas))
    throw misfit("counts of updates", texts.made);
  const past = plan.ruleSets.map(({ rule, groups: members }) => {
    const names = rule.carry?.names ?? [];
    return clocks.map(({ step }, replica) =>
      members.map((index) => {
        const sources = heirs[index]!.map((from) => {
          const [ruleSet, at] = places.get(from)!;
          const values = carried[ruleSet]![replica]![at]!;
          const count = made ? made[ruleSet]![replica]![at]! : step;
          const starts = values === null && count === 0 && names.length > 0;
          if (!starts && !names.every((name) => Number.isFinite(values?.[name]))) {
            throw misfit("carried values", texts.carried);
          }
          if (!Number.isInteger(count) || count < 0 || count > step) throw misfit("counts of updates", texts.made);
          return { from, carried: starts ? null : (values ?? {}), made: count };
        });
        const [first] = sources;
        if (!first) throw new DataError(`the checkpoint has no tensors of group ${index}`);
        const other = sources.find(
          (source) =>
            source.made !== first.made || names.some((name) => source.carried?.[name] !== first.carried?.[name]),
        );
        if (other) {
          const [one, two] = [first, other].map(({ from, made }) => `"${groups[from]!.tensors![0]}" made ${made}`);
          throw new DataError(
            `in group ${index} (${rule.name}) the checkpoint's ${one} updates and ${two}, or at other rates; tensors of a group must share their past: put them in separate groups`,
          );
        }
        return { carried: first.carried, made: first.made };
      }),
    );
  });
  return {
    carried: past.map((ruleSet) => ruleSet.map((replica) => replica.map(({ carried }) => carried))),
    made: past.map((ruleSet) => ruleSet.map((replica) => replica.map(({ made }) => made))),
  };
}

function readJson(key: string, text: string | undefined): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "");
  } catch (error) {
    throw new DataError(`the checkpoint's ${key} are not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (isDeep(value)) {
    throw new DataError(`the checkpoint's ${key} are ${show(value)}, nested more than ${deepest} deep`);
  }
  return value;
}

function readClocks(plan: Plan, metadata: Readonly<Record<string, string>>): Clock[] {
  const { replicas } = plan;
  const [step, skipped, goodSteps] = (["step", "skipped", "goodSteps"] as const).map((key) =>
    wholeNumbers(metadata, key, replicas),
  );
  const scales = (metadata.lossScale ?? "missing").split(" ").map(Number);
  if (scales.length !== replicas || scales.some((scale) => !(scale > 0 && scale <= largestLossScale))) {
    throw new DataError(
      `the checkpoint's lossScale is ${metadata.lossScale}; it must be ${replicas} numbers > 0 and <= 2^126`,
    );
  }
  // An optimizer without loss scaling must not take over a scale, nor one with loss scaling the 1 of a run without.
  const scaled = (readJson("config", metadata.config) as { lossScale?: unknown } | null)?.lossScale;
  return scales.map((saved, r) => ({
    step: step![r]!,
    skipped: skipped![r]!,
    goodSteps: goodSteps![r]!,
    lossScale: plan.lossScale ? (scaled ? saved : plan.lossScale.init) : 1,
  }));
}

function wholeNumbers(metadata: Readonly<Record<string, string>>, key: string, count: number): number[] {
  const text = metadata[key] ?? "missing";
  const words = text.split(" ");
  if (words.length !== count || words.some((word) => !/^\d+$/.test(word) || Number(word) >= 2 ** 32)) {
    const what = count === 1 ? "a whole number" : `${count} whole numbers`;
    throw new DataError(`the checkpoint's ${key} is ${text}; it must be ${what} in [0, 2^32)`);
  }
  return words.map(Number);
}
