// base · gamma^t (torch.optim ExponentialLR).
import { typedConfig } from "../forms.ts";
import type { ScheduleConfig } from "../schedule.ts";
import { defineSchedule, number } from "./define.ts";

/** What {@link exponential} takes. */
export interface ExponentialOptions {
  /** The value at step 0. */
  base: number;
  /** What each step multiplies the value by, >= 0. */
  gamma: number;
}

/** Multiplies the value by `gamma` at every step. */
export function exponential(options: ExponentialOptions): ScheduleConfig {
  return typedConfig("exponential", options);
}

export const exponentialSchedule = defineSchedule({
  type: "exponential",
  formula: "base · gamma^t",
  source: "torch.optim ExponentialLR",
  options: { base: number(), gamma: number({ min: 0 }) },
  create: ({ base, gamma }) => ({ at: (step) => base * gamma ** step }),
});
