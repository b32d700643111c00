// The usual shapes of a learning rate over a whole run, from its highest value and its length: those that the main job uses and
// a search tries.

import { cosine } from "../schedules/cosine.ts";
import { linear } from "../schedules/linear.ts";
import type { Scheduled } from "../schedules/schedule.ts";
import { sequential } from "../schedules/sequential.ts";
import { warmupStableDecay } from "../schedules/warmup_stable_decay.ts";

/** A linear warm-up over a tenth of the steps, then `rest`. */
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

/** By name: a schedule from the highest rate and the run's steps. */
export const scheduleShapes: Readonly<Record<ScheduleShape, (peak: number, steps: number) => Scheduled>> = {
  /** The same rate throughout. */
  constant: (peak) => peak,
  /** Warm-up, then half a cosine down to zero. */
  cosine: (peak, steps) => afterWarmup(peak, steps, (rest) => cosine({ base: peak, steps: rest })),
  /** Warm-up, then a straight line down to zero. */
  linear: (peak, steps) => afterWarmup(peak, steps, (rest) => linear({ start: peak, end: 0, steps: rest })),
  /** Warm-up, the highest rate for most of the run, and down to zero over its last fifth. */
  warmupStableDecay: (peak, steps) =>
    afterWarmup(peak, steps, (rest) => {
      const decay = Math.max(1, Math.ceil(steps / 5));
      return warmupStableDecay({ base: peak, stable: Math.max(0, rest - decay), decay });
    }),
};

export const scheduleShapeNames = Object.keys(scheduleShapes) as readonly ScheduleShape[];
