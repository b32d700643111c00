// start + (end - start) · min(t, steps) / steps: a ramp, and `end` from step `steps` on (torch.optim LinearLR).
import { typedConfig } from "../forms.ts";
import type { ScheduleConfig } from "../schedule.ts";
import { defineSchedule, number, whole } from "./define.ts";

/** What {@link linear} takes. */
export interface LinearOptions {
  /** The value at step 0. */
  start: number;
  /** The value at step `steps` and after it. */
  end: number;
  /** How many steps the ramp takes; a whole number >= 1. */
  steps: number;
}

/** A straight line from `start` to `end` over `steps` steps, then `end`. */
export function linear(options: LinearOptions): ScheduleConfig {
  return typedConfig("linear", options);
}

export const linearSchedule = defineSchedule({
  type: "linear",
  formula: "start + (end - start) · min(t, steps) / steps",
  source: "torch.optim LinearLR",
  options: { start: number(), end: number(), steps: whole(1) },
  create: ({ start, end, steps }) => ({ at: (step) => start + ((end - start) * Math.min(step, steps)) / steps }),
});
