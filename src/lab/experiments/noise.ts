// Noise that an experiment adds to each slope of a landscape: mean 0 and variance 1, the sum of two uniform numbers of 16 bits, a
// pure function (Philox) of seed, step and coordinate, the same for all replicas. shaders/lab/noise.wgsl computes the same.
import wgsl from "../../../shaders/lab/noise.wgsl?raw";
import { philox } from "../../base/random.ts";

/** The same in WGSL, to be put before a landscape's. */
export const noiseText = wgsl;

/** The noise of a seed. */
export interface Noise {
  /** The seed as the kernel reads it, in `setting`: halves of words, which float32 holds exactly. */
  readonly constants: Readonly<Record<"seed_0" | "seed_1" | "seed_2" | "seed_3", number>>;
  /** The noise of coordinate `i` at a step. */
  drawn(i: number, step: number): number;
}

/** @param seed A whole number from 0 to 2⁵³ - 1. */
export function createNoise(seed: number): Noise {
  const [low, high] = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
  const counter = new Uint32Array(4);
  const words = new Uint32Array(4);
  // Replicas draw the same noise, one after the other: that of the last step is kept.
  let [kept, filled, at] = [new Float64Array(1024), 0, -1];
  return {
    constants: { seed_0: low & 0xffff, seed_1: low >>> 16, seed_2: high & 0xffff, seed_3: high >>> 16 },
    drawn(i, step) {
      if (at !== step) [filled, at] = [0, step];
      while (filled <= i) {
        if (filled === kept.length) {
          const longer = new Float64Array(2 * filled);
          longer.set(kept);
          kept = longer;
        }
        counter[0] = filled >>> 2;
        counter[1] = step;
        philox(counter, low, high, words);
        for (const word of words) kept[filled++] = Math.sqrt(6) * (((word & 0xffff) + (word >>> 16) + 1) / 65536 - 1);
      }
      return kept[i]!;
    },
  };
}
