// Clips each unit's gradient to a share of the unit's own norm (Brock et al. 2021), like optax.adaptive_grad_clip.
import clipAdaptiveText from "../../shaders/modifiers/clip_adaptive.wgsl?raw";
import clipAdaptiveLines from "../../shaders/modifiers/clip_adaptive_lines.wgsl?raw";
import { readObject } from "../base/options.ts";
import { driverColumns } from "../engines/stages/generate.ts";
import { linesStage } from "../engines/stages/lines.ts";
import { normStage } from "../engines/stages/norm.ts";
import { boundsSnippet, file } from "../engines/stages/snippets.ts";
import { modifiersBefore } from "../engines/stages/stage.ts";
import type { MatrixView } from "../optimizer/layout.ts";
import { defineModifier, type ModifierFunction, type ModifierNotes } from "./modifier.ts";
import { readSingle } from "./read.ts";

const clip = { type: "adaptive", clipping: 0.1 };

/**
 * Clips each unit's gradient: a unit is a column of a matrix `[in, out]`, a vector as a whole, an output channel (the last
 * dimension) of a 4-dimensional kernel; tensors of the layout "out-in" are refused.
 */
export const clipAdaptive = /* @__PURE__ */ defineModifier<
  { readonly clipping: number; readonly eps: number },
  ModifierFunction<{
    /** The largest ‖gradient‖ / max(‖parameters‖, eps) of a unit that passes unchanged; > 0. */
    readonly clipping: number;
    /** The lower bound of a unit's norm; > 0, default 1e-3. */
    readonly eps?: number | undefined;
  }>
>({
  name: "clipAdaptive",
  key: "clip",
  order: 23,
  type: "adaptive",
  law: { clipping: 0.5 },
  read(owner, value) {
    const { clipping, eps } = readObject(owner, value, ["type", "clipping", "eps"]);
    return {
      clipping: readSingle(`${owner}.clipping`, clipping, { above: 0 }),
      eps: eps === undefined ? 1e-3 : readSingle(`${owner}.eps`, eps, { above: 0 }),
    };
  },
  json: (settings) => ({ type: "adaptive", ...settings }),
  conflict(_, { segments }) {
    const turned = segments.find(({ shape, layout }) => layout === "out-in" && shape.length > 1);
    return turned
      ? `clip.type is "adaptive", whose units are the outputs of [in, out]; the layout of tensor "${turned.name}" is "out-in"`
      : undefined;
  },
  effects: ({ clipping, eps }) => ({
    skips: true,
    step: normStage,
    columns: ["clipping", "leastNorm"],
    row: () => ({ clipping, leastNorm: eps }),
    lines: "units",
    linesOf: ({ shape }) => ({ view: unitView(shape) }),
    hooks: ["gradient"],
    snippets: [clipSnippet],
    twin: { gradient: (g, i, { place, lines }) => lines.units![i % place.lines.units!.view.columns]! * g },
    beforeRule: unitStage,
  }),
});

/** Its entry in docs/rules.md. */
export const clipAdaptiveNotes: ModifierNotes = {
  call: "clipAdaptive({ clipping, eps })",
  effect: "clips the gradient of each unit (a column of a matrix) to a share of the unit's norm",
  source: "Brock et al. 2021; optax.adaptive_grad_clip",
  costs: [
    { option: '`clip` of type `"adaptive"`', examples: [{ clip }], dispatches: 3, state: "≈ 0", moved: "≈ 12" },
    {
      option: "the same with `skipNonFinite: false`",
      examples: [{ clip, skipNonFinite: false }],
      dispatches: 1,
      state: "≈ 0",
      moved: "≈ 8",
    },
  ],
};

const clipSnippet = /* @__PURE__ */ file("modifiers/clip_adaptive", clipAdaptiveText);
const linesSnippet = /* @__PURE__ */ file("modifiers/clip_adaptive_lines", clipAdaptiveLines);

const unitStage = /* @__PURE__ */ linesStage({
  name: "unitClip",
  kernelName: () => "adaptive clipping",
  snippets: () => [boundsSnippet, linesSnippet],
  columns: driverColumns,
  before: (modifiers) => modifiersBefore("clipAdaptive", modifiers),
  of: (_, { lines: { units } }) => units && { view: units.view, columns: units.offset },
  twin({ works, params }) {
    for (const work of works) {
      const { segment, lines } = work.place;
      const { clipping, leastNorm } = work.row;
      const { columns } = lines.units!.view;
      const gradient = work.gradientBefore("clipAdaptive");
      work.lines.units = Float64Array.from({ length: columns }, (_, unit) => {
        let [p2, g2] = [0, 0];
        for (let i = unit; i < segment.length; i += columns) {
          p2 += params[segment.page]![segment.offset + i]! ** 2;
          g2 += gradient(i) ** 2;
        }
        const most = clipping! * Math.max(Math.sqrt(p2), leastNorm!);
        return Math.sqrt(g2) < most ? 1 : most / Math.max(Math.sqrt(g2), 1e-6);
      });
    }
  },
});

/** optax's unit-wise norm: over all but the last of 4 dimensions, over the first of 2 or 3, else over all. */
function unitView(shape: readonly number[]): MatrixView {
  const length = shape.reduce((product, size) => product * size, 1);
  if (shape.filter((size) => size > 1).length <= 1) return { batch: 1, rows: length, columns: 1 };
  const columns = shape.length >= 4 ? shape[shape.length - 1]! : length / shape[0]!;
  return { batch: 1, rows: length / columns, columns };
}
