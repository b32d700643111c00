// by · schedule(t): a schedule, higher or lower.
import { typedConfig } from "../forms.ts";
import type { ScheduleConfig, Scheduled } from "../schedule.ts";
import { defineSchedule, number, schedule } from "./define.ts";

/** What {@link scale} takes. */
export interface ScaleOptions {
  /** What its values are multiplied by; finite. */
  by: number;
  /** What is multiplied: a schedule (or number, or function). */
  schedule: Scheduled;
}

/** Multiplies a schedule by a number. */
export function scale(options: ScaleOptions): ScheduleConfig {
  return typedConfig("scale", options);
}

export const scaleSchedule = defineSchedule({
  type: "scale",
  formula: "by · schedule(t)",
  source: "definition",
  options: { by: number(), schedule },
  create: ({ by, schedule }) => ({ at: (step) => by * schedule.at(step) }),
});
