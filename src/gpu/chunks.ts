// How an optimizer's work is cut for the GPU: launches (what one dispatch can bind), chunks (what one workgroup updates),
// bins (what is summed together) and lines (what adaptive clipping and factored slots go along). Words for the kernels'
// tables, in elements.
import { type BufferRange, chunkLength } from "../arena.ts";
import type { Access } from "../assemble.ts";
import { type PartLayout, type Place, rowMeans, slotRange } from "../layout.ts";
import { clipBins, type Part, type Plan } from "../plan.ts";
import type { StreamShape } from "./shapes.ts";

/** Tensors of one part whose parameters and gradients lie in the same two buffers. */
export interface Launch {
  readonly part: number;
  readonly access: Access;
  readonly places: readonly Place[];
  /** The caller's buffers; undefined for the arenas. */
  readonly own: { readonly params: GPUBuffer; readonly gradients: GPUBuffer } | undefined;
}

/** Four elements at once need offsets to match, and room for the last four. */
function accessOf({ segment }: Place): Access {
  const { own, length } = segment;
  if (!own) return "vec4";
  const fits = ({ buffer, offset = 0 }: BufferRange) =>
    offset % 16 === 0 && offset + 16 * Math.ceil(length / 4) <= buffer.size;
  return fits(own.params) && fits(own.gradients) ? "vec4" : "scalar";
}

export function launchesOf(layouts: readonly PartLayout[]): readonly Launch[] {
  return layouts.flatMap(({ places }, part) => {
    const launches: { part: number; access: Access; places: Place[]; own: Launch["own"] }[] = [];
    for (const place of places) {
      const access = accessOf(place);
      const { own } = place.segment;
      const same = launches.find(
        (launch) =>
          launch.access === access &&
          launch.own?.params === own?.params.buffer &&
          launch.own?.gradients === own?.gradients.buffer,
      );
      if (same) {
        same.places.push(place);
        continue;
      }
      const buffers = own && { params: own.params.buffer, gradients: own.gradients.buffer };
      launches.push({ part, access, places: [place], own: buffers });
    }
    return launches;
  });
}

/** Where each tensor's chunks stand among all chunks: part by part, group by group. */
export interface ChunkNumbers {
  /** By the segment's place in the plan. */
  readonly first: ReadonlyMap<number, number>;
  readonly total: number;
}

export const chunksOf = (place: Place) => Math.ceil(place.segment.length / chunkLength);

export function numberChunks(layouts: readonly PartLayout[]): ChunkNumbers {
  const first = new Map<number, number>();
  let total = 0;
  for (const { places } of layouts) {
    // Sorting is stable: within a group in the order of the tensors.
    for (const place of [...places].sort((a, b) => a.group - b.group)) {
      first.set(place.index, total);
      total += chunksOf(place);
    }
  }
  return { first, total };
}

/** Words of a Chunk (shaders/chunk.wgsl). */
export const chunkWords = 16;

/** Where a launch's tensors begin in the buffers that a kernel binds, in elements. */
export interface Origins {
  readonly params: (place: Place) => number;
  readonly gradients: (place: Place) => number;
}

export const ownOrigin = (range: BufferRange | undefined, place: Place) =>
  range ? (range.offset ?? 0) / 4 : place.segment.offset;

/** The chunk table of a launch. */
export function chunkTable(
  plan: Plan,
  layout: PartLayout,
  { part, places }: Launch,
  numbers: ChunkNumbers,
  origins: Origins,
): Uint32Array<ArrayBuffer> {
  const records = new Map(layout.places.map((place, index) => [place, index + 1]));
  const bins = clipBins(plan);
  const words: number[] = [];
  for (const place of places) {
    const { segment, offset, group, factored, units, unitsOffset } = place;
    const factoredAt = layout.factoredSlot === undefined ? 0 : slotRange(layout, place, layout.factoredSlot).offset;
    for (let start = 0; start < segment.length; start += chunkLength) {
      words.push(
        origins.params(place) + start,
        origins.gradients(place) + start,
        offset + start,
        start,
        Math.min(chunkLength, segment.length - start),
        group,
        records.get(place)!,
        numbers.first.get(place.index)! + start / chunkLength,
        bins === 1 ? 0 : plan.parts[part]!.groups[group]!,
        factored ? factoredAt : factoredAt + start,
        factored ? factoredAt + rowMeans(factored) : 0,
        factored ? factored.rows : 0,
        factored ? factored.columns : 0,
        unitsOffset,
        units ? units.columns : 0,
        layout.slotStride / 4,
      );
    }
  }
  return Uint32Array.from(words);
}

/** The bins of clipping: first chunk and number of chunks of each. */
export function clipBinTable(
  plan: Plan,
  layouts: readonly PartLayout[],
  numbers: ChunkNumbers,
  perChunk: number,
): Uint32Array<ArrayBuffer> {
  if (clipBins(plan) === 1) return Uint32Array.of(0, numbers.total * perChunk);
  const members = plan.groups.map((): Place[] => []);
  layouts.forEach(({ places }, part) => {
    for (const place of places) members[plan.parts[part]!.groups[place.group]!]!.push(place);
  });
  return Uint32Array.from(members.flatMap((places) => spanOf(places, numbers, perChunk)));
}

/** Words of a Bin (shaders/conclude.wgsl). */
export const binWords = 5;

/** The bins of a reduction: first partial, number of partials, group, record, and whether it is factored. */
export function reductionBins(
  part: Part,
  layout: PartLayout,
  scope: "tensor" | "all",
  numbers: ChunkNumbers,
  perChunk: number,
): Uint32Array<ArrayBuffer> {
  if (scope === "all") {
    // By the row behind those of the groups.
    return Uint32Array.of(...spanOf(layout.places, numbers, perChunk), part.groups.length, 0, 0);
  }
  return Uint32Array.from(
    layout.places.flatMap((place, index) => [
      ...spanOf([place], numbers, perChunk),
      place.group,
      index + 1,
      Number(place.factored !== undefined),
    ]),
  );
}

/** First partial and number of partials of places that follow each other; a group without tensors has nothing to sum. */
function spanOf(places: readonly Place[], { first }: ChunkNumbers, perChunk: number): [number, number] {
  if (places.length === 0) return [0, 0];
  const begin = places.reduce((least, { index }) => Math.min(least, first.get(index)!), Number.POSITIVE_INFINITY);
  const count = places.reduce((sum, place) => sum + chunksOf(place), 0);
  return [begin * perChunk, count * perChunk];
}

/** Words of a Lines (shaders/lines.wgsl). */
export const lineWords = 13;

/** The tasks of lines.wgsl for a launch. */
export function lineTable(
  plan: Plan,
  layout: PartLayout,
  { part, places }: Launch,
  what: "factor" | "unitClip",
  origins: Origins,
  { workgroupSize, barriers }: StreamShape,
): Uint32Array<ArrayBuffer> {
  const bins = clipBins(plan);
  const words: number[] = [];
  for (const place of places) {
    const view = what === "factor" ? place.factored : place.units;
    if (!view) continue;
    const { batch, rows, columns } = view;
    const slot = what === "factor" ? slotRange(layout, place, layout.factoredSlot!).offset : place.unitsOffset;
    const add = (target: number, lines: number, alongRows: boolean) => {
      // Lanes that share lines are busy together where these are few or long; not where a barrier is emulated.
      const together = barriers && ((alongRows ? columns : rows) >= 256 || lines < workgroupSize);
      const each = together ? 4 : 4 * workgroupSize;
      for (let first = 0; first < lines; first += each) {
        words.push(
          origins.params(place),
          origins.gradients(place),
          target,
          first,
          lines,
          rows,
          columns,
          Number(alongRows),
          Number(together),
          place.group,
          bins === 1 ? 0 : plan.parts[part]!.groups[place.group]!,
          place.unitsOffset,
          place.units?.columns ?? 1,
        );
      }
    };
    add(slot, batch * columns, false);
    if (what === "factor") add(slot + rowMeans(view), batch * rows, true);
  }
  return Uint32Array.from(words);
}
