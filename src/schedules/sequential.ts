// Schedules one after the other: the i-th runs from milestone i-1 (the first from step 0) to milestone i, and counts its
// own steps from 0 (torch.optim SequentialLR, optax.join_schedules).
import { OptionError, show } from "../errors.ts";
import { readArray, readNumber, readObject } from "../options.ts";
import type { ScheduleConfig, ScheduleDefinition, Scheduled } from "../schedule.ts";

export interface SequentialOptions {
  /** The steps at which the next schedule takes over; whole numbers >= 1, rising, one fewer than the schedules. */
  milestones: readonly number[];
  /** At least one schedule (or number, or function), in order. */
  schedules: readonly Scheduled[];
}

/** Runs `schedules` one after the other, changing at `milestones`. */
export function sequential(options: SequentialOptions): ScheduleConfig {
  return { type: "sequential", ...options };
}

export const sequentialSchedule: ScheduleDefinition = {
  type: "sequential",
  read(name, config, nested) {
    const fields = readObject(name, config, ["type", "milestones", "schedules"]);
    const parts = readArray(`${name}.schedules`, fields.schedules, "schedules").map((part, i) =>
      nested(`${name}.schedules[${i}]`, part),
    );
    const milestones = readArray(`${name}.milestones`, fields.milestones, "steps").map((step, i) =>
      readNumber(`${name}.milestones[${i}]`, step, { min: 1, integer: true }),
    );
    if (parts.length === 0) throw new OptionError(`${name}.schedules is []; it must hold at least one schedule`);
    if (milestones.length !== parts.length - 1) {
      throw new OptionError(
        `${name}.milestones is ${show(milestones)}; ${parts.length} schedules need ${parts.length - 1} milestones`,
      );
    }
    if (milestones.some((step, i) => i > 0 && step <= milestones[i - 1]!)) {
      throw new OptionError(`${name}.milestones is ${show(milestones)}; they must rise`);
    }
    return {
      config: { type: "sequential", milestones, schedules: parts.map((part) => part.config) },
      at(step) {
        const passed = milestones.filter((milestone) => step >= milestone).length;
        return parts[passed]!.at(passed === 0 ? step : step - milestones[passed - 1]!);
      },
    };
  },
};
