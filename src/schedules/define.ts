// How a schedule of the registry is written down: each option once, with what it may be and its default. Reading, the
// complete config, what listens in it and the table in docs/schedules.md follow from that.
import { OptionError, show } from "../errors.ts";
import {
  describeRange,
  inRange,
  type Option as PlainOption,
  type Range,
  readArray,
  readBoolean,
  readNumber,
  readObject,
  type Values,
} from "../options.ts";
import type { Schedule, ScheduleDefinition } from "../schedule.ts";

export { choice, number, whole } from "../options.ts";

/** Reads a schedule inside another one. */
type Nested = (name: string, value: unknown) => Schedule;

/** What one option of a schedule may be. */
export interface Option<T> extends PlainOption<T, [nested: Nested]> {
  /** Whether it may be left out though it has no default. */
  readonly optional?: boolean;
  /** The schedules in it; none if not said. */
  parts?(value: T): readonly Schedule[];
  /** As JSON; the value itself if not said. */
  write?(value: T): unknown;
}

type Options = Readonly<Record<string, Option<unknown>>>;

export function flag(standard: boolean): Option<boolean> {
  return { allowed: "true or false", default: standard, read: readBoolean };
}

/** Numbers, at least `fewest`, each greater than the one before. */
export function rising(range: Range, fewest: 0 | 1 = 1): Option<readonly number[]> {
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

/** How many of some rising numbers are at most `limit`, by halving: a schedule may have thousands. */
export function countUpTo(rising: readonly number[], limit: number): number {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rising[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const schedule: Option<Schedule> = {
  allowed: "a number, a schedule or a function of the step",
  read: (name, value, nested) => nested(name, value),
  parts: (value) => [value],
  write: (value) => value.config,
};

export const schedules: Option<readonly Schedule[]> = {
  allowed: "at least one number, schedule or function of the step",
  read(name, value, nested) {
    const parts = readArray(name, value, "schedules").map((part, i) => nested(`${name}[${i}]`, part));
    if (parts.length === 0) throw new OptionError(`${name} is []; it must hold at least one schedule`);
    return parts;
  },
  parts: (value) => value,
  write: (value) => value.map(({ config }) => config),
};

/** An option without a default that need not be given. */
export function optional<T>(option: Option<T>): Option<T | undefined> {
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
  readonly options: O;
  /** Checks what no option can check alone, and fills in what depends on other options. */
  complete?(name: string, values: Values<O>): Values<O>;
  /** `name` is what errors of the running schedule call it. */
  create(values: Values<O>, name: string): Pick<Schedule, "at" | "constant" | "listeners">;
}

export function defineSchedule<O extends Options>(written: Written<O>): ScheduleDefinition {
  const { type, formula, source, complete, create } = written;
  const options: readonly (readonly [string, Option<unknown>])[] = Object.entries(written.options);
  const known = ["type", ...options.map(([option]) => option)];
  return {
    type,
    formula,
    source,
    options: options.map(([name, { allowed, default: standard, optional = false }]) => ({
      name,
      allowed,
      default: standard,
      optional,
    })),
    read(name, config, nested) {
      const fields = readObject(name, config, known);
      const read = Object.fromEntries(
        options.map(([key, option]) => {
          const value = fields[key] === undefined ? option.default : fields[key];
          const isLeftOut = value === undefined && option.optional;
          return [key, isLeftOut ? undefined : option.read(`${name}.${key}`, value, nested)];
        }),
      ) as Values<O>; // each option was read by its own reader
      const values = complete?.(name, read) ?? read;
      const given = options.filter(([key]) => values[key] !== undefined);
      const parts = given.flatMap(([key, option]) => option.parts?.(values[key]) ?? []);
      const listeners = parts.flatMap((part) => part.listeners ?? []);
      return {
        ...(listeners.length > 0 ? { listeners } : {}),
        ...create(values, name),
        config: {
          type,
          ...Object.fromEntries(given.map(([key, option]) => [key, option.write?.(values[key]) ?? values[key]])),
        },
      };
    },
  };
}
