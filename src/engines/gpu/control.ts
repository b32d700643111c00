// The control buffer: for each replica a record for each bin of clipping, as kernels and host see it.
import { OptionError, refusal } from "../../base/errors.ts";
import { readNumber } from "../../base/options.ts";
import { defineStruct } from "../../base/struct.ts";
import { clipBins, type Plan } from "../../optimizer/plan.ts";
import type { Clock, ReplicaRecord } from "../../optimizer/store.ts";

/**
 * The state that the steps of one replica share, kept on the GPU so that no step needs the host. A replica has a record for each
 * bin of clipping; everything except the norm and the scale of a bin is in its first.
 */
export const controlRecord = defineStruct("Control", {
  // completed updates, which is also the 0-based step of the next one
  step: "atomic<u32>",
  // workgroups (or lanes) of the running update that are done; 0 between updates
  arrived: "atomic<u32>",
  // 1 while the running update must leave everything unchanged, 2 while the replica is halted
  skip: "u32",
  // updates skipped so far because a gradient was not finite
  skipped: "u32",
  // norm of the last gradient, before clipping
  gradientNorm: "f32",
  // factor of the gradient in clipping by a global norm
  clipScale: "f32",
  // checkpoints loaded so far: distinguishes copies of this buffer made before a load from later ones
  epoch: "u32",
  // factor for the next loss
  lossScale: "f32",
  // updates since the loss scale changed or one was skipped
  goodSteps: "u32",
  // 1 once the loss scale would have fallen below its minimum: no more updates
  underflow: "u32",
  // of this bin of clipping: the norm, and the update's factor for the gradient
  norm: "f32",
  scale: "f32",
  // gradients added up since the last update; 0 where every gradient makes an update
  micro: "atomic<u32>",
  // updates that changed nothing, because the table no longer held their rows
  astray: "u32",
  // gradients that were not added, because those of an update were complete and no update had been encoded
  missed: "u32",
  // factor of the gradient before `scale`: it undoes the loss scale, times a power of two where `scale` alone would be below
  // float32's range
  shrink: "f32",
  // power of two to multiply the norms and the clip scale by, where float32 alone cannot hold them
  normPower: "f32",
  gradientPower: "f32",
  clipPower: "f32",
});

/** A field of the control record. */
export type ControlField = keyof typeof controlRecord.fields;

/** The value of `skip` while a replica is halted. */
export const halted = 2;

/** Bytes of one replica's records. */
export function controlBytes(plan: Plan): number {
  return controlRecord.bytes * clipBins(plan);
}

/** The contents of a replica's records. */
export interface ControlRecord extends ReplicaRecord {
  readonly epoch: number;
  /** Updates since the last load that changed nothing, because their rows were no longer on the GPU. */
  readonly astray: number;
  /** Gradients since the last load that a mean left out, because an encoder before them was never submitted. */
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
  const bin = { scale: 1, shrink: 1, normPower: 1 };
  const records = clocks.flatMap(({ step, skipped, lossScale, goodSteps }, replica) =>
    Array.from({ length: clipBins(plan) }, (_, index) =>
      index > 0
        ? bin
        : {
            ...bin,
            step,
            skip: isHalted(replica) ? halted : 0,
            skipped,
            gradientNorm: Number.NaN,
            clipScale: 1,
            epoch,
            lossScale,
            goodSteps,
            micro,
            gradientPower: 1,
            clipPower: 1,
          },
    ),
  );
  return controlRecord.encode(records);
}

/** The records of every replica in a copy of the control buffer. */
export function decodeControl(plan: Plan, bytes: ArrayBuffer, offset = 0): readonly ControlRecord[] {
  if (!(bytes instanceof ArrayBuffer)) {
    throw refusal("a copy of the control buffer", bytes, "an ArrayBuffer");
  }
  readNumber("offset", offset, { min: 0, integer: true });
  const size = controlBytes(plan);
  const needed = size * plan.replicas;
  if (bytes.byteLength < offset + needed) {
    throw new OptionError(
      `a copy of the control buffer has ${bytes.byteLength - offset} bytes from offset ${offset}; it needs ${needed}`,
    );
  }
  const view = new DataView(bytes, offset, needed);
  return Array.from({ length: plan.replicas }, (_, replica) => {
    // Only the requested fields: reading whole records takes as long as the rest of a small readback.
    const of = (field: ControlField, bin = 0) =>
      controlRecord.number(view, replica * size + bin * controlRecord.bytes, field);
    return {
      step: of("step"),
      skipped: of("skipped"),
      lossScale: of("lossScale"),
      goodSteps: of("goodSteps"),
      epoch: of("epoch"),
      micro: of("micro"),
      astray: of("astray"),
      missed: of("missed"),
      gradientNorm: of("gradientNorm") * of("gradientPower"),
      clipScale: of("clipScale") * of("clipPower"),
      underflowed: of("underflow") === 1,
      ...(plan.clipNorm?.byGroup
        ? { groupNorms: Array.from({ length: clipBins(plan) }, (_, bin) => of("norm", bin) * of("normPower", bin)) }
        : {}),
    };
  });
}

/** The words of one replica's first record in a copy of the control buffer. */
function wordsOf(words: Uint32Array, replica: number, stride: number): (field: ControlField) => number {
  return (field) => words[replica * stride + controlRecord.index(field)]!;
}

/**
 * The first replica that an update left in place, without a step or a skip, although it is not halted and has all its gradients;
 * from copies of the control buffer before and after the update, `stride` words per replica.
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
