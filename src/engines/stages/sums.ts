// A stage of sums over a tensor, or over all tensors, and of the scalars that are made of them.
import conclude from "../../../shaders/conclude.wgsl?raw";
import measure from "../../../shaders/measure.wgsl?raw";
import type { SourcePart } from "../../base/assemble.ts";
import type { Part } from "../../optimizer/plan.ts";
import { reductionBins } from "../gpu/chunks.ts";
import { controlRecord } from "../gpu/control.ts";
import { bins, control, partials, scalars, sizes, table, takenPartials } from "./bindings.ts";
import { cellBindings, cellParts } from "./cell.ts";
import { rowPart, structsPart, sumPart, sumStruct, termsPart } from "./generate.ts";
import { controlPart, file, fileSumPart, joinPart, tablePart, totalPart, workgroupPart } from "./snippets.ts";
import { type KernelContext, partialBytes, type Stage } from "./stage.ts";
import { binStruct, sizesStruct } from "./structs.ts";
import type { TwinContext } from "./twin.ts";

const measurePart = file("measure", measure);
const concludePart = file("conclude", conclude);

/** What is summed, and what is made of the sums. */
export interface Sums {
  readonly name: string;
  /** What errors call the two kernels. */
  kernelNames(context: KernelContext): { readonly measure: string; readonly conclude: string };
  /** The terms that are added up. */
  terms(part: Part): readonly string[];
  scope(part: Part): "tensor" | "all";
  /** WGSL of the terms of four elements: `terms` and `scalars_to_measure`, behind cells and rule. */
  measure(context: KernelContext): readonly SourcePart[];
  /** WGSL of `conclude_bin`. */
  conclude(context: KernelContext): readonly SourcePart[];
  /** The columns of the row that `conclude_bin` may read. */
  columns(context: KernelContext): readonly string[];
  twin(context: TwinContext): void;
}

/** The stage of such sums: two kernels, whatever the number of tensors. */
export function sumsStage(sums: Sums): Stage {
  return {
    name: sums.name,
    twin: sums.twin,
    buffers: (context) => ({
      partials: context.create(`sums of ${sums.name}`, partialBytes(context, sumStruct(sums.terms(context.part)))),
    }),
    passes: [
      {
        name: "measure",
        each: "launch",
        bindings: (context) => [...cellBindings(context), partials],
        source: (context) => ({
          name: sums.kernelNames(context).measure,
          parts: [
            ...cellParts(context),
            sumPart(sums.terms(context.part)),
            termsPart(sums.terms(context.part)),
            ...sums.measure(context),
            joinPart,
            fileSumPart,
            measurePart,
          ],
        }),
      },
      {
        name: "conclude",
        each: "once",
        bindings: () => [takenPartials, control, table, sizes, bins, scalars],
        source: (context) => ({
          name: sums.kernelNames(context).conclude,
          parts: [
            structsPart(sizesStruct, controlRecord, binStruct),
            workgroupPart,
            controlPart,
            tablePart,
            rowPart(sums.columns(context)),
            sumPart(sums.terms(context.part)),
            ...sums.conclude(context),
            joinPart,
            totalPart,
            concludePart,
          ],
        }),
        // Where a barrier is emulated one lane does it all.
        constants: (_, { barriers, workgroupSize }) => ({ workgroup_size: barriers ? workgroupSize : 1 }),
        tasks: ({ part, layout, numbers, perChunk }) => ({
          binding: "bins",
          struct: binStruct,
          values: reductionBins(part, layout, sums.scope(part), numbers, perChunk),
        }),
      },
    ],
  };
}
