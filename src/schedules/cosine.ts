// min + (base - min) · (1 + cos(π t / steps)) / 2 up to step `steps`, then `min` (Loshchilov and Hutter 2017, SGDR;
// torch.optim CosineAnnealingLR, which we stop at its end instead of letting it rise again).
import { defineSchedule, number, whole } from "./define.ts";

/** Half a cosine from `base` down to `min` over `steps` steps, then `min`. */
export const cosine = defineSchedule({
  type: "cosine",
  formula: "min + (base - min) · (1 + cos(π · min(t, steps) / steps)) / 2",
  source: "Loshchilov and Hutter 2017; torch.optim CosineAnnealingLR up to its end",
  options: {
    /** The value at step 0. */
    base: number(),
    /** The value at step `steps` and after it; default 0. */
    min: number({}, 0),
    /** How many steps the decay takes; a whole number >= 1. */
    steps: whole(1),
  },
  create: ({ base, min, steps }) => ({
    at: (step) => min + ((base - min) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps))) / 2,
  }),
});
