// The parts of kernels that iterate over the cells of chunks: the update, the sums before it, and its preparation.
import unfactored from "../../../shaders/unfactored.wgsl?raw";
import type { Snippet } from "../../base/assemble.ts";
import { needsNorm, type Plan } from "../../optimizer/plan.ts";
import { tableColumns } from "../../optimizer/table.ts";
import { controlRecord } from "../gpu/control.ts";
import { chunks, control, gradients, params, scalars, sizes, table } from "./bindings.ts";
import {
  cellSnippet,
  cellStructsSnippet,
  chunkAtSnippet,
  modifyGradientSnippet,
  placesSnippet,
  rowSnippet,
  ruleCallsSnippet,
  scalarsSnippet,
  structsSnippet,
} from "./generate.ts";
import {
  cellAccessSnippet,
  chunkSnippet,
  controlSnippet,
  file,
  gradientSnippet,
  nanSnippet,
  scaleSnippets,
  tableSnippet,
  workgroupSnippet,
} from "./snippets.ts";
import { type Binding, type KernelContext, linesOf, type ModifierKernel } from "./stage.ts";
import { stateBinding, stateSnippets } from "./state.ts";
import { chunkStruct, placesStruct, sizesStruct } from "./structs.ts";

/** The bindings of every kernel over cells: the same seven for every rule, and the scalars where there are any. */
export function cellBindings({ layout }: KernelContext): readonly Binding[] {
  const all = [params, gradients, stateBinding(layout), chunks, table, control, sizes];
  return layout.scalars.length > 0 ? [...all, scalars] : all;
}

/** Chunks, and the gradient as the caller wrote it. */
export function rawSnippets({ access, plan }: KernelContext): readonly Snippet[] {
  const blocks = linesOf(plan);
  const places = placesStruct(blocks);
  const chunk = chunkStruct(places);
  return [
    structsSnippet(sizesStruct, controlRecord, chunk),
    workgroupSnippet,
    chunkSnippet,
    chunkAtSnippet(chunk),
    placesSnippet(places, blocks),
    access.gradients,
  ];
}

/** The same with rows. */
export function chunkSnippets(context: KernelContext, columns: readonly string[]): readonly Snippet[] {
  return [...rawSnippets(context), controlSnippet, tableSnippet, rowSnippet(columns)];
}

/** The gradient's scale, and modifiers of the gradient in their order. */
export function gradientSnippets(plan: Plan, modifiers: readonly ModifierKernel[]): readonly Snippet[] {
  const hooks = modifiers.filter((modifier) => modifier.hooks.includes("gradient"));
  return [
    scaleSnippets[needsNorm(plan) ? "norm" : "plain"],
    ...hooks.flatMap(({ snippets }) => snippets),
    modifyGradientSnippet(modifiers),
  ];
}

/** Cells, the rule, and the gradient as it sees it. */
export function cellSnippets(context: KernelContext): readonly Snippet[] {
  const { plan, ruleSet, layout, access } = context;
  return [
    ...chunkSnippets(context, tableColumns(plan, ruleSet)),
    ...stateSnippets(layout),
    access.params,
    nanSnippet,
    ...gradientSnippets(plan, plan.modifiers),
    gradientSnippet,
    cellStructsSnippet(context),
    scalarsSnippet(context),
    cellSnippet(context),
    cellAccessSnippet,
    ...(ruleSet.rule.factored?.stage.cellSnippets?.(context) ?? [file("unfactored", unfactored)]),
    ...ruleSnippets(context),
    ruleCallsSnippet(context),
  ];
}

/** A rule's WGSL, after the functions that it calls. */
export function ruleSnippets({ ruleSet: { rule } }: KernelContext): readonly Snippet[] {
  return [...(rule.helpers ?? []), { name: `the WGSL of rule "${rule.name}"`, text: rule.wgsl }];
}

export function ruleName({ ruleSet }: KernelContext): string {
  return `rule "${ruleSet.rule.name}"`;
}
