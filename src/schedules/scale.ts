// by · schedule(t): a schedule times a number.
import { defineSchedule, number, schedule } from "./define.ts";

/** Multiplies a schedule by a number. */
export const scale = defineSchedule({
  type: "scale",
  formula: "by · schedule(t)",
  source: "definition",
  options: {
    /** The factor; finite. */
    by: number(),
    /** What is multiplied: a schedule (or number, or function). */
    schedule,
  },
  create: ({ by, schedule }) => ({ at: (step) => by * schedule.at(step) }),
});
