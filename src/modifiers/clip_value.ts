// Clips the gradient by value: every element into [-maxValue, maxValue], like torch's clip_grad_value_.
import clipValueText from "../../shaders/modifiers/clip_value.wgsl?raw";
import { readObject } from "../base/options.ts";
import { normStage } from "../engines/stages/norm.ts";
import { file } from "../engines/stages/snippets.ts";
import { defineModifier, type ModifierFunction, type ModifierNotes } from "./modifier.ts";
import { readSingle } from "./read.ts";

const clip = { type: "value", maxValue: 1 };

/** Clamps every element of the gradient. */
export const clipValue = /* @__PURE__ */ defineModifier<
  { readonly maxValue: number },
  ModifierFunction<{
    /** > 0. */
    readonly maxValue: number;
  }>
>({
  name: "clipValue",
  key: "clip",
  order: 22,
  type: "value",
  law: { maxValue: 0.7 },
  read(owner, value) {
    const { maxValue } = readObject(owner, value, ["type", "maxValue"]);
    return { maxValue: readSingle(`${owner}.maxValue`, maxValue, { above: 0 }) };
  },
  json: ({ maxValue }) => ({ type: "value", maxValue }),
  effects: ({ maxValue }) => ({
    skips: true,
    step: normStage,
    columns: ["clipValue"],
    row: () => ({ clipValue: maxValue }),
    hooks: ["gradient"],
    snippets: [file("modifiers/clip_value", clipValueText)],
    twin: { gradient: (g, _, { row }) => Math.max(-row.clipValue!, Math.min(row.clipValue!, g)) },
  }),
});

/** Its entry in docs/rules.md. */
export const clipValueNotes: ModifierNotes = {
  call: "clipValue({ maxValue })",
  effect: "clamps each element of the gradient to ±`maxValue`",
  source: "torch.nn.utils.clip_grad_value_",
  costs: [
    { option: '`clip` of type `"value"`', examples: [{ clip }], dispatches: 2, state: "0", moved: "4" },
    {
      option: "the same with `skipNonFinite: false`",
      examples: [{ clip, skipNonFinite: false }],
      dispatches: 0,
      state: "0",
      moved: "0",
    },
  ],
};
