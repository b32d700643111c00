// The kernels of matrix products, assembled from shaders/objectives/products: how matrices are reached, what follows the
// product, whether something is dropped, and how the work is cut.
import accessAny from "../../shaders/objectives/products/access_any.wgsl?raw";
import accessVec4 from "../../shaders/objectives/products/access_vec4.wgsl?raw";
import activation from "../../shaders/objectives/products/activation.wgsl?raw";
import delta from "../../shaders/objectives/products/delta.wgsl?raw";
import dropout from "../../shaders/objectives/products/dropout.wgsl?raw";
import floatTiles from "../../shaders/objectives/products/float_tiles.wgsl?raw";
import forward from "../../shaders/objectives/products/forward.wgsl?raw";
import gradient from "../../shaders/objectives/products/gradient.wgsl?raw";
import halfTiles from "../../shaders/objectives/products/half_tiles.wgsl?raw";
import laneBlocks from "../../shaders/objectives/products/lane_blocks.wgsl?raw";
import noDropout from "../../shaders/objectives/products/no_dropout.wgsl?raw";
import plain from "../../shaders/objectives/products/plain.wgsl?raw";
import quadBlocks from "../../shaders/objectives/products/quad_blocks.wgsl?raw";
import registers from "../../shaders/objectives/products/registers.wgsl?raw";
import shared from "../../shaders/objectives/products/shared.wgsl?raw";
import tiled from "../../shaders/objectives/products/tiled.wgsl?raw";
import { assemble, type Source, type SourcePart } from "../assemble.ts";
import { batchPart } from "./sources.ts";

const part = (file: string, text: string) => ({ name: `shaders/objectives/products/${file}.wgsl`, text });

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
