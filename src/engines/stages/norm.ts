// The norm of the gradient, and its consequences: the scales, whether to skip, the loss scale.
import finalize from "../../../shaders/finalize.wgsl?raw";
import gradNorm from "../../../shaders/grad_norm.wgsl?raw";
import normSum from "../../../shaders/norm_sum.wgsl?raw";
import { defineStruct } from "../../base/struct.ts";
import type { Plan } from "../../optimizer/plan.ts";
import { normBins } from "../gpu/chunks.ts";
import { controlRecord } from "../gpu/control.ts";
import { bins, chunks, control, gradients, partials, sizes, table, takenPartials } from "./bindings.ts";
import { chunkSnippets } from "./cell.ts";
import { driverColumns, structsSnippet } from "./generate.ts";
import {
  controlSnippet,
  file,
  joinSnippet,
  storeSumSnippet,
  tableSnippet,
  totalSnippet,
  workgroupSnippet,
} from "./snippets.ts";
import { partialBytes, type Stage } from "./stage.ts";
import { binStruct, sizesStruct } from "./structs.ts";

const normSumStruct = defineStruct("Sum", {
  // Σ g², or Σ |g| for a norm of 1
  sum: "f32",
  // Σ (g · 2^-80)², or Σ |g · 2^-80|, of the lanes in which some |g| exceeds 2^50
  scaledSum: "f32",
  // the bits of the largest |g|; at least those of infinity if one is not finite. If all are small and the norm is not the
  // largest magnitude, it may be 0
  peak: "u32",
});

const normSumSnippets = [file("norm_sum", normSum), joinSnippet];

/** 1, 2, or 0 for the largest magnitude. */
function normKind({ clipNorm }: Plan): number {
  const kind = clipNorm?.kind ?? 2;
  return kind === "inf" ? 0 : kind;
}

export const normStage: Stage = {
  name: "norm",
  buffers: (context) => ({ partials: context.create("partials", partialBytes(context, normSumStruct)) }),
  passes: [
    {
      name: "norm",
      each: "launch",
      bindings: () => [partials, gradients, chunks, table, control, sizes],
      source: (context) => ({
        name: "gradient norm",
        snippets: [
          ...chunkSnippets(context, driverColumns(context)),
          structsSnippet(normSumStruct),
          ...normSumSnippets,
          storeSumSnippet,
          file("grad_norm", gradNorm),
        ],
      }),
      constants: ({ plan }) => ({ norm_kind: normKind(plan) }),
    },
    {
      name: "finalize",
      each: "once",
      bindings: () => [takenPartials, bins, control, sizes, table],
      source: () => ({
        name: "finalize",
        snippets: [
          structsSnippet(sizesStruct, controlRecord, binStruct, normSumStruct),
          workgroupSnippet,
          controlSnippet,
          tableSnippet,
          ...normSumSnippets,
          totalSnippet,
          file("finalize", finalize),
        ],
      }),
      constants: ({ plan }, { barriers }, mostLanes) => ({
        // Lanes join by halves. Where barriers are emulated, one lane does it all: the work is small, and a barrier is slow to
        // run and compile.
        workgroup_size: barriers ? (mostLanes < 256 ? 128 : 256) : 1,
        norm_kind: normKind(plan),
        clip: Number(plan.clipNorm !== undefined),
        skip_non_finite: Number(plan.skipNonFinite),
        loss_scaling: Number(plan.lossScale !== undefined),
      }),
      dispatches(context, { pipeline, bind }, buffers) {
        const bytes = binStruct.encode(normBins(context));
        const bound = { ...buffers, bins: context.create("bins of the norm", bytes.byteLength, bytes) };
        return [{ pipeline, bindGroup: bind(bound), workgroups: [context.plan.replicas, 1, 1] }];
      },
    },
  ],
};
