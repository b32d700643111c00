// Reads the library's schedules from JSON. Bundles their whole registry.
import { readString } from "../base/options.ts";
import { didYouMean } from "../base/words.ts";
import { scheduleFromJson } from "./from_json.ts";
import { scheduleAliases, scheduleDefinitions, scheduleTypes } from "./index.ts";
import type { Scheduled } from "./schedule.ts";

/**
 * A schedule, or hyper, from JSON: names of the library's schedules become their definitions.
 *
 * @param name Its name in errors.
 * @throws OptionError for anything but a schedule of the library, and for too many or too deeply nested ones.
 */
export function readSchedule(value: unknown, name = "schedule"): Scheduled {
  return scheduleFromJson(value, readString("name", name), scheduleDefinitions, {
    hint: (type) => didYouMean(type, scheduleTypes),
    aliases: scheduleAliases,
  });
}
