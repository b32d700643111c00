// Schedules from JSON: type names become the schedules that the caller knows.
import { OptionError, show } from "../base/errors.ts";
import { type Aliases, meant } from "../base/names.ts";
import { isOptions } from "../base/options.ts";
import { nesting } from "./nesting.ts";
import { isScheduleDefinition, type ScheduleConfig, type ScheduleDefinition, type Scheduled } from "./schedule.ts";

/**
 * Reads a hyper's value from JSON: `{ "type": "cosine", … }` becomes what `cosine(…)` returns, including nested schedules.
 * Numbers, functions and schedule configs stay as they are; options are checked when they are used.
 *
 * @param name Its name in errors.
 * @param options `hint` ends the error about an unknown type; `aliases` are other words for types.
 * @throws OptionError for an unknown type, and for schedules that are nested too deep or too many.
 */
export function scheduleFromJson(
  value: unknown,
  name: string,
  known: readonly ScheduleDefinition[],
  { hint, aliases }: { readonly hint?: (type: unknown) => string; readonly aliases?: Aliases } = {},
): Scheduled {
  const enter = nesting();
  const read = (name: string, value: unknown, depth: number): unknown => {
    if (!isOptions(value)) return value;
    enter(depth);
    const { type, ...options } = value;
    const names = known.map((each) => each.type);
    const definition = known.find((each) => each === type || each.type === meant(type, names, aliases));
    const chosen = definition ?? (isScheduleDefinition(type) ? type : undefined);
    if (!chosen) {
      const types = names.join(", ") || "none";
      throw new OptionError(
        type === undefined
          ? `${name}.type is missing; known schedules are ${types}`
          : `${name}.type is ${show(type)}, which is not a known schedule; the known ones are ${types}${hint?.(type) ?? ""}`,
      );
    }
    const inside = (inner: string, part: unknown) => read(inner, part, depth + 1);
    return { type: chosen, ...chosen.fromJson(name, options, inside) } satisfies ScheduleConfig;
  };
  return read(name, value, 0) as Scheduled;
}

/** The definitions of all schedules that a config is or holds. */
export function definitionsIn(config: unknown): readonly ScheduleDefinition[] {
  if (isScheduleDefinition(config)) return [config];
  return typeof config === "object" && config !== null ? Object.values(config).flatMap(definitionsIn) : [];
}
