// base · gamma^t (torch.optim ExponentialLR).
import { defineSchedule, number } from "./define.ts";

/** Multiplies the value by `gamma` at every step. */
export const exponential = defineSchedule({
  type: "exponential",
  formula: "base · gamma^t",
  source: "torch.optim ExponentialLR",
  options: {
    /** The value at step 0. */
    base: number(),
    /** The factor of each step, >= 0. */
    gamma: number({ min: 0 }),
  },
  create: ({ base, gamma }) => ({ at: (step) => base * gamma ** step }),
});
