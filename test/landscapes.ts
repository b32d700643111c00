// What the tests of landscapes share: one of each type with every option away from its default, and points on it.

import { Random } from "../src/base/random.ts";
import { beale } from "../src/objectives/landscapes/beale.ts";
import type { Landscape } from "../src/objectives/landscapes/define.ts";
import { himmelblau } from "../src/objectives/landscapes/himmelblau.ts";
import { createLandscape } from "../src/objectives/landscapes/index.ts";
import { logisticMap } from "../src/objectives/landscapes/logistic_map.ts";
import { quadratic } from "../src/objectives/landscapes/quadratic.ts";
import { quartic } from "../src/objectives/landscapes/quartic.ts";
import { rastrigin } from "../src/objectives/landscapes/rastrigin.ts";
import { rosenbrock } from "../src/objectives/landscapes/rosenbrock.ts";
import { saddle } from "../src/objectives/landscapes/saddle.ts";

/** The function form of each type, in the registry's order. */
export const makers = { quadratic, rosenbrock, rastrigin, beale, himmelblau, saddle, quartic, logisticMap };

export const landscapes: readonly Landscape[] = [
  quadratic({ dimension: 5, condition: 30, spacing: "linear", scale: 2, angle: 0.4 }),
  quadratic({ spectrum: [0.5, 0, 3, 7], angle: -1.1 }),
  rosenbrock({ dimension: 4, a: 1.3, b: 20 }),
  rastrigin({ dimension: 3, amplitude: 4 }),
  beale(),
  himmelblau(),
  saddle({ dimension: 5, down: 2, bound: 0.7 }),
  quartic({ dimension: 3 }),
  logisticMap({ dimension: 2 }),
].map((config) => createLandscape(config));

/** Points in the picture's box, the same for the same seed; of later coordinates the box is the second's. */
export function pointsIn({ dimension, domain }: Landscape, count: number, seed = 1): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count * dimension }, (_, e) => {
    const [low, high] = domain[Math.min(1, e % dimension)]!;
    return low + (high - low) * random.uniform();
  });
}
