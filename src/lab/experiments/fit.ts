// Least squares: how experiments find exponents, crossings and minima.
import { DataError } from "../../base/errors.ts";

type Point = readonly [x: number, y: number];

/**
 * The polynomial of a degree that comes closest to some points, by the normal equations around their middle.
 *
 * @throws DataError for fewer points than it has coefficients.
 */
export function polynomial(points: readonly Point[], degree: number): (x: number) => number {
  const size = degree + 1;
  if (points.length < size) {
    throw new DataError(`${points.length} points are too few for a polynomial of degree ${degree}; it takes ${size}`);
  }
  const xs = points.map(([x]) => x);
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  const scaled = (x: number) => (2 * x - low - high) / (high - low || 1);
  const rows = Array.from({ length: size }, () => new Float64Array(size + 1));
  for (const [x, y] of points) {
    const powers = Array.from({ length: size }, (_, k) => scaled(x) ** k);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) rows[i]![j]! += powers[i]! * powers[j]!;
      rows[i]![size]! += powers[i]! * y;
    }
  }
  const coefficients = solve(rows);
  return (x) => coefficients.reduceRight((sum, c) => sum * scaled(x) + c, 0);
}

/** Gaussian elimination with pivots; each row is an equation with its right side at its end. */
function solve(rows: readonly Float64Array[]): readonly number[] {
  const left = [...rows];
  const size = left.length;
  for (let i = 0; i < size; i++) {
    const pivot = left.slice(i).reduce((best, row) => (Math.abs(row[i]!) > Math.abs(best[i]!) ? row : best));
    left.splice(left.indexOf(pivot), 1);
    left.splice(i, 0, pivot);
    for (const row of left.slice(i + 1)) {
      const factor = row[i]! / pivot[i]!;
      for (let k = i; k <= size; k++) row[k]! -= factor * pivot[k]!;
    }
  }
  const solution = new Array<number>(size).fill(0);
  for (let i = size - 1; i >= 0; i--) {
    let rest = left[i]![size]!;
    for (let k = i + 1; k < size; k++) rest -= left[i]![k]! * solution[k]!;
    solution[i] = rest / left[i]![i]!;
  }
  return solution;
}

/** The slope of the straight line that comes closest to some points. */
export function slope(points: readonly Point[]): number {
  const line = polynomial(points, 1);
  return line(1) - line(0);
}

/** The exponent k of y ∝ x^k. */
export function exponent(points: readonly Point[]): number {
  return slope(points.map(([x, y]): Point => [Math.log(x), Math.log(y)]));
}

/** Where a function is least between two ends, on a fine grid. */
export function leastAt(f: (x: number) => number, low: number, high: number): number {
  const count = 20_000;
  let best: Point = [low, f(low)];
  for (let i = 1; i <= count; i++) {
    const x = low + ((high - low) * i) / count;
    const y = f(x);
    if (y < best[1]) best = [x, y];
  }
  return best[0];
}

/** Where a function crosses 0 between two ends, by bisection. */
export function crossing(f: (x: number) => number, low: number, high: number): number {
  let [a, b] = [low, high];
  const rises = f(b) > f(a);
  for (let i = 0; i < 60; i++) {
    const middle = (a + b) / 2;
    if (f(middle) > 0 === rises) b = middle;
    else a = middle;
  }
  return (a + b) / 2;
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
