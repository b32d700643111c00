// The norms of layer statistics on the host: sums of squares that updates leave chunk by chunk (shaders/modifiers/layer_stats.wgsl),
// joined to norms of tensors.
import type { RuleSetLayout } from "../../optimizer/layout.ts";
import type { LayerStats } from "../../optimizer/optimizer.ts";
import { layerStruct } from "../stages/structs.ts";
import { type ChunkNumbers, chunksOf } from "./chunks.ts";

const fields = Object.keys(layerStruct.fields).length;

/** What joins the two: elements were multiplied by 2^47 or by 2^-72 before they were squared. */
const [low, high] = [2 ** -94, 2 ** 144];

/** Bytes of one replica's layer statistics, with `perChunk` records for each chunk. */
export function layerStatsBytes({ total }: ChunkNumbers, perChunk: number): number {
  return total * perChunk * layerStruct.bytes;
}

/** The norms of every tensor, in the order of the tensors. */
export function layersOf(
  layouts: readonly RuleSetLayout[],
  { first }: ChunkNumbers,
  perChunk: number,
  bytes: ArrayBuffer,
): readonly LayerStats[] {
  const sums = new Float32Array(bytes);
  return layouts
    .flatMap(({ places }) => places)
    .sort((a, b) => a.index - b.index)
    .map((place) => {
      const from = first.get(place.index)! * perChunk;
      const norms = Array.from({ length: fields }, (_, field) => {
        let sum = 0;
        for (let i = from; i < from + chunksOf(place) * perChunk; i++) {
          const at = 2 * (i * fields + field);
          sum += low * sums[at]! + high * sums[at + 1]!;
        }
        return Math.sqrt(sum);
      });
      const [gradientNorm, weightNorm, updateNorm] = norms as [number, number, number];
      return { name: place.segment.name, gradientNorm, weightNorm, updateNorm };
    });
}
