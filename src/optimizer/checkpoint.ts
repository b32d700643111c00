// Checkpoints: an optimizer's whole state as a safetensors file. Parameters are stored under their names, slots and scalars under
// NAME:SLOT, scalars of all tensors together under :SCALAR; with replicas every shape starts with their number. Everything else
// (rules, config, hypers, step) is in the metadata. Both engines write the same.

import { DataError, OptionError, show } from "../base/errors.ts";
import { inMemory, memoryError } from "../base/host_memory.ts";
import { deepest, isDeep, readArray, readChoice, readObject } from "../base/options.ts";
import { encodeSafetensors, openSafetensors, type SafeTensor } from "../base/safetensors.ts";
import { together } from "../base/together.ts";
import { largestLossScale } from "../modifiers/modifier.ts";
import { definitionsIn, scheduleFromJson } from "../schedules/from_json.ts";
import {
  holdsFunction,
  isScheduleDefinition,
  type Schedule,
  type ScheduleConfig,
  type ScheduleDefinition,
} from "../schedules/schedule.ts";
import type { Segment } from "./arena.ts";
import { Hypers, type HypersState } from "./hypers.ts";
import { keyOf, savedRoles } from "./keys.ts";
import { type RuleSetLayout, slotRange } from "./layout.ts";
import { mustAllow, scalarRange } from "./locations.ts";
import { type Optimizer, putValues, type TensorValues } from "./optimizer.ts";
import type { Plan } from "./plan.ts";
import { flagsConfig, planConfig } from "./plan_config.ts";
import { type ObservedStates, restoreHypers } from "./restore_hypers.ts";
import { fetchRoles, type Inside, insideOf } from "./shell.ts";
import type { Clock, Write } from "./store.ts";
import type { CarryValues } from "./table.ts";

/** With checksums. Two bits away from the previous format's name, so that no single flipped bit turns one into the other. */
const format = "fallline-checkpoint/2";

/** The format of fallline 0.1, whose files have no checksums. */
const unsealedFormat = "fallline-checkpoint/1";

/** Options of {@link loadCheckpoint}. */
export interface LoadOptions {
  /**
   * Whose hypers and freezing apply from then on: those at the time of saving ("saved"), or this optimizer's current ones
   * ("config"). Default "saved" if the saved optimizer was created with the same hypers, groups and freezing as this one, else
   * "config", so that a new config is not undone.
   */
  readonly hypers?: "saved" | "config" | undefined;
  /**
   * Kinds of schedule that may have been set before saving, such as `[schedules.cosine]`; the ones in this optimizer's config are
   * known already.
   */
  readonly schedules?: readonly ScheduleConfig["type"][] | undefined;
}

/**
 * An optimizer's whole state (parameters, slots, hypers, step) as a safetensors file, from which {@link loadCheckpoint}
 * continues to the bit.
 *
 * @throws DeviceError like {@link Optimizer.read}, and if the process runs out of memory.
 */
export async function saveCheckpoint(optimizer: Optimizer): Promise<Uint8Array<ArrayBuffer>> {
  const inside = insideOf(optimizer);
  const { plan, hypers, layouts, segments, store } = inside;
  store.mustLive("saveCheckpoint");
  try {
    const description = describePlan(plan, hypers);
    const snapshot = await takeSnapshot(inside);
    return encodeCheckpoint(description, plan, hypers, layouts, segments, snapshot);
  } catch (error) {
    throw memoryError("a checkpoint", error);
  }
}

/**
 * Continues from a checkpoint: parameters, slots, steps. An optimizer that was created with the same hypers, groups and freezing
 * continues to the bit, with everything that was set, frozen and thawed before saving; any other keeps its own hypers and
 * freezing ({@link LoadOptions.hypers} chooses). Functions of the step, which a file cannot hold, are restored only from the very
 * array that {@link saveCheckpoint} returned for this optimizer; otherwise they are kept. Clipping, averages (including the decay
 * of `ema`) and loss scaling stay as this optimizer was created. Groups may differ from the saved ones, as long as each tensor
 * keeps its rule and the tensors of a group have made equally many updates. Submit encoded steps before you load.
 *
 * @throws DataError if the file is not a checkpoint of these tensors and this rule; nothing is changed then. DeviceError if the
 * device refuses the write.
 */
export async function loadCheckpoint(
  optimizer: Optimizer,
  bytes: Uint8Array | ArrayBuffer,
  options?: LoadOptions,
): Promise<void> {
  const { plan, hypers, layouts, segments, store, locate } = insideOf(optimizer);
  store.mustLive("loadCheckpoint");
  for (const location of locate("params")) mustAllow(location, "COPY_DST", "loadCheckpoint");
  const { clocks, micro, carried, made, roles, scalars } = inMemory("the checkpoint", () =>
    openCheckpoint(plan, hypers, layouts, segments, bytes, options),
  );
  const writes: Write[] = [];
  for (const [role, replicas] of roles) {
    for (const range of locate(role)) {
      for (const [replica, values] of replicas.entries()) {
        writes.push({ range, replica, values: values[range.segment.name] as Float32Array<ArrayBuffer> });
      }
    }
  }
  for (const [ruleSet, replicas] of scalars.entries()) {
    const range = scalarRange(layouts, ruleSet);
    for (const [replica, values] of replicas.entries()) writes.push({ range, replica, values });
  }
  const pasts = clocks.map((_, replica) => ({
    carried: carried.map((ruleSet) => ruleSet[replica]!),
    made: made.map((ruleSet) => ruleSet[replica]!),
  }));
  await store.restore(clocks, pasts, micro, writes);
}

/** The whole state at one moment. All copies are submitted before any is awaited. */
async function takeSnapshot(inside: Inside): Promise<Snapshot> {
  const { plan, layouts, store } = inside;
  const ranges = layouts.map((_, ruleSet) => scalarRange(layouts, ruleSet));
  // Role by role: all of them together may exceed a buffer.
  const replicas = await together(
    Array.from({ length: plan.replicas }, async (_, replica) => {
      const [{ record, values: scalars, past }, ...each] = await together([
        store.fetch(ranges, replica),
        ...savedRoles(plan).map((role) => fetchRoles(inside, [role], replica)),
      ]);
      const { step, skipped, lossScale, goodSteps, micro } = record;
      return {
        ...past(),
        clock: { step, skipped, lossScale, goodSteps },
        micro,
        scalars,
        roles: new Map(each.flatMap(({ values }) => [...values])),
      };
    }),
  );
  const byRuleSet = <T>(of: (replica: (typeof replicas)[number]) => readonly T[]) =>
    plan.ruleSets.map((_, ruleSet) => replicas.map((replica) => of(replica)[ruleSet]!));
  return {
    clocks: replicas.map(({ clock }) => clock),
    micro: replicas[0]!.micro,
    carried: byRuleSet(({ carried }) => carried),
    made: byRuleSet(({ made }) => made),
    roles: new Map(savedRoles(plan).map((role) => [role, replicas.map(({ roles }) => roles.get(role)!)])),
    scalars: byRuleSet(({ scalars }) => scalars),
  };
}

/** An optimizer's state, outside the engine. */
interface Snapshot {
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
interface Description {
  /** The metadata of its file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The hypers of the saved optimizer, including functions. */
  readonly state: HypersState;
}

/** For checkpoints made in this process: whose hypers they hold, and functions of the step, which no file can hold. */
const recalls = new WeakMap<object, { readonly hypers: Hypers; readonly state: HypersState }>();

/** The current plan, without hypers that are or contain functions of the step, which JSON cannot hold. */
function describePlan(plan: Plan, hypers: Hypers): Description {
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

function encodeCheckpoint(
  description: Description,
  plan: Plan,
  hypers: Hypers,
  layouts: readonly RuleSetLayout[],
  segments: readonly Segment[],
  snapshot: Snapshot,
): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, SafeTensor>();
  for (const { key, shape, pick } of entries(plan, layouts, segments)) {
    const parts = Array.from({ length: plan.replicas }, (_, replica) => pick(snapshot, replica));
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
  recalls.set(bytes, { hypers, state: description.state });
  return bytes;
}

/**
 * Reads a checkpoint, and takes over its hypers and freezing if they apply.
 *
 * @throws DataError that says what does not fit this plan and these tensors; OptionError for a bad option. Hypers are not changed
 * then.
 */
function openCheckpoint(
  plan: Plan,
  hypers: Hypers,
  layouts: readonly RuleSetLayout[],
  segments: readonly Segment[],
  bytes: Uint8Array | ArrayBuffer,
  options: LoadOptions = {},
): Snapshot {
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
  const current = describePlan(plan, hypers).metadata;
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
  const snapshot = readTensors(plan, layouts, segments, tensors);
  const past = readPast(plan, clocks, groups, heirs, metadata);
  if (saved) recallHypers(plan, hypers, schedules, clocks, groups, metadata, recalls.get(bytes));
  return { ...snapshot, ...past, clocks, micro: micro! };
}

function readKinds(value: unknown): readonly ScheduleDefinition[] {
  return readArray("loadCheckpoint.schedules", value, "schedules").map((kind, i) => {
    if (isScheduleDefinition(kind)) return kind;
    throw new OptionError(
      `loadCheckpoint.schedules[${i}] is ${show(kind)}; it must be a kind of schedule, such as schedules.cosine`,
    );
  });
}

/** Takes over the saved hypers and freezing; on an error nothing is changed. */
function recallHypers(
  plan: Plan,
  hypers: Hypers,
  schedules: readonly ScheduleDefinition[],
  clocks: readonly Clock[],
  groups: readonly SavedGroup[],
  metadata: Readonly<Record<string, string>>,
  here: { readonly hypers: Hypers; readonly state: HypersState } | undefined,
): void {
  const before = hypers.state;
  if (here?.hypers === hypers) hypers.state = here.state;
  const states = [plan.start, before, hypers.state].flatMap(({ shared, fallback, groups }) =>
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

interface Entry {
  readonly key: string;
  readonly shape: readonly number[];
  /** One replica's values. */
  pick(snapshot: Snapshot, replica: number): Float32Array;
  /** Puts one replica's values in. */
  put(snapshot: Pick<Snapshot, "roles" | "scalars">, replica: number, values: Float32Array): void;
}

/** Everything in a checkpoint of this plan. */
function* entries(plan: Plan, layouts: readonly RuleSetLayout[], segments: readonly Segment[]): Generator<Entry> {
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

function readTensors(
  plan: Plan,
  layouts: readonly RuleSetLayout[],
  segments: readonly Segment[],
  tensors: ReadonlyMap<string, SafeTensor>,
): Pick<Snapshot, "roles" | "scalars"> {
  const { replicas } = plan;
  const each = <T>(make: () => T) => Array.from({ length: replicas }, make);
  const snapshot = {
    roles: new Map(savedRoles(plan).map((role) => [role, each((): TensorValues => ({}))])),
    scalars: layouts.map(({ scalars, places }) => each(() => new Float32Array(scalars.length * (1 + places.length)))),
  };
  const known = new Set<string>();
  for (const { key, shape, put } of entries(plan, layouts, segments)) {
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
function readPast(
  plan: Plan,
  clocks: readonly Clock[],
  groups: readonly SavedGroup[],
  heirs: readonly (readonly number[])[],
  metadata: Readonly<Record<string, string>>,
): Pick<Snapshot, "carried" | "made"> {
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
