// The kernels of matrix products, assembled from shaders/products: access to the matrices, epilogue, dropout, and the shape of
// the work.
import accessAny from "../../../shaders/products/access_any.wgsl?raw";
import accessVec4 from "../../../shaders/products/access_vec4.wgsl?raw";
import activation from "../../../shaders/products/activation.wgsl?raw";
import batch from "../../../shaders/products/batch.wgsl?raw";
import combine from "../../../shaders/products/combine.wgsl?raw";
import delta from "../../../shaders/products/delta.wgsl?raw";
import dropout from "../../../shaders/products/dropout.wgsl?raw";
import floatTiles from "../../../shaders/products/float_tiles.wgsl?raw";
import forward from "../../../shaders/products/forward.wgsl?raw";
import gradient from "../../../shaders/products/gradient.wgsl?raw";
import halfTiles from "../../../shaders/products/half_tiles.wgsl?raw";
import laneBlocks from "../../../shaders/products/lane_blocks.wgsl?raw";
import noDropout from "../../../shaders/products/no_dropout.wgsl?raw";
import noSums from "../../../shaders/products/no_sums.wgsl?raw";
import plain from "../../../shaders/products/plain.wgsl?raw";
import quadBlocks from "../../../shaders/products/quad_blocks.wgsl?raw";
import registers from "../../../shaders/products/registers.wgsl?raw";
import shared from "../../../shaders/products/shared.wgsl?raw";
import sliced from "../../../shaders/products/sliced.wgsl?raw";
import tiled from "../../../shaders/products/tiled.wgsl?raw";
import vectors from "../../../shaders/products/vectors.wgsl?raw";
import { assemble, type Snippet, type Source } from "../../base/assemble.ts";
import { defineStruct } from "../../base/struct.ts";
import type { BindingUse } from "../gpu/kernel.ts";
import { nanSnippet, philoxSnippet } from "../stages/snippets.ts";

/** The uniform of a product's kernel; rows, firsts and strides count elements, or vec4s where it reads those. */
export const sizesStruct = defineStruct("Sizes", {
  m: "u32",
  n: "u32",
  k: "u32",
  // from one stored row to the next
  aLine: "u32",
  bLine: "u32",
  cLine: "u32",
  // from the start of a binding to the first replica's matrix
  aFirst: "u32",
  bFirst: "u32",
  cFirst: "u32",
  sideFirst: "u32",
  extraFirst: "u32",
  // from one replica's matrix to the next one; 0 where all share it
  aStride: "u32",
  bStride: "u32",
  cStride: "u32",
  sideStride: "u32",
  extraStride: "u32",
  // matrices per replica, and from one of them to the next
  matrices: "u32",
  aStep: "u32",
  bStep: "u32",
  cStep: "u32",
  sideStep: "u32",
  extraStep: "u32",
  // tiles of C, one per workgroup, and how many lie side by side; workgroups after them do the epilogue's separate work
  tiles: "u32",
  tilesAcross: "u32",
  // in words: from one replica's record to the next; in the first, the indices of `skip`, which is 2 while halted, and of its step
  controlStride: "u32",
  skipIndex: "u32",
  stepIndex: "u32",
  // 1 if the epilogue reads `side`, writes `extra`, adds to C
  hasSide: "u32",
  hasExtra: "u32",
  accumulate: "u32",
  // the number of rows, from the first, with the bias: of C, or of op(B) where its gradient is summed
  biasRows: "u32",
  // 1 if `extra` lies in C's buffer
  extraInC: "u32",
  // factors of the product in a combination with `side`, and of `side`; the addition to the diagonal
  alpha: "f32",
  beta: "f32",
  shift: "f32",
  activation: "u32",
  // random words below it are dropped; the divisor of kept values
  threshold: "u32",
  kept: "f32",
  keyLow: "u32",
  keyHigh: "u32",
  stream: "u32",
});

const snippet = (file: string, text: string) => ({ name: `shaders/products/${file}.wgsl`, text });

/** The rows of the running batch. */
export const batchSnippet = snippet("batch", batch);

/** Activations, selected by a struct `sizes`. */
export const activationSnippets = [nanSnippet, snippet("activation", activation)];

const dropouts = {
  yes: [batchSnippet, snippet("dropout", dropout), philoxSnippet],
  no: [snippet("no_dropout", noDropout)],
};
const accesses = { vec4: snippet("access_vec4", accessVec4), any: snippet("access_any", accessAny) };
const sumless = snippet("no_sums", noSums);
const epilogues = {
  none: [snippet("plain", plain), sumless],
  forward: [snippet("forward", forward), sumless],
  delta: [snippet("delta", delta), sumless],
  gradient: [snippet("gradient", gradient)],
  combine: [snippet("combine", combine), sumless],
};
/** The optional bindings that an epilogue's WGSL names, whether or not it gets anything there. */
const named = {
  none: {},
  forward: { side: true, extra: true },
  delta: { side: true },
  gradient: { extra: true },
  combine: { side: true },
} as const satisfies Record<keyof typeof epilogues, { readonly side?: true; readonly extra?: true }>;
/** The kernel, and the beginning of its source: WGSL wants extensions enabled there. */
const kernels = {
  registers: [snippet("registers", registers), snippet("lane_blocks", laneBlocks)],
  quads: [snippet("registers", registers), snippet("quad_blocks", quadBlocks)],
  vectors: [snippet("vectors", vectors)],
  sliced: [snippet("sliced", sliced)],
  tiled: [snippet("tiled", tiled), snippet("float_tiles", floatTiles)],
  f16: [snippet("tiled", tiled), snippet("half_tiles", halfTiles)],
} as const satisfies Record<string, readonly Snippet[]>;

/** The shape of the work, and what lanes share. */
export type KernelName = keyof typeof kernels;
export const kernelNames: readonly KernelName[] = ["registers", "quads", "vectors", "sliced", "tiled", "f16"];

/** Whether matrices are read in vec4s, which sizes must allow. */
export type MatrixAccess = keyof typeof accesses;

/** Everything that selects code, except the override constants. */
export interface ProductCode {
  readonly kernel: KernelName;
  readonly access: MatrixAccess;
  readonly epilogue: keyof typeof epilogues;
  readonly dropout: boolean;
}

export function assembleProduct({ kernel, access, epilogue, dropout: drops }: ProductCode): Source {
  const [main, ...first] = kernels[kernel];
  const activates = activating.has(epilogue) ? [...activationSnippets, ...dropouts[drops ? "yes" : "no"]] : [];
  return assemble(`${kernel} product, ${epilogue}`, [
    ...first,
    { name: "the generated struct of sizes", text: sizesStruct.wgsl },
    snippet("shared", shared),
    accesses[access],
    ...activates,
    ...epilogues[epilogue],
    main,
  ]);
}

const activating: ReadonlySet<ProductCode["epilogue"]> = new Set(["forward", "delta"]);

/** Sizes, A, B, C and control, then the epilogue's input, its output besides C, and the batch, where it names them. */
export function bindingsOf({
  epilogue,
  dropout: drops,
}: Pick<ProductCode, "epilogue" | "dropout">): readonly (BindingUse | undefined)[] {
  const { side, extra }: { readonly side?: true; readonly extra?: true } = named[epilogue];
  return [
    ...(["uniform", "read", "read", "write", "read"] as const),
    side && "read",
    extra && "write",
    drops && activating.has(epilogue) ? "read" : undefined,
  ];
}
