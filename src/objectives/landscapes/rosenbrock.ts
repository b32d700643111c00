// f(x) = Σ b (xᵢ₊₁ - xᵢ²)² + (a - xᵢ)² over neighbours: a curved valley with a nearly flat floor (Rosenbrock 1960 in two
// dimensions; coupled in this way in more, as in De Jong 1975 and Shang and Qiu 2006).

import wgsl from "../../../shaders/landscapes/rosenbrock.wgsl?raw";
import { defineLandscape, dimensionOption, type LandscapeFunction, number } from "./define.ts";

/** Options of {@link rosenbrock}. */
export interface RosenbrockOptions {
  /** How many coordinates; a whole number >= 2 and at most 2^22, default 2. */
  dimension?: number | undefined;
  /** Where on the first axis the valley's floor is lowest; default 1. */
  a?: number | undefined;
  /** How steep the valley's sides are; > 0, default 100. */
  b?: number | undefined;
}

/** A curved valley; in two dimensions least at (a, a²). */
export const rosenbrock: LandscapeFunction<RosenbrockOptions> = defineLandscape({
  type: "rosenbrock",
  formula: "Σ b · (xᵢ₊₁ - xᵢ²)² + (a - xᵢ)², i < n",
  least:
    "0 at (a, a²); for n > 2 it is known only for a = 0 and a = 1, 0 at (a, a, …); for a = 1 and n >= 4 there is also a local minimum",
  source: "Rosenbrock 1960; in more than two dimensions Shang and Qiu 2006",
  wgsl,
  options: { dimension: dimensionOption(2, 2), a: number({}, 1), b: number({ above: 0 }, 100) },
  create({ dimension: n, a, b }) {
    const known = n === 2 || a === 0 || a === 1;
    const size = Math.max(1, Math.abs(a));
    return {
      dimension: n,
      constants: { a, b },
      term: (x, i) => (i < n - 1 ? b * (x[i + 1]! - x[i]! ** 2) ** 2 + (a - x[i]!) ** 2 : 0),
      slope(x, i) {
        const ahead = i < n - 1 ? -4 * b * x[i]! * (x[i + 1]! - x[i]! ** 2) - 2 * (a - x[i]!) : 0;
        return ahead + (i > 0 ? 2 * b * (x[i]! - x[i - 1]! ** 2) : 0);
      },
      curvature(x, i, j) {
        if (i !== j) return Math.abs(i - j) === 1 ? -4 * b * x[Math.min(i, j)]! : 0;
        return (i < n - 1 ? 12 * b * x[i]! ** 2 - 4 * b * x[i + 1]! + 2 : 0) + (i > 0 ? 2 * b : 0);
      },
      minimum: known ? 0 : null,
      minima: () => (known ? [Float64Array.from({ length: n }, (_, i) => (i === 0 ? a : a ** 2))] : []),
      start: () => Float64Array.from({ length: n }, (_, i) => (i % 2 === 0 ? -1.2 : 1)),
      domain: [
        [-2 * size, 2 * size],
        [-(size ** 2), 3 * size ** 2],
      ],
    };
  },
});
