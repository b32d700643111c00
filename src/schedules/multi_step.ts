// base · gamma^(milestones that t has reached) (torch.optim MultiStepLR). The milestones are steps, or fractions of a run
// of `steps` steps: 0.3, 0.6 and 0.9 of 60 are the steps 18, 36 and 54.
import { OptionError, show } from "../base/errors.ts";
import { countUpTo, defineSchedule, number, optional, rising, whole } from "./define.ts";

/** Multiplies the value by `gamma` at each milestone. */
export const multiStep = defineSchedule({
  type: "multiStep",
  formula: "base · gamma^(how many milestones are <= t); milestones = round(fractions · steps) where these are given",
  source: "torch.optim MultiStepLR",
  options: {
    /** The value before the first milestone. */
    base: number(),
    /** The steps from which the next value holds; rising whole numbers >= 1. */
    milestones: optional(rising({ min: 1, integer: true })),
    /** The milestones as fractions of `steps`, rounded to whole steps; rising, in (0, 1). */
    fractions: optional(rising({ above: 0, below: 1 })),
    /** The length of the run, a whole number >= 1. */
    steps: optional(whole(1)),
    /** The factor of the value at each milestone, >= 0; default 0.1. */
    gamma: number({ min: 0 }, 0.1),
  },
  complete(name, values) {
    const { milestones, fractions, steps } = values;
    if (milestones && (fractions || steps !== undefined)) {
      const other = fractions ? "fractions" : "steps";
      throw new OptionError(
        `${name}.${other} is ${show(values[other])}; with milestones, which are already steps, it must be left out`,
      );
    }
    if (!milestones && !fractions) {
      throw new OptionError(`${name}.milestones is missing; give it, or fractions and steps instead`);
    }
    if (fractions && steps === undefined) {
      throw new OptionError(`${name}.steps is missing; fractions need the length of the run, a whole number >= 1`);
    }
    return values;
  },
  create({ base, milestones, fractions, steps, gamma }) {
    const cuts = milestones ?? fractions!.map((fraction) => Math.round(fraction * steps!));
    return { at: (step) => base * gamma ** countUpTo(cuts, step) };
  },
});
