// Checkpoints: an optimizer's whole state as a safetensors file. Parameters stand under their names, slots and scalars
// under NAME:SLOT, scalars of all tensors together under :SCALAR; with replicas every shape begins with their number. What
// is not a tensor (rules, config, hypers, step) stands in the metadata. The same for both engines.
import type { Segment } from "./arena.ts";
import { largestLossScale } from "./around_plan.ts";
import { DataError, OptionError, show } from "./errors.ts";
import { keptShare, type PartLayout, slotRange } from "./layout.ts";
import { putValues, type TensorValues } from "./optimizer.ts";
import { deepest, isDeep } from "./options.ts";
import { type Heard, type Plan, planConfig, planSlots, rememberHypers, replaceHypers, replaceOwn } from "./plan.ts";
import { encodeSafetensors, openSafetensors, type SafeTensor } from "./safetensors.ts";
import { holdsFunction, type Schedule } from "./schedule.ts";
import type { CarryValues } from "./table.ts";

/** Sealed by checksums; two bits away from the one before, so that damage makes no file of either into the other. */
const format = "fallline-checkpoint/2";

/** The format of fallline 0.1, whose files have no checksums. */
const unsealedFormat = "fallline-checkpoint/1";

/** How far one replica has come. */
export interface Clock {
  readonly step: number;
  readonly skipped: number;
  readonly lossScale: number;
  /** Updates since the loss scale changed or one was skipped. */
  readonly goodSteps: number;
}

/** An optimizer's state outside of the engine that holds it. */
export interface Snapshot {
  /** One for each replica. */
  readonly clocks: readonly Clock[];
  /** Gradients added up since the last update. */
  readonly micro: number;
  /** What rules carry, by part, replica and group. */
  readonly carried: readonly (readonly (readonly CarryValues[])[])[];
  /** By role (params, each slot, accumulated) and replica. */
  readonly roles: ReadonlyMap<string, readonly TensorValues[]>;
  /** By part and replica: a record of all tensors together, then one for each place. */
  readonly scalars: readonly (readonly Float32Array[])[];
}

/** What a checkpoint says of its optimizer. */
export interface Description {
  /** What its file says. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Gives the optimizer that was saved its hypers back, functions too. */
  readonly recall: () => void;
}

/** Of checkpoints made here, whose plan they are and what no file holds of it: hypers that are functions of the step. */
const recalls = new WeakMap<Uint8Array, { readonly plan: Plan; readonly recall: () => void }>();

const keyOf = (tensor: string, role: string) => (role === "params" ? tensor : `${tensor}:${role}`);

function savedRoles(plan: Plan): readonly string[] {
  return ["params", ...planSlots(plan), ...(plan.accumulate > 1 ? ["accumulated"] : [])];
}

/**
 * Refuses tensors whose name is the key of another tensor's slot.
 *
 * @throws OptionError that names both.
 */
export function checkKeys(plan: Plan, segments: readonly Segment[]): void {
  const names = new Set(segments.map(({ name }) => name));
  const scalars = [...plan.parts.flatMap(({ rule }) => Object.keys(rule.reduction?.scalars ?? {})), keptShare];
  for (const name of names) {
    const slot = [...savedRoles(plan).slice(1), ...scalars].find((candidate) => names.has(keyOf(name, candidate)));
    if (slot) {
      throw new OptionError(
        `a tensor is called "${keyOf(name, slot)}", which checkpoints use for the slot ${slot} of "${name}"`,
      );
    }
  }
  const common = [...names].find((name) => name.startsWith(":") && scalars.includes(name.split(":").pop()!));
  if (common) {
    throw new OptionError(
      `a tensor is called "${common}", which checkpoints use for what a rule sums over all tensors`,
    );
  }
}

/** The plan as it is at this moment. Hypers that are, or hold, functions of the step are left out: JSON has none. */
export function describePlan(plan: Plan): Description {
  const groups = plan.groups.map(({ params, rule, flags, hypers, own, frozen }) => ({
    params: params ?? null,
    rule: rule.name,
    flags,
    frozen,
    hypers: hypers.map(configsOf),
    own: [...own],
    heard: hypers.map(heardBy),
  }));
  const metadata = {
    format,
    rule: plan.rule.name,
    config: JSON.stringify(planConfig(plan)),
    flags: JSON.stringify({
      ...plan.flags,
      maximize: plan.maximize,
      cautious: plan.cautious,
      accumulate: plan.accumulate,
      replicas: plan.replicas,
    }),
    groups: JSON.stringify(groups),
    shared: JSON.stringify(plan.shared.map(configsOf)),
  };
  return { metadata, recall: rememberHypers(plan) };
}

/** Hypers as JSON, but for functions. */
function configsOf(hypers: Readonly<Record<string, Schedule>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(hypers)
      .filter(([, { config }]) => !holdsFunction(config))
      .map(([hyper, { config }]) => [hyper, config]),
  );
}

/** What listens among hypers, and what it has heard. */
function heardBy(hypers: Readonly<Record<string, Schedule>>): Heard {
  return Object.fromEntries(
    Object.entries(hypers).flatMap(([hyper, { listeners }]) =>
      listeners ? [[hyper, listeners.map((listener) => listener.state())]] : [],
    ),
  );
}

export function encodeCheckpoint(
  description: Description,
  plan: Plan,
  layouts: readonly PartLayout[],
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
  const { clocks, micro, carried } = snapshot;
  const column = (name: keyof Clock) => clocks.map((clock) => clock[name]).join(" ");
  const metadata = {
    ...description.metadata,
    step: column("step"),
    skipped: column("skipped"),
    lossScale: column("lossScale"),
    goodSteps: column("goodSteps"),
    micro: String(micro),
    carried: JSON.stringify(carried),
  };
  const bytes = encodeSafetensors({ metadata, tensors });
  recalls.set(bytes, { plan, recall: description.recall });
  return bytes;
}

/**
 * Reads a checkpoint and gives the plan its hypers.
 *
 * @throws DataError that says what does not fit this plan and these tensors; the plan is unchanged then.
 */
export function openCheckpoint(
  plan: Plan,
  layouts: readonly PartLayout[],
  segments: readonly Segment[],
  bytes: Uint8Array,
): Snapshot {
  const { metadata, tensors, sealed } = openSafetensors(bytes);
  if (metadata.format !== format && metadata.format !== unsealedFormat) {
    throw new DataError(
      `the checkpoint's format is ${show(metadata.format)}; this version reads ${format} and ${unsealedFormat}`,
    );
  }
  if (metadata.format === format && !sealed) {
    throw new DataError(`the checkpoint has no checksums (metadata fallline.crc32), which its format ${format} needs`);
  }
  const own = describePlan(plan).metadata;
  for (const key of ["rule", "flags"]) {
    if (metadata[key] !== own[key]) {
      throw new DataError(`the checkpoint's ${key} is ${metadata[key] ?? "missing"}; this optimizer's is ${own[key]}`);
    }
  }
  const groups = readGroups(metadata.groups);
  const ours = readGroups(own.groups);
  for (const key of ["params", "rule", "flags"] as const) {
    const list = (from: readonly SavedGroup[]) => JSON.stringify(from.map((group) => group[key]));
    if (list(groups) !== list(ours)) {
      const what = key === "params" ? "groups" : `groups' ${key === "rule" ? "rules" : "flags"}`;
      throw new DataError(`the checkpoint's ${what} are ${list(groups)}; this optimizer's are ${list(ours)}`);
    }
  }
  const clocks = readClocks(plan, metadata);
  const [micro] = wholeNumbers(metadata, "micro", 1);
  if (micro! >= plan.accumulate) {
    throw new DataError(
      `the checkpoint's micro is ${micro}; it must be less than accumulate, which is ${plan.accumulate}`,
    );
  }
  const snapshot = readTensors(plan, layouts, segments, tensors);
  const carried = readCarried(plan, metadata.carried);
  const shared = readShared(metadata.shared);
  const undo = rememberHypers(plan);
  const here = recalls.get(bytes);
  if (here?.plan === plan) here.recall();
  try {
    const changes = Array.from({ length: plan.replicas }, (_, r) => groups.map(({ hypers }) => hypers[r] ?? {}));
    replaceHypers(
      plan,
      changes,
      clocks.map(({ step }) => step),
      changes,
      changes.map((_, r) => groups.map(({ heard }) => heard?.[r] ?? {})),
    );
    replaceOwn(
      plan,
      groups.map(({ own }) => own),
      shared,
    );
  } catch (error) {
    undo();
    if (!(error instanceof OptionError)) throw error;
    throw new DataError(`the checkpoint's hypers do not fit: ${error.message}`, { cause: error });
  }
  groups.forEach(({ frozen }, index) => {
    plan.groups[index]!.frozen = frozen === true;
  });
  return { ...snapshot, clocks, micro: micro!, carried };
}

interface Entry {
  readonly key: string;
  readonly shape: readonly number[];
  /** One replica's values. */
  pick(snapshot: Snapshot, replica: number): Float32Array;
  /** Puts one replica's values in. */
  put(snapshot: Pick<Snapshot, "roles" | "scalars">, replica: number, values: Float32Array): void;
}

/** Everything that a checkpoint of this plan holds. */
function* entries(plan: Plan, layouts: readonly PartLayout[], segments: readonly Segment[]): Generator<Entry> {
  const stacked = (shape: readonly number[]) => (plan.replicas === 1 ? shape : [plan.replicas, ...shape]);
  const homes = new Map(
    layouts.flatMap(({ places }, part) =>
      places.map((place) => [place.index, { place, part: plan.parts[part]!, layout: layouts[part]! }]),
    ),
  );
  for (const role of savedRoles(plan)) {
    for (const [index, { name, shape }] of segments.entries()) {
      const { place, part, layout } = homes.get(index)!;
      const everywhere = role === "params" || role === "accumulated";
      if (!everywhere && !part.slots.includes(role)) continue;
      const factored = !everywhere && part.rule.factored?.slot === role && place.factored;
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
  for (const [part, { scalars, places }] of layouts.entries()) {
    for (const [field, { name, scope }] of scalars.entries()) {
      const owners = scope === "all" ? [""] : places.map(({ segment }) => segment.name);
      for (const [index, owner] of owners.entries()) {
        const at = (scope === "all" ? 0 : 1 + index) * scalars.length + field;
        yield {
          // Two parts may have a scalar of one name for all their tensors.
          key: keyOf(scope === "all" && layouts.length > 1 ? `:${part}` : owner, name),
          shape: stacked([]),
          pick: (snapshot, replica) => snapshot.scalars[part]![replica]!.slice(at, at + 1),
          put: (snapshot, replica, values) => {
            snapshot.scalars[part]![replica]!.set(values, at);
          },
        };
      }
    }
  }
}

function readTensors(
  plan: Plan,
  layouts: readonly PartLayout[],
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
  // Slots of the rule that this optimizer does without are passed over: its hypers decide whether it can.
  for (const { rule, segments: members } of plan.parts) {
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
  /** Missing in older checkpoints, as `heard` is. */
  readonly own?: readonly string[];
  readonly heard?: readonly Heard[];
}

function readGroups(text: string | undefined): readonly SavedGroup[] {
  const groups = readJson("groups", text) as SavedGroup[];
  const whole = ({ hypers, own }: SavedGroup) => Array.isArray(hypers) && (own === undefined || Array.isArray(own));
  if (Array.isArray(groups) && groups.every((group) => typeof group === "object" && group !== null && whole(group))) {
    return groups;
  }
  throw new DataError(`the checkpoint's groups are ${text}; they must be an array of { params, rule, hypers, own }`);
}

/** The hypers that all groups had in common, by replica; older checkpoints tell of them only in their groups. */
function readShared(text: string | undefined): readonly Readonly<Record<string, unknown>>[] {
  const shared = text === undefined ? [] : readJson("shared", text);
  if (Array.isArray(shared)) return shared;
  throw new DataError(`the checkpoint's shared hypers are ${text}; they must be an array`);
}

function readCarried(plan: Plan, text: string | undefined): Snapshot["carried"] {
  const carried = readJson("carried", text) as readonly (readonly (readonly CarryValues[])[])[];
  const isList = (value: unknown, length: number): value is readonly unknown[] =>
    Array.isArray(value) && value.length === length;
  const fits =
    isList(carried, plan.parts.length) &&
    plan.parts.every(({ rule, groups }, part) => {
      const names = rule.carry?.names ?? [];
      const whole = (values: CarryValues | null) => names.every((name) => Number.isFinite(values?.[name]));
      return (
        isList(carried[part], plan.replicas) &&
        carried[part].every((replica) => isList(replica, groups.length) && replica.every(whole))
      );
    });
  if (!fits)
    throw new DataError(`the checkpoint's carried values are ${text}, which do not fit this optimizer's rules`);
  return carried;
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
  // An optimizer without loss scaling must not take one over, nor one with it the 1 of a run without.
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
