// Cautious weight decay (Chen et al. 2025): decoupled decay only where the update, without it, agrees with the parameter in sign, or
// is 0.
//
//   p ← p - u - (1 - keep)·p where u·p >= 0,  p - u elsewhere
import cautiousDecay from "../../shaders/modifiers/cautious_decay.wgsl?raw";
import { file } from "../stages/snippets.ts";
import type { ModifierKernel } from "../stages/stage.ts";

export const cautiousDecayKernel: ModifierKernel = {
  name: "cautiousDecay",
  hooks: ["update"],
  parts: [file("modifiers/cautious_decay", cautiousDecay)],
  twin: {
    update(x, before, _g, row) {
      const step = before * (row.keep ?? 1) - x.p;
      if (Math.sign(step) * Math.sign(before) < 0) x.p = before - step;
    },
  },
};
