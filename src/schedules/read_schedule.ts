// Reading schedules of the library from JSON. Brings their registry along.
import { scheduleFromJson } from "./from_json.ts";
import { scheduleDefinitions } from "./index.ts";
import type { Scheduled } from "./schedule.ts";

/** As {@link scheduleFromJson}, of every schedule in the library. */
export function readSchedule(value: unknown, name = "schedule"): Scheduled {
  return scheduleFromJson(value, name, scheduleDefinitions);
}
