// Joins the sums of squares that updates store chunk by chunk (shaders/modifiers/layer_stats.wgsl) into the norms of tensors.
import { defineStruct } from "../../base/struct.ts";
import type { LayerStats } from "../../optimizer/optimizer.ts";
import type { PartialSums } from "../stages/stage.ts";
import { type Cut, chunksOf } from "./chunks.ts";

/** Sums of squares over a chunk, stored by its update: of the gradient as the rule took it, the parameters before, the change. */
export const layerStruct = /* @__PURE__ */ defineStruct("Sum", { gradient: "vec2f", weight: "vec2f", change: "vec2f" });

/** Joins the two: elements were multiplied by 2^47 or by 2^-72 before squaring. */
const low = 2 ** -94;
const high = 2 ** 144;

/** The norms of every tensor, in the order of the tensors. */
function layersOf({ layouts, numbers, perChunk }: Cut, bytes: ArrayBuffer): readonly LayerStats[] {
  const sums = new Float32Array(bytes);
  const fields = Object.keys(layerStruct.fields).length;
  return layouts
    .flatMap(({ places }) => places)
    .sort((a, b) => a.index - b.index)
    .map((place) => {
      const from = numbers.first.get(place.index)! * perChunk;
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

/** The sums of layer statistics, and the function that joins them. */
export const layerSums: PartialSums = { struct: layerStruct, layers: layersOf };
