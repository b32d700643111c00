// A rule's reduction: what its `measure` sums, and the scalars that its `conclude` makes of it.
import reductionConclude from "../../shaders/reduction_conclude.wgsl?raw";
import reductionMeasure from "../../shaders/reduction_measure.wgsl?raw";
import { tableColumns } from "../table.ts";
import { ruleName, rulePart } from "./cell.ts";
import { cellStructsPart, concludingScalarsPart, measuredPart, totalsPart } from "./generate.ts";
import { file, nanPart } from "./snippets.ts";
import { sumsStage } from "./sums.ts";

const measuring = file("reduction_measure", reductionMeasure);
const concluding = file("reduction_conclude", reductionConclude);

export const reductionStage = sumsStage({
  name: "rule",
  kernelNames: (context) => ({
    measure: `${ruleName(context)}, measure`,
    conclude: `${ruleName(context)}, conclude`,
  }),
  terms: ({ rule }) => rule.reduction!.sums,
  scope: ({ rule }) => rule.reduction!.scope,
  measure: (context) => [concludingScalarsPart(context), measuredPart(context), measuring],
  conclude: (context) => [
    nanPart,
    cellStructsPart(context),
    rulePart(context),
    concludingScalarsPart(context),
    totalsPart(context),
    concluding,
  ],
  columns: ({ plan, part }) => tableColumns(plan, part),
});
