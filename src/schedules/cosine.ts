// min + (base - min) · (1 + cos(π t / steps)) / 2 up to step `steps`, then `min` (Loshchilov and Hutter 2017, SGDR;
// torch.optim CosineAnnealingLR, which we stop at its end instead of letting it rise again).
import { readNumber, readObject } from "../options.ts";
import type { ScheduleConfig, ScheduleDefinition } from "../schedule.ts";

export interface CosineOptions {
  /** The value at step 0. */
  base: number;
  /** The value at step `steps` and after it; default 0. */
  min?: number | undefined;
  /** How many steps the decay takes; a whole number >= 1. */
  steps: number;
}

/** Half a cosine from `base` down to `min` over `steps` steps, then `min`. */
export function cosine(options: CosineOptions): ScheduleConfig {
  return { type: "cosine", ...options };
}

export const cosineSchedule: ScheduleDefinition = {
  type: "cosine",
  read(name, config) {
    const fields = readObject(name, config, ["type", "base", "min", "steps"]);
    const base = readNumber(`${name}.base`, fields.base, {});
    const min = fields.min === undefined ? 0 : readNumber(`${name}.min`, fields.min, {});
    const steps = readNumber(`${name}.steps`, fields.steps, { min: 1, integer: true });
    return {
      config: { type: "cosine", base, min, steps },
      at: (step) => min + ((base - min) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps))) / 2,
    };
  },
};
