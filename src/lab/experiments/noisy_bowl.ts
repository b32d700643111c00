// f(x) = a/2 Σ (xᵢ - drift·t)², with noise·ξᵢ added to each slope at each step t: a learning rate under noise, and with
// an optimum that moves. Each coordinate is an independent walker.

import wgsl from "../../../shaders/landscapes/noisy_bowl.wgsl?raw";
import { defineLandscape, everywhere, number } from "../../objectives/landscapes/define.ts";
import { createNoise, noiseText } from "./noise.ts";

export const noisyBowl = defineLandscape({
  type: "noisyBowl",
  formula: "curvature/2 Σ (xᵢ - drift·t)²; in each slope noise·ξᵢ by seed",
  least: "0 where all xᵢ are drift·t",
  source: "definition",
  wgsl: noiseText + wgsl,
  options: {
    dimension: number({ min: 1, max: 2 ** 22, integer: true }, 1),
    curvature: number({ above: 0 }, 1),
    drift: number({}, 0),
    noise: number({ min: 0 }, 1),
    seed: number({ min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }, 0),
  },
  create({ dimension, curvature, drift, noise, seed }) {
    const { constants, drawn } = createNoise(seed);
    return {
      dimension,
      constants: { curvature, drift, noise, ...constants },
      random: true,
      term: (x, i, step = 0) => (curvature / 2) * (x[i]! - drift * step) ** 2,
      slope: (x, i, step = 0) => curvature * (x[i]! - drift * step) + noise * drawn(i, step),
      curvature: (_, i, j) => (i === j ? curvature : 0),
      minimum: 0,
      minima: () => [everywhere(dimension, 0)],
      start: () => everywhere(dimension, 0),
      domain: [
        [-3, 3],
        [-3, 3],
      ],
    };
  },
});
