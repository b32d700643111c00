// start + (end - start) · min(t, steps) / steps: a ramp, and `end` from step `steps` on (torch.optim LinearLR).
import { readNumber, readObject } from "../options.ts";
import type { ScheduleConfig, ScheduleDefinition } from "../schedule.ts";

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
  return { type: "linear", ...options };
}

export const linearSchedule: ScheduleDefinition = {
  type: "linear",
  read(name, config) {
    const fields = readObject(name, config, ["type", "start", "end", "steps"]);
    const start = readNumber(`${name}.start`, fields.start, {});
    const end = readNumber(`${name}.end`, fields.end, {});
    const steps = readNumber(`${name}.steps`, fields.steps, { min: 1, integer: true });
    return {
      config: { type: "linear", start, end, steps },
      at: (step) => start + ((end - start) * Math.min(step, steps)) / steps,
    };
  },
};
