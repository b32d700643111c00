// What kernels are told in a uniform buffer instead of in constants, so that another optimizer of the same rule, flags and
// surroundings compiles nothing, whatever its tensors, groups and replicas. shaders/sizes.wgsl says what each of them is.
import { paddedLength, type Segment } from "../arena.ts";
import type { PartLayout } from "../layout.ts";
import { clipBins, type Plan } from "../plan.ts";
import { tableColumns } from "../table.ts";
import { bytesOf } from "./allocate.ts";
import type { ChunkNumbers } from "./chunks.ts";
import { nearSlots, rowOffset, slotWords, windowSlots } from "./window.ts";

/** The numbers of one part in the order of the struct: whole ones, then others. */
export interface Sizes {
  readonly whole: Readonly<Record<string, number>>;
  readonly others: Readonly<Record<string, number>>;
}

export function sizesOf(
  plan: Plan,
  index: number,
  layout: PartLayout,
  segments: readonly Segment[],
  { total }: ChunkNumbers,
  perChunk: number,
): Sizes {
  const { clip, lossScale, replicas, accumulate } = plan;
  const part = plan.parts[index]!;
  const { slotBases, factoredSlot } = layout;
  const behind = factoredSlot === undefined ? undefined : part.slots[part.slots.indexOf(factoredSlot) + 1];
  return {
    whole: {
      replicas,
      clipBins: clipBins(plan),
      slots: windowSlots(plan),
      nearSlots,
      slotWords: slotWords(plan),
      rowOffset: rowOffset(plan, index),
      commonRow: part.groups.length,
      columnCount: tableColumns(plan, part).length,
      paramsStride: paddedLength(segments.filter(({ own }) => !own)),
      sumStride: paddedLength(segments),
      stateStride: layout.stateLength,
      behindFactored: behind === undefined ? 0 : slotBases.get(behind)! / 4,
      chunkTotal: total,
      partialCount: total * perChunk,
      recordCount: layout.places.length + 1,
      accumulate: accumulate > 1 ? accumulate : 0,
      interval: lossScale?.interval ?? 1,
    },
    others: {
      growth: lossScale?.growth ?? 1,
      backoff: lossScale?.backoff ?? 1,
      leastScale: lossScale?.min ?? 1,
      mean: 1 / accumulate,
      maxNorm: clip && "maxNorm" in clip ? clip.maxNorm : 0,
      clipping: clip?.type === "adaptive" ? clip.clipping : 0,
      leastNorm: clip?.type === "adaptive" ? clip.eps : 0,
    },
  };
}

/** The contents of the uniform buffer. */
export function encodeSizes({ whole, others }: Sizes): Uint8Array {
  const [words, numbers] = [Uint32Array.from(Object.values(whole)), Float32Array.from(Object.values(others))];
  const bytes = new Uint8Array(words.byteLength + numbers.byteLength);
  bytes.set(bytesOf(words));
  bytes.set(bytesOf(numbers), words.byteLength);
  return bytes;
}
