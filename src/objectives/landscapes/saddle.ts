// f(x) = Σ xᵢ² over coordinates that go up, and Σ -xᵢ² + bound/2 · xᵢ⁴ over those that go down: a saddle at the origin, where
// the gradient vanishes without a minimum. With the quartic the way down ends, so that a run which has left the saddle comes
// to rest; without it the function is unbounded below.

import wgsl from "../../../shaders/landscapes/saddle.wgsl?raw";
import { OptionError } from "../../base/errors.ts";
import { defineLandscape, dimensionOption, type LandscapeFunction, number } from "./define.ts";

/** Options of {@link saddle}. */
export interface SaddleOptions {
  /** How many coordinates; a whole number >= 1 and at most 2^22, default 2. */
  dimension?: number | undefined;
  /** How many of them, the last ones, go down; a whole number from 1 to `dimension`, default 1. */
  down?: number | undefined;
  /** The weight of the quartic that ends the way down at ±1/√bound; >= 0, default 1. 0 leaves x² - y² as it is. */
  bound?: number | undefined;
}

/** A saddle at the origin; with `bound` above 0 there are minima on both sides of it. */
export const saddle: LandscapeFunction<SaddleOptions> = defineLandscape({
  type: "saddle",
  formula: "Σ xᵢ² over the first n - down coordinates, plus Σ bound/2 · xᵢ⁴ - xᵢ² over the others",
  least:
    "-down / (2 · bound) where the first coordinates are 0 and each of the others ±1/√bound (`minima()` has those of equal signs); none for bound 0; stationary at the origin",
  source: "definition",
  wgsl,
  options: {
    dimension: dimensionOption(1, 2),
    down: dimensionOption(1, 1),
    bound: number({ min: 0 }, 1),
  },
  create({ dimension, down, bound }, name) {
    if (down > dimension) {
      throw new OptionError(`${name}.down is ${down}; it must be at most ${name}.dimension, ${dimension}`);
    }
    const falls = (i: number) => i >= dimension - down;
    const rest = 1 / Math.sqrt(bound);
    const at = (up: number, along: number) =>
      Float64Array.from({ length: dimension }, (_, i) => (falls(i) ? along : up));
    const reach = bound > 0 ? 1.6 * rest : 2;
    return {
      dimension,
      constants: { down, bound },
      term: (x, i) => (falls(i) ? (bound / 2) * x[i]! ** 4 - x[i]! ** 2 : x[i]! ** 2),
      slope: (x, i) => (falls(i) ? 2 * bound * x[i]! ** 3 - 2 * x[i]! : 2 * x[i]!),
      curvature: (x, i, j) => (i !== j ? 0 : falls(i) ? 6 * bound * x[i]! ** 2 - 2 : 2),
      minimum: bound > 0 ? -down / (2 * bound) : null,
      minima: () => (bound > 0 ? [at(0, rest), at(0, -rest)] : []),
      start: () => at(1, 1e-3),
      domain: [
        [-reach, reach],
        [-reach, reach],
      ],
    };
  },
});
