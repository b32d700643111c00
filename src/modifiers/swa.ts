// Stochastic weight averaging (Izmailov et al. 2018): the plain mean of parameters along the way.
import swa from "../../shaders/modifiers/swa.wgsl?raw";
import { file } from "../stages/snippets.ts";
import type { ModifierKernel } from "../stages/stage.ts";

export const swaKernel: ModifierKernel = {
  name: "swa",
  hooks: ["update"],
  parts: [file("modifiers/swa", swa)],
  twin: {
    update(x, _before, _g, row) {
      x.swa! += row.swa! * (x.p - x.swa!);
    },
  },
};
