// A schedule: a pure function of the 0-based step with a config that rebuilds it. This file holds the types and what turns a
// hyper's value into a schedule; the schedules themselves are in schedules/, one file each.
import { OptionError, refusal, show } from "../base/errors.ts";
import { readNumber, readString } from "../base/options.ts";
import type { Enter } from "./nesting.ts";

/** A schedule's config, as its function makes it: `type` is the schedule, the other fields are its options. */
export interface ScheduleConfig {
  /** The kind of schedule. */
  readonly type: ScheduleDefinition;
  readonly [option: string]: unknown;
}

/** Any function of the 0-based step; it cannot be saved as JSON. */
export type ScheduleFunction = (step: number) => number;

/** What a hyper accepts: a number, a schedule's config, or a function of the 0-based step. */
export type Scheduled = number | ScheduleConfig | ScheduleFunction;

/** The observations of a listener, as plain JSON. */
export type ListenerState = Readonly<Record<string, number | null>>;

/** A quantity measured during a run: its metric, or the largest curvature of its loss. */
export type Observable = (typeof observables)[number];

export const observables = ["metric", "sharpness"] as const;

/** The part of a schedule that depends on measurements of the run instead of the step: a plateau, a curvature. */
export interface Listener {
  /** The quantity that it observes. */
  readonly of: Observable;
  /** Observes the next value of it, which may change the schedule's values from then on. */
  observe(value: number): void;
  /** What must be saved to resume from here; plain JSON. */
  state(): ListenerState;
  /** Restores a saved state. @throws DataError for anything but a state of this listener; nothing is changed then. */
  restore(state: ListenerState): void;
}

/** A schedule that was read and checked. */
export interface Schedule {
  /** The complete config (every default filled in), a plain number for a constant one, or the function itself. */
  readonly config: Scheduled;
  /** The value, where it is the same at every step. */
  readonly constant?: number;
  /** The value at the 0-based step, in float64. */
  at(step: number): number;
  /** Its parts that observe measurements of the run, in the order of the config; absent for a pure function of the step. */
  readonly listeners?: readonly Listener[];
}

/** An option of a schedule as its table shows it (docs/schedules.md). */
export interface ScheduleOption {
  /** In camelCase. */
  readonly name: string;
  /** Its allowed values, in words: "a whole number >= 1". */
  readonly allowed: string;
  /** Its value where the config leaves it out, as JSON; undefined if there is none. */
  readonly default: unknown;
  /** Whether it is optional although it has no default. */
  readonly optional: boolean;
}

/** Reads a schedule inside another one. */
export type Nested<T = Schedule> = (name: string, value: unknown) => T;

/** The value of {@link ScheduleConfig.type}, as defineSchedule returns it. */
export interface ScheduleDefinition {
  /** Its name, as in JSON. */
  readonly type: string;
  /** The value at the 0-based step t, in terms of the options. */
  readonly formula: string;
  /** Where the formula comes from: paper and year, or the library that it follows. */
  readonly source: string;
  /** Its options, in the order in which the docs list them. */
  readonly options: readonly ScheduleOption[];
  /**
   * Checks `config` (errors name `name`) and returns the complete config and the function.
   *
   * @param depth How many schedules it is inside of; default 0.
   * @param enter Called with the depth of each schedule before it is read; by default it refuses 100 and more, and too many.
   */
  read(name: string, config: ScheduleConfig, depth?: number, enter?: Enter): Schedule;
  /** The options of a config in JSON; `nested` reads the schedules inside. */
  fromJson(name: string, options: Readonly<Record<string, unknown>>, nested: Nested<unknown>): Record<string, unknown>;
  /** Its name. */
  toJSON(): string;
}

/** Whether a value is a schedule's definition. */
export function isScheduleDefinition(value: unknown): value is ScheduleDefinition {
  return typeof value === "function" && "formula" in value && "fromJson" in value;
}

/** Whether a config is, or holds anywhere inside, something of a kind. */
export function holds(config: unknown, found: (part: unknown) => boolean): boolean {
  if (found(config)) return true;
  return typeof config === "object" && config !== null && Object.values(config).some((part) => holds(part, found));
}

/** Whether a config is or contains a function of the step, which JSON cannot hold. */
export function holdsFunction(config: unknown): boolean {
  return holds(config, (part) => typeof part === "function" && !("toJSON" in part));
}

/**
 * Makes a schedule from a number, a schedule's config or a function of the step. `name` is its name in errors. A config may have a
 * `version` (1), which the complete config then has too. Schedules may be nested at most 100 deep, and hold at most 100,000
 * others.
 *
 * @throws OptionError for an unknown type, version or option, and for values out of range; and from `at`, where a function
 *   throws or does not return a number.
 */
export function createSchedule(value: Scheduled, name = "schedule"): Schedule {
  return readScheduled(readString("name", name), value);
}

/** {@link createSchedule}, which may be inside other schedules ({@link ScheduleDefinition.read}). */
export function readScheduled(name: string, value: unknown, depth?: number, enter?: Enter): Schedule {
  if (typeof value === "number") {
    readNumber(name, value, {});
    return { config: value, constant: value, at: () => value };
  }
  if (isScheduleDefinition(value)) {
    throw new OptionError(`${name} is the schedule ${value}; it must be called with its options`);
  }
  if (typeof value === "function") return guarded(name, value as ScheduleFunction);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(name, value, "a number, a schedule or a function of the step");
  }
  const definition: unknown = (value as ScheduleConfig).type;
  if (!isScheduleDefinition(definition)) {
    throw refusal(
      `${name}.type`,
      definition,
      "a library schedule: call its function, such as cosine({ base, steps }), or readConfig() for JSON",
    );
  }
  return definition.read(name, value as ScheduleConfig, depth, enter);
}

/** A user's function whose mistakes are reported as errors that name what it drives and the step. */
function guarded(name: string, value: ScheduleFunction): Schedule {
  return {
    config: value,
    at(step) {
      let result: unknown;
      try {
        result = value(step);
      } catch (error) {
        const message = error instanceof Error ? error.message : show(error);
        throw new OptionError(`${name} threw at step ${step}: ${message}`, { cause: error });
      }
      if (typeof result !== "number") {
        throw new OptionError(`${name} returned ${show(result)} at step ${step}; it must return a number`);
      }
      return result;
    },
  };
}
