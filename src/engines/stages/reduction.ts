// A rule's reduction: the sums that its `measure` defines, and the scalars that its `conclude` makes from them.
import reductionConclude from "../../../shaders/reduction_conclude.wgsl?raw";
import reductionMeasure from "../../../shaders/reduction_measure.wgsl?raw";
import { tableColumns } from "../../optimizer/table.ts";
import { ruleName, ruleSnippets } from "./cell.ts";
import { cellStructsSnippet, concludingScalarsSnippet, measuredSnippet, totalsSnippet } from "./generate.ts";
import { file, nanSnippet } from "./snippets.ts";
import { sumsStage } from "./sums.ts";
import type { TwinContext } from "./twin.ts";

const measuring = file("reduction_measure", reductionMeasure);
const concluding = file("reduction_conclude", reductionConclude);

/** The stage of a rule's `reduction`: takes its sums and turns them into scalars. */
export const reductionStage = /* @__PURE__ */ sumsStage({
  name: "rule",
  kernelNames: (context) => ({
    measure: `${ruleName(context)}, measure`,
    conclude: `${ruleName(context)}, conclude`,
  }),
  terms: ({ rule }) => rule.reduction!.sums,
  scope: ({ rule }) => rule.reduction!.scope,
  measure: (context) => [concludingScalarsSnippet(context), measuredSnippet(context), measuring],
  conclude: (context) => [
    nanSnippet,
    cellStructsSnippet(context),
    ...ruleSnippets(context),
    concludingScalarsSnippet(context),
    totalsSnippet(context),
    concluding,
  ],
  columns: ({ plan, ruleSet }) => tableColumns(plan, ruleSet),
  twin: reduce,
});

/**
 * Sums what the rule's reduction measures, tensor by tensor or over all, and lets it conclude; over all with the last row, which
 * is then that of all groups together.
 */
function reduce({ state, works, scalars, rows }: TwinContext): void {
  const { rule, flags } = state.ruleSet;
  const reduction = rule.reduction!;
  const bins = reduction.scope === "all" ? [works] : works.map((work) => [work]);
  const conclusions = bins
    .filter((bin) => bin.length > 0)
    .map((bin) => {
      const names = reduction.sums;
      const totals = new Float64Array(names.length);
      let count = 0;
      for (const { place, row, cells, gradient } of bin) {
        const r = scalars.of(place);
        count += place.segment.length;
        for (let i = 0; i < place.segment.length; i++) {
          const terms = reduction.measure(cells.load(i), gradient(i), row, r, flags);
          cells.storeAdvanced(i);
          for (let s = 0; s < totals.length; s++) totals[s]! += terms[names[s]!]!;
        }
        cells.finish();
      }
      const sums: Record<string, number> = { count };
      for (const [s, name] of names.entries()) sums[name] = totals[s]!;
      return { sums, first: bin[0]! };
    });
  for (const { sums, first } of conclusions) {
    const all = reduction.scope === "all";
    const r = all ? scalars.of(state.layout.places[0]!) : scalars.of(first.place);
    reduction.conclude(sums, r, all ? rows.at(-1)! : first.row, flags);
    scalars.store(r, reduction.scope, first.place);
  }
}
