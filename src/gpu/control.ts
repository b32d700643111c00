// The control buffer's layout on the host's side (shaders/control.wgsl declares it): for each replica a record for each bin
// of clipping.
import { OptionError, show } from "../errors.ts";
import type { Clock, ReplicaRecord } from "../optimizer/store.ts";
import { readNumber } from "../options.ts";
import { clipBins, type Plan } from "../plan.ts";

/** Byte offsets of the fields of one record; of the records behind a replica's first only norm and scale are in use. */
export const controlOffsets = {
  step: 0,
  arrived: 4,
  skip: 8,
  skipped: 12,
  gradientNorm: 16,
  clipScale: 20,
  epoch: 24,
  lossScale: 28,
  goodSteps: 32,
  underflow: 36,
  norm: 40,
  scale: 44,
  micro: 48,
  astray: 52,
  missed: 56,
  shrink: 60,
  normPower: 64,
  gradientPower: 68,
  clipPower: 72,
} as const;

const recordBytes = 76;

/** What the word `skip` is while a replica is halted. */
export const halted = 2;

/** Bytes of one replica's records. */
export function controlBytes(plan: Plan): number {
  return recordBytes * clipBins(plan);
}

/** What a replica's records say. */
export interface ControlRecord extends ReplicaRecord {
  readonly epoch: number;
  /** Updates since the last load that changed nothing, since their rows were not on the GPU any more. */
  readonly astray: number;
  /** Gradients since the last load that were left out of a mean, since an encoder before them was never submitted. */
  readonly missed: number;
}

/** The control buffer before its next step. */
export function encodeControl(
  plan: Plan,
  clocks: readonly Clock[],
  epoch: number,
  micro: number,
  isHalted: (replica: number) => boolean = () => false,
): Uint8Array<ArrayBuffer> {
  const size = controlBytes(plan);
  const bytes = new ArrayBuffer(size * clocks.length);
  clocks.forEach(({ step, skipped, lossScale, goodSteps }, replica) => {
    const view = new DataView(bytes, replica * size, size);
    view.setUint32(controlOffsets.step, step, true);
    view.setUint32(controlOffsets.skip, isHalted(replica) ? halted : 0, true);
    view.setUint32(controlOffsets.skipped, skipped, true);
    view.setFloat32(controlOffsets.gradientNorm, Number.NaN, true);
    view.setFloat32(controlOffsets.clipScale, 1, true);
    view.setUint32(controlOffsets.epoch, epoch, true);
    view.setFloat32(controlOffsets.lossScale, lossScale, true);
    view.setUint32(controlOffsets.goodSteps, goodSteps, true);
    view.setUint32(controlOffsets.micro, micro, true);
    for (const field of ["gradientPower", "clipPower"] as const) view.setFloat32(controlOffsets[field], 1, true);
    for (let bin = 0; bin < size; bin += recordBytes) {
      for (const field of ["scale", "shrink", "normPower"] as const)
        view.setFloat32(bin + controlOffsets[field], 1, true);
    }
  });
  return new Uint8Array(bytes);
}

/** What every replica's records say in a copy of the control buffer. */
export function decodeControl(plan: Plan, bytes: ArrayBuffer, offset = 0): readonly ControlRecord[] {
  if (!(bytes instanceof ArrayBuffer)) {
    throw new OptionError(`a copy of the control buffer is ${show(bytes)}; it must be an ArrayBuffer`);
  }
  readNumber("offset", offset, { min: 0, integer: true });
  const size = controlBytes(plan);
  const needed = size * plan.replicas;
  if (bytes.byteLength < offset + needed) {
    throw new OptionError(
      `a copy of the control buffer has ${bytes.byteLength - offset} bytes from offset ${offset}; it needs ${needed}`,
    );
  }
  return Array.from({ length: plan.replicas }, (_, replica) => {
    const view = new DataView(bytes, offset + replica * size, size);
    const number = (field: keyof typeof controlOffsets, bin = 0) =>
      view.getFloat32(recordBytes * bin + controlOffsets[field], true);
    const norms = Array.from({ length: clipBins(plan) }, (_, bin) => number("norm", bin) * number("normPower", bin));
    return {
      step: view.getUint32(controlOffsets.step, true),
      skipped: view.getUint32(controlOffsets.skipped, true),
      gradientNorm: number("gradientNorm") * number("gradientPower"),
      clipScale: number("clipScale") * number("clipPower"),
      lossScale: number("lossScale"),
      goodSteps: view.getUint32(controlOffsets.goodSteps, true),
      epoch: view.getUint32(controlOffsets.epoch, true),
      micro: view.getUint32(controlOffsets.micro, true),
      astray: view.getUint32(controlOffsets.astray, true),
      missed: view.getUint32(controlOffsets.missed, true),
      underflowed: view.getUint32(controlOffsets.underflow, true) === 1,
      ...(plan.clip?.type === "groupNorm" ? { groupNorms: norms } : {}),
    };
  });
}

/** The words of one replica's first record in a copy of the control buffer. */
function wordsOf(words: Uint32Array, replica: number, stride: number): (field: keyof typeof controlOffsets) => number {
  return (field) => words[replica * stride + controlOffsets[field] / 4]!;
}

/**
 * The first replica that an update left where it was, neither a step nor a skip further, though it is not halted and
 * has all its gradients; from copies of the control buffer before and after the update, `stride` words a replica.
 */
export function stuckReplica(
  before: Uint32Array,
  after: Uint32Array,
  stride: number,
  accumulate: number,
): number | undefined {
  for (let replica = 0; replica * stride < before.length; replica++) {
    const [was, is] = [wordsOf(before, replica, stride), wordsOf(after, replica, stride)];
    if (was("skip") === halted || was("underflow") === 1) continue;
    if (accumulate > 1 && was("micro") + 1 < accumulate) continue;
    if (was("step") === is("step") && was("skipped") === is("skipped")) return replica;
  }
  return undefined;
}
