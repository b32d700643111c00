// A second moment that is kept as means along rows and columns: its means move before the rule measures or updates.
import factor from "../../shaders/factor.wgsl?raw";
import factored from "../../shaders/factored.wgsl?raw";
import type { SourcePart } from "../assemble.ts";
import { rowMeans, slotRange } from "../layout.ts";
import { tableColumns } from "../table.ts";
import { factorPart } from "./generate.ts";
import { linesStage } from "./lines.ts";
import { file } from "./snippets.ts";
import type { KernelContext } from "./stage.ts";

const factoredPart = file("factored", factored);
const movingPart = file("factor", factor);

/** In kernels over cells: what a factored slot is in each element. */
export function factoredParts(context: KernelContext): readonly SourcePart[] {
  return [factorPart(context), factoredPart];
}

export const factoredStage = linesStage({
  name: "factor",
  kernelName: ({ part }) => `rule "${part.rule.name}", means`,
  parts: (context) => [factorPart(context), movingPart],
  columns: ({ plan, part }) => tableColumns(plan, part),
  // The means are of the gradient as the rule sees it.
  before: (modifiers) => modifiers,
  of(layout, place) {
    if (!place.factored) return undefined;
    const columns = slotRange(layout, place, layout.factoredSlot!).offset;
    return { view: place.factored, columns, rows: columns + rowMeans(place.factored) };
  },
});
