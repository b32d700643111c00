// end + (base - end) · (1 - min(t, steps) / steps)^power (torch.optim PolynomialLR, whose end is 0;
// optax.polynomial_schedule).
import { defineSchedule, number, whole } from "./define.ts";

/** A power of the share of steps left, from `base` to `end` over `steps` steps, then `end`. */
export const polynomial = defineSchedule({
  type: "polynomial",
  formula: "end + (base - end) · (1 - min(t, steps) / steps)^power",
  source: "torch.optim PolynomialLR; optax.polynomial_schedule",
  options: {
    /** The value at step 0. */
    base: number(),
    /** The value at step `steps` and after it; default 0. */
    end: number({}, 0),
    /** How many steps the decay takes; a whole number >= 1. */
    steps: whole(1),
    /** The exponent, > 0; default 1, a straight line. */
    power: number({ above: 0 }, 1),
  },
  create: ({ base, end, steps, power }) => ({
    at: (step) => end + (base - end) * (1 - Math.min(step, steps) / steps) ** power,
  }),
});
