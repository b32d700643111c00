// Matrix products on the GPU, each with what follows it in the same kernel: bias, activation and dropout; the derivative of an
// activation; the gradient of the bias. Sizes lie in a small uniform buffer, so that a product of other sizes
// compiles nothing.
import { DeviceError } from "../errors.ts";
import { allocate, bytesOf } from "../gpu/allocate.ts";
import { grid } from "../gpu/device.ts";
import { type BindingUse, compileKernel, type Dispatch } from "../gpu/kernel.ts";
import { type Activation, activations } from "./activation.ts";
import { variantFor } from "./choices.ts";
import { type Dropout, dropoutKey, dropoutThreshold } from "./dropout.ts";
import { assembleProduct } from "./sources.ts";
import { accessOf, type ProductShape, probeVariants, type Variant } from "./variants.ts";

export type { Dropout } from "./dropout.ts";

/** A matrix of each replica, `stride` elements apart; 0 where all share one. Its offset is a multiple of 256. */
export interface Operand extends GPUBufferBinding {
  readonly stride: number;
}

/** What follows a product in its kernel. `f` is the activation; C, `from` and `preactivation` are [m, n]. */
export type Epilogue =
  /** C = product */
  | { readonly type: "none" }
  /** z = product + bias (+ C where it accumulates), kept in `preactivation` where that is given; C = dropout(f(z)) */
  | {
      readonly type: "forward";
      readonly activation: Activation;
      /** n elements. */
      readonly bias?: Operand;
      readonly accumulate?: boolean;
      readonly preactivation?: Operand;
      readonly dropout?: Dropout;
    }
  /**
   * C = product ⊙ f′ ⊙ the dropout's mask. f′ is formed from what the forward pass left in `from`, or else in C: the (dropped)
   * value of linear, relu, tanh and sigmoid, what went into gelu and silu.
   */
  | { readonly type: "delta"; readonly activation: Activation; readonly from?: Operand; readonly dropout?: Dropout }
  /** C = product (+ C where it accumulates); sums = the sum of each column of op(B) (+ sums likewise) */
  | {
      readonly type: "gradient";
      readonly accumulate?: boolean;
      /** n elements: the bias's gradient. */
      readonly sums?: Operand;
    };

/** C = op(A)·op(B), row-major, and what follows. */
export interface Product extends ProductShape {
  readonly epilogue: Epilogue;
}

/** What all dispatches of one objective share. */
export interface Replicated {
  readonly device: GPUDevice;
  readonly replicas: number;
  readonly control: GPUBuffer;
  /** Words from one replica's record to the next. */
  readonly controlStride: number;
  /** Where in the first record the word is that is 2 while the replica is halted. */
  readonly skipIndex: number;
  /** Where in the first record the step is. */
  readonly stepIndex: number;
  /** The rows of the running batch (shaders/products/batch.wgsl), for dropout. */
  readonly batch: GPUBuffer | GPUBufferBinding;
  /** Is told of each buffer that the dispatches need, which its owner destroys with them. */
  readonly keep?: (buffer: GPUBuffer) => void;
}

/** Sizes, A, B, C, control, what the epilogue reads, what it writes, and the batch, whether it uses them or not. */
export const bindings: readonly BindingUse[] = ["uniform", "read", "read", "write", "read", "read", "write", "read"];

/** A, B and C. */
export type Operands = readonly [a: Operand, b: Operand, c: Operand];

/**
 * The dispatch of a product, in the variant that is pinned, or was measured to be fastest, or is this device's default. Each
 * replica that is not halted multiplies its own matrices.
 *
 * @throws DeviceError where a kernel does not compile or the product has too many tiles for one dispatch.
 */
export async function productDispatch(
  replicated: Replicated,
  product: Product,
  a: Operand,
  b: Operand,
  c: Operand,
): Promise<Dispatch> {
  await probeVariants(replicated.device);
  return variantDispatch(replicated, product, [a, b, c], variantFor(replicated.device, product));
}

/** The same in a given variant. */
export async function variantDispatch(
  replicated: Replicated,
  product: Product,
  operands: Operands,
  variant: Variant,
): Promise<Dispatch> {
  const { device, replicas, control, batch } = replicated;
  const { m, n, k, epilogue, transposeA = false, transposeB = false } = product;
  const [a, b, c] = operands;
  const { activation, dropout, side, extra, accumulate } = epilogueParts(epilogue);
  const vec4 = allAligned(product, [a, b, c, side, extra]);
  const source = assembleProduct({
    kernel: variant.kernel,
    access: vec4 ? "vec4" : "any",
    epilogue: epilogue.type,
    dropout: dropout !== undefined,
  });
  const kernel = await compileKernel(device, source, bindings, {
    ...variant.constants,
    transpose_a: Number(transposeA),
    transpose_b: Number(transposeB),
  });
  const [tileRows, tileColumns] = variant.tile;
  const tilesAcross = Math.ceil(n / tileColumns);
  const tiles = tilesAcross * Math.ceil(m / tileRows);
  const [x, y] = grid(device, tiles);
  const most = device.limits.maxComputeWorkgroupsPerDimension;
  if (y > most || replicas > most) {
    throw new DeviceError(
      `a product of ${tiles} tiles for ${replicas} replicas needs more than maxComputeWorkgroupsPerDimension = ${most} workgroups in a dimension`,
    );
  }
  const unit = vec4 ? 4 : 1;
  const { bound, apart } = boundTogether(c, extra);
  const [keyLow, keyHigh] = dropoutKey(dropout?.seed ?? 0);
  const sizes = sizeBytes({
    m,
    n,
    k,
    aLine: (transposeA ? m : k) / unit,
    bLine: (transposeB ? k : n) / unit,
    cLine: n / unit,
    aStride: a.stride / unit,
    bStride: b.stride / unit,
    cStride: c.stride / unit,
    sideStride: (side?.stride ?? 0) / unit,
    extraStride: (extra?.stride ?? 0) / unit,
    tiles,
    tilesAcross,
    controlStride: replicated.controlStride,
    skipIndex: replicated.skipIndex,
    stepIndex: replicated.stepIndex,
    hasSide: Number(side !== undefined),
    hasExtra: Number(extra !== undefined),
    accumulate: Number(accumulate ?? false),
    extraInC: Number(extra !== undefined && extra !== apart),
    cFirst: ((c.offset ?? 0) - (bound.offset ?? 0)) / 4 / unit,
    extraFirst: extra && extra !== apart ? ((extra.offset ?? 0) - (bound.offset ?? 0)) / 4 / unit : 0,
    activation: activation === undefined ? 0 : activations.indexOf(activation),
    threshold: dropout ? dropoutThreshold(dropout.rate) : 0,
    kept: 1 - (dropout?.rate ?? 0),
    keyLow,
    keyHigh,
    stream: dropout?.stream ?? 0,
  });
  const { made: bindGroup, buffers } = await allocate(device, `a product of ${m} × ${n} × ${k}`, (create) => {
    const sizesBuffer = create("product sizes", sizes.byteLength, sizes, "uniform");
    // Stands where a kernel could write more than C and is not asked to.
    const unused = () => create("product", 16);
    // What an epilogue does not read is bound to A, which is read too; two bindings that are written must not overlap.
    return kernel.bind([sizesBuffer, a, b, bound, control, side ?? a, apart ?? unused(), batch]);
  });
  for (const buffer of buffers) replicated.keep?.(buffer);
  return { pipeline: kernel.pipeline, bindGroup, workgroups: [x, y, replicas] };
}

/**
 * C and what else is written: where both are parts of one buffer, as replicas' gradients are in an arena, one binding that
 * spans them, since two must not overlap.
 */
function boundTogether(
  c: Operand,
  extra: Operand | undefined,
): { readonly bound: GPUBufferBinding; readonly apart: Operand | undefined } {
  if (extra?.buffer !== c.buffer) return { bound: c, apart: extra };
  const offset = Math.min(c.offset ?? 0, extra.offset ?? 0);
  const ends = [c, extra].map((operand) =>
    operand.size === undefined ? c.buffer.size : (operand.offset ?? 0) + operand.size,
  );
  return { bound: { buffer: c.buffer, offset, size: Math.max(...ends) - offset }, apart: undefined };
}

/** What an epilogue reads and writes beside C. */
interface EpilogueParts {
  readonly activation?: Activation | undefined;
  readonly dropout?: Dropout | undefined;
  readonly side?: Operand | undefined;
  readonly extra?: Operand | undefined;
  readonly accumulate?: boolean | undefined;
}

function epilogueParts(epilogue: Epilogue): EpilogueParts {
  switch (epilogue.type) {
    case "none":
      return {};
    case "forward": {
      const { activation, dropout, bias, preactivation, accumulate } = epilogue;
      return { activation, dropout: inUse(dropout), side: bias, extra: preactivation, accumulate };
    }
    case "delta":
      return { activation: epilogue.activation, dropout: inUse(epilogue.dropout), side: epilogue.from };
    case "gradient": {
      const { sums, accumulate } = epilogue;
      return { extra: sums, accumulate };
    }
  }
}

/** At a rate of 0 nothing is dropped, and nothing need be drawn. */
const inUse = (dropout: Dropout | undefined) => (dropout && dropout.rate > 0 ? dropout : undefined);

/** Whether every row and every replica of all operands begins at a vec4. */
function allAligned(product: ProductShape, operands: readonly (Operand | undefined)[]): boolean {
  return accessOf(product) === "vec4" && operands.every((operand) => (operand?.stride ?? 0) % 4 === 0);
}

/** The words of `Sizes` in shaders/products/shared.wgsl, in order. */
export const sizeFields = [
  ...(["m", "n", "k", "aLine", "bLine", "cLine"] as const),
  ...(["aStride", "bStride", "cStride", "sideStride", "extraStride"] as const),
  ...(["tiles", "tilesAcross", "controlStride", "skipIndex", "stepIndex"] as const),
  ...(["hasSide", "hasExtra", "accumulate", "extraInC", "cFirst", "extraFirst", "activation"] as const),
  ...(["threshold", "kept", "keyLow", "keyHigh", "stream"] as const),
] as const;

/** Those that are float32; the others are whole numbers. */
const floatFields: readonly string[] = ["kept"];

function sizeBytes(values: Readonly<Record<(typeof sizeFields)[number], number>>): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * sizeFields.length));
  for (const [i, field] of sizeFields.entries()) {
    if (floatFields.includes(field)) view.setFloat32(4 * i, values[field], true);
    else view.setUint32(4 * i, values[field], true);
  }
  return bytesOf(view);
}
