// base · gamma^⌊t / every⌋ (torch.optim StepLR): the value is multiplied by gamma after every so many steps.
import { OptionError, show } from "../base/errors.ts";
import { defineSchedule, number, whole } from "./define.ts";
import type { ScheduleConfig } from "./schedule.ts";

/** Halves the value every `every` steps: {@link step} with `gamma` 0.5. */
export function halveEvery(options: {
  /** The value of the first `every` steps. */
  readonly base: number;
  /** How many steps each value lasts; a whole number >= 1. */
  readonly every: number;
}): ScheduleConfig {
  const given = step(options);
  if (given.gamma !== undefined)
    throw new OptionError(`halveEvery was given gamma ${show(given.gamma)}; it must be 0.5`);
  return { ...given, gamma: 0.5 };
}

/** Multiplies the value by `gamma` every `every` steps. */
export const step = defineSchedule({
  type: "step",
  formula: "base · gamma^⌊t / every⌋",
  source: "torch.optim StepLR",
  options: {
    /** The value of the first `every` steps. */
    base: number(),
    /** How many steps each value lasts; a whole number >= 1. */
    every: whole(1),
    /** The factor of the value then, >= 0; default 0.1. */
    gamma: number({ min: 0 }, 0.1),
  },
  create: ({ base, every, gamma }) => ({ at: (step) => base * gamma ** Math.floor(step / every) }),
});
