// The kernels of matrix products, assembled from shaders/products: how matrices are reached, what follows the
// product, whether something is dropped, and how the work is cut.
import accessAny from "../../shaders/products/access_any.wgsl?raw";
import accessVec4 from "../../shaders/products/access_vec4.wgsl?raw";
import activation from "../../shaders/products/activation.wgsl?raw";
import batch from "../../shaders/products/batch.wgsl?raw";
import delta from "../../shaders/products/delta.wgsl?raw";
import dropout from "../../shaders/products/dropout.wgsl?raw";
import floatTiles from "../../shaders/products/float_tiles.wgsl?raw";
import forward from "../../shaders/products/forward.wgsl?raw";
import gradient from "../../shaders/products/gradient.wgsl?raw";
import halfTiles from "../../shaders/products/half_tiles.wgsl?raw";
import laneBlocks from "../../shaders/products/lane_blocks.wgsl?raw";
import noDropout from "../../shaders/products/no_dropout.wgsl?raw";
import plain from "../../shaders/products/plain.wgsl?raw";
import quadBlocks from "../../shaders/products/quad_blocks.wgsl?raw";
import registers from "../../shaders/products/registers.wgsl?raw";
import shared from "../../shaders/products/shared.wgsl?raw";
import tiled from "../../shaders/products/tiled.wgsl?raw";
import { assemble, type Source, type SourcePart } from "../assemble.ts";

const part = (file: string, text: string) => ({ name: `shaders/products/${file}.wgsl`, text });

/** The rows of the running batch. */
export const batchPart = part("batch", batch);

const dropouts = { yes: [batchPart, part("dropout", dropout)], no: [part("no_dropout", noDropout)] };
const accesses = { vec4: part("access_vec4", accessVec4), any: part("access_any", accessAny) };
const epilogues = {
  none: part("plain", plain),
  forward: part("forward", forward),
  delta: part("delta", delta),
  gradient: part("gradient", gradient),
};
/** What enables an extension stands first, as WGSL wants it. */
const kernels = {
  registers: [part("lane_blocks", laneBlocks), part("registers", registers)],
  quads: [part("quad_blocks", quadBlocks), part("registers", registers)],
  tiled: [part("float_tiles", floatTiles), part("tiled", tiled)],
  f16: [part("half_tiles", halfTiles), part("tiled", tiled)],
} as const satisfies Record<string, readonly SourcePart[]>;

/** How the work is cut, and what lanes share. */
export type KernelName = keyof typeof kernels;
export const kernelNames: readonly KernelName[] = ["registers", "quads", "tiled", "f16"];

/** Whether matrices are read in vec4s, which sizes must allow. */
export type MatrixAccess = keyof typeof accesses;

/** Everything that picks code, but for the override constants. */
export interface ProductCode {
  readonly kernel: KernelName;
  readonly access: MatrixAccess;
  readonly epilogue: keyof typeof epilogues;
  readonly dropout: boolean;
}

export function assembleProduct({ kernel, access, epilogue, dropout: drops }: ProductCode): Source {
  const [first, main] = kernels[kernel];
  const around =
    epilogue === "forward" || epilogue === "delta"
      ? [part("activation", activation), ...dropouts[drops ? "yes" : "no"]]
      : [];
  return assemble(`${kernel} product, ${epilogue}`, [
    first,
    part("shared", shared),
    accesses[access],
    ...around,
    epilogues[epilogue],
    main,
  ]);
}
