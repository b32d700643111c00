// base / (1 + decay · t): the 1/t decay of Robbins and Monro 1951.
import { defineSchedule, number } from "./define.ts";

/** Falls as 1/t. */
export const inverseTime = defineSchedule({
  type: "inverseTime",
  formula: "base / (1 + decay · t)",
  source: "Robbins and Monro 1951",
  options: {
    /** The value at step 0. */
    base: number(),
    /** How fast it falls: after 1 / `decay` steps it is half of `base`; >= 0. */
    decay: number({ min: 0 }),
  },
  create: ({ base, decay }) => ({ at: (step) => base / (1 + decay * step) }),
});
