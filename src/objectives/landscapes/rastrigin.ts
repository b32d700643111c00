// f(x) = Σ xᵢ² + A (1 - cos 2πxᵢ): a bowl with a local minimum near every integer point (Rastrigin 1974; in any dimension
// Mühlenbein et al. 1991).

import wgsl from "../../../shaders/landscapes/rastrigin.wgsl?raw";
import { defineLandscape, dimensionOption, everywhere, type LandscapeFunction, number } from "./define.ts";
import { halfTurnText } from "./half_turn.ts";

/** Options of {@link rastrigin}. */
export interface RastriginOptions {
  /** How many coordinates; a whole number >= 1 and at most 2^22, default 2. */
  dimension?: number | undefined;
  /** A, how high the waves are; >= 0, default 10. */
  amplitude?: number | undefined;
}

/** A rugged bowl, least at the origin. */
export const rastrigin: LandscapeFunction<RastriginOptions> = defineLandscape({
  type: "rastrigin",
  formula: "Σ xᵢ² + amplitude · (1 - cos(2π xᵢ))",
  least:
    "0 at the origin; local minima near the other integer points, as far out as the waves are steeper than the bowl",
  source: "Rastrigin 1974; Mühlenbein, Schomisch and Born 1991",
  wgsl: halfTurnText + wgsl,
  options: { dimension: dimensionOption(1, 2), amplitude: number({ min: 0 }, 10) },
  create: ({ dimension, amplitude }) => ({
    dimension,
    constants: { amplitude },
    // 2 sin² instead of 1 - cos, which near 0 is a difference of almost equal numbers.
    term: (x, i) => x[i]! ** 2 + 2 * amplitude * Math.sin(Math.PI * x[i]!) ** 2,
    slope: (x, i) => 2 * x[i]! + 2 * Math.PI * amplitude * Math.sin(2 * Math.PI * x[i]!),
    curvature: (x, i, j) => (i === j ? 2 + 4 * Math.PI ** 2 * amplitude * Math.cos(2 * Math.PI * x[i]!) : 0),
    minimum: 0,
    minima: () => [everywhere(dimension, 0)],
    start: () => everywhere(dimension, 3.4),
    domain: [
      [-5.12, 5.12],
      [-5.12, 5.12],
    ],
  }),
});
