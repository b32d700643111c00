// The kernels' side of modifiers: the hooks of each in WGSL, the stages that it brings, and what it keeps. The one place that
// looks up which of them a plan has, in the order in which they come into effect.
import cautious from "../../shaders/modifiers/cautious.wgsl?raw";
import cautiousConclude from "../../shaders/modifiers/cautious_conclude.wgsl?raw";
import cautiousMeasure from "../../shaders/modifiers/cautious_measure.wgsl?raw";
import clipAdaptive from "../../shaders/modifiers/clip_adaptive.wgsl?raw";
import clipAdaptiveLines from "../../shaders/modifiers/clip_adaptive_lines.wgsl?raw";
import clipValue from "../../shaders/modifiers/clip_value.wgsl?raw";
import ema from "../../shaders/modifiers/ema.wgsl?raw";
import layerStats from "../../shaders/modifiers/layer_stats.wgsl?raw";
import lookahead from "../../shaders/modifiers/lookahead.wgsl?raw";
import swa from "../../shaders/modifiers/swa.wgsl?raw";
import { layerRecord } from "../gpu/noted.ts";
import { keptShare } from "../layout.ts";
import type { Plan } from "../plan.ts";
import { driverColumns, storeModifiedPart, structsPart } from "./generate.ts";
import { linesStage } from "./lines.ts";
import { file, fileSumPart, joinPart } from "./snippets.ts";
import type { ModifierKernel } from "./stage.ts";
import { sumsStage } from "./sums.ts";

const clipValueKernel: ModifierKernel = {
  name: "clipValue",
  hooks: ["gradient"],
  parts: [file("modifiers/clip_value", clipValue)],
};

const clipAdaptiveKernel: ModifierKernel = {
  name: "clipAdaptive",
  hooks: ["gradient"],
  parts: [file("modifiers/clip_adaptive", clipAdaptive)],
  lines: "units",
  before: linesStage({
    name: "unitClip",
    kernelName: () => "adaptive clipping",
    parts: () => [file("modifiers/clip_adaptive_lines", clipAdaptiveLines)],
    columns: driverColumns,
    before: (modifiers) => modifiersBefore("clipAdaptive", modifiers),
    of: (_, { lines: { units } }) => units && { view: units.view, columns: units.offset },
  }),
};

const cautiousKernel: ModifierKernel = {
  name: "cautious",
  hooks: ["update"],
  parts: [file("modifiers/cautious", cautious)],
  behind: sumsStage({
    name: "cautious",
    kernelNames: ({ part }) => ({
      measure: `rule "${part.rule.name}", measure of caution`,
      conclude: "conclude of caution",
    }),
    terms: () => ["kept"],
    scope: () => "tensor",
    measure: () => [file("modifiers/cautious_measure", cautiousMeasure)],
    conclude: (context) => [
      storeModifiedPart(context, keptShare),
      file("modifiers/cautious_conclude", cautiousConclude),
    ],
    columns: driverColumns,
  }),
};

const average = (name: string, text: string): ModifierKernel => ({
  name,
  hooks: ["update"],
  parts: [file(`modifiers/${name}`, text)],
});

const lookaheadKernel = average("lookahead", lookahead);
const emaKernel = average("ema", ema);
const swaKernel = average("swa", swa);

const layerStatsKernel: ModifierKernel = {
  name: "layerStats",
  hooks: ["after", "end"],
  parts: [structsPart(layerRecord), joinPart, fileSumPart, file("modifiers/layer_stats", layerStats)],
  files: layerRecord,
};

/** The modifiers of a plan that have kernels, in order. */
export function modifierKernels({ clip, cautious, averages, watch }: Plan): readonly ModifierKernel[] {
  return [
    ...(clip?.type === "value" ? [clipValueKernel] : []),
    ...(clip?.type === "adaptive" ? [clipAdaptiveKernel] : []),
    ...(cautious ? [cautiousKernel] : []),
    ...(averages.lookahead ? [lookaheadKernel] : []),
    ...(averages.ema ? [emaKernel] : []),
    ...(averages.swa ? [swaKernel] : []),
    ...(watch ? [layerStatsKernel] : []),
  ];
}

function modifiersBefore(name: string, modifiers: readonly ModifierKernel[]): readonly ModifierKernel[] {
  return modifiers.slice(
    0,
    modifiers.findIndex((modifier) => modifier.name === name),
  );
}
