// Lookahead (Zhang et al. 2019): each few updates the parameters return part of the way to where they were.
import lookahead from "../../shaders/modifiers/lookahead.wgsl?raw";
import { file } from "../stages/snippets.ts";
import type { ModifierKernel } from "../stages/stage.ts";

export const lookaheadKernel: ModifierKernel = {
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
