// Caution (Liang et al. 2024): drops the part of the update that goes against the gradient, and scales up the rest by its share.
import cautiousText from "../../shaders/modifiers/cautious.wgsl?raw";
import cautiousConclude from "../../shaders/modifiers/cautious_conclude.wgsl?raw";
import cautiousMeasure from "../../shaders/modifiers/cautious_measure.wgsl?raw";
import { driverColumns, storeModifiedSnippet } from "../engines/stages/generate.ts";
import { file, signsSnippet } from "../engines/stages/snippets.ts";
import { sumsStage } from "../engines/stages/sums.ts";
import { signOf } from "../rules/sign.ts";
import { defineModifier, type ModifierNotes, type SwitchFunction } from "./modifier.ts";
import { readSwitch } from "./read.ts";

/**
 * Drops the part of the update that goes against the gradient, and scales up the rest by the share that remains, tensor by
 * tensor.
 */
export const cautious = /* @__PURE__ */ defineModifier<true, SwitchFunction>({
  name: "cautious",
  key: "cautious",
  order: 50,
  argument: "on",
  law: true,
  read: readSwitch,
  effects: () => ({
    scalars: ["cautious"],
    hooks: ["step"],
    snippets: [signsSnippet, file("modifiers/cautious", cautiousText)],
    twin: {
      step(x, _, g, _row, r) {
        const agreement = signOf(x.step) * signOf(g);
        x.step = agreement > 0 ? r.cautious! * x.step : Number.isNaN(agreement) ? Number.NaN : 0;
      },
    },
    afterRule: cautiousStage,
  }),
});

/** Its entry in docs/rules.md. */
export const cautiousNotes: ModifierNotes = {
  call: "cautious()",
  effect: "leaves out the part of the update that goes against the gradient, and scales up the rest",
  source: "Liang et al. 2024",
  costs: [
    {
      option: "`cautious`",
      examples: [{ cautious: true }],
      dispatches: 2,
      state: "0",
      moved: "8, and 4 for each slot",
    },
  ],
};

const cautiousStage = /* @__PURE__ */ sumsStage({
  name: "cautious",
  kernelNames: ({ ruleSet }) => ({
    measure: `rule "${ruleSet.rule.name}", measure of caution`,
    conclude: "conclude of caution",
  }),
  terms: () => ["kept"],
  scope: () => "tensor",
  measure: () => [signsSnippet, file("modifiers/cautious_measure", cautiousMeasure)],
  conclude: (context) => [
    storeModifiedSnippet(context, "cautious"),
    file("modifiers/cautious_conclude", cautiousConclude),
  ],
  columns: driverColumns,
  // For each tensor, the share of elements whose update does not go against the gradient.
  twin({ state: { ruleSet }, works, scalars }) {
    const { rule, flags } = ruleSet;
    for (const { place, row, cells, gradient } of works) {
      const r = scalars.of(place);
      let kept = 0;
      for (let i = 0; i < place.segment.length; i++) {
        const x = cells.load(i);
        rule.update(x, gradient(i), row, flags, r);
        if (signOf(x.step) * signOf(gradient(i)) > 0) kept++;
      }
      r.cautious = 1 / Math.max(kept / place.segment.length, 1e-3);
      scalars.store(r, "tensor", place);
    }
  },
});
