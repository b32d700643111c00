// The work of the product cases, the same for every engine: two random matrices as stored, and some rows of their product, in
// float64.

import type { ProductShape } from "../src/engines/products/variants.ts";
import { Random } from "../src/training.ts";
import type { Answer } from "./suite.ts";

/** C = op(A)·op(B), row-major. */
export interface Matrices extends Required<ProductShape> {
  /** [m, k], or [k, m] if it is transposed. */
  readonly a: Float32Array;
  /** [k, n], or [n, k] if it is transposed. */
  readonly b: Float32Array;
}

export function createMatrices({ m, n, k, transposeA = false, transposeB = false }: ProductShape): Matrices {
  const random = new Random(3);
  const fill = (length: number) => Float32Array.from({ length }, () => 2 * random.uniform() - 1);
  return { m, n, k, transposeA, transposeB, a: fill(m * k), b: fill(k * n) };
}

/** The shapes of A and B as stored. */
export function storedShapes({ m, n, k, transposeA, transposeB }: Matrices): StoredShapes {
  return { a: transposeA ? [k, m] : [m, k], b: transposeB ? [n, k] : [k, n] };
}

interface StoredShapes {
  readonly a: [number, number];
  readonly b: [number, number];
}

/** Floating-point operations, a multiplication and an addition counted as two. */
export const flopsOfProduct = ({ m, n, k }: ProductShape) => 2 * m * n * k;

/** The least bytes that every engine must read and write. */
export const bytesOfProduct = ({ m, n, k }: ProductShape) => 4 * (m * k + k * n + m * n);

/** The rows of C that are compared: the first, the last and some in between, at all places of a tile. */
const checkedRows = (m: number) => [...new Set([0, 1, 6, 17, Math.floor(m / 2), m - 1])].filter((row) => row < m);

/** From an engine's whole C. */
export function answerOfProduct({ m, n }: Matrices, c: ArrayLike<number>): Answer {
  if (c.length !== m * n) throw new Error(`its product has ${c.length} elements instead of ${m * n}`);
  const values = checkedRows(m).map((row) => Float32Array.from({ length: n }, (_, j) => c[row * n + j]!));
  return { numbers: [], values };
}

/** The same, straight from the definition. */
export function expectedProduct({ m, n, k, transposeA, transposeB, a, b }: Matrices): Answer {
  const values = checkedRows(m).map((i) =>
    Float32Array.from({ length: n }, (_, j) => {
      let sum = 0;
      for (let d = 0; d < k; d++) {
        sum += a[transposeA ? d * m + i : i * k + d]! * b[transposeB ? j * k + d : d * n + j]!;
      }
      return sum;
    }),
  );
  return { numbers: [], values };
}
