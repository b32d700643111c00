// Whole vectors on the CPU, the reference of gpu/vectors.ts: float64 between float32 arrays, piece after piece.

/** A vector in pieces: the tensors of a model, the pages of an arena. */
export type Pieces = readonly (Float32Array | Float64Array)[];

/** Σ x·y. */
export function dot(x: Pieces, y: Pieces): number {
  let sum = 0;
  for (const [index, piece] of x.entries()) {
    const other = y[index]!;
    for (let i = 0; i < piece.length; i++) sum += piece[i]! * other[i]!;
  }
  return sum;
}

/** The 2-norm. */
export function norm(x: Pieces): number {
  return Math.sqrt(dot(x, x));
}

/** y += factor · x. */
export function axpy(factor: number, x: Pieces, y: Pieces): void {
  for (const [index, piece] of y.entries()) {
    const other = x[index]!;
    for (let i = 0; i < piece.length; i++) piece[i]! += factor * other[i]!;
  }
}

/** y ·= factor. */
export function scale(factor: number, y: Pieces): void {
  for (const piece of y) for (let i = 0; i < piece.length; i++) piece[i]! *= factor;
}
