// A batch that grows where a rate would be cut: base · rate(0) / rate(t) as a whole number, at most max (Smith et al. 2018,
// "Don't decay the learning rate, increase the batch size"). batchScaled on top of it gives the rate that belongs to it:
// constant until the batch is at its max, and cut from there on.
import { refusal, show } from "../base/errors.ts";
import { defineSchedule, schedule, valueAt, whole } from "./define.ts";

/** A batch size that grows as `rate` falls. */
export const batchGrowth = defineSchedule({
  type: "batchGrowth",
  formula: "min(max, max(1, round(base · rate(0) / rate(t))))",
  source: "Smith et al. 2018",
  options: {
    /** The batch at step 0; a whole number >= 1. */
    base: whole(1),
    /** The rate's schedule whose cuts the batch takes over: positive at step 0, >= 0 later; where it is 0 the batch is `max`. */
    rate: schedule,
    /** The largest batch; a whole number >= `base`. */
    max: whole(1),
  },
  complete(name, values) {
    const { base, rate, max } = values;
    if (max < base) throw refusal(`${name}.max`, max, `>= base, which is ${show(base)}`);
    valueAt(`${name}.rate`, rate, 0, { above: 0 });
    return values;
  },
  create({ base, rate, max }, name) {
    // The value of a plateau before its first observation; after that, at(0) is no longer this one.
    const first = rate.at(0);
    return {
      at: (step) =>
        Math.min(max, Math.max(1, Math.round((base * first) / valueAt(`${name}.rate`, rate, step, { min: 0 })))),
    };
  },
});
