// How a schedule of the registry is defined: each option once, with its range and default. Reading, the complete config, its
// listeners and the table in docs/schedules.md follow from that.
import { OptionError, show } from "../base/errors.ts";
import {
  defineFields,
  describeRange,
  inRange,
  type Option,
  type OptionsOf,
  type Range,
  readArray,
  readNumber,
  readObject,
  readTyped,
  type Values,
} from "../base/options.ts";
import { nesting } from "./nesting.ts";
import {
  type Nested,
  readScheduled,
  type Schedule,
  type ScheduleConfig,
  type ScheduleDefinition,
  type Scheduled,
} from "./schedule.ts";

export { choice, flag, number, whole } from "../base/options.ts";

/** An option of a schedule. */
export interface NestedOption<T, Given = T> extends Option<T, [nested: Nested], Given> {
  /** The schedules in it; default none. */
  parts?(value: T): readonly Schedule[];
  /** Its form in a config; default the value itself. */
  write?(value: T): unknown;
  /** Reads it from JSON, if it contains schedules. */
  fromJson?(name: string, value: unknown, nested: Nested<unknown>): unknown;
}

type Options = Readonly<Record<string, NestedOption<unknown>>>;

/** Numbers, at least `fewest`, each greater than the one before. */
export function rising(range: Range, fewest: 0 | 1 = 1): NestedOption<readonly number[]> {
  return {
    allowed: `rising numbers, each ${describeRange(range)}`,
    read(name, value) {
      const numbers = readArray(name, value, "rising numbers").map((one, i) => readNumber(`${name}[${i}]`, one, range));
      if (numbers.length < fewest) throw new OptionError(`${name} is []; it must hold at least one number`);
      if (!rises(numbers)) throw new OptionError(`${name} is ${show(numbers)}; they must rise`);
      return numbers;
    },
  };
}

export function rises(numbers: readonly number[]): boolean {
  return numbers.every((one, i) => i === 0 || one > numbers[i - 1]!);
}

/** How many of some rising numbers are at most `limit`, by bisection: a schedule may have thousands. */
export function countUpTo(rising: readonly number[], limit: number): number {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rising[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const schedule: NestedOption<Schedule, Scheduled> = {
  allowed: "a number, a schedule or a function of the step",
  read: (name, value, nested) => nested(name, value),
  parts: (value) => [value],
  write: (value) => value.config,
  fromJson: (name, value, nested) => nested(name, value),
};

export const schedules: NestedOption<readonly Schedule[], readonly Scheduled[]> = {
  allowed: "at least one number, schedule or function of the step",
  read(name, value, nested) {
    const parts = readArray(name, value, "schedules").map((part, i) => nested(`${name}[${i}]`, part));
    if (parts.length === 0) throw new OptionError(`${name} is []; it must hold at least one schedule`);
    return parts;
  },
  parts: (value) => value,
  write: (value) => value.map(({ config }) => config),
  fromJson: (name, value, nested) =>
    Array.isArray(value) ? value.map((part, i) => nested(`${name}[${i}]`, part)) : value,
};

/** An optional option without a default. */
export function optional<T>(option: NestedOption<T>): NestedOption<T | undefined, T> & { readonly optional: true } {
  return { allowed: option.allowed, optional: true, read: (name, value, nested) => option.read(name, value, nested) };
}

/**
 * The value of a schedule inside another one.
 *
 * @throws OptionError that names it and the step where it is out of range.
 */
export function valueAt(name: string, part: Schedule, step: number, range: Range): number {
  const value = part.at(step);
  if (!inRange(value, range)) {
    throw new OptionError(`${name} is ${show(value)} at step ${step}; it must be ${describeRange(range)}`);
  }
  return value;
}

interface Written<O extends Options> extends Pick<ScheduleDefinition, "type" | "formula" | "source"> {
  /** The comment of each documents the option. */
  readonly options: O;
  /** Checks options against each other, and fills in those that depend on others. */
  complete?(name: string, values: Values<O>): Values<O>;
  /** `name` is the schedule's name in errors while it runs. */
  create(values: Values<O>, name: string): Pick<Schedule, "at" | "constant" | "listeners">;
}

/** A schedule: its definition, and the function that makes its config from its options. */
export interface ScheduleFunctionOf<O> extends ScheduleDefinition {
  (options: OptionsOf<O>): ScheduleConfig;
}

/** The version of all schedules' configs; it changes when a meaning does. */
const scheduleVersion = 1;

/** @throws OptionError, when called, for anything but an object of options; the options are checked when they are read. */
export function defineSchedule<O extends Options>(written: Written<O>): ScheduleFunctionOf<O> {
  const { type, formula, source, complete, create } = written;
  const options: readonly (readonly [string, NestedOption<unknown>])[] = Object.entries(written.options);
  const known = ["type", ...options.map(([option]) => option)];
  const schedule = (given: unknown) => ({ ...readTyped(type, schedule, given), type: schedule });
  const definition: ScheduleDefinition = {
    type,
    formula,
    source,
    options: options.map(([name, { allowed, default: standard, optional = false }]) => ({
      name,
      allowed,
      default: standard,
      optional,
    })),
    read(name, { version, ...given }, depth = 0, enter = nesting()) {
      if (depth === 0) enter(depth);
      if (version !== undefined && version !== scheduleVersion) {
        throw new OptionError(
          `${name}.version is ${show(version)}, which is not a known version; the only one is ${scheduleVersion}`,
        );
      }
      const nested: Nested = (inner, part) => {
        enter(depth + 1);
        return readScheduled(inner, part, depth + 1, enter);
      };
      const fields = readObject(name, given, known);
      const read = Object.fromEntries(
        options.map(([key, option]) => {
          const value = fields[key] === undefined ? option.default : fields[key];
          const isLeftOut = value === undefined && option.optional;
          return [key, isLeftOut ? undefined : option.read(`${name}.${key}`, value, nested)];
        }),
      ) as Values<O>; // each option was read by its own reader
      const values = complete?.(name, read) ?? read;
      const chosen = options.filter(([key]) => values[key] !== undefined);
      const parts = chosen.flatMap(([key, option]) => option.parts?.(values[key]) ?? []);
      const listeners = parts.flatMap((part) => part.listeners ?? []);
      const config = Object.fromEntries(
        chosen.map(([key, option]) => [key, option.write?.(values[key]) ?? values[key]]),
      );
      return {
        ...(listeners.length > 0 ? { listeners } : {}),
        ...create(values, name),
        config: {
          type: schedule as unknown as ScheduleDefinition,
          ...config,
          ...(version === undefined ? {} : { version }),
        },
      };
    },
    fromJson: (name, config, nested) =>
      Object.fromEntries(
        Object.entries(config).map(([key, value]) => {
          const from = options.find(([option]) => option === key)?.[1].fromJson;
          return [key, from && value !== undefined ? from(`${name}.${key}`, value, nested) : value];
        }),
      ),
    toJSON: () => type,
  };
  return defineFields(schedule, type, { ...definition, toString: () => type }) as unknown as ScheduleFunctionOf<O>;
}
