// f(x) = Σ xᵢ² + A(1 - cos 2πxᵢ) + A·B(1 - cos 2πφxᵢ), φ the golden ratio, with noise·ξᵢ added to each slope at each step: a bowl
// with two ripples whose lengths have no common multiple, so that no two of its wells are alike. With B = 0 it is Rastrigin's.

import wgsl from "../../../shaders/landscapes/rough_bowl.wgsl?raw";
import { defineLandscape, everywhere, number } from "../../objectives/landscapes/define.ts";
import { halfTurnText } from "../../objectives/landscapes/half_turn.ts";
import { createNoise, noiseText } from "./noise.ts";

const ratio = 1.618034;

export const roughBowl = /* @__PURE__ */ defineLandscape({
  type: "roughBowl",
  formula:
    "Σ xᵢ² + amplitude · (1 - cos(2π xᵢ)) + amplitude · second · (1 - cos(2π φ xᵢ)), φ the golden ratio; in each slope noise·ξᵢ by seed",
  least: "0 at the origin",
  source: "definition",
  wgsl: halfTurnText + noiseText + wgsl,
  options: {
    dimension: number({ min: 1, max: 2 ** 22, integer: true }, 1),
    amplitude: number({ min: 0 }, 3),
    second: number({ min: 0 }, 0.5),
    noise: number({ min: 0 }, 0),
    seed: number({ min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }, 0),
  },
  create({ dimension, amplitude, second, noise, seed }) {
    const { constants, drawn } = createNoise(seed);
    return {
      dimension,
      constants: { amplitude, second, noise, ...constants },
      random: true,
      term: (x, i) =>
        x[i]! ** 2 +
        2 * amplitude * (Math.sin(Math.PI * x[i]!) ** 2 + (second && second * Math.sin(Math.PI * ratio * x[i]!) ** 2)),
      slope: (x, i, step = 0) =>
        2 * x[i]! +
        2 *
          Math.PI *
          amplitude *
          (Math.sin(2 * Math.PI * x[i]!) + (second && second * ratio * Math.sin(2 * Math.PI * ratio * x[i]!))) +
        noise * drawn(i, step),
      curvature: (x, i, j) =>
        i !== j
          ? 0
          : 2 +
            4 *
              Math.PI ** 2 *
              amplitude *
              (Math.cos(2 * Math.PI * x[i]!) + second * ratio ** 2 * Math.cos(2 * Math.PI * ratio * x[i]!)),
      minimum: 0,
      minima: () => [everywhere(dimension, 0)],
      start: () => everywhere(dimension, 3.4),
      domain: [
        [-5.12, 5.12],
        [-5.12, 5.12],
      ],
    };
  },
});
