// base / (1 + decay · t): the 1/t decay of Robbins and Monro 1951.
import { typedConfig } from "../forms.ts";
import type { ScheduleConfig } from "../schedule.ts";
import { defineSchedule, number } from "./define.ts";

/** What {@link inverseTime} takes. */
export interface InverseTimeOptions {
  /** The value at step 0. */
  base: number;
  /** How fast it falls: after 1 / `decay` steps it is half of `base`; >= 0. */
  decay: number;
}

/** Falls as 1/t. */
export function inverseTime(options: InverseTimeOptions): ScheduleConfig {
  return typedConfig("inverseTime", options);
}

export const inverseTimeSchedule = defineSchedule({
  type: "inverseTime",
  formula: "base / (1 + decay · t)",
  source: "Robbins and Monro 1951",
  options: { base: number(), decay: number({ min: 0 }) },
  create: ({ base, decay }) => ({ at: (step) => base / (1 + decay * step) }),
});
