// What kernels that go over the cells of chunks are made of: the update, what is measured before it, what it prepares.
import unfactored from "../../../shaders/unfactored.wgsl?raw";
import type { SourcePart } from "../../base/assemble.ts";
import { needsNorm, type Plan } from "../../optimizer/plan.ts";
import { tableColumns } from "../../optimizer/table.ts";
import { controlRecord } from "../gpu/control.ts";
import { chunks, control, gradients, params, scalars, sizes, table } from "./bindings.ts";
import {
  cellPart,
  cellStructsPart,
  modifyGradientPart,
  placesPart,
  rowPart,
  ruleCallsPart,
  scalarsPart,
  structsPart,
} from "./generate.ts";
import {
  cellAccessPart,
  chunkPart,
  controlPart,
  file,
  gradientPart,
  loadParts,
  nanPart,
  paramsParts,
  scaleParts,
  tablePart,
  workgroupPart,
} from "./snippets.ts";
import { type Binding, type KernelContext, linesOf, type ModifierKernel } from "./stage.ts";
import { stateBinding, stateParts } from "./state.ts";
import { chunkStruct, placesStruct, sizesStruct } from "./structs.ts";

/** What every kernel over cells binds: the same seven for every rule, and the scalars where there are any. */
export function cellBindings({ layout }: KernelContext): readonly Binding[] {
  const all = [params, gradients, stateBinding(layout), chunks, table, control, sizes];
  return layout.scalars.length > 0 ? [...all, scalars] : all;
}

/** What kernels over chunks know of them, of their rows and of the gradient as the caller wrote it. */
export function chunkParts({ access, modifiers }: KernelContext, columns: readonly string[]): readonly SourcePart[] {
  const blocks = linesOf(modifiers);
  const places = placesStruct(blocks);
  return [
    structsPart(sizesStruct, controlRecord, chunkStruct(places)),
    workgroupPart,
    controlPart,
    tablePart,
    chunkPart,
    placesPart(places, blocks),
    rowPart(columns),
    loadParts[access],
  ];
}

/** The gradient's scale, and modifiers of the gradient in their order. */
export function gradientParts(plan: Plan, modifiers: readonly ModifierKernel[]): readonly SourcePart[] {
  const hooks = modifiers.filter((modifier) => modifier.hooks.includes("gradient"));
  return [
    scaleParts[needsNorm(plan) ? "norm" : "plain"],
    ...hooks.flatMap(({ parts }) => parts),
    modifyGradientPart(modifiers),
  ];
}

/** Cells, the rule, and the gradient as it sees it. */
export function cellParts(context: KernelContext): readonly SourcePart[] {
  const { plan, part, layout, access, modifiers } = context;
  return [
    ...chunkParts(context, tableColumns(plan, part)),
    ...stateParts(layout),
    paramsParts[access],
    nanPart,
    ...gradientParts(plan, modifiers),
    gradientPart,
    cellStructsPart(context),
    scalarsPart(context),
    cellPart(context),
    cellAccessPart,
    ...(part.rule.factored?.stage.cellParts?.(context) ?? [file("unfactored", unfactored)]),
    rulePart(context),
    ruleCallsPart(context),
  ];
}

export function rulePart({ part }: KernelContext): SourcePart {
  return { name: `the WGSL of rule "${part.rule.name}"`, text: part.rule.wgsl };
}

export function ruleName({ part }: KernelContext): string {
  return `rule "${part.rule.name}"`;
}
