// Newton–Schulz on the CPU: brings a matrix close to the nearest orthogonal one (Jordan et al. 2024), in float64.
import { newtonSchulz } from "../newton_schulz.ts";

/** Five steps of X ← aX + (bA + cA²)X with A = XXᵀ, of a row-major matrix whose norm is at most 1. */
export function orthogonalised(matrix: Float64Array, [rows, columns]: readonly [number, number]): Float64Array {
  // The smaller Gram matrix: of a tall matrix that of its columns.
  const tall = rows > columns;
  const [small, large] = tall ? [columns, rows] : [rows, columns];
  const at = (i: number, j: number) => (tall ? j * small + i : i * large + j);
  const { a, b, c, steps } = newtonSchulz;
  let x = matrix;
  for (let step = 0; step < steps; step++) {
    const gram = square(small, (i, j) => dot(large, (k) => x[at(i, k)]! * x[at(j, k)]!));
    const mixed = square(small, (i, j) => b * gram[i]![j]! + c * dot(small, (k) => gram[i]![k]! * gram[k]![j]!));
    const next = new Float64Array(x.length);
    for (let i = 0; i < small; i++) {
      for (let j = 0; j < large; j++)
        next[at(i, j)] = a * x[at(i, j)]! + dot(small, (k) => mixed[i]![k]! * x[at(k, j)]!);
    }
    x = next;
  }
  return x;
}

function square(size: number, value: (i: number, j: number) => number): number[][] {
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => value(i, j)));
}

function dot(length: number, term: (k: number) => number): number {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += term(k);
  return sum;
}
