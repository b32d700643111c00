// f(x) = a/2 Σ (xᵢ - drift·t)², with noise·ξᵢ added to each slope at each step t: what a learning rate makes of noise, and of
// an optimum that moves. Each coordinate is a walker of its own. ξ has mean 0 and variance 1: the sum of two uniform numbers
// of 16 bits, a pure function (Philox) of seed, step and walker, the same for all replicas.

import wgsl from "../../../shaders/landscapes/noisy_bowl.wgsl?raw";
import { philox } from "../../base/random.ts";
import { defineLandscape, everywhere, number } from "../../objectives/landscapes/define.ts";

export const noisyBowl = defineLandscape({
  type: "noisyBowl",
  formula: "curvature/2 Σ (xᵢ - drift·t)²; in each slope noise·ξᵢ by seed",
  least: "0 where all xᵢ are drift·t",
  source: "definition",
  wgsl,
  options: {
    dimension: number({ min: 1, max: 2 ** 22, integer: true }, 1),
    curvature: number({ above: 0 }, 1),
    drift: number({}, 0),
    noise: number({ min: 0 }, 1),
    seed: number({ min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }, 0),
  },
  create({ dimension, curvature, drift, noise, seed }) {
    const [low, high] = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    const counter = new Uint32Array(4);
    const words = new Uint32Array(4);
    let [block, at] = [-1, -1];
    const drawn = (i: number, step: number) => {
      // Four walkers that follow each other share a block.
      if (block !== i >>> 2 || at !== step) {
        [block, at] = [i >>> 2, step];
        counter[0] = block;
        counter[1] = step;
        philox(counter, low, high, words);
      }
      const word = words[i % 4]!;
      return Math.sqrt(6) * (((word & 0xffff) + (word >>> 16) + 1) / 65536 - 1);
    };
    return {
      dimension,
      // Halves of words, which float32 holds exactly.
      constants: {
        ...{ curvature, drift, noise },
        ...{ seed_0: low & 0xffff, seed_1: low >>> 16, seed_2: high & 0xffff, seed_3: high >>> 16 },
      },
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
