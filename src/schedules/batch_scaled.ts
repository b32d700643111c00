// A rate that scales with the batch: schedule(t) · (batch(t) / baseBatch)^k. k is 1 for SGD (the linear rule of Goyal et al.
// 2017) and 1/2 for Adam and its kin (Krizhevsky 2014; Malladi et al. 2022).
import { choice, defineSchedule, schedule, valueAt, whole } from "./define.ts";

const rules = ["linear", "sqrt"] as const;

const range = { min: 1 };

/** Scales a rate with the batch. */
export const batchScaled = defineSchedule({
  type: "batchScaled",
  formula: "schedule(t) · batch(t) / baseBatch, or schedule(t) · √(batch(t) / baseBatch), by rule",
  source: "Goyal et al. 2017 (linear); Krizhevsky 2014, Malladi et al. 2022 (sqrt)",
  options: {
    /** The rate that suits `baseBatch`: a schedule (or number, or function). */
    schedule,
    /** The batch of each step, >= 1: a number, or a schedule such as {@link batchGrowth}. */
    batch: schedule,
    /** The batch for which the rate was found; a whole number >= 1. */
    baseBatch: whole(1),
    /** "linear": in proportion to the batch; "sqrt": to its square root; default "linear". */
    rule: choice(rules, "linear"),
  },
  complete(name, values) {
    valueAt(`${name}.batch`, values.batch, 0, range);
    return values;
  },
  create: ({ schedule, batch, baseBatch, rule }, name) => ({
    at(step) {
      const times = valueAt(`${name}.batch`, batch, step, range) / baseBatch;
      return schedule.at(step) * (rule === "linear" ? times : Math.sqrt(times));
    },
  }),
});
