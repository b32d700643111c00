// f(x) = Σ sᵢ (xᵢ³/3 - xᵢ²/2) over the first half of the coordinates, so that at a rate of 1 each descends at its own rate
// sᵢ and is the logistic map of r = 1 + sᵢ. The slopes of the second half are -ln|1 - sᵢ(2xᵢ - 1)|, with the map's
// derivative: at that rate each of these coordinates sums the terms whose mean is a Lyapunov exponent.

import wgsl from "../../../shaders/landscapes/logistic_ladder.wgsl?raw";
import { defineLandscape, everywhere, numbers } from "../../objectives/landscapes/define.ts";

/**
 * Bytes that a map step moves for each rate: both of its coordinates read a point and the rate and write a slope; an update reads
 * point and slope and writes the point.
 */
export const bytesPerRate = 2 * (3 + 3) * 4;

export const logisticLadder = defineLandscape({
  type: "logisticLadder",
  formula: "Σ ratesᵢ (xᵢ³/3 - xᵢ²/2) over half of the coordinates",
  least: "-Σ ratesᵢ/6 where all xᵢ are 1, a local minimum",
  source: "May 1976",
  wgsl,
  options: { rates: numbers({ min: 0 }) },
  create({ rates: given }) {
    const rates = Float32Array.from(given ?? [1]);
    const n = rates.length;
    return {
      dimension: 2 * n,
      numbers: rates,
      term: (x, i) => (i < n ? rates[i]! * (x[i]! ** 3 / 3 - x[i]! ** 2 / 2) : 0),
      slope(x, i) {
        if (i < n) return rates[i]! * x[i]! * (x[i]! - 1);
        return -Math.log(Math.max(1e-30, Math.abs(1 - rates[i - n]! * (2 * x[i - n]! - 1))));
      },
      curvature: (x, i, j) => (i === j && i < n ? rates[i]! * (2 * x[i]! - 1) : 0),
      minimum: null,
      minima: () => [],
      start: () => everywhere(2 * n, 0.5),
      domain: [
        [-0.6, 1.8],
        [-0.6, 1.8],
      ],
    };
  },
});
