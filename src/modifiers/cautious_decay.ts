// Cautious weight decay (Chen et al. 2025): decoupled decay only where the update, without it, agrees with the parameter in
// sign, or is 0.
//
//   p ← p - u - (1 - keep)·p where u·p >= 0,  p - u elsewhere
import cautiousDecayText from "../../shaders/modifiers/cautious_decay.wgsl?raw";
import { file, signsSnippet } from "../engines/stages/snippets.ts";
import { signOf } from "../rules/sign.ts";
import { defineModifier, type ModifierNotes, type SwitchFunction } from "./modifier.ts";
import { readSwitch } from "./read.ts";

/** Decays a parameter only where its update does not pull the other way. For rules with decoupled decay. */
export const cautiousDecay = /* @__PURE__ */ defineModifier<true, SwitchFunction>({
  name: "cautiousDecay",
  key: "cautiousDecay",
  order: 51,
  argument: "on",
  law: true,
  read: readSwitch,
  conflict(_, { rules }) {
    const coupled = rules.find(({ columns }) => !columns.includes("keep"));
    return coupled
      ? `cautiousDecay is true; with rule ${coupled.name}, whose decay is part of the update, it must be false`
      : undefined;
  },
  effects: () => ({
    hooks: ["step"],
    snippets: [signsSnippet, file("modifiers/cautious_decay", cautiousDecayText)],
    twin: {
      step(x, before) {
        if (signOf(x.step) * signOf(before) < 0) [x.p, x.decay] = [before, 0];
      },
    },
  }),
});

/** Its entry in docs/rules.md. */
export const cautiousDecayNotes: ModifierNotes = {
  call: "cautiousDecay()",
  effect: "decays a parameter only where its update has the same sign; for rules with decoupled decay",
  source: "Chen et al. 2025, Cautious Weight Decay",
  costs: [{ option: "`cautiousDecay`", examples: [{ cautiousDecay: true }], dispatches: 0, state: "0", moved: "0" }],
};
