// How an optimizer's work is cut for the GPU: launches (what one dispatch can bind), chunks (what one workgroup updates), bins
// (what is summed together) and lines (along which adaptive clipping and factored slots work), in elements.

import type { Values } from "../../base/struct.ts";
import { chunkLength, type Segment } from "../../optimizer/arena.ts";
import { type MatrixView, type Place, type RuleSetLayout, rowMeans, slotRange } from "../../optimizer/layout.ts";
import { clipBins, type Plan } from "../../optimizer/plan.ts";
import { vec4Access } from "../stages/snippets.ts";
import type { Access, BuildContext } from "../stages/stage.ts";
import { alongRowsOf, type binStruct, type chunkStruct, columnsOf, type linesStruct } from "../stages/structs.ts";
import type { Bound } from "./external.ts";
import type { StreamShape } from "./kernel_shapes.ts";

/** How an optimizer's work is cut: what all its stages share. */
export interface Cut {
  readonly plan: Plan;
  /** By rule set. */
  readonly layouts: readonly RuleSetLayout[];
  readonly segments: readonly Segment[];
  readonly shape: StreamShape;
  readonly launches: readonly Launch[];
  readonly numbers: ChunkNumbers;
  /** Partial sums that each chunk stores: one, or one for each lane. */
  readonly perChunk: number;
}

/** @param most Bytes of a buffer that a kernel can bind. */
export function cutWork(
  plan: Plan,
  layouts: readonly RuleSetLayout[],
  segments: readonly Segment[],
  shape: StreamShape,
  most: number,
): Cut {
  return {
    ...{ plan, layouts, segments, shape },
    launches: launchesOf(layouts, most),
    numbers: numberChunks(layouts),
    perChunk: shape.barriers ? 1 : shape.workgroupSize,
  };
}

/** Tensors of one rule set whose parameters and gradients lie in the same two buffers. */
export interface Launch {
  readonly ruleSet: number;
  /** The page of the arenas. */
  readonly page: number;
  readonly access: Access;
  readonly places: readonly Place[];
  /** The bound parts of external buffers; undefined for the arenas. */
  readonly external: Bound | undefined;
}

function launchesOf(layouts: readonly RuleSetLayout[], most: number): readonly Launch[] {
  return layouts.flatMap(({ places }, ruleSet) => {
    const launches: (Launch & { readonly places: Place[] })[] = [];
    for (const place of places) {
      const { page, length, external } = place.segment;
      const access = external?.access(length) ?? vec4Access;
      const bound = external?.bound(length);
      const same = launches.find(
        (launch) =>
          launch.access === access &&
          launch.page === page &&
          (launch.external?.add(bound, most) ?? bound === undefined),
      );
      if (same) same.places.push(place);
      else launches.push({ ruleSet, page, access, places: [place], external: bound });
    }
    return launches;
  });
}

/** The place of each tensor's chunks among all chunks: rule set by rule set, group by group. */
export interface ChunkNumbers {
  /** By the segment's place in the plan. */
  readonly first: ReadonlyMap<number, number>;
  readonly total: number;
}

export const chunksOf = (place: Place) => Math.ceil(place.segment.length / chunkLength);

function numberChunks(layouts: readonly RuleSetLayout[]): ChunkNumbers {
  const first = new Map<number, number>();
  let total = 0;
  for (const { places } of layouts) {
    // Sorting is stable: within a group, tensors keep their order.
    for (const place of [...places].sort((a, b) => a.group - b.group)) {
      first.set(place.index, total);
      total += chunksOf(place);
    }
  }
  return { first, total };
}

/** The start of a launch's tensors in the buffers that a kernel binds, in elements. */
export interface Origins {
  readonly params: (place: Place) => number;
  readonly gradients: (place: Place) => number;
}

/** The start of a tensor in the buffer bound for a role. */
export const originIn =
  (role: "params" | "gradients", { external }: Launch) =>
  ({ segment }: Place): number =>
    external?.origin(role, segment) ?? segment.offset;

/** The fields of chunks and lines for the lines that a tensor's modifiers use. */
function placesOf({ lines }: Place): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(lines).flatMap(([block, { view, offset, alongRows = false }]) => [
      [block, offset],
      [columnsOf(block), view.columns],
      [alongRowsOf(block), Number(alongRows)],
    ]),
  );
}

/** Which scale of the control buffer applies to a group of a rule set. */
function binOf(plan: Plan, ruleSet: number, group: number): number {
  return clipBins(plan) === 1 ? 0 : plan.ruleSets[ruleSet]!.groups[group]!;
}

/** The chunks of a launch. */
export function chunksIn(
  { plan, layouts, numbers }: Cut,
  { ruleSet, places }: Launch,
  origins: Origins,
): readonly Values<ReturnType<typeof chunkStruct>["fields"]>[] {
  const layout = layouts[ruleSet]!;
  return places.flatMap((place) => {
    const used = layout.used[place.at]!;
    const { segment, offset, group, factored } = used;
    const factoredAt = layout.factoredSlot === undefined ? 0 : slotRange(layout, place, layout.factoredSlot).offset;
    return Array.from({ length: chunksOf(place) }, (_, index) => {
      const start = index * chunkLength;
      return {
        params: origins.params(place) + start,
        gradients: origins.gradients(place) + start,
        state: offset + start,
        start,
        length: Math.max(0, Math.min(chunkLength, segment.length - start)),
        group,
        record: place.at + 1,
        id: numbers.first.get(place.index)! + index,
        bin: binOf(plan, ruleSet, group),
        factored: factored ? factoredAt : factoredAt + start,
        factoredRows: factored ? factoredAt + rowMeans(factored) : 0,
        rows: factored ? factored.rows : 0,
        columns: factored ? factored.columns : 0,
        slotStride: layout.slotStride / 4,
        places: placesOf(used),
      };
    });
  });
}

type BinValues = Partial<Values<(typeof binStruct)["fields"]>>;

/** The bins of clipping: the partials of each. */
export function normBins(cut: Cut): readonly BinValues[] {
  const { plan, layouts, numbers, perChunk } = cut;
  if (clipBins(plan) === 1) return [{ first: 0, count: numbers.total * perChunk }];
  const members = plan.groups.map((): Place[] => []);
  layouts.forEach(({ places }, ruleSet) => {
    for (const place of places) members[plan.ruleSets[ruleSet]!.groups[place.group]!]!.push(place);
  });
  return members.map((places) => spanOf(places, cut));
}

/** The bins of a reduction: the partials of each tensor, or of all. */
export function reductionBins(context: BuildContext, scope: "tensor" | "all"): readonly BinValues[] {
  const { ruleSet, layout } = context;
  if (scope === "all") {
    // With the row after those of the groups.
    return [{ ...spanOf(layout.places, context), group: ruleSet.groups.length, record: 0 }];
  }
  return layout.places.map((place, index) => ({
    ...spanOf([place], context),
    group: place.group,
    record: index + 1,
    factored: Number(place.factored !== undefined),
  }));
}

/** First partial and number of partials of consecutive places; a group without tensors has nothing to sum. */
function spanOf(places: readonly Place[], { numbers, perChunk }: Cut) {
  if (places.length === 0) return { first: 0, count: 0 };
  const begin = places.reduce(
    (least, { index }) => Math.min(least, numbers.first.get(index)!),
    Number.POSITIVE_INFINITY,
  );
  const count = places.reduce((sum, place) => sum + chunksOf(place), 0);
  return { first: begin * perChunk, count: count * perChunk };
}

/** A matrix whose lines are summed, and where in the state the results go: those of its columns, and those of its rows if any. */
export interface LineResults {
  readonly view: MatrixView;
  readonly columns?: number;
  readonly rows?: number;
}

/** The tasks of lines.wgsl for a launch. */
export function lineTasks(
  { plan, layouts, shape: { workgroupSize, barriers } }: Cut,
  { ruleSet, places }: Launch,
  origins: Origins,
  resultsOf: (place: Place) => LineResults | undefined,
): readonly Partial<Values<ReturnType<typeof linesStruct>["fields"]>>[] {
  return places.flatMap((place) => {
    // As many tasks as there is room for: tasks of unused rows have no lines.
    const results = resultsOf(place);
    if (!results) return [];
    const used = layouts[ruleSet]!.used[place.at]!;
    const { rows, columns } = resultsOf(used)!.view;
    const count = (along: Place, alongRows: boolean) => {
      const { view } = resultsOf(along)!;
      return view.batch * (alongRows ? view.rows : view.columns);
    };
    const tasks = (result: number, alongRows: boolean) => {
      const lines = count(place, alongRows);
      const length = alongRows ? results.view.columns : results.view.rows;
      // Lanes that share lines are all busy where lines are few or long; not where barriers are emulated.
      const together = barriers && (length >= 256 || lines < workgroupSize);
      const atOnce = together ? 4 : 4 * workgroupSize;
      // Without barriers a task may have several times as many: as many short lines as make a chunk.
      const each = barriers ? atOnce : atOnce * Math.max(1, Math.floor(chunkLength / (atOnce * length)));
      return Array.from({ length: Math.ceil(lines / each) }, (_, task) => ({
        params: origins.params(place),
        gradients: origins.gradients(place),
        result,
        first: task * each,
        own: each,
        lines: count(used, alongRows),
        rows,
        columns,
        alongRows: Number(alongRows),
        together: Number(together),
        group: place.group,
        bin: binOf(plan, ruleSet, place.group),
        places: placesOf(used),
      }));
    };
    return [
      ...(results.columns === undefined ? [] : tasks(results.columns, false)),
      ...(results.rows === undefined ? [] : tasks(results.rows, true)),
    ];
  });
}
