// Matrix products for the CPU reference, row-major, float64: plain loops, unrolled by four so that V8 keeps sums in
// registers.

type Matrix = Float32Array | Float64Array;

/** out[m,n] += op(a) · b[k,n], where op(a) is a[m,k], or the transpose of a[k,m]. */
export function addProduct(
  out: Float64Array,
  a: Matrix,
  b: Matrix,
  [m, k, n]: readonly [number, number, number],
  transposed = false,
): void {
  const [toRow, toColumn] = transposed ? [1, m] : [k, 1];
  for (let row = 0; row < m; row++) {
    const to = row * n;
    const from = row * toRow;
    let i = 0;
    for (; i + 3 < k; i += 4) {
      const a0 = a[from + i * toColumn]!;
      const a1 = a[from + (i + 1) * toColumn]!;
      const a2 = a[from + (i + 2) * toColumn]!;
      const a3 = a[from + (i + 3) * toColumn]!;
      const b0 = i * n;
      const b1 = b0 + n;
      const b2 = b1 + n;
      const b3 = b2 + n;
      for (let j = 0; j < n; j++) {
        out[to + j]! += a0 * b[b0 + j]! + a1 * b[b1 + j]! + a2 * b[b2 + j]! + a3 * b[b3 + j]!;
      }
    }
    for (; i < k; i++) {
      const a0 = a[from + i * toColumn]!;
      for (let j = 0; j < n; j++) out[to + j]! += a0 * b[i * n + j]!;
    }
  }
}

/** out[m,n] = a[m,k] · the transpose of b[n,k]. */
export function productTransposed(
  out: Float64Array,
  a: Matrix,
  b: Matrix,
  [m, k, n]: readonly [number, number, number],
): void {
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      const from = row * k;
      const by = column * k;
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      let i = 0;
      for (; i + 3 < k; i += 4) {
        s0 += a[from + i]! * b[by + i]!;
        s1 += a[from + i + 1]! * b[by + i + 1]!;
        s2 += a[from + i + 2]! * b[by + i + 2]!;
        s3 += a[from + i + 3]! * b[by + i + 3]!;
      }
      for (; i < k; i++) s0 += a[from + i]! * b[by + i]!;
      out[row * n + column] = s0 + s1 + (s2 + s3);
    }
  }
}
