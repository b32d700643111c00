// value, at every step.
import { defineSchedule, number } from "./define.ts";

/** The same value at every step. */
export const constant = defineSchedule({
  type: "constant",
  formula: "value",
  source: "definition",
  options: {
    /** The value at every step; finite. */
    value: number(),
  },
  create: ({ value }) => ({ constant: value, at: () => value }),
});
