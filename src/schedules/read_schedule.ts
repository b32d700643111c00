// Reading schedules from JSON: the names of their types become the schedules. Brings the registry of schedules along.
import { OptionError, show } from "../base/errors.ts";
import { deepest, isOptions } from "../base/options.ts";
import { scheduleDefinitions, scheduleTypes } from "./index.ts";
import { isScheduleDefinition, mostSchedules, type ScheduleConfig, type Scheduled } from "./schedule.ts";

/**
 * What a hyper takes, from JSON: `{ "type": "cosine", … }` becomes what `cosine(…)` returns, schedules inside others too.
 * Numbers, functions and what is a schedule's config already stay as they are; options are checked where they are used.
 *
 * @param name What errors call it.
 * @throws OptionError for an unknown type, and for schedules that lie too deep in each other or are too many.
 */
export function readSchedule(value: unknown, name = "schedule"): Scheduled {
  return read(name, value, 0, { left: mostSchedules }) as Scheduled;
}

function read(name: string, value: unknown, depth: number, budget: { left: number }): unknown {
  if (!isOptions(value)) return value;
  if (depth > deepest) {
    throw new OptionError(`a schedule lies ${depth} deep in others; it must lie at most ${deepest} deep`);
  }
  if (budget.left-- === 0) throw new OptionError(`a schedule holds more than ${mostSchedules} others`);
  const { type, ...options } = value;
  const definition = scheduleDefinitions.find((each) => each === type || each.type === type);
  const own = definition ?? (isScheduleDefinition(type) ? type : undefined);
  if (!own) {
    throw new OptionError(
      type === undefined
        ? `${name}.type is missing; known schedules are ${scheduleTypes.join(", ")}`
        : `${name}.type is ${show(type)}, which is not a known schedule; known are ${scheduleTypes.join(", ")}`,
    );
  }
  const inside = (inner: string, part: unknown) => read(inner, part, depth + 1, budget);
  return { type: own, ...own.fromJson(name, options, inside) } satisfies ScheduleConfig;
}
