// Whole vectors on the GPU, in pieces and for all replicas at once: dot products and norms, the same to the bit in every run,
// and what is made of them without the host. cpu/vectors.ts is the reference.
import axpy from "../../../shaders/vectors/axpy.wgsl?raw";
import conclude from "../../../shaders/vectors/conclude.wgsl?raw";
import dot from "../../../shaders/vectors/dot.wgsl?raw";
import norm from "../../../shaders/vectors/norm.wgsl?raw";
import reduce from "../../../shaders/vectors/reduce.wgsl?raw";
import scale from "../../../shaders/vectors/scale.wgsl?raw";
import { assemble, type Snippet } from "../../base/assemble.ts";
import { defineStruct, type Struct } from "../../base/struct.ts";
import { chunkLength } from "../../optimizer/arena.ts";
import { bindingsSnippet, structsSnippet } from "../stages/generate.ts";
import { normSumSnippets, normSumStruct } from "../stages/norm.ts";
import { file, fileSumSnippet, joinSnippet, totalSnippet, workgroupSnippet } from "../stages/snippets.ts";
import type { Binding } from "../stages/stage.ts";
import type { CreateBuffer } from "./allocate.ts";
import { grid } from "./device.ts";
import { compileKernel, type Dispatch, type Kernel } from "./kernel.ts";
import { streamShape } from "./kernel_shapes.ts";

/** Float32 of one piece of a vector, of every replica. */
export interface Piece {
  readonly buffer: GPUBuffer;
  /** In bytes, a multiple of 4; default 0. */
  readonly offset?: number;
  /** Elements from one replica's to the next one's. */
  readonly stride: number;
}

/** A vector: as many pieces as there are lengths. */
export type Vector = readonly Piece[];

/** A float32 for each replica. */
export interface Scalar {
  readonly buffer: GPUBuffer;
  /** Of the first replica, in elements; default 0. */
  readonly index?: number;
  /** Elements from one replica's to the next one's; default 1. */
  readonly stride?: number;
}

/** What a vector is multiplied by: a scalar times a number. */
export interface Factor {
  readonly scalar: Scalar;
  /** Default 1. */
  readonly times?: number;
}

/** Operations on vectors of some lengths; each gives the dispatches that do it, to be encoded in this order. */
export interface Vectors {
  /** Σ x·y. */
  dot(x: Vector, y: Vector, into: Scalar): readonly Dispatch[];
  /** The 2-norm; elements below 1e-19 may count as 0. */
  norm(x: Vector, into: Scalar): readonly Dispatch[];
  /** y += factor · x; no piece of x may lie in the buffer of one of y. */
  axpy(factor: Factor, x: Vector, y: Vector): readonly Dispatch[];
  /** y ·= factor. */
  scale(factor: Factor, y: Vector): readonly Dispatch[];
}

const pieceStruct = defineStruct("Sizes", {
  length: "u32",
  chunkLength: "u32",
  // of this piece, of the pieces before it, and of all
  chunks: "u32",
  chunksBefore: "u32",
  totalChunks: "u32",
  xFirst: "u32",
  xStride: "u32",
  yFirst: "u32",
  yStride: "u32",
  factorFirst: "u32",
  factorStride: "u32",
  times: "f32",
});

const resultStruct = defineStruct("Sizes", { partialCount: "u32", first: "u32", stride: "u32" });

const dotSumStruct = defineStruct("Sum", { value: "f32" });

/** What sums there are: their struct, and the WGSL of a term and of what becomes of them. */
const sums = {
  dot: { struct: dotSumStruct, snippets: [file("vectors/dot", dot), joinSnippet] },
  norm: { struct: normSumStruct, snippets: [...normSumSnippets, file("vectors/norm", norm)] },
} as const;

const numbers = (name: string, use: Binding["use"]): Binding => ({ name, use, type: "array<f32>" });
const settings: Binding = { name: "sizes", use: "uniform", type: "Sizes" };
const partials: Binding = { name: "partials", use: "write", type: "array<Sum>" };
const [x, y] = [numbers("x", "read"), numbers("y", "read")];
const [factors, changed, results] = [numbers("factors", "read"), numbers("y", "write"), numbers("results", "write")];

/** Bindings begin at multiples of it on every device. */
const bindingAlignment = 256;

/**
 * Compiles what works on vectors of so many elements a piece.
 *
 * @returns Makes the operations, with what they need of buffers.
 * @throws DeviceError where the device cannot.
 */
export async function compileVectors(
  device: GPUDevice,
  lengths: readonly number[],
  replicas = 1,
): Promise<(create: CreateBuffer) => Vectors> {
  const { workgroupSize, barriers } = streamShape(device);
  const compile = (
    name: string,
    structs: readonly Struct[],
    bindings: readonly Binding[],
    snippets: readonly Snippet[],
    lanes = workgroupSize,
  ) => {
    const all = [structsSnippet(...structs), bindingsSnippet(bindings, "scalar"), workgroupSnippet, ...snippets];
    const source = assemble(`vectors: ${name}`, all);
    const declared = /override norm_kind/.test(source.code) ? { norm_kind: 2 } : {};
    const constants = { workgroup_size: lanes, barriers: Number(barriers), ...declared };
    return compileKernel(
      device,
      source,
      bindings.map(({ use }) => use),
      constants,
    );
  };
  const compileSum = async (name: keyof typeof sums) => {
    const { struct, snippets } = sums[name];
    const [each, all] = await Promise.all([
      compile(
        name,
        [pieceStruct, struct],
        [partials, x, y, settings],
        [...snippets, fileSumSnippet, file("vectors/reduce", reduce)],
      ),
      compile(
        `${name}, concluded`,
        [resultStruct, struct],
        [partials, results, settings],
        [...snippets, totalSnippet, file("vectors/conclude", conclude)],
        barriers ? workgroupSize : 1,
      ),
    ]);
    return { each, all, bytes: struct.bytes };
  };
  const [dotKernels, normKernels, axpyKernel, scaleKernel] = await Promise.all([
    compileSum("dot"),
    compileSum("norm"),
    compile("axpy", [pieceStruct], [changed, factors, x, settings], [file("vectors/axpy", axpy)]),
    compile("scale", [pieceStruct], [changed, factors, settings], [file("vectors/scale", scale)]),
  ]);

  const chunks = lengths.map((length) => Math.ceil(length / chunkLength));
  const totalChunks = chunks.reduce((sum, count) => sum + count, 0);
  const perChunk = barriers ? 1 : workgroupSize;
  /** A piece as it is bound, and where in that it begins. */
  const bound = ({ buffer, offset = 0, stride }: Piece, length: number) => {
    const begin = Math.floor(offset / bindingAlignment) * bindingAlignment;
    const size = offset - begin + 4 * (length + stride * (replicas - 1));
    return { range: { buffer, offset: begin, size }, first: (offset - begin) / 4, stride };
  };
  const whole = ({ buffer }: Scalar): GPUBufferBinding => ({ buffer });

  return (create) => {
    const overPieces = (
      { pipeline, bind }: Kernel,
      x: Vector,
      y: Vector,
      bindingsOf: (x: GPUBufferBinding, y: GPUBufferBinding) => readonly GPUBufferBinding[],
      { scalar, times = 1 }: Partial<Factor> = {},
    ): readonly Dispatch[] =>
      lengths.map((length, index) => {
        const [from, to] = [bound(x[index]!, length), bound(y[index]!, length)];
        const bytes = pieceStruct.encode([
          {
            ...{ length, chunkLength, totalChunks, times },
            chunks: chunks[index]!,
            chunksBefore: chunks.slice(0, index).reduce((sum, count) => sum + count, 0),
            ...{ xFirst: from.first, xStride: from.stride, yFirst: to.first, yStride: to.stride },
            ...{ factorFirst: scalar?.index ?? 0, factorStride: scalar?.stride ?? 1 },
          },
        ]);
        const sizes = { buffer: create("vector sizes", bytes.byteLength, bytes, "uniform") };
        const bindGroup = bind([...bindingsOf(from.range, to.range), sizes]);
        return { pipeline, bindGroup, workgroups: [...grid(device, chunks[index]!), replicas] as const };
      });
    const sum = ({ each, all, bytes }: typeof dotKernels, x: Vector, y: Vector, into: Scalar): readonly Dispatch[] => {
      const count = totalChunks * perChunk;
      const filed = { buffer: create("vector partials", replicas * count * bytes) };
      const result = resultStruct.encode([{ partialCount: count, first: into.index ?? 0, stride: into.stride ?? 1 }]);
      const sizes = { buffer: create("vector sizes", result.byteLength, result, "uniform") };
      const bindGroup = all.bind([filed, whole(into), sizes]);
      return [
        ...overPieces(each, x, y, (from, to) => [filed, from, to]),
        { pipeline: all.pipeline, bindGroup, workgroups: [1, 1, replicas] },
      ];
    };
    return {
      dot: (x, y, into) => sum(dotKernels, x, y, into),
      norm: (x, into) => sum(normKernels, x, x, into),
      axpy: (factor, x, y) => overPieces(axpyKernel, x, y, (from, to) => [to, whole(factor.scalar), from], factor),
      scale: (factor, y) => overPieces(scaleKernel, y, y, (_, to) => [to, whole(factor.scalar)], factor),
    };
  };
}
