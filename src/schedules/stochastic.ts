// A schedule times noise around 1. The noise is a function of seed and step alone (Philox, random.ts), so a step has the
// same value whenever and in whatever order it is evaluated.

import { OptionError, show } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { choice, defineSchedule, number, schedule } from "./define.ts";

const distributions = ["normal", "uniform", "logNormal"] as const;

/** A schedule with seeded noise. */
export const stochastic = defineSchedule({
  type: "stochastic",
  formula:
    "schedule(t) · max(0, 1 + amount · z), schedule(t) · (1 + amount · u) or schedule(t) · e^(amount · z) by distribution; z is standard normal, u uniform in [-1, 1)",
  source: "definition; Salmon et al. 2011 (Philox)",
  options: {
    /** The schedule (or number, or function) to which noise is added. */
    schedule,
    /** How strong it is: the standard deviation of the factor (of its logarithm with "logNormal"), or half the width of "uniform", then <= 1; >= 0; default 0.1. */
    amount: number({ min: 0 }, 0.1),
    /** Default "normal", cut off at 0, so that a value never changes its sign. */
    distribution: choice(distributions, "normal"),
    /** A whole number in [0, 2^53); default 0. Two hypers with one seed have the same noise. */
    seed: number({ min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }, 0),
  },
  complete(name, values) {
    const { amount, distribution } = values;
    if (distribution === "uniform" && amount > 1) {
      throw new OptionError(`${name}.amount is ${show(amount)}; with a uniform distribution it must be <= 1`);
    }
    return values;
  },
  create({ schedule, amount, distribution, seed }) {
    const factor = {
      normal: (random: Random) => Math.max(0, 1 + amount * random.normal()),
      uniform: (random: Random) => 1 + amount * (2 * random.uniform() - 1),
      logNormal: (random: Random) => Math.exp(amount * random.normal()),
    }[distribution];
    return { at: (step) => schedule.at(step) * factor(new Random(seed, step)) };
  },
});
