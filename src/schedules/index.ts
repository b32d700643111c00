// The registry of schedules, and the one function that turns a hyper's value into a schedule.
import { OptionError, show } from "../errors.ts";
import { readNumber } from "../options.ts";
import type { Schedule, ScheduleConfig, ScheduleDefinition, Scheduled } from "../schedule.ts";
import { constantSchedule } from "./constant.ts";
import { cosineSchedule } from "./cosine.ts";
import { linearSchedule } from "./linear.ts";
import { sequentialSchedule } from "./sequential.ts";

const definitions: readonly ScheduleDefinition[] = [
  constantSchedule,
  linearSchedule,
  cosineSchedule,
  sequentialSchedule,
];

/** The types of schedule that a config may name. */
export const scheduleTypes: readonly string[] = definitions.map((definition) => definition.type);

/**
 * Reads a number, a schedule's config or a function of the step. `name` is what errors call it.
 *
 * @throws OptionError for an unknown type or option, and for values out of range.
 */
export function createSchedule(value: Scheduled, name = "schedule"): Schedule {
  return read(name, value);
}

function read(name: string, value: unknown): Schedule {
  if (typeof value === "number") {
    readNumber(name, value, {});
    return { config: value, constant: value, at: () => value };
  }
  if (typeof value === "function") return { config: value as (step: number) => number, at: value as () => number };
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new OptionError(
      `${name} is ${value === undefined ? "missing" : show(value)}; it must be a number, a schedule or a function of the step`,
    );
  }
  const type = (value as { type?: unknown }).type;
  const definition = definitions.find((candidate) => candidate.type === type);
  if (!definition) {
    throw new OptionError(
      `${name}.type is ${type === undefined ? "missing" : show(type)}, which is not a known schedule; known are ${scheduleTypes.join(", ")}`,
    );
  }
  return definition.read(name, value as ScheduleConfig, read);
}
