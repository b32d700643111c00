// A model on the GPU: the matrix products of one pass over a batch, forward and backward, with everything else in their epilogues.

import type { Source } from "../base/assemble.ts";
import type { BindingUse } from "../engines/gpu/kernel.ts";
import type { Operand, Product } from "../engines/products/product.ts";
import type { Layer } from "./model.ts";

/** C = op(A)·op(B), and its epilogue. */
export interface ProductStep {
  readonly product: Product;
  readonly a: Operand;
  readonly b: Operand;
  readonly c: Operand;
}

/** A kernel that a kind of model runs between products. */
export interface KernelStep {
  readonly source: Source;
  /** How its bindings are used, including the control buffer, which is the last. */
  readonly uses: readonly BindingUse[];
  /** Its other bindings, in order. */
  readonly buffers: readonly (GPUBuffer | GPUBufferBinding)[];
  /** Invocations for each replica, in workgroups of `lanes`. */
  readonly invocations: number;
}

export type PassStep = ProductStep | KernelStep;

/** The products among a pass's steps. */
export const productsOf = (steps: readonly PassStep[]): readonly Product[] =>
  steps.flatMap((step) => ("product" in step ? [step.product] : []));

/** A tensor of all replicas in one binding. */
export type Tensors = (role: "params" | "gradients", name: string) => Operand;

export interface GpuPass {
  /** The model's outputs, which the loss replaces by its derivatives. */
  readonly outputs: Operand;
  /** The forward pass; `training` decides whether outputs are dropped. */
  forward(training: boolean): readonly PassStep[];
  /** The backward pass; `accumulate` adds to the gradients already there. */
  backward(accumulate: boolean): readonly PassStep[];
}

/** A layer's outputs from its inputs. */
export function forwardStep(
  tensors: Tensors,
  { inputs: k, outputs: n, weight, bias, activation }: Layer,
  rows: number,
  a: Operand,
  c: Operand,
  further: {
    readonly [Field in "accumulate" | "preactivation" | "dropout" | "biasRows"]?: ForwardEpilogue[Field] | undefined;
  } = {},
): ProductStep {
  const epilogue: ForwardEpilogue = {
    type: "forward",
    activation,
    ...(bias === undefined ? {} : { bias: tensors("params", bias) }),
    ...(further.accumulate ? { accumulate: true } : {}),
    ...(further.preactivation ? { preactivation: further.preactivation } : {}),
    ...(further.dropout ? { dropout: further.dropout } : {}),
    ...(further.biasRows === undefined ? {} : { biasRows: further.biasRows }),
  };
  return { product: { m: rows, n, k, epilogue }, a, b: tensors("params", weight), c };
}

type ForwardEpilogue = Extract<Product["epilogue"], { readonly type: "forward" }>;

/**
 * A layer's weight gradient, and in the same kernel that of its bias, from its inputs and the derivatives by its outputs.
 *
 * @param biasRows Rows to which the bias was added; default all.
 */
export function gradientStep(
  tensors: Tensors,
  { inputs: m, outputs: n, weight, bias }: Layer,
  rows: number,
  a: Operand,
  b: Operand,
  accumulate: boolean,
  biasRows?: number,
): ProductStep {
  const sums = bias === undefined ? {} : { sums: tensors("gradients", bias) };
  const some = biasRows === undefined ? {} : { biasRows };
  const epilogue = { type: "gradient", accumulate, ...sums, ...some } as const;
  return { product: { m, n, k: rows, transposeA: true, epilogue }, a, b, c: tensors("gradients", weight) };
}
