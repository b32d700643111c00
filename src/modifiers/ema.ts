// An exponential moving average of the parameters.
import ema from "../../shaders/modifiers/ema.wgsl?raw";
import { file } from "../stages/snippets.ts";
import type { ModifierKernel } from "../stages/stage.ts";

export const emaKernel: ModifierKernel = {
  name: "ema",
  hooks: ["update"],
  parts: [file("modifiers/ema", ema)],
  twin: {
    update(x, _before, _g, row) {
      x.ema! += row.ema! * (x.p - x.ema!);
    },
  },
};
