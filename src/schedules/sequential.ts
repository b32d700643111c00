// Schedules one after the other: the i-th runs from milestone i-1 (the first from step 0) to milestone i, and counts its
// own steps from 0 (torch.optim SequentialLR, optax.join_schedules).

import { OptionError, show } from "../base/errors.ts";
import { countUpTo, defineSchedule, rising, schedules } from "./define.ts";

/** Runs `schedules` one after the other, changing at `milestones`. */
export const sequential = defineSchedule({
  type: "sequential",
  formula: "schedules[i](t - milestones[i-1]), where i is how many milestones are <= t and milestones[-1] is 0",
  source: "torch.optim SequentialLR; optax.join_schedules",
  options: {
    /** At least one schedule (or number, or function), in order. */
    schedules,
    /** The steps at which the next schedule takes over; whole numbers >= 1, rising, one fewer than the schedules. */
    milestones: rising({ min: 1, integer: true }, 0),
  },
  complete(name, values) {
    const { milestones, schedules: parts } = values;
    if (milestones.length !== parts.length - 1) {
      throw new OptionError(
        `${name}.milestones is ${show(milestones)}; ${parts.length} schedules need ${parts.length - 1} milestones`,
      );
    }
    return values;
  },
  create: ({ milestones, schedules: parts }) => ({
    at(step) {
      const passed = countUpTo(milestones, step);
      return parts[passed]!.at(passed === 0 ? step : step - milestones[passed - 1]!);
    },
  }),
});
