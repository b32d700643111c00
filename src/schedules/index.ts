// The registry of schedules, and the one function that turns a hyper's value into a schedule.
import { OptionError, show } from "../errors.ts";
import { deepest, readNumber, readString } from "../options.ts";
import type { Schedule, ScheduleConfig, ScheduleDefinition, Scheduled, ScheduleFunction } from "../schedule.ts";
import { batchGrowthSchedule } from "./batch_growth.ts";
import { batchScaledSchedule } from "./batch_scaled.ts";
import { constantSchedule } from "./constant.ts";
import { cosineSchedule } from "./cosine.ts";
import { cosineRestartsSchedule } from "./cosine_restarts.ts";
import { cyclicSchedule } from "./cyclic.ts";
import { exponentialSchedule } from "./exponential.ts";
import { inverseSqrtSchedule } from "./inverse_sqrt.ts";
import { inverseTimeSchedule } from "./inverse_time.ts";
import { linearSchedule } from "./linear.ts";
import { multiStepSchedule } from "./multi_step.ts";
import { oneCycleSchedule } from "./one_cycle.ts";
import { piecewiseSchedule } from "./piecewise.ts";
import { plateauSchedule } from "./plateau.ts";
import { polynomialSchedule } from "./polynomial.ts";
import { productSchedule } from "./product.ts";
import { scaleSchedule } from "./scale.ts";
import { sequentialSchedule } from "./sequential.ts";
import { stepSchedule } from "./step.ts";
import { stochasticSchedule } from "./stochastic.ts";
import { tanhSchedule } from "./tanh.ts";
import { warmupStableDecaySchedule } from "./warmup_stable_decay.ts";

/** In the order of docs/schedules.md. */
export const scheduleDefinitions: readonly ScheduleDefinition[] = [
  constantSchedule,
  stepSchedule,
  multiStepSchedule,
  exponentialSchedule,
  polynomialSchedule,
  linearSchedule,
  cosineSchedule,
  cosineRestartsSchedule,
  cyclicSchedule,
  oneCycleSchedule,
  inverseTimeSchedule,
  inverseSqrtSchedule,
  tanhSchedule,
  warmupStableDecaySchedule,
  piecewiseSchedule,
  plateauSchedule,
  sequentialSchedule,
  productSchedule,
  scaleSchedule,
  stochasticSchedule,
  batchScaledSchedule,
  batchGrowthSchedule,
];

/** The types of schedule that a config may name. */
export const scheduleTypes: readonly string[] = scheduleDefinitions.map((definition) => definition.type);

/** The version of all configs; what a later one means differently will have another. */
const version = 1;

/**
 * Reads a number, a schedule's config or a function of the step. `name` is what errors call it. A config may say its
 * `version` (1), and the complete config says it then too. Schedules may lie at most 100 deep in each other, and at most
 * 100,000 in one.
 *
 * @throws OptionError for an unknown type, version or option, and for values out of range; and from `at`, where a function
 *   throws or returns no number.
 */
export function createSchedule(value: Scheduled, name = "schedule"): Schedule {
  return read(readString("name", name), value, 0, { left: mostSchedules });
}

/** Schedules that one config may hold, those inside others too. */
const mostSchedules = 100_000;

function read(name: string, value: unknown, depth: number, budget: { left: number }): Schedule {
  if (depth > deepest) {
    throw new OptionError(`a schedule lies ${depth} deep in others; it must lie at most ${deepest} deep`);
  }
  if (budget.left-- === 0) throw new OptionError(`a schedule holds more than ${mostSchedules} others`);
  if (typeof value === "number") {
    readNumber(name, value, {});
    return { config: value, constant: value, at: () => value };
  }
  if (typeof value === "function") return guarded(name, value as ScheduleFunction);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new OptionError(
      `${name} is ${value === undefined ? "missing" : show(value)}; it must be a number, a schedule or a function of the step`,
    );
  }
  const { version: given, ...config } = value as ScheduleConfig;
  const definition = scheduleDefinitions.find((candidate) => candidate.type === config.type);
  if (!definition) {
    throw new OptionError(
      config.type === undefined
        ? `${name}.type is missing; known schedules are ${scheduleTypes.join(", ")}`
        : `${name}.type is ${show(config.type)}, which is not a known schedule; known are ${scheduleTypes.join(", ")}`,
    );
  }
  if (given !== undefined && given !== version) {
    throw new OptionError(`${name}.version is ${show(given)}, which is not a known version; known is ${version}`);
  }
  const nested = (inner: string, part: unknown) => read(inner, part, depth + 1, budget);
  const schedule = definition.read(name, config, nested);
  if (given === undefined) return schedule;
  return { ...schedule, config: { ...(schedule.config as ScheduleConfig), version } };
}

/** A user's function whose mistakes are told as errors that name what it drives and the step. */
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
