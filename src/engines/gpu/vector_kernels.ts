// The kernels of vectors on the GPU: their sizes, bindings and WGSL.
import combine from "../../../shaders/vectors/combine.wgsl?raw";
import conclude from "../../../shaders/vectors/conclude.wgsl?raw";
import dotResult from "../../../shaders/vectors/dot_result.wgsl?raw";
import dots from "../../../shaders/vectors/dots.wgsl?raw";
import extent from "../../../shaders/vectors/extent.wgsl?raw";
import invertRoots from "../../../shaders/vectors/invert_roots.wgsl?raw";
import load from "../../../shaders/vectors/load.wgsl?raw";
import multiply from "../../../shaders/vectors/multiply.wgsl?raw";
import norm from "../../../shaders/vectors/norm.wgsl?raw";
import store from "../../../shaders/vectors/store.wgsl?raw";
import sumChunks from "../../../shaders/vectors/sum_chunks.wgsl?raw";
import xApart from "../../../shaders/vectors/x_apart.wgsl?raw";
import xWithin from "../../../shaders/vectors/x_within.wgsl?raw";
import { assemble, type Snippet } from "../../base/assemble.ts";
import { defineStruct, type Struct } from "../../base/struct.ts";
import { bindingsSnippet, structsSnippet } from "../stages/generate.ts";
import {
  file,
  joinSnippet,
  plainSumSnippet,
  storeSumSnippet,
  totalSnippet,
  workgroupSnippet,
} from "../stages/snippets.ts";
import type { Binding } from "../stages/stage.ts";
import { compileKernel, type Kernel } from "./kernel.ts";
import type { StreamShape } from "./kernel_shapes.ts";

const blockFields = { x: "u32", y: "u32", replicas: "u32", stride: "u32", chunkLength: "u32" } as const;

/** The sizes of each kernel; places and strides count quads of elements in `dots` to `invertRoots`, in others elements. */
export const vectorStructs = {
  dots: defineStruct("Sizes", { ...blockFields, count: "u32", chunks: "u32" }),
  conclude: defineStruct("Sizes", { count: "u32", partials: "u32", into: "u32", replicas: "u32" }),
  combine: defineStruct("Sizes", {
    ...{ ...blockFields, count: "u32" },
    // the first coefficient; the strides to the next one and to the next replica's
    factor: "u32",
    factorStep: "u32",
    factorReplica: "u32",
    keep: "f32",
    times: "f32",
  }),
  multiply: defineStruct("Sizes", blockFields),
  invertRoots: defineStruct("Sizes", { ...blockFields, scale: "f32", epsilon: "f32" }),
  move: defineStruct("Sizes", {
    // the vector, the start of the run in it, and its elements
    vector: "u32",
    first: "u32",
    length: "u32",
    replicas: "u32",
    stride: "u32",
    chunkLength: "u32",
    // in the optimizer's array; the stride between replicas
    held: "u32",
    heldStride: "u32",
    // words of the control buffer
    isGradient: "u32",
    controlStride: "u32",
    skip: "u32",
    lossScale: "u32",
    nan: "u32",
  }),
} as const;

const array = (name: string, use: Binding["use"], type = "vec4f"): Binding => ({ name, use, type: `array<${type}>` });
// Uniform: barriers follow, and some compilers refuse barriers that depend on values from storage.
const settings: Binding = { name: "sizes", use: "uniform", type: "Sizes" };
const [x, y] = [array("x", "read"), array("y", "write")];

/** The kernel that adds up the sums of chunks and stores their results. */
const concluding = (...results: readonly Snippet[]) => ({
  structs: [vectorStructs.conclude],
  bindings: [array("partials", "read", "Sum"), array("scalars", "write", "f32"), settings],
  snippets: [...results, joinSnippet, totalSnippet, file("vectors/conclude", conclude)],
});

/** The kernel before it, for a sum over the elements of one vector. */
const measuring = (sum: Snippet) => ({
  structs: [vectorStructs.dots],
  bindings: [array("partials", "write", "Sum"), x, settings],
  snippets: [sum, joinSnippet, storeSumSnippet, file("vectors/sum_chunks", sumChunks)],
});

const [normSnippet, extentSnippet] = [file("vectors/norm", norm), file("vectors/extent", extent)];

/** The kernels, by name: their struct, bindings and files. */
const kernels = {
  dots: {
    structs: [vectorStructs.dots],
    bindings: [array("partials", "write", "f32"), x, array("y", "read"), settings],
    snippets: [joinSnippet, file("vectors/dots", dots)],
  },
  dotsConclude: concluding(plainSumSnippet, file("vectors/dot_result", dotResult)),
  norm: measuring(normSnippet),
  normConclude: concluding(normSnippet),
  extent: measuring(extentSnippet),
  extentConclude: concluding(extentSnippet),
  combineApart: {
    structs: [vectorStructs.combine],
    bindings: [y, array("factors", "read", "f32"), x, settings],
    snippets: [file("vectors/x_apart", xApart), file("vectors/combine", combine)],
  },
  combineWithin: {
    structs: [vectorStructs.combine],
    bindings: [y, array("factors", "read", "f32"), settings],
    snippets: [file("vectors/x_within", xWithin), file("vectors/combine", combine)],
  },
  multiplyApart: {
    structs: [vectorStructs.multiply],
    bindings: [y, x, settings],
    snippets: [file("vectors/x_apart", xApart), file("vectors/multiply", multiply)],
  },
  multiplyWithin: {
    structs: [vectorStructs.multiply],
    bindings: [y, settings],
    snippets: [file("vectors/x_within", xWithin), file("vectors/multiply", multiply)],
  },
  invertRoots: {
    structs: [vectorStructs.invertRoots],
    bindings: [y, settings],
    snippets: [file("vectors/invert_roots", invertRoots)],
  },
  load: {
    structs: [vectorStructs.move],
    bindings: [
      array("vectors", "write", "f32"),
      array("held", "read", "f32"),
      array("control", "read", "u32"),
      settings,
    ],
    snippets: [file("vectors/load", load)],
  },
  store: {
    structs: [vectorStructs.move],
    bindings: [array("vectors", "read", "f32"), array("held", "write", "f32"), settings],
    snippets: [file("vectors/store", store)],
  },
} as const satisfies Record<
  string,
  { structs: readonly Struct[]; bindings: readonly Binding[]; snippets: readonly Snippet[] }
>;

export type VectorKernel = keyof typeof kernels;

/** The sources of all kernels, by name. */
export const vectorSources = Object.fromEntries(
  Object.entries(kernels).map(([name, { structs: of, bindings, snippets }]) => [
    name,
    assemble(`vectors: ${name}`, [structsSnippet(...of), bindingsSnippet(bindings), workgroupSnippet, ...snippets]),
  ]),
) as Readonly<Record<VectorKernel, ReturnType<typeof assemble>>>;

export async function compileVectorKernels(
  device: GPUDevice,
  { workgroupSize, barriers }: StreamShape,
): Promise<Readonly<Record<VectorKernel, Kernel>>> {
  const compiled = Object.entries(kernels).map(async ([name, { bindings }]) => {
    const lanes = /conclude$/i.test(name) && !barriers ? 1 : workgroupSize;
    const uses = bindings.map(({ use }) => use);
    const constants = { workgroup_size: lanes, barriers: Number(barriers) };
    return [name, await compileKernel(device, vectorSources[name as VectorKernel], uses, constants)] as const;
  });
  return Object.fromEntries(await Promise.all(compiled)) as Record<VectorKernel, Kernel>;
}
