// Gradient centralisation (Yong et al. 2020): subtracts from the gradient of each tensor with two dimensions or more its mean
// over all but the output dimension, which is the last, or the first in the layout "out-in". It follows clipping.
//
//   g ← g - mean of g over the inputs of its output
import centralizeText from "../../shaders/modifiers/centralize.wgsl?raw";
import centralizeLines from "../../shaders/modifiers/centralize_lines.wgsl?raw";
import { driverColumns } from "../engines/stages/generate.ts";
import { linesStage } from "../engines/stages/lines.ts";
import { file } from "../engines/stages/snippets.ts";
import { modifiersBefore } from "../engines/stages/stage.ts";
import type { Segment } from "../optimizer/arena.ts";
import { defineModifier, type ModifierNotes, type SwitchFunction } from "./modifier.ts";
import { readSwitch } from "./read.ts";

/** Subtracts the mean from each output's gradient, in tensors with two dimensions or more. */
export const centralize = /* @__PURE__ */ defineModifier<true, SwitchFunction>({
  name: "centralize",
  key: "centralize",
  order: 40,
  argument: "on",
  law: true,
  read: readSwitch,
  effects: () => ({
    lines: "centers",
    linesOf: centersOf,
    hooks: ["gradient"],
    snippets: [centralizeSnippet],
    twin: {
      gradient(g, i, { place, lines }) {
        const { centers } = place.lines;
        if (!centers) return g;
        const { columns } = centers.view;
        return g - lines.centers![centers.alongRows ? Math.floor(i / columns) : i % columns]!;
      },
    },
    beforeRule: centerStage,
  }),
});

/** Its entry in docs/rules.md. */
export const centralizeNotes: ModifierNotes = {
  call: "centralize()",
  effect: "subtracts the mean from each output's gradient",
  source: "Yong et al. 2020",
  costs: [{ option: "`centralize`", examples: [{ centralize: true }], dispatches: 1, state: "≈ 0", moved: "≈ 8" }],
};

const centralizeSnippet = /* @__PURE__ */ file("modifiers/centralize", centralizeText);
const linesSnippet = /* @__PURE__ */ file("modifiers/centralize_lines", centralizeLines);

const centerStage = /* @__PURE__ */ linesStage({
  name: "centralize",
  kernelName: () => "gradient centralisation",
  snippets: () => [linesSnippet],
  columns: driverColumns,
  before: (modifiers) => modifiersBefore("centralize", modifiers),
  of(_, { lines: { centers } }) {
    if (!centers) return undefined;
    const { view, offset, alongRows } = centers;
    return alongRows ? { view, rows: offset } : { view, columns: offset };
  },
  twin({ works }) {
    for (const work of works) {
      const { segment, lines } = work.place;
      if (!lines.centers) continue;
      const { view, alongRows } = lines.centers;
      const gradient = work.gradientBefore("centralize");
      const [outputs, inputs] = alongRows ? [view.rows, view.columns] : [view.columns, view.rows];
      const sums = new Float64Array(outputs);
      for (let i = 0; i < segment.length; i++) {
        sums[alongRows ? Math.floor(i / inputs) : i % outputs]! += gradient(i);
      }
      work.lines.centers = sums.map((sum) => sum / inputs);
    }
  },
});

/** The matrix whose lines are the outputs. */
function centersOf({ shape, length, layout }: Segment) {
  if (shape.length < 2) return undefined;
  const alongRows = layout === "out-in";
  const outputs = alongRows ? shape[0]! : shape.at(-1)!;
  const [rows, columns] = alongRows ? [outputs, length / outputs] : [length / outputs, outputs];
  return { view: { batch: 1, rows, columns }, alongRows };
}
