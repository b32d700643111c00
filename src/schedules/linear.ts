// start + (end - start) · min(t, steps) / steps: a ramp, and `end` from step `steps` on (torch.optim LinearLR).
import { defineSchedule, number, whole } from "./define.ts";

/** A straight line from `start` to `end` over `steps` steps, then `end`. */
export const linear = defineSchedule({
  type: "linear",
  formula: "start + (end - start) · min(t, steps) / steps",
  source: "torch.optim LinearLR",
  options: {
    /** The value at step 0. */
    start: number(),
    /** The value at step `steps` and after it. */
    end: number(),
    /** How many steps the ramp takes; a whole number >= 1. */
    steps: whole(1),
  },
  // At the end the formula may round to the far side of `end`: 0.1 - 0.1 · 3 / 3 < 0, which is no rate.
  create: ({ start, end, steps }) => ({
    at: (step) => (step < steps ? start + ((end - start) * step) / steps : end),
  }),
});
