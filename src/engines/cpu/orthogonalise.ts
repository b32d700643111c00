// Newton–Schulz on the CPU: brings a matrix close to the nearest orthogonal one (Jordan et al. 2024), in float64.
import { newtonSchulz } from "../stages/newton_schulz.ts";
import { product } from "./product.ts";

/** Five steps of X ← aX + (bA + cA²)X with A = XXᵀ, of a row-major matrix whose norm is at most 1. */
export function orthogonalised(matrix: Float64Array, [rows, columns]: readonly [number, number]): Float64Array {
  // The smaller Gram matrix: of a tall matrix that of its columns.
  if (rows > columns)
    return transposed(orthogonalised(transposed(matrix, rows, columns), [columns, rows]), columns, rows);
  const { a, b, c, steps } = newtonSchulz;
  let x = matrix;
  for (let step = 0; step < steps; step++) {
    const gram = new Float64Array(rows * rows);
    product(gram, x, x, { m: rows, k: columns, n: rows }, { transposeB: true });
    const mixed = new Float64Array(rows * rows);
    product(mixed, gram, gram, { m: rows, k: rows, n: rows });
    for (let i = 0; i < mixed.length; i++) mixed[i] = b * gram[i]! + c * mixed[i]!;
    const next = x.map((value) => a * value);
    product(next, mixed, x, { m: rows, k: rows, n: columns }, { accumulate: true });
    x = next;
  }
  return x;
}

function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const turned = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = matrix[i * columns + j]!;
  return turned;
}
