// Clips each unit's gradient to a share of the unit's own norm (Brock et al. 2021), as optax.adaptive_grad_clip.
import clipAdaptive from "../../shaders/modifiers/clip_adaptive.wgsl?raw";
import clipAdaptiveLines from "../../shaders/modifiers/clip_adaptive_lines.wgsl?raw";
import { driverColumns } from "../stages/generate.ts";
import { linesStage } from "../stages/lines.ts";
import { file } from "../stages/snippets.ts";
import { type ModifierKernel, modifiersBefore } from "../stages/stage.ts";

export const clipAdaptiveKernel: ModifierKernel = {
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
