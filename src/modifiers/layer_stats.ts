// Layer statistics: the effect of each update on each tensor, as norms of its gradient, its parameters and their change.
import layerStatsText from "../../shaders/modifiers/layer_stats.wgsl?raw";
import { layerStruct, layerSums } from "../engines/gpu/layer_stats.ts";
import { structsSnippet } from "../engines/stages/generate.ts";
import { file, joinSnippet, storeSumSnippet } from "../engines/stages/snippets.ts";
import { defineModifier, type ModifierNotes, type SwitchFunction } from "./modifier.ts";
import { readSwitch } from "./read.ts";

const snippets = /* @__PURE__ */ [
  structsSnippet(layerStruct),
  joinSnippet,
  storeSumSnippet,
  file("modifiers/layer_stats", layerStatsText),
];

/** Measures the effect of each update on each tensor, for `layers()`. Moves no extra bytes per parameter. */
export const layerStats = /* @__PURE__ */ defineModifier<true, SwitchFunction>({
  name: "layerStats",
  key: "watch",
  order: 80,
  argument: "on",
  read: readSwitch,
  law: true,
  effects: () => ({ hooks: ["after", "end"], snippets, partials: layerSums }),
});

/** Its entry in docs/rules.md. */
export const layerStatsNotes: ModifierNotes = {
  call: "layerStats()",
  effect: "sums the squares of each tensor's gradient, parameters and change, for `optimizer.layers()`",
  source: "definition",
  costs: [{ option: "`watch`", examples: [{ watch: true }], dispatches: 0, state: "0", moved: "≈ 0" }],
};
