// Matrix products on the GPU, each with its epilogue in the same kernel: bias, activation and dropout; the derivative of an
// activation; the gradient of the bias; a linear combination with another matrix. Sizes are in a small uniform buffer, so that a
// product of other sizes compiles nothing.
import { DeviceError } from "../../base/errors.ts";
import { allocate, type CreateBuffer } from "../gpu/allocate.ts";
import { grid } from "../gpu/device.ts";
import { compileKernel, type Dispatch, type Kernel } from "../gpu/kernel.ts";
import { type Activation, activations } from "./activation.ts";
import { type Dropout, dropoutKey, dropoutThreshold } from "./dropout.ts";
import { assembleProduct, bindingsOf, type MatrixAccess, type ProductCode, sizesStruct } from "./sources.ts";
import { variantFor } from "./variant_choices.ts";
import { accessOf, lanesOf, type ProductShape, probeVariants, type Variant } from "./variants.ts";

export type { Dropout } from "./dropout.ts";

/** The place of matrices in a buffer: the first one's byte, a multiple of 4, and the elements from one replica's to the next. */
export interface Placement {
  readonly offset?: number;
  /** 0 where all replicas share one. */
  readonly stride: number;
  /** Elements from one of a replica's matrices to the next, if a product has several; default 0. */
  readonly step?: number;
}

/** A matrix of each replica. */
export interface Operand extends GPUBufferBinding, Placement {
  readonly offset?: number;
}

/** The operation after a product, in its kernel. `f` is the activation; C, `from` and `preactivation` are [m, n]. */
export type Epilogue =
  /** C = product */
  | { readonly type: "none" }
  /** z = product + bias (+ C if it accumulates), kept in `preactivation` if that is given; C = dropout(f(z)) */
  | {
      readonly type: "forward";
      readonly activation: Activation;
      /** n elements. */
      readonly bias?: Operand;
      /** The number of C's rows, from the first, that get the bias; default all. */
      readonly biasRows?: number;
      readonly accumulate?: boolean;
      readonly preactivation?: Operand;
      readonly dropout?: Dropout;
    }
  /**
   * C = product ⊙ f′ ⊙ the dropout's mask. f′ is computed from what the forward pass left in `from`, or else in C: the (dropped)
   * value for linear, relu, tanh and sigmoid, the input for gelu and silu.
   */
  | { readonly type: "delta"; readonly activation: Activation; readonly from?: Operand; readonly dropout?: Dropout }
  /** C = product (+ C if it accumulates); sums = the sum of each column of op(B) (+ sums likewise) */
  | {
      readonly type: "gradient";
      readonly accumulate?: boolean;
      /** n elements: the bias's gradient. */
      readonly sums?: Operand;
      /** The number of op(B)'s rows, from the first, that are summed: a multiple of 4; default all. */
      readonly biasRows?: number;
    }
  /** C = alpha · product + beta · D + shift · I; D is [m, n] and does not overlap C; shift is 0 by default. */
  | {
      readonly type: "combine";
      readonly alpha: number;
      readonly beta: number;
      readonly added: Operand;
      readonly shift?: number;
    };

/** C = op(A)·op(B), row-major, and its epilogue. */
export interface Product extends ProductShape {
  readonly epilogue: Epilogue;
  /** Products per replica, laid out by the operands' steps; default 1. */
  readonly matrices?: number;
  /** Whether C and D are symmetric, so that one triangle is computed and stored on both sides; default false. */
  readonly symmetric?: boolean;
}

/** Settings shared by all dispatches of one owner. */
export interface Replicated {
  readonly device: GPUDevice;
  readonly replicas: number;
  readonly control: GPUBuffer;
  /** Words from one replica's record to the next. */
  readonly controlStride: number;
  /** Index in the first record of the word that is 2 while the replica is halted. */
  readonly skipIndex: number;
  /** Index of the step in the first record, for dropout. */
  readonly stepIndex?: number;
  /** The rows of the running batch (shaders/products/batch.wgsl), for dropout. */
  readonly batch?: GPUBuffer | GPUBufferBinding;
  /** Called with each buffer that the dispatches need, which its owner destroys with them. */
  readonly keep?: (buffer: GPUBuffer) => void;
}

/** A, B and C. */
export type Operands = readonly [a: Operand, b: Operand, c: Operand];

/** A product's kernel, for operands of any size in the layout of its options. */
export interface ProductKernel {
  readonly kernel: Kernel;
  readonly variant: Variant;
  readonly access: MatrixAccess;
}

/**
 * The dispatch of a product, in the pinned variant, else the one that measured fastest, else this device's default. Each replica
 * that is not halted multiplies its own matrices.
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

/** Like {@link productDispatch}, in a given variant. */
export async function variantDispatch(
  replicated: Replicated,
  product: Product,
  operands: Operands,
  variant: Variant,
): Promise<Dispatch> {
  const { device } = replicated;
  const { m, n, k, epilogue } = product;
  const { dropout, side, extra } = epilogueOperands(epilogue);
  const at = [...operands, side, extra].filter((operand) => operand !== undefined);
  const compiled = await compileVariant(
    device,
    product,
    { epilogue: epilogue.type, dropout: dropout !== undefined, at, symmetric: product.symmetric },
    variant,
  );
  const { made, buffers } = await allocate(device, `a product of ${m} × ${n} × ${k}`, (create) =>
    bindProduct(replicated, compiled, product, operands, create),
  );
  for (const buffer of buffers) replicated.keep?.(buffer);
  return made;
}

/** Everything besides shape and variant that selects a product's kernel. */
export interface ProductForm extends Pick<ProductCode, "epilogue" | "dropout"> {
  /** The place of everything that it reads and writes. */
  readonly at: readonly Placement[];
  /** As {@link Product.symmetric}. */
  readonly symmetric?: boolean | undefined;
}

/**
 * The kernel of a product whose buffers do not exist yet, in the variant that {@link productDispatch} would choose.
 *
 * @throws DeviceError where it does not compile.
 */
export async function compileProduct(
  device: GPUDevice,
  shape: ProductShape,
  form: ProductForm,
): Promise<ProductKernel> {
  await probeVariants(device);
  return compileVariant(device, shape, form, variantFor(device, shape));
}

async function compileVariant(
  device: GPUDevice,
  shape: ProductShape,
  { epilogue, dropout, at, symmetric = false }: ProductForm,
  variant: Variant,
): Promise<ProductKernel> {
  const access = at.every(wholeVec4s) ? accessOf(shape) : "any";
  const code = { kernel: variant.kernel, access, epilogue, dropout };
  const kernel = await compileKernel(device, assembleProduct(code), bindingsOf(code), {
    ...variant.constants,
    transpose_a: Number(shape.transposeA ?? false),
    transpose_b: Number(shape.transposeB ?? false),
    symmetric: Number(symmetric),
  });
  return { kernel, variant, access };
}

/** Whether every replica's matrix starts at a vec4. */
const wholeVec4s = ({ offset = 0, stride, step = 0 }: Placement) =>
  offset % 16 === 0 && stride % 4 === 0 && step % 4 === 0;

/**
 * The dispatch of a compiled product over its operands, which must lie as the kernel's options specify.
 *
 * @throws DeviceError where the product has too many tiles for one dispatch.
 */
export function bindProduct(
  replicated: Replicated,
  { kernel, variant, access }: ProductKernel,
  product: Product,
  [a, b, c]: Operands,
  create: CreateBuffer,
): Dispatch {
  const { device, replicas, control, batch } = replicated;
  const { m, n, k, epilogue, transposeA = false, transposeB = false, matrices = 1 } = product;
  const { activation, dropout, side, extra, accumulate, alpha, beta, shift, biasRows } = epilogueOperands(epilogue);
  const [tileRows, tileColumns] = variant.tile;
  const tilesAcross = Math.ceil(n / tileColumns);
  const tiles = tilesAcross * Math.ceil(m / tileRows);
  // After the tiles come lanes that each sum four columns.
  const summing = epilogue.type === "gradient" && extra ? Math.ceil(n / 4 / lanesOf(variant)) : 0;
  const [x, y] = grid(device, tiles + summing);
  const most = device.limits.maxComputeWorkgroupsPerDimension;
  const products = replicas * matrices;
  if (y > most || products > most) {
    throw new DeviceError(
      `a product of ${tiles} tiles for ${products} matrices needs more than maxComputeWorkgroupsPerDimension = ${most} workgroups in a dimension`,
    );
  }
  const unit = access === "vec4" ? 4 : 1;
  const written = extra?.buffer === c.buffer ? [c, extra] : [c];
  const bound = { a: spanOf([a]), b: spanOf([b]), c: spanOf(written), side: side && spanOf([side]) };
  const apart = extra && !written.includes(extra) ? spanOf([extra]) : undefined;
  const firstIn = (operand: Operand | undefined, binding: GPUBufferBinding | undefined) =>
    ((operand?.offset ?? 0) - (binding?.offset ?? 0)) / 4 / unit;
  const [keyLow, keyHigh] = dropoutKey(dropout?.seed ?? 0);
  const sizes = sizesStruct.encode([
    {
      m,
      n,
      k,
      aLine: (transposeA ? m : k) / unit,
      bLine: (transposeB ? k : n) / unit,
      cLine: n / unit,
      aFirst: firstIn(a, bound.a),
      bFirst: firstIn(b, bound.b),
      cFirst: firstIn(c, bound.c),
      sideFirst: firstIn(side, bound.side),
      extraFirst: firstIn(extra, apart ?? (extra && bound.c)),
      aStride: a.stride / unit,
      bStride: b.stride / unit,
      cStride: c.stride / unit,
      sideStride: (side?.stride ?? 0) / unit,
      extraStride: (extra?.stride ?? 0) / unit,
      matrices,
      aStep: (a.step ?? 0) / unit,
      bStep: (b.step ?? 0) / unit,
      cStep: (c.step ?? 0) / unit,
      sideStep: (side?.step ?? 0) / unit,
      extraStep: (extra?.step ?? 0) / unit,
      tiles,
      tilesAcross,
      controlStride: replicated.controlStride,
      skipIndex: replicated.skipIndex,
      stepIndex: replicated.stepIndex ?? 0,
      hasSide: Number(side !== undefined),
      hasExtra: Number(extra !== undefined),
      accumulate: Number(accumulate ?? false),
      biasRows: biasRows ?? (epilogue.type === "gradient" ? k : m),
      extraInC: Number(extra !== undefined && apart === undefined),
      alpha: alpha ?? 1,
      beta: beta ?? 0,
      shift: shift ?? 0,
      activation: activation === undefined ? 0 : activations.indexOf(activation),
      threshold: dropout ? dropoutThreshold(dropout.rate) : 0,
      kept: 1 - (dropout?.rate ?? 0),
      keyLow,
      keyHigh,
      stream: dropout?.stream ?? 0,
    },
  ]);
  const has = bindingsOf({ epilogue: epilogue.type, dropout: dropout !== undefined });
  const bindGroup = kernel.bind([
    create("product sizes", sizes.byteLength, sizes, "uniform"),
    ...[bound.a, bound.b, bound.c, control],
    // Bindings that an epilogue could read but does not get are bound to A, which is read anyway.
    has[5] && (bound.side ?? bound.a),
    // A placeholder for an output that is not wanted: two bindings that are written must not overlap.
    has[6] && (apart ?? create("product", 16)),
    has[7] && batch,
  ]);
  return { pipeline: kernel.pipeline, bindGroup, workgroups: [x, y, products] };
}

/** Bindings start at multiples of this, whatever the device. */
const bindingAlignment = 256;

/**
 * One binding that spans operands of one buffer: in an arena, replicas' gradients and those of biases interleave, and two
 * bindings that are written must not overlap. It starts where a binding may.
 */
function spanOf(operands: readonly Operand[]): GPUBufferBinding {
  const { buffer } = operands[0]!;
  const first = Math.min(...operands.map(({ offset = 0 }) => offset));
  const offset = first - (first % bindingAlignment);
  const ends = operands.map(({ offset = 0, size = buffer.size - offset }) => offset + size);
  return { buffer, offset, size: Math.max(...ends) - offset };
}

/** The epilogue's inputs and outputs besides C. */
interface EpilogueOperands {
  readonly activation?: Activation | undefined;
  readonly dropout?: Dropout | undefined;
  readonly side?: Operand | undefined;
  readonly extra?: Operand | undefined;
  readonly accumulate?: boolean | undefined;
  readonly biasRows?: number | undefined;
  readonly alpha?: number;
  readonly beta?: number;
  readonly shift?: number;
}

function epilogueOperands(epilogue: Epilogue): EpilogueOperands {
  switch (epilogue.type) {
    case "none":
      return {};
    case "forward": {
      const { activation, dropout, bias, preactivation, accumulate, biasRows } = epilogue;
      return { activation, dropout: inUse(dropout), side: bias, extra: preactivation, accumulate, biasRows };
    }
    case "delta":
      return { activation: epilogue.activation, dropout: inUse(epilogue.dropout), side: epilogue.from };
    case "gradient": {
      const { sums, accumulate, biasRows } = epilogue;
      return { extra: sums, accumulate, biasRows };
    }
    case "combine": {
      const { alpha, beta, added, shift = 0 } = epilogue;
      return { alpha, beta, side: added, shift };
    }
  }
}

/** At a rate of 0 nothing is dropped, so nothing is drawn. */
const inUse = (dropout: Dropout | undefined) => (dropout && dropout.rate > 0 ? dropout : undefined);
