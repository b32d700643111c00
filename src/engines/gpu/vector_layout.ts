// Where the tensors of an optimizer lie in a vector on the GPU, and which stretches of both are one.

import { type Segment, segmentAlignment } from "../../optimizer/arena.ts";
import type { RuleSetLayout } from "../../optimizer/layout.ts";
import type { Location } from "../../optimizer/locations.ts";

/** Tensors as they lie in a vector: in the arena's order, padding included, so that neighbours there stay neighbours. */
export interface VectorLayout {
  /** By the segment's place in the list, in elements. */
  readonly places: readonly number[];
  /** Elements of one vector, a multiple of 64. */
  readonly stride: number;
  /** The padding, which is 0 in every vector. */
  readonly gaps: readonly { readonly begin: number; readonly end: number }[];
}

/** A stretch of consecutive elements, both in a vector and in the optimizer's array. */
export interface Run {
  /** The place of its first tensor. */
  readonly range: Location;
  readonly first: number;
  length: number;
}

const padded = (length: number) => Math.ceil(length / segmentAlignment) * segmentAlignment;

export function layoutVectors(segments: readonly Segment[]): VectorLayout {
  const buffers = [...new Set(segments.map(({ external }) => external?.params.buffer))];
  const rank = ({ external }: Segment) => (external ? 1 + buffers.indexOf(external.params.buffer) : 0);
  const begin = ({ external, offset }: Segment) => (external ? external.params.offset / 4 : offset);
  const order = segments
    .map((segment, index) => ({ segment, index }))
    .sort(
      ({ segment: a }, { segment: b }) =>
        rank(a) - rank(b) || (rank(a) === 0 ? a.page - b.page : 0) || begin(a) - begin(b),
    );
  const places: number[] = [];
  const gaps: { begin: number; end: number }[] = [];
  let end = 0;
  const pad = () => {
    const begin = end;
    end = padded(begin);
    if (end > begin) gaps.push({ begin, end });
  };
  order.forEach(({ segment, index }, i) => {
    const before = order[i - 1]?.segment;
    if (!before || !follows(before, segment)) pad();
    places[index] = end;
    end += segment.length;
  });
  pad();
  return { places, stride: end, gaps };
}

/** Whether a tensor starts where another one ends, in external buffers. */
function follows({ external: before, length }: Segment, { external: after }: Segment): boolean {
  if (!before || !after) return false;
  return (["params", "gradients"] as const).every((role) => {
    const [one, next] = [before[role], after[role]];
    return one.buffer === next.buffer && (one.offset ?? 0) + 4 * length === (next.offset ?? 0);
  });
}

/** The runs of a layout in the arrays of some ranges, one for each segment; no run goes over rows that are not in use. */
export function runsOf(
  { places }: VectorLayout,
  ranges: readonly Location[],
  rooms: readonly RuleSetLayout[],
): readonly Run[] {
  const cut = rooms.flatMap(({ used, places }) =>
    used.filter(({ at, segment }) => segment.length < places[at]!.segment.length),
  );
  const names = new Set(cut.map(({ segment }) => segment.name));
  const runs: Run[] = [];
  let whole = true;
  const order = ranges.map((_, i) => i).sort((a, b) => places[a]! - places[b]!);
  for (const i of order) {
    const [range, first] = [ranges[i]!, places[i]!];
    const last = runs.at(-1);
    if (last && whole && joins(last, range, first)) last.length = first - last.first + range.length;
    else runs.push({ range, first, length: range.length });
    whole = !names.has(range.segment.name);
  }
  return runs;
}

/** Whether a tensor's elements, with no more than padding before them, continue a run. */
function joins({ range, first, length }: Run, next: Location, place: number): boolean {
  if (range.external !== next.external || next.offset - range.offset !== place - first) return false;
  if (range.external) return place === first + length;
  return range.home.kind === next.home.kind && range.home.index === next.home.index;
}

/** A vector in a buffer of some layout. */
export interface PlacedVector {
  readonly buffer: GPUBuffer;
  readonly layout: VectorLayout;
  readonly index: number;
  readonly firstReplica: number;
  readonly replicas: number;
}
