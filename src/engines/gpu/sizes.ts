// The numbers that kernels read from a uniform buffer instead of constants, so that another optimizer of the same rule, flags and
// context compiles nothing, whatever its tensors, groups and replicas. src/engines/stages/structs.ts documents each.

import type { Values } from "../../base/struct.ts";
import { arenaLength, paddedLength } from "../../optimizer/arena.ts";
import { clipBins } from "../../optimizer/plan.ts";
import { tableColumns } from "../../optimizer/table.ts";
import { stateEntry } from "../stages/state.ts";
import type { sizesStruct } from "../stages/structs.ts";
import type { Cut } from "./chunks.ts";
import { nearSlots, ringSlots, rowOffset, slotWords } from "./row_ring.ts";

/** The numbers of one rule set in a page of the arenas. */
export function sizesOf(
  { plan, layouts, segments, numbers: { total }, perChunk }: Cut,
  index: number,
  page: number,
): Values<(typeof sizesStruct)["fields"]> {
  const { clipNorm, lossScale, replicas, accumulate } = plan;
  const ruleSet = plan.ruleSets[index]!;
  const layout = layouts[index]!;
  const { slotBases, factoredSlot } = layout;
  const behind = factoredSlot === undefined ? undefined : ruleSet.slots[ruleSet.slots.indexOf(factoredSlot) + 1];
  return {
    replicas,
    clipBins: clipBins(plan),
    slots: ringSlots(plan),
    nearSlots,
    slotWords: slotWords(plan),
    rowOffset: rowOffset(plan, index),
    commonRow: ruleSet.groups.length,
    columnCount: tableColumns(plan, ruleSet).length,
    paramsStride: arenaLength(segments, page),
    sumStride: paddedLength(segments, page),
    stateStride: layout.stateLength,
    behindFactored: behind === undefined ? 0 : slotBases.get(behind)! / stateEntry(layout),
    chunkTotal: total,
    partialCount: total * perChunk,
    recordCount: layout.places.length + 1,
    accumulate: accumulate > 1 ? accumulate : 0,
    interval: lossScale?.interval ?? 1,
    growth: lossScale?.growth ?? 1,
    backoff: lossScale?.backoff ?? 1,
    leastScale: lossScale?.min ?? 1,
    mean: 1 / accumulate,
    maxNorm: clipNorm?.maxNorm ?? 0,
  };
}
