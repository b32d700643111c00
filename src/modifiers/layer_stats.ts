// Layer statistics: what each update does to each tensor, as norms of its gradient, its parameters and their change.
import layerStats from "../../shaders/modifiers/layer_stats.wgsl?raw";
import { layerRecord } from "../gpu/noted.ts";
import { structsPart } from "../stages/generate.ts";
import { file, fileSumPart, joinPart } from "../stages/snippets.ts";
import type { ModifierKernel } from "../stages/stage.ts";

export const layerStatsKernel: ModifierKernel = {
  name: "layerStats",
  hooks: ["after", "end"],
  parts: [structsPart(layerRecord), joinPart, fileSumPart, file("modifiers/layer_stats", layerStats)],
  files: layerRecord,
};
