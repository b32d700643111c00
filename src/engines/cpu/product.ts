// Matrix products for the CPU reference, row-major, in float64, as fast as plain JavaScript gets: both factors are copied
// to panels of four lines, so that one loop serves every transpose form, and 4 × 4 sums at a time run through two panels.

/** The stretch of the inner dimension multiplied at a time: two panels of this depth stay in the nearest cache. */
const panelDepth = 256;

/** The shape of a product: out[m,n] of a factor with k columns and one with k rows. */
export interface ProductShape {
  /** Rows of the result. */
  readonly m: number;
  /** The dimension that is summed over; at 0, the product is zero. */
  readonly k: number;
  /** Columns of the result. */
  readonly n: number;
}

export interface ProductOptions {
  /** `a` is stored as [k,m]; default false, [m,k]. */
  readonly transposeA?: boolean | undefined;
  /** `b` is stored as [n,k]; default false, [k,n]. */
  readonly transposeB?: boolean | undefined;
  /** Add to what is in `out` instead of replacing it; default false. */
  readonly accumulate?: boolean | undefined;
}

/**
 * out[m,n] = op(a) · op(b), where op is the matrix or its transpose. `out` shares no memory with `a` and `b`.
 *
 * Products and sums are float64 whatever the factors are stored in. Each element's terms are added in ascending order, 256
 * at a time, and it is the same to the bit whatever the other rows and columns are.
 */
export function product(
  out: Float64Array,
  a: Float32Array | Float64Array,
  b: Float32Array | Float64Array,
  { m, k, n }: ProductShape,
  { transposeA = false, transposeB = false, accumulate = false }: ProductOptions = {},
): void {
  if (!accumulate) out.fill(0, 0, m * n);
  const rows: Lines = { matrix: a, count: m, toLine: transposeA ? 1 : k, toNext: transposeA ? m : 1 };
  const columns: Lines = { matrix: b, count: n, toLine: transposeB ? k : 1, toNext: transposeB ? 1 : n };
  const left = emptyPanels(m, k);
  const right = emptyPanels(n, k);
  const sums = new Float64Array(16);
  for (let from = 0; from < k; from += panelDepth) {
    const depth = Math.min(panelDepth, k - from);
    fillPanels(left, rows, from, depth);
    fillPanels(right, columns, from, depth);
    for (let column = 0; column < n; column += 4) {
      const width = Math.min(4, n - column);
      for (let row = 0; row < m; row += 4) {
        multiply(left[row / 4]!, right[column / 4]!, depth, sums);
        const height = Math.min(4, m - row);
        for (let i = 0; i < height; i++) {
          const to = (row + i) * n + column;
          for (let j = 0; j < width; j++) out[to + j]! += sums[4 * i + j]!;
        }
      }
    }
  }
}

/** The rows of the left factor, or the columns of the right one. */
interface Lines {
  readonly matrix: Float32Array | Float64Array;
  readonly count: number;
  /** Distance of a line's first element from that of the line before. */
  readonly toLine: number;
  /** Distance of an element from the one before it in its line. */
  readonly toNext: number;
}

/** Four lines each, element by element. */
function emptyPanels(lines: number, k: number): readonly Float64Array[] {
  const length = 4 * Math.min(panelDepth, k);
  return Array.from({ length: Math.ceil(lines / 4) }, () => new Float64Array(length));
}

function fillPanels(panels: readonly Float64Array[], lines: Lines, from: number, depth: number): void {
  const { matrix, count, toLine, toNext } = lines;
  for (const [index, panel] of panels.entries()) {
    // The last panel repeats the last line in place of missing ones, and their products are dropped.
    const first = 4 * index;
    const begin = from * toNext;
    let at0 = begin + first * toLine;
    let at1 = begin + Math.min(first + 1, count - 1) * toLine;
    let at2 = begin + Math.min(first + 2, count - 1) * toLine;
    let at3 = begin + Math.min(first + 3, count - 1) * toLine;
    for (let i = 0; i < 4 * depth; i += 4) {
      panel[i] = matrix[at0]!;
      panel[i + 1] = matrix[at1]!;
      panel[i + 2] = matrix[at2]!;
      panel[i + 3] = matrix[at3]!;
      at0 += toNext;
      at1 += toNext;
      at2 += toNext;
      at3 += toNext;
    }
  }
}

/** The 16 sums of the products of the lines of two panels, in local variables that V8 keeps in registers. */
function multiply(a: Float64Array, b: Float64Array, depth: number, sums: Float64Array): void {
  let [s00, s01, s02, s03] = [0, 0, 0, 0];
  let [s10, s11, s12, s13] = [0, 0, 0, 0];
  let [s20, s21, s22, s23] = [0, 0, 0, 0];
  let [s30, s31, s32, s33] = [0, 0, 0, 0];
  const end = 4 * depth;
  // One index, and `| 0`, which spares V8 a check for overflow at each access: together a third of the time. Two rows at a time:
  // 16 sums and all their factors would not fit the registers.
  for (let i = 0; i < end; i = (i + 4) | 0) {
    const a0 = a[i]!;
    const a1 = a[(i + 1) | 0]!;
    const b0 = b[i]!;
    s00 += a0 * b0;
    s10 += a1 * b0;
    const b1 = b[(i + 1) | 0]!;
    s01 += a0 * b1;
    s11 += a1 * b1;
    const b2 = b[(i + 2) | 0]!;
    s02 += a0 * b2;
    s12 += a1 * b2;
    const b3 = b[(i + 3) | 0]!;
    s03 += a0 * b3;
    s13 += a1 * b3;
    const a2 = a[(i + 2) | 0]!;
    const a3 = a[(i + 3) | 0]!;
    s20 += a2 * b0;
    s30 += a3 * b0;
    s21 += a2 * b1;
    s31 += a3 * b1;
    s22 += a2 * b2;
    s32 += a3 * b2;
    s23 += a2 * b3;
    s33 += a3 * b3;
  }
  sums[0] = s00;
  sums[1] = s01;
  sums[2] = s02;
  sums[3] = s03;
  sums[4] = s10;
  sums[5] = s11;
  sums[6] = s12;
  sums[7] = s13;
  sums[8] = s20;
  sums[9] = s21;
  sums[10] = s22;
  sums[11] = s23;
  sums[12] = s30;
  sums[13] = s31;
  sums[14] = s32;
  sums[15] = s33;
}
