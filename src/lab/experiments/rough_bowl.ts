// f(x) = Σ xᵢ² + A(1 - cos 2πxᵢ) + A/2·(1 - cos 2πφxᵢ), φ the golden ratio: a bowl with two ripples whose lengths have no
// common multiple, so that no two of its wells are alike.

import wgsl from "../../../shaders/landscapes/rough_bowl.wgsl?raw";
import { defineLandscape, everywhere, number } from "../../objectives/landscapes/define.ts";

const ratio = 1.618034;

export const roughBowl = /* @__PURE__ */ defineLandscape({
  type: "roughBowl",
  formula: "Σ xᵢ² + amplitude · (1 - cos(2π xᵢ)) + amplitude/2 · (1 - cos(2π φ xᵢ)), φ the golden ratio",
  least: "0 at the origin",
  source: "definition",
  wgsl,
  options: {
    dimension: number({ min: 1, max: 2 ** 22, integer: true }, 1),
    amplitude: number({ min: 0 }, 3),
  },
  create: ({ dimension, amplitude }) => ({
    dimension,
    constants: { amplitude },
    term: (x, i) =>
      x[i]! ** 2 + 2 * amplitude * (Math.sin(Math.PI * x[i]!) ** 2 + Math.sin(Math.PI * ratio * x[i]!) ** 2 / 2),
    slope: (x, i) =>
      2 * x[i]! +
      2 * Math.PI * amplitude * (Math.sin(2 * Math.PI * x[i]!) + (ratio / 2) * Math.sin(2 * Math.PI * ratio * x[i]!)),
    curvature: (x, i, j) =>
      i !== j
        ? 0
        : 2 +
          4 *
            Math.PI ** 2 *
            amplitude *
            (Math.cos(2 * Math.PI * x[i]!) + (ratio ** 2 / 2) * Math.cos(2 * Math.PI * ratio * x[i]!)),
    minimum: 0,
    minima: () => [everywhere(dimension, 0)],
    start: () => everywhere(dimension, 3.4),
    domain: [
      [-5.12, 5.12],
      [-5.12, 5.12],
    ],
  }),
});
