// value, at every step.
import { readNumber, readObject } from "../options.ts";
import type { ScheduleConfig, ScheduleDefinition } from "../schedule.ts";

export interface ConstantOptions {
  /** The value at every step; finite. */
  value: number;
}

/** The same value at every step. */
export function constant(options: ConstantOptions): ScheduleConfig {
  return { type: "constant", ...options };
}

export const constantSchedule: ScheduleDefinition = {
  type: "constant",
  read(name, config) {
    const fields = readObject(name, config, ["type", "value"]);
    const value = readNumber(`${name}.value`, fields.value, {});
    return { config: { type: "constant", value }, constant: value, at: () => value };
  },
};
