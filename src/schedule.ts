// A schedule: a pure function of the 0-based step with a JSON config that rebuilds it. This file holds the type and what
// a schedule's definition must say; the schedules themselves lie in schedules/, one file each.

/** A schedule's config as plain JSON: `type` names the schedule, the other fields are its options. */
export interface ScheduleConfig {
  /** The kind of schedule. */
  readonly type: string;
  readonly [option: string]: unknown;
}

/** Any function of the 0-based step; it cannot be saved as JSON. */
export type ScheduleFunction = (step: number) => number;

/** What a hyper accepts: a number, a schedule's config, or a function of the 0-based step. */
export type Scheduled = number | ScheduleConfig | ScheduleFunction;

/** What a listener has heard, as plain JSON. */
export type ListenerState = Readonly<Record<string, number | null>>;

/** The part of a schedule that depends on a metric of the run instead of the step: a plateau. */
export interface Listener {
  /** Hears the next value of the metric; what the schedule gives from then on may change. */
  observe(metric: number): void;
  /** What must be saved to go on from here; plain JSON. */
  state(): ListenerState;
  /** Takes up a saved state. @throws DataError for what is no state of this listener; nothing is changed then. */
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
  /** What in it hears a metric, in the order of the config; nothing for a pure function of the step. */
  readonly listeners?: readonly Listener[];
}

/** An option of a schedule as its table shows it (docs/schedules.md). */
export interface ScheduleOption {
  readonly name: string;
  /** What it may be, in words: "a whole number >= 1". */
  readonly allowed: string;
  /** Its value where the config does not give it, as JSON; undefined where there is none. */
  readonly default: unknown;
  /** Whether it may be left out though it has no default. */
  readonly optional: boolean;
}

/** One entry of the registry in schedules/index.ts. */
export interface ScheduleDefinition {
  readonly type: string;
  /** The value at the 0-based step t, in terms of the options. */
  readonly formula: string;
  /** Where the formula comes from: paper and year, or the library that it follows. */
  readonly source: string;
  readonly options: readonly ScheduleOption[];
  /** Checks `config` (errors name `name`) and returns the complete config and the function. */
  read(name: string, config: ScheduleConfig, nested: (name: string, value: unknown) => Schedule): Schedule;
}

/** Whether a config is, or holds anywhere inside, something of a kind. */
export function holds(config: unknown, found: (part: unknown) => boolean): boolean {
  if (found(config)) return true;
  return typeof config === "object" && config !== null && Object.values(config).some((part) => holds(part, found));
}

/** Whether a config is, or holds, a function of the step, which JSON has none of. */
export function holdsFunction(config: unknown): boolean {
  return holds(config, (part) => typeof part === "function");
}
