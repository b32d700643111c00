// end + (base - end) · (1 - min(t, steps) / steps)^power (torch.optim PolynomialLR, whose end is 0;
// optax.polynomial_schedule).
import { typedConfig } from "../forms.ts";
import type { ScheduleConfig } from "../schedule.ts";
import { defineSchedule, number, whole } from "./define.ts";

/** What {@link polynomial} takes. */
export interface PolynomialOptions {
  /** The value at step 0. */
  base: number;
  /** The value at step `steps` and after it; default 0. */
  end?: number | undefined;
  /** How many steps the decay takes; a whole number >= 1. */
  steps: number;
  /** The exponent, > 0; default 1, a straight line. */
  power?: number | undefined;
}

/** A power of the share of steps left, from `base` to `end` over `steps` steps, then `end`. */
export function polynomial(options: PolynomialOptions): ScheduleConfig {
  return typedConfig("polynomial", options);
}

export const polynomialSchedule = defineSchedule({
  type: "polynomial",
  formula: "end + (base - end) · (1 - min(t, steps) / steps)^power",
  source: "torch.optim PolynomialLR; optax.polynomial_schedule",
  options: { base: number(), end: number({}, 0), steps: whole(1), power: number({ above: 0 }, 1) },
  create: ({ base, end, steps, power }) => ({
    at: (step) => end + (base - end) * (1 - Math.min(step, steps) / steps) ** power,
  }),
});
