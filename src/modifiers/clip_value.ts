// Clips the gradient by value: every element into [-maxValue, maxValue], as torch's clip_grad_value_.
import clipValue from "../../shaders/modifiers/clip_value.wgsl?raw";
import { file } from "../stages/snippets.ts";
import type { ModifierKernel } from "../stages/stage.ts";

export const clipValueKernel: ModifierKernel = {
  name: "clipValue",
  hooks: ["gradient"],
  parts: [file("modifiers/clip_value", clipValue)],
  twin: { gradient: (g, _, { row: { clipValue } }) => Math.max(-clipValue!, Math.min(clipValue!, g)) },
};
