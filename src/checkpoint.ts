// Checkpoints: an optimizer's whole state as a safetensors file. Parameters stand under their names, slots under
// NAME:SLOT; rule, config, hypers and step stand in the metadata. The same for both engines.
import { packArena, type Segment, unpackArena } from "./arena.ts";
import { DataError, OptionError } from "./errors.ts";
import { type Plan, planConfig } from "./plan.ts";
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from "./safetensors.ts";

const format = "fallline-checkpoint/1";

export interface Checkpoint {
  readonly step: number;
  readonly skipped: number;
  /** Whole arenas by role: `params` and each slot. */
  readonly arenas: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/** What `load` finds: the state, and each group's hypers but for those that were functions of the step. */
export interface LoadedCheckpoint extends Checkpoint {
  readonly hypers: readonly Readonly<Record<string, unknown>>[];
}

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

export function encodeCheckpoint(
  plan: Plan,
  segments: readonly Segment[],
  checkpoint: Checkpoint,
): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, SafeTensor>();
  const hypers = plan.groups.map((group) =>
    Object.fromEntries(Object.entries(group.hypers).map(([hyper, { config }]) => [hyper, config])),
  );
  for (const [role, arena] of checkpoint.arenas) {
    const values = unpackArena(segments, arena);
    for (const { name, shape } of segments) tensors.set(keyOf(name, role), { shape, data: values[name]! });
  }
  const metadata = {
    format,
    rule: plan.rule.name,
    config: JSON.stringify(planConfig(plan)),
    // Functions fall out of JSON, and are then kept as the loading optimizer has them.
    hypers: JSON.stringify(hypers),
    step: String(checkpoint.step),
    skipped: String(checkpoint.skipped),
  };
  return encodeSafetensors({ metadata, tensors });
}

/** Reads a checkpoint that must fit this plan and these tensors; a DataError says what does not. */
export function decodeCheckpoint(plan: Plan, segments: readonly Segment[], bytes: Uint8Array): LoadedCheckpoint {
  const { metadata, tensors } = decodeSafetensors(bytes);
  if (metadata.format !== format) {
    throw new DataError(`the checkpoint's format is ${metadata.format ?? "missing"}; this version reads ${format}`);
  }
  if (metadata.rule !== plan.rule.name) {
    throw new DataError(`the checkpoint is of rule "${metadata.rule}"; this optimizer's is "${plan.rule.name}"`);
  }
  const arenas = new Map<string, Float32Array<ArrayBuffer>>();
  const expected = new Set<string>();
  for (const role of ["params", ...plan.slots]) {
    const found = segments.map(({ name, shape }) => {
      const key = keyOf(name, role);
      expected.add(key);
      const tensor = tensors.get(key);
      if (!tensor) throw new DataError(`the checkpoint has no "${key}"`);
      if (tensor.shape.join() !== shape.join()) {
        throw new DataError(`the checkpoint's "${key}" has shape [${tensor.shape}]; this optimizer's has [${shape}]`);
      }
      return { name, shape, data: tensor.data };
    });
    arenas.set(role, packArena(segments, found));
  }
  for (const key of tensors.keys()) {
    if (!expected.has(key)) throw new DataError(`the checkpoint has "${key}", which this optimizer does not`);
  }
  const hypers = JSON.parse(metadata.hypers ?? "[]") as LoadedCheckpoint["hypers"];
  if (!Array.isArray(hypers) || hypers.length !== plan.groups.length) {
    throw new DataError(`the checkpoint has ${hypers.length} groups; this optimizer has ${plan.groups.length}`);
  }
  return { step: wholeNumber(metadata, "step"), skipped: wholeNumber(metadata, "skipped"), arenas, hypers };
}

function wholeNumber(metadata: Readonly<Record<string, string>>, key: string): number {
  const value = Number(metadata[key]);
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32) {
    throw new DataError(
      `the checkpoint's ${key} is ${metadata[key] ?? "missing"}; it must be a whole number in [0, 2^32)`,
    );
  }
  return value;
}
