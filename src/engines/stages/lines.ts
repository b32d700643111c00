// A stage that sums along the columns (and rows) of matrices and stores the results in the state for later kernels.
import elementsScalar from "../../../shaders/elements_scalar.wgsl?raw";
import elementsVec4 from "../../../shaders/elements_vec4.wgsl?raw";
import lines from "../../../shaders/lines.wgsl?raw";
import type { Snippet } from "../../base/assemble.ts";
import type { Place, RuleSetLayout } from "../../optimizer/layout.ts";
import { type LineResults, lineTasks } from "../gpu/chunks.ts";
import { controlRecord } from "../gpu/control.ts";
import { control, gradients, params, sizes, table } from "./bindings.ts";
import { gradientSnippets } from "./cell.ts";
import { placesSnippet, rowSnippet, structsSnippet } from "./generate.ts";
import { controlSnippet, file, joinSnippet, nanSnippet, tableSnippet, workgroupSnippet } from "./snippets.ts";
import { type Binding, type KernelContext, linesOf, type ModifierKernel, type Stage } from "./stage.ts";
import { stateBinding, stateSnippets } from "./state.ts";
import { linesStruct, placesStruct, sizesStruct } from "./structs.ts";
import type { TwinContext } from "./twin.ts";

const elements = { vec4: file("elements_vec4", elementsVec4), scalar: file("elements_scalar", elementsScalar) };
const linesSnippet = file("lines", lines);

const tasks: Binding = { name: "tasks", use: "read", type: "array<Lines>" };

/** The terms and lines of such sums. */
export interface LineSums {
  readonly name: string;
  /** The kernel's name in errors. */
  kernelName(context: KernelContext): string;
  /** WGSL of the terms and of their results: `Sum`, `add_sums`, `across_lines`, `line_terms`, `settle`. */
  snippets(context: KernelContext): readonly Snippet[];
  /** The columns of the row that it may read. */
  columns(context: KernelContext): readonly string[];
  /** The modifiers whose gradient it sees: all of them, or those before a modifier. */
  before(modifiers: readonly ModifierKernel[]): readonly ModifierKernel[];
  /** The lines of a tensor, if it has any. */
  of(layout: RuleSetLayout, place: Place): LineResults | undefined;
  twin(context: TwinContext): void;
}

/** The stage of such sums. */
export function linesStage(sums: LineSums): Stage {
  return {
    name: sums.name,
    twin: sums.twin,
    passes: [
      {
        name: sums.name,
        each: "launch",
        bindings: ({ layout }) => [params, gradients, stateBinding(layout), tasks, table, control, sizes],
        source(context) {
          const blocks = linesOf(context.plan);
          const places = placesStruct(blocks);
          return {
            name: sums.kernelName(context),
            snippets: [
              structsSnippet(sizesStruct, controlRecord, linesStruct(places)),
              workgroupSnippet,
              controlSnippet,
              tableSnippet,
              placesSnippet(places, blocks),
              rowSnippet(sums.columns(context)),
              nanSnippet,
              ...stateSnippets(context.layout),
              elements[context.access.name],
              ...gradientSnippets(context.plan, sums.before(context.plan.modifiers)),
              ...sums.snippets(context),
              joinSnippet,
              linesSnippet,
            ],
          };
        },
        tasks: (context) => ({
          binding: "tasks",
          struct: linesStruct(placesStruct(linesOf(context.plan))),
          values: () =>
            lineTasks(context, context.launch!, context.origins!, (place) => sums.of(context.layout, place)),
        }),
      },
    ],
  };
}
