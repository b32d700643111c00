// A schedule: a pure function of the 0-based step with a JSON config that rebuilds it. This file holds the type and what
// a schedule's definition must say; the schedules themselves lie in schedules/, one file each.

/** A schedule's config as plain JSON: `type` names the schedule, the other fields are its options. */
export interface ScheduleConfig {
  readonly type: string;
  readonly [option: string]: unknown;
}

/** Any function of the 0-based step; it cannot be saved as JSON. */
export type ScheduleFunction = (step: number) => number;

/** What a hyper accepts: a number, a schedule's config, or a function of the 0-based step. */
export type Scheduled = number | ScheduleConfig | ScheduleFunction;

/** A schedule that was read and checked. */
export interface Schedule {
  /** The complete config (every default filled in), a plain number for a constant one, or the function itself. */
  readonly config: Scheduled;
  /** The value, where it is the same at every step. */
  readonly constant?: number;
  /** The value at the 0-based step, in float64. */
  at(step: number): number;
}

/** One entry of the registry in schedules/index.ts. */
export interface ScheduleDefinition {
  readonly type: string;
  /** Checks `config` (errors name `name`) and returns the complete config and the function. */
  read(name: string, config: ScheduleConfig, nested: (name: string, value: unknown) => Schedule): Schedule;
}
