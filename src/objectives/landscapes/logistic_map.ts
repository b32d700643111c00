// f(x) = Σ xᵢ³/3 - xᵢ²/2: gradient descent on it is the logistic map (May 1976). A step x - lr·(x² - x) in y = x·lr/(1 + lr)
// reads r·y·(1 - y) with r = 1 + lr, so a learning rate covers the map's whole way from rest to chaos.

import wgsl from "../../../shaders/landscapes/logistic_map.wgsl?raw";
import { defineLandscape, dimensionOption, everywhere, type LandscapeFunction } from "./define.ts";

/** Options of {@link logisticMap}. */
export interface LogisticMapOptions {
  /** How many coordinates; a whole number >= 1 and at most 2^22, default 1. */
  dimension?: number | undefined;
}

/**
 * A loss on which gradient descent (sgd without momentum) is the logistic map of r = 1 + lr: it rests at 1 for rates below
 * 2, then settles on cycles of 2, 4, 8 … steps, is chaotic from about 2.57 on, and escapes above 3. That holds from starts
 * between 0 and (1 + lr) / lr.
 */
export const logisticMap: LandscapeFunction<LogisticMapOptions> = defineLandscape({
  type: "logisticMap",
  formula: "Σ xᵢ³/3 - xᵢ²/2",
  least: "-n/6 at (1, 1, …), a local minimum: below 0 there is no bound",
  source: "May 1976",
  wgsl,
  options: { dimension: dimensionOption(1, 1) },
  create: ({ dimension }) => ({
    dimension,
    term: (x, i) => x[i]! ** 3 / 3 - x[i]! ** 2 / 2,
    slope: (x, i) => x[i]! ** 2 - x[i]!,
    curvature: (x, i, j) => (i === j ? 2 * x[i]! - 1 : 0),
    minimum: -dimension / 6,
    minima: () => [everywhere(dimension, 1)],
    start: () => everywhere(dimension, 0.5),
    domain: [
      [-0.6, 1.8],
      [-0.6, 1.8],
    ],
  }),
});
