// f(x) = Σ xᵢ⁴: the curvature falls to 0 at the minimum, so gradient descent creeps there, and no rate is right for long.

import wgsl from "../../../shaders/landscapes/quartic.wgsl?raw";
import { defineLandscape, dimensionOption, everywhere, type LandscapeFunction } from "./define.ts";

/** Options of {@link quartic}. */
export interface QuarticOptions {
  /** How many coordinates; a whole number >= 1 and at most 2^22, default 2. */
  dimension?: number | undefined;
}

/** A bowl with a flat bottom, least at the origin, where its curvature is 0. */
export const quartic: LandscapeFunction<QuarticOptions> = defineLandscape({
  type: "quartic",
  formula: "Σ xᵢ⁴",
  least: "0 at the origin, where the curvature is 0 too",
  source: "definition",
  wgsl,
  options: { dimension: dimensionOption(1, 2) },
  create: ({ dimension }) => ({
    dimension,
    term: (x, i) => x[i]! ** 4,
    slope: (x, i) => 4 * x[i]! ** 3,
    curvature: (x, i, j) => (i === j ? 12 * x[i]! ** 2 : 0),
    minimum: 0,
    minima: () => [everywhere(dimension, 0)],
    start: () => everywhere(dimension, 1),
    domain: [
      [-1.5, 1.5],
      [-1.5, 1.5],
    ],
  }),
});
