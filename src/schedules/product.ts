// The product of several schedules: a warm-up times a decay, for example.
import { defineSchedule, schedules } from "./define.ts";

/** Multiplies the values of several schedules. */
export const product = defineSchedule({
  type: "product",
  formula: "Π schedules(t)",
  source: "definition",
  options: {
    /** At least one schedule (or number, or function). */
    schedules,
  },
  create: ({ schedules: parts }) => ({ at: (step) => parts.reduce((value, part) => value * part.at(step), 1) }),
});
