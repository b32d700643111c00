// Checkpoints: an optimizer's whole state as a safetensors file. Parameters stand under their names, slots under
// NAME:SLOT; rule, config, flags, groups and step stand in the metadata. The same for both engines.
import { packArena, type Segment, unpackArena } from "./arena.ts";
import { DataError, OptionError } from "./errors.ts";
import { type Plan, planConfig, replaceHypers } from "./plan.ts";
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from "./safetensors.ts";

const format = "fallline-checkpoint/1";

export interface Checkpoint {
  readonly step: number;
  readonly skipped: number;
  /** Whole arenas by role: `params` and each slot. */
  readonly arenas: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/** What a checkpoint says of its optimizer, as its file's metadata. */
export type Description = Readonly<Record<string, string>>;

const keyOf = (tensor: string, role: string) => (role === "params" ? tensor : `${tensor}:${role}`);

/**
 * Refuses tensors whose name is the key of another tensor's slot.
 *
 * @throws OptionError that names both.
 */
export function checkKeys(plan: Plan, segments: readonly Segment[]): void {
  const names = new Set(segments.map(({ name }) => name));
  for (const name of names) {
    const slot = plan.slots.find((candidate) => names.has(keyOf(name, candidate)));
    if (slot) {
      throw new OptionError(
        `a tensor is called "${keyOf(name, slot)}", which checkpoints use for the slot ${slot} of "${name}"`,
      );
    }
  }
}

/** The plan as it is at this moment. Hypers that are, or hold, functions of the step are left out: JSON has none. */
export function describePlan(plan: Plan): Description {
  const groups = plan.groups.map(({ params, hypers }) => ({
    params: params ?? null,
    hypers: Object.fromEntries(
      Object.entries(hypers)
        .filter(([, { config }]) => !holdsFunction(config))
        .map(([hyper, { config }]) => [hyper, config]),
    ),
  }));
  return {
    format,
    rule: plan.rule.name,
    config: JSON.stringify(planConfig(plan)),
    flags: JSON.stringify({ ...plan.flags, maximize: plan.maximize }),
    groups: JSON.stringify(groups),
  };
}

export function encodeCheckpoint(
  description: Description,
  segments: readonly Segment[],
  { step, skipped, arenas }: Checkpoint,
): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, SafeTensor>();
  for (const [role, arena] of arenas) {
    const values = unpackArena(segments, arena);
    for (const { name, shape } of segments) tensors.set(keyOf(name, role), { shape, data: values[name]! });
  }
  return encodeSafetensors({ metadata: { ...description, step: String(step), skipped: String(skipped) }, tensors });
}

/**
 * Reads a checkpoint and gives the plan its hypers.
 *
 * @throws DataError that says what does not fit this plan and these tensors; the plan is unchanged then.
 */
export function openCheckpoint(plan: Plan, segments: readonly Segment[], bytes: Uint8Array): Checkpoint {
  const { metadata, tensors } = decodeSafetensors(bytes);
  if (metadata.format !== format) {
    throw new DataError(`the checkpoint's format is ${metadata.format ?? "missing"}; this version reads ${format}`);
  }
  const own = describePlan(plan);
  for (const key of ["rule", "flags"]) {
    if (metadata[key] !== own[key]) {
      throw new DataError(`the checkpoint's ${key} is ${metadata[key] ?? "missing"}; this optimizer's is ${own[key]}`);
    }
  }
  const groups = readGroups(metadata.groups);
  const params = (list: readonly { params: unknown }[]) => JSON.stringify(list.map((group) => group.params));
  if (params(groups) !== params(readGroups(own.groups))) {
    throw new DataError(
      `the checkpoint's groups are ${params(groups)}; this optimizer's are ${params(readGroups(own.groups))}`,
    );
  }
  const [step, skipped] = [wholeNumber(metadata, "step"), wholeNumber(metadata, "skipped")];
  const arenas = readArenas(plan, segments, tensors);
  try {
    replaceHypers(
      plan,
      groups.map(({ hypers }) => hypers),
      step,
    );
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new DataError(`the checkpoint's hypers do not fit: ${error.message}`, { cause: error });
  }
  return { step, skipped, arenas };
}

function readArenas(
  plan: Plan,
  segments: readonly Segment[],
  tensors: ReadonlyMap<string, SafeTensor>,
): Map<string, Float32Array<ArrayBuffer>> {
  const arenas = new Map<string, Float32Array<ArrayBuffer>>();
  for (const role of ["params", ...plan.slots]) {
    const found = segments.map(({ name, shape }) => {
      const key = keyOf(name, role);
      const tensor = tensors.get(key);
      if (!tensor) throw new DataError(`the checkpoint has no "${key}"`);
      if (tensor.shape.join() !== shape.join()) {
        throw new DataError(`the checkpoint's "${key}" has shape [${tensor.shape}]; this optimizer's has [${shape}]`);
      }
      return { name, shape, data: tensor.data };
    });
    arenas.set(role, packArena(segments, found));
  }
  // Slots of the rule that this optimizer does without are passed over: its hypers decide whether it can.
  const known = new Set(
    segments.flatMap(({ name }) => ["params", ...plan.rule.slots].map((role) => keyOf(name, role))),
  );
  for (const key of tensors.keys()) {
    if (!known.has(key)) throw new DataError(`the checkpoint has "${key}", which this optimizer does not`);
  }
  return arenas;
}

interface SavedGroup {
  readonly params: unknown;
  readonly hypers: Readonly<Record<string, unknown>>;
}

function readGroups(text: string | undefined): readonly SavedGroup[] {
  try {
    const groups = JSON.parse(text ?? "") as SavedGroup[];
    if (Array.isArray(groups) && groups.every((group) => typeof group?.hypers === "object")) return groups;
  } catch (error) {
    throw new DataError(`the checkpoint's groups are not JSON: ${(error as Error).message}`, { cause: error });
  }
  throw new DataError(`the checkpoint's groups are ${text}; they must be an array of { params, hypers }`);
}

function holdsFunction(config: unknown): boolean {
  if (typeof config === "function") return true;
  return typeof config === "object" && config !== null && Object.values(config).some(holdsFunction);
}

function wholeNumber(metadata: Readonly<Record<string, string>>, key: string): number {
  const text = metadata[key] ?? "missing";
  if (!/^\d+$/.test(text) || Number(text) >= 2 ** 32) {
    throw new DataError(`the checkpoint's ${key} is ${text}; it must be a whole number in [0, 2^32)`);
  }
  return Number(text);
}
