// Schedules inside others: how deep they may be nested, and how many one config may hold.
import { OptionError } from "../base/errors.ts";
import { deepest } from "../base/options.ts";

/** Schedules that one config may hold, nested ones included. */
const mostSchedules = 100_000;

/** Called with the depth of each schedule before it is read. @throws OptionError for one too deep or too many. */
export type Enter = (depth: number) => void;

export function nesting(): Enter {
  let left = mostSchedules;
  return (depth) => {
    if (depth > deepest) {
      throw new OptionError(`a schedule is nested ${depth} deep; it must be at most ${deepest} deep`);
    }
    if (left-- === 0) throw new OptionError(`a schedule contains more than ${mostSchedules} others`);
  };
}
