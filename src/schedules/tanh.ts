// min + (base - min) / 2 · (1 - tanh(lower + (upper - lower) · min(t, steps) / steps)): hyperbolic-tangent decay (Hsueh, Li
// and Wu 2019).

import { refusal, show } from "../base/errors.ts";
import { defineSchedule, number, whole } from "./define.ts";

/** Stays near `base`, falls, and flattens towards `min`; after `steps` steps it stays where it is. */
export const tanh = defineSchedule({
  type: "tanh",
  formula: "min + (base - min) / 2 · (1 - tanh(lower + (upper - lower) · min(t, steps) / steps))",
  source: "Hsueh, Li and Wu 2019",
  options: {
    /** The value that it starts from, less 6e-6 of it, since tanh(-6) is not quite -1. */
    base: number(),
    /** The value that it falls towards; with `upper` 3 the end is 0.25 % of the way above it; default 0. */
    min: number({}, 0),
    /** How many steps the decay takes; a whole number >= 1. */
    steps: whole(1),
    /** Where on the hyperbolic tangent it starts; default -6. */
    lower: number({}, -6),
    /** Where on the hyperbolic tangent it ends, > `lower`; default 3. */
    upper: number({}, 3),
  },
  complete(name, values) {
    const { lower, upper } = values;
    if (upper <= lower) {
      throw refusal(`${name}.upper`, upper, `> lower, which is ${show(lower)}`);
    }
    return values;
  },
  create: ({ base, min, steps, lower, upper }) => ({
    at: (step) => min + ((base - min) / 2) * (1 - Math.tanh(lower + ((upper - lower) * Math.min(step, steps)) / steps)),
  }),
});
