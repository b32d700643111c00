// Eigenvalues and eigenvectors of a small symmetric tridiagonal matrix, in float64: implicit QL with Wilkinson's shift (Bowdler,
// Martin, Reinsch and Wilkinson 1968).

/** Eigenvalues from the largest to the smallest, with their eigenvectors. */
export interface Eigen {
  readonly values: readonly number[];
  /** vectors[i] belongs to values[i]; of norm 1. */
  readonly vectors: readonly Float64Array[];
}

/**
 * @param diagonal The elements of the diagonal.
 * @param beside The elements beside it: one fewer; any further ones are ignored.
 */
export function tridiagonalEigen(diagonal: readonly number[], beside: readonly number[]): Eigen {
  const n = diagonal.length;
  const d = Float64Array.from(diagonal);
  const e = new Float64Array(n);
  for (let i = 0; i < n - 1; i++) e[i] = beside[i]!;
  // Row k is the k-th eigenvector after all rotations.
  const z = Array.from({ length: n }, (_, i) => {
    const row = new Float64Array(n);
    row[i] = 1;
    return row;
  });
  for (let l = 0; l < n; l++) {
    for (let tried = 0; tried < 100; tried++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
      if (m === l) break;
      const shift = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      const root = Math.hypot(shift, 1);
      let g = d[m]! - d[l]! + e[l]! / (shift + (shift < 0 ? -root : root));
      let [s, c, p] = [1, 1, 0];
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * e[i]!;
        const b = c * e[i]!;
        const r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1]! -= p;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1]! - p;
        const t = (d[i]! - g) * s + 2 * c * b;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
        const [low, high] = [z[i]!, z[i + 1]!];
        for (let k = 0; k < n; k++) {
          const held = high[k]!;
          high[k] = s * low[k]! + c * held;
          low[k] = c * low[k]! - s * held;
        }
      }
      if (i >= l) continue;
      d[l]! -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => d[b]! - d[a]!);
  return { values: order.map((i) => d[i]!), vectors: order.map((i) => z[i]!) };
}
