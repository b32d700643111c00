// The usual courses of a learning rate over a whole run, from its highest value and its length: what the main job takes and
// what a search tries.

import { cosine } from "../schedules/cosine.ts";
import { linear } from "../schedules/linear.ts";
import type { Scheduled } from "../schedules/schedule.ts";
import { sequential } from "../schedules/sequential.ts";
import { warmupStableDecay } from "../schedules/warmup_stable_decay.ts";

/** A linear warm-up over a tenth of the steps, then what follows it. */
function afterWarmup(peak: number, steps: number, rest: (steps: number) => Scheduled): Scheduled {
  if (steps === 1) return peak;
  const warmup = Math.ceil(steps / 10);
  return sequential({
    milestones: [warmup],
    schedules: [linear({ start: peak / warmup, end: peak, steps: warmup }), rest(steps - warmup)],
  });
}

/** A shape of a schedule over a run. */
export type ScheduleShape = "constant" | "cosine" | "linear" | "warmupStableDecay";

/** By name: the highest rate and the run's steps to a schedule. */
export const scheduleShapes: Readonly<Record<ScheduleShape, (peak: number, steps: number) => Scheduled>> = {
  /** The same rate throughout. */
  constant: (peak) => peak,
  /** Warm-up, then half a cosine down to zero. */
  cosine: (peak, steps) => afterWarmup(peak, steps, (rest) => cosine({ base: peak, steps: rest })),
  /** Warm-up, then a straight line down to zero. */
  linear: (peak, steps) => afterWarmup(peak, steps, (rest) => linear({ start: peak, end: 0, steps: rest })),
  /** Warm-up, the highest rate for most of the run, and a fifth of it down to zero. */
  warmupStableDecay: (peak, steps) =>
    afterWarmup(peak, steps, (rest) => {
      const decay = Math.max(1, Math.ceil(steps / 5));
      return warmupStableDecay({ base: peak, stable: Math.max(0, rest - decay), decay });
    }),
};

export const scheduleShapeNames = Object.keys(scheduleShapes) as readonly ScheduleShape[];
