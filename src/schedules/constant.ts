// value, at every step.
import { typedConfig } from "../forms.ts";
import type { ScheduleConfig } from "../schedule.ts";
import { defineSchedule, number } from "./define.ts";

/** What {@link constant} takes. */
export interface ConstantOptions {
  /** The value at every step; finite. */
  value: number;
}

/** The same value at every step. */
export function constant(options: ConstantOptions): ScheduleConfig {
  return typedConfig("constant", options);
}

export const constantSchedule = defineSchedule({
  type: "constant",
  formula: "value",
  source: "definition",
  options: { value: number() },
  create: ({ value }) => ({ constant: value, at: () => value }),
});
