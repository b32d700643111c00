// The product of several schedules: a warm-up times a decay, for one.
import { typedConfig } from "../forms.ts";
import type { ScheduleConfig, Scheduled } from "../schedule.ts";
import { defineSchedule, schedules } from "./define.ts";

/** What {@link product} takes. */
export interface ProductOptions {
  /** At least one schedule (or number, or function). */
  schedules: readonly Scheduled[];
}

/** Multiplies the values of several schedules. */
export function product(options: ProductOptions): ScheduleConfig {
  return typedConfig("product", options);
}

export const productSchedule = defineSchedule({
  type: "product",
  formula: "Π schedules(t)",
  source: "definition",
  options: { schedules },
  create: ({ schedules: parts }) => ({ at: (step) => parts.reduce((value, part) => value * part.at(step), 1) }),
});
