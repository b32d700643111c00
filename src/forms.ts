// The function forms of landscapes: the config of a type with its options.
import { OptionError, show } from "./errors.ts";
import { isOptions } from "./options.ts";
import type { ScheduleConfig } from "./schedule.ts";

/**
 * The config of a type with its options.
 *
 * @throws OptionError for options that are no object, or are those of another type.
 */
export function typedConfig(type: string, options: unknown): ScheduleConfig {
  if (options !== undefined && !isOptions(options)) {
    throw new OptionError(`${type} was given ${show(options)}; it must be an object of its options`);
  }
  if (options?.type !== undefined && options.type !== type) {
    throw new OptionError(
      `${type} was given options whose type is ${show(options.type)}; it must be "${type}" or left out`,
    );
  }
  return { ...options, type };
}
