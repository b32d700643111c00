// by · schedule(t): a schedule, higher or lower.
import { defineSchedule, number, schedule } from "./define.ts";

/** Multiplies a schedule by a number. */
export const scale = defineSchedule({
  type: "scale",
  formula: "by · schedule(t)",
  source: "definition",
  options: {
    /** What its values are multiplied by; finite. */
    by: number(),
    /** What is multiplied: a schedule (or number, or function). */
    schedule,
  },
  create: ({ by, schedule }) => ({ at: (step) => by * schedule.at(step) }),
});
