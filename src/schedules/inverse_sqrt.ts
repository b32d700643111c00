// base · min((t + 1) / warmup, √(warmup / (t + 1))): the schedule of Vaswani et al. 2017 ("Noam"), whose formula for models
// of width d has base = 1 / √(d · warmup).
import { defineSchedule, number, whole } from "./define.ts";

/** Rises in a straight line for `warmup` steps, then falls as 1/√t. */
export const inverseSqrt = defineSchedule({
  type: "inverseSqrt",
  formula: "base · min((t + 1) / warmup, √(warmup / (t + 1)))",
  source: "Vaswani et al. 2017",
  options: {
    /** The highest value, at step `warmup` - 1. */
    base: number(),
    /** How many steps the straight rise takes; a whole number >= 1. */
    warmup: whole(1),
  },
  create: ({ base, warmup }) => ({
    at: (step) => base * Math.min((step + 1) / warmup, Math.sqrt(warmup / (step + 1))),
  }),
});
