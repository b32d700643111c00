// A model's twin on the CPU: one pass over a batch, forward and backward.
import { product } from "../engines/cpu/product.ts";

/** Rows that are passed forward together. */
export interface CpuBatch {
  /** Their inputs, row after row. */
  readonly inputs: Float64Array;
  /** Their numbers in the data set. */
  readonly rows: Uint32Array;
  /** Updates made so far, on which dropout depends; undefined without dropout. */
  readonly step: number | undefined;
}

export interface CpuPass {
  /** The model's outputs, row after row. */
  readonly outputs: Float64Array;
  /** Adds the derivatives by the parameters to `gradients`, from those by the outputs, which it may overwrite. */
  backward(delta: Float64Array, gradients: (name: string) => Float64Array): void;
}

type Matrix = Float32Array | Float64Array;

/** Adds a product to the contents of `out`. */
export function addProduct(
  out: Float64Array,
  a: Matrix,
  b: Matrix,
  sizes: { readonly m: number; readonly k: number; readonly n: number },
  form: { readonly transposeA?: boolean; readonly transposeB?: boolean } = {},
): void {
  product(out, a, b, sizes, { ...form, accumulate: true });
}

/** Adds the sum of each column of a matrix as wide as `sums`. */
export function addColumnSums(sums: Float64Array, matrix: Float64Array): void {
  const width = sums.length;
  for (let i = 0, j = 0; i < matrix.length; i++, j = j + 1 < width ? j + 1 : 0) sums[j]! += matrix[i]!;
}
