// f(x, y) = (x² + y - 11)² + (x + y² - 7)²: four equal minima, so where a run ends shows where it went (Himmelblau 1972).
import wgsl from "../../../shaders/landscapes/himmelblau.wgsl?raw";
import { defineLandscape } from "./define.ts";

/** The roots of both squares: (3, 2), and three that belong to a cubic and are known only numerically. */
const hollows = [
  [3, 2],
  [-2.805118086952745, 3.131312518250573],
  [-3.779310253377747, -3.2831859912861696],
  [3.584428340330492, -1.848126526964404],
] as const;

const first = (x: ArrayLike<number>) => x[0]! ** 2 + x[1]! - 11;
const second = (x: ArrayLike<number>) => x[0]! + x[1]! ** 2 - 7;

/** Four hollows of equal depth, in two dimensions. */
export const himmelblau = defineLandscape({
  type: "himmelblau",
  formula: "(x₁² + x₂ - 11)² + (x₁ + x₂² - 7)², n = 2",
  least: "0 at (3, 2), (-2.8051, 3.1313), (-3.7793, -3.2832) and (3.5844, -1.8481)",
  source: "Himmelblau 1972",
  wgsl,
  options: {},
  create: () => ({
    dimension: 2,
    term: (x, i) => (i === 0 ? first(x) ** 2 : second(x) ** 2),
    slope: (x, i) => (i === 0 ? 4 * x[0]! * first(x) + 2 * second(x) : 2 * first(x) + 4 * x[1]! * second(x)),
    curvature(x, i, j) {
      if (i !== j) return 4 * (x[0]! + x[1]!);
      return i === 0 ? 12 * x[0]! ** 2 + 4 * x[1]! - 42 : 12 * x[1]! ** 2 + 4 * x[0]! - 26;
    },
    minimum: 0,
    minima: () => hollows.map((hollow) => Float64Array.from(hollow)),
    start: () => Float64Array.of(0, 0),
    domain: [
      [-5, 5],
      [-5, 5],
    ],
  }),
});
