// A stage of sums over a tensor, or over all tensors, and of the scalars computed from them.
import conclude from "../../../shaders/conclude.wgsl?raw";
import measure from "../../../shaders/measure.wgsl?raw";
import type { Snippet } from "../../base/assemble.ts";
import type { RuleSet } from "../../optimizer/plan.ts";
import { readScalars } from "../../optimizer/scalars.ts";
import { reductionBins } from "../gpu/chunks.ts";
import { controlRecord } from "../gpu/control.ts";
import { bins, control, partials, scalars, sizes, table, takenPartials } from "./bindings.ts";
import { cellBindings, cellSnippets } from "./cell.ts";
import { rowSnippet, structsSnippet, sumSnippet, sumStruct, termsSnippet } from "./generate.ts";
import {
  controlSnippet,
  file,
  joinSnippet,
  storeSumSnippet,
  tableSnippet,
  totalSnippet,
  workgroupSnippet,
} from "./snippets.ts";
import { type KernelContext, partialBytes, type Stage } from "./stage.ts";
import { binStruct, sizesStruct } from "./structs.ts";
import type { TwinContext } from "./twin.ts";

const measureSnippet = file("measure", measure);
const concludeSnippet = file("conclude", conclude);

/** The terms of sums, and the scalars computed from them. */
export interface Sums {
  readonly name: string;
  /** The names of the two kernels in errors. */
  kernelNames(context: KernelContext): { readonly measure: string; readonly conclude: string };
  /** The terms that are added up. */
  terms(ruleSet: RuleSet): readonly string[];
  scope(ruleSet: RuleSet): "tensor" | "all";
  /** WGSL of the terms of four elements of a chunk: `terms` and `scalars_to_measure`, placed after cells and rule. */
  measure(context: KernelContext): readonly Snippet[];
  /** WGSL of `conclude_bin`. */
  conclude(context: KernelContext): readonly Snippet[];
  /** The columns of the row that `conclude_bin` may read. */
  columns(context: KernelContext): readonly string[];
  twin(context: TwinContext): void;
}

/** The stage of such sums: two kernels, whatever the number of tensors. */
export function sumsStage(sums: Sums): Stage {
  return {
    name: sums.name,
    twin: sums.twin,
    readScalars,
    buffers: (context) => ({
      partials: context.create(`sums of ${sums.name}`, partialBytes(context, sumStruct(sums.terms(context.ruleSet)))),
    }),
    passes: [
      {
        name: "measure",
        each: "launch",
        bindings: (context) => [...cellBindings(context), partials],
        source: (context) => ({
          name: sums.kernelNames(context).measure,
          snippets: [
            ...cellSnippets(context),
            sumSnippet(sums.terms(context.ruleSet)),
            termsSnippet(sums.terms(context.ruleSet)),
            ...sums.measure(context),
            joinSnippet,
            storeSumSnippet,
            measureSnippet,
          ],
        }),
      },
      {
        name: "conclude",
        each: "once",
        bindings: () => [takenPartials, control, table, sizes, bins, scalars],
        source: (context) => ({
          name: sums.kernelNames(context).conclude,
          snippets: [
            structsSnippet(sizesStruct, controlRecord, binStruct),
            workgroupSnippet,
            controlSnippet,
            tableSnippet,
            rowSnippet(sums.columns(context)),
            sumSnippet(sums.terms(context.ruleSet)),
            ...sums.conclude(context),
            joinSnippet,
            totalSnippet,
            concludeSnippet,
          ],
        }),
        // Where barriers are emulated, one lane does it all.
        constants: (_, { barriers, workgroupSize }) => ({ workgroup_size: barriers ? workgroupSize : 1 }),
        tasks: (context) => ({
          binding: "bins",
          struct: binStruct,
          values: () => reductionBins(context, sums.scope(context.ruleSet)),
        }),
      },
    ],
  };
}
