// Caution (Liang et al. 2024): leaves out what goes against the gradient, and scales the rest up by the share that is left.
import cautious from "../../shaders/modifiers/cautious.wgsl?raw";
import cautiousConclude from "../../shaders/modifiers/cautious_conclude.wgsl?raw";
import cautiousMeasure from "../../shaders/modifiers/cautious_measure.wgsl?raw";
import { keptShare } from "../layout.ts";
import { driverColumns, storeModifiedPart } from "../stages/generate.ts";
import { file } from "../stages/snippets.ts";
import type { ModifierKernel } from "../stages/stage.ts";
import { sumsStage } from "../stages/sums.ts";

export const cautiousKernel: ModifierKernel = {
  name: "cautious",
  hooks: ["update"],
  parts: [file("modifiers/cautious", cautious)],
  twin: {
    update(x, before, g, row, r) {
      const kept = before * (row.keep ?? 1);
      x.p = (kept - x.p) * g > 0 ? kept - r[keptShare]! * (kept - x.p) : kept;
    },
  },
  behind: sumsStage({
    name: "cautious",
    kernelNames: ({ part }) => ({
      measure: `rule "${part.rule.name}", measure of caution`,
      conclude: "conclude of caution",
    }),
    terms: () => ["kept"],
    scope: () => "tensor",
    measure: () => [file("modifiers/cautious_measure", cautiousMeasure)],
    conclude: (context) => [
      storeModifiedPart(context, keptShare),
      file("modifiers/cautious_conclude", cautiousConclude),
    ],
    columns: driverColumns,
    // Of each tensor the share of elements whose update does not go against the gradient.
    twin({ state: { part }, works, scalars }) {
      const { rule, flags } = part;
      for (const { place, row, cells, gradient } of works) {
        const r = scalars.of(place);
        let kept = 0;
        for (let i = 0; i < place.segment.length; i++) {
          const x = cells.load(i);
          const before = x.p * (row.keep ?? 1);
          rule.update(x, gradient(i), row, flags, r);
          if ((before - x.p) * gradient(i) > 0) kept++;
        }
        r[keptShare] = 1 / Math.max(kept / place.segment.length, 1e-3);
        scalars.store(r, "tensor", place);
      }
    },
  }),
};
