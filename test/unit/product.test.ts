// The CPU's matrix products against sums written out, in every transpose form and kind of array, at sizes around those of
// the panels.
import { describe, expect, it } from "vitest";
import { type ProductOptions, type ProductShape, product } from "../../src/engines/cpu/product.ts";

type Matrix = Float32Array | Float64Array;

const values = (length: number, seed: number) => Float64Array.from({ length }, (_, i) => Math.sin(seed + 7.3 * i * i));

/** The same matrix of `lines` lines, stored by columns. */
function turned(matrix: Matrix, lines: number): Float64Array {
  const length = matrix.length / lines;
  return Float64Array.from(matrix, (_, i) => matrix[(i % lines) * length + Math.floor(i / lines)]!);
}

/** The largest difference from the product written out, as a share of the sum of all terms' sizes. */
function largestError(out: Float64Array, a: Matrix, b: Matrix, { m, k, n }: ProductShape): number {
  let largest = 0;
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let [sum, size] = [0, 0];
      for (let i = 0; i < k; i++) {
        const term = a[row * k + i]! * b[i * n + column]!;
        sum += term;
        size += Math.abs(term);
      }
      largest = Math.max(largest, Math.abs(out[row * n + column]! - sum) / size);
    }
  }
  return largest;
}

const forms: readonly ProductOptions[] = [
  {},
  { transposeA: true },
  { transposeB: true },
  { transposeA: true, transposeB: true },
];

const sizes: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [1, 300, 1],
  [4, 4, 4],
  [3, 5, 7],
  [8, 256, 4],
  [5, 257, 9],
  [2, 511, 13],
  [17, 1, 6],
  [1, 40, 33],
  [33, 40, 1],
];

describe("a product", () => {
  it.each(sizes)("[%d,%d]·[…,%d] is right in every transpose form, of float32 and of float64", (m, k, n) => {
    const shape = { m, k, n };
    const a = values(m * k, 1);
    const b = values(k * n, 2);
    const results = forms.map((form) => {
      const out = new Float64Array(m * n).fill(Number.NaN);
      product(out, form.transposeA ? turned(a, m) : a, form.transposeB ? turned(b, k) : b, shape, form);
      expect(largestError(out, a, b, shape)).toBeLessThan(1e-15);
      return out;
    });
    // The order of the sums does not depend on how the factors are stored.
    for (const result of results) expect(result).toEqual(results[0]);

    const narrow = Float32Array.from(b);
    const out = new Float64Array(m * n);
    product(out, a, narrow, shape);
    expect(largestError(out, a, narrow, shape)).toBeLessThan(1e-15);
    product(out, Float32Array.from(a), narrow, shape);
    expect(largestError(out, Float32Array.from(a), narrow, shape)).toBeLessThan(1e-15);
  });

  it("adds to what is there only if asked to", () => {
    const [a, b] = [Float64Array.of(1, 2, 3, 4), Float64Array.of(5, 6, 7, 8)];
    const out = new Float64Array(4).fill(100);
    product(out, a, b, { m: 2, k: 2, n: 2 }, { accumulate: true });
    expect([...out]).toEqual([119, 122, 143, 150]);
    product(out, a, b, { m: 2, k: 2, n: 2 });
    expect([...out]).toEqual([19, 22, 43, 50]);
  });

  it("leaves what follows the result, and is zero for nothing", () => {
    const out = new Float64Array(7).fill(9);
    product(out, values(4, 1), values(6, 2), { m: 2, k: 0, n: 3 });
    expect([...out]).toEqual([0, 0, 0, 0, 0, 0, 9]);
  });

  it("gives a row the same bits whatever rows stand beside it", () => {
    const { k, n } = { k: 300, n: 11 };
    const a = values(7 * k, 1);
    const b = values(k * n, 2);
    const all = new Float64Array(7 * n);
    product(all, a, b, { m: 7, k, n });
    for (let row = 0; row < 7; row++) {
      const alone = new Float64Array(n);
      product(alone, a.slice(row * k, (row + 1) * k), b, { m: 1, k, n });
      expect(alone).toEqual(all.slice(row * n, (row + 1) * n));
    }
  });

  it("keeps a NaN in its row, and an infinity in its column", () => {
    const a = new Float64Array(15).fill(1);
    const b = new Float64Array(15).fill(1);
    a[5] = Number.NaN;
    b[4] = Number.POSITIVE_INFINITY;
    const out = new Float64Array(25);
    product(out, a, b, { m: 5, k: 3, n: 5 });
    const expected = Array.from({ length: 25 }, (_, i) =>
      Math.floor(i / 5) === 1 ? Number.NaN : i % 5 === 4 ? Number.POSITIVE_INFINITY : 3,
    );
    expect([...out]).toEqual(expected);
  });
});
