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
  twin: { gradient: (g, _, { row: { clipValue } }) => Math.max(-clipValue!, Math.min(clipValue!, g)) },
};

const clipAdaptiveKernel: ModifierKernel = {
  name: "clipAdaptive",
  hooks: ["gradient"],
  parts: [file("modifiers/clip_adaptive", clipAdaptive)],
  lines: "units",
  twin: { gradient: (g, i, { place, lines }) => lines.units![i % place.lines.units!.view.columns]! * g },
  before: linesStage({
    name: "unitClip",
    kernelName: () => "adaptive clipping",
    parts: () => [file("modifiers/clip_adaptive_lines", clipAdaptiveLines)],
    columns: driverColumns,
    before: (modifiers) => modifiersBefore("clipAdaptive", modifiers),
    of: (_, { lines: { units } }) => units && { view: units.view, columns: units.offset },
    twin({ plan, works, params }) {
      const { clipping, eps } = plan.clip as { readonly clipping: number; readonly eps: number };
      for (const work of works) {
        const { segment, lines } = work.place;
        const { columns } = lines.units!.view;
        const gradient = work.gradientBefore("clipAdaptive");
        work.lines.units = Float64Array.from({ length: columns }, (_, unit) => {
          let [p2, g2] = [0, 0];
          for (let i = unit; i < segment.length; i += columns) {
            p2 += params[segment.page]![segment.offset + i]! ** 2;
            g2 += gradient(i) ** 2;
          }
          const most = clipping * Math.max(Math.sqrt(p2), eps);
          return Math.sqrt(g2) < most ? 1 : most / Math.max(Math.sqrt(g2), 1e-6);
        });
      }
    },
  }),
};

const cautiousKernel: ModifierKernel = {
  name: "cautious",
  hooks: ["update"],
  parts: [file("modifiers/cautious", cautious)],
  twin: {
    update(x, before, g, row, r) {
      const kept = before * (row.keep ?? 1);
      x.p = (kept - x.p) * g > 0 ? kept - r[keptShare]! * (kept - x.p) : kept;
    },
  },
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
    // Of each tensor the share of elements whose update does not go against the gradient.
    twin({ state: { part }, works, scalars }) {
      const { rule, flags } = part;
      for (const { place, row, cells, gradient } of works) {
        const r = scalars.of(place);
        let kept = 0;
        for (let i = 0; i < place.segment.length; i++) {
          const x = cells.load(i);
          const before = x.p * (row.keep ?? 1);
          rule.update(x, gradient(i), row, flags, r);
          if ((before - x.p) * gradient(i) > 0) kept++;
        }
        r[keptShare] = 1 / Math.max(kept / place.segment.length, 1e-3);
        scalars.store(r, "tensor", place);
      }
    },
  }),
};

const lookaheadKernel: ModifierKernel = {
  name: "lookahead",
  hooks: ["update"],
  parts: [file("modifiers/lookahead", lookahead)],
  twin: {
    update(x, _before, _g, row) {
      if (row.lookahead! < 0) return;
      x.lookahead! += row.lookahead! * (x.p - x.lookahead!);
      x.p = x.lookahead!;
    },
  },
};

const average = (name: string, text: string): ModifierKernel => ({
  name,
  hooks: ["update"],
  parts: [file(`modifiers/${name}`, text)],
  twin: {
    update(x, _before, _g, row) {
      x[name]! += row[name]! * (x.p - x[name]!);
    },
  },
});

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
