// A second moment that is kept as means along rows and columns: its means move before the rule measures or updates.
import factor from "../../../shaders/factor.wgsl?raw";
import factored from "../../../shaders/factored.wgsl?raw";
import { type MatrixView, rowMeans, slotRange } from "../../optimizer/layout.ts";
import { tableColumns } from "../../optimizer/table.ts";
import { factorSnippet } from "./generate.ts";
import { linesStage } from "./lines.ts";
import { file } from "./snippets.ts";
import type { KernelContext, Stage } from "./stage.ts";
import type { RuleSetState, Work } from "./twin.ts";

const factoredSnippet = /* @__PURE__ */ file("factored", factored);
const movingSnippet = /* @__PURE__ */ file("factor", factor);

const means = /* @__PURE__ */ linesStage({
  name: "factor",
  kernelName: ({ ruleSet }) => `rule "${ruleSet.rule.name}", means`,
  snippets: (context) => [factorSnippet(context), movingSnippet],
  columns: ({ plan, ruleSet }) => tableColumns(plan, ruleSet),
  // The means use the gradient as the rule sees it.
  before: (modifiers) => modifiers,
  of(layout, place) {
    if (!place.factored) return undefined;
    const columns = slotRange(layout, place, layout.factoredSlot!).offset;
    return { view: place.factored, columns, rows: columns + rowMeans(place.factored) };
  },
  twin({ state, works }) {
    for (const work of works) if (work.place.factored) moveMeans(state, work, work.place.factored);
  },
});

/** The stage of a rule's `factored`: moves the means, and computes the slot of each element from them. */
export const factoredStage: Stage = {
  ...means,
  cellSnippets: (context: KernelContext) => [factorSnippet(context), factoredSnippet],
};

/** Moves the means of the squared gradient along columns and rows. */
function moveMeans({ ruleSet, layout, state }: RuleSetState, { place, row, gradient }: Work, view: MatrixView): void {
  const { rows, columns } = view;
  const { slot, weight } = ruleSet.rule.factored!;
  const { offset } = slotRange(layout, place, slot);
  const fresh = new Float64Array(slotRange(layout, place, slot).length);
  for (let i = 0; i < place.segment.length; i++) {
    const line = Math.floor(i / columns);
    const square = gradient(i) ** 2;
    fresh[Math.floor(line / rows) * columns + (i % columns)]! += square / rows;
    fresh[rowMeans(view) + line]! += square / columns;
  }
  fresh.forEach((mean, i) => {
    state[offset + i] = state[offset + i]! + row[weight]! * (mean - state[offset + i]!);
  });
}
