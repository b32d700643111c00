// Reading options: the one place where ranges are checked. Each reader takes the option's full name, so that its error
// names the option, the value and what is allowed. Used by rules, schedules, models, run configs and the CLI.
import { OptionError, refusal, show } from "./errors.ts";
import { meant } from "./names.ts";

/** The allowed range of a number. `min`/`max` are inclusive, `above`/`below` exclusive; NaN and infinities are never allowed. */
export interface Range {
  /** The least allowed value. */
  readonly min?: number;
  /** The greatest allowed value. */
  readonly max?: number;
  /** A value that must be exceeded. */
  readonly above?: number;
  /** A value that must not be reached. */
  readonly below?: number;
  /** Whether only whole numbers are allowed. */
  readonly integer?: boolean;
}

/** "a whole number >= 1", "a number in [0, 1)" … */
export function describeRange(range: Range): string {
  const noun = range.integer ? "a whole number" : "a finite number";
  const low = range.min ?? range.above;
  const high = range.max ?? range.below;
  const lowSign = range.min !== undefined ? ">=" : ">";
  if (low === undefined && high === undefined) return noun;
  if (high === undefined) return `${noun} ${lowSign} ${low}`;
  if (low === undefined) return `${noun} ${range.max !== undefined ? "<=" : "<"} ${high}`;
  return `${noun} in ${range.min !== undefined ? "[" : "("}${low}, ${high}${range.max !== undefined ? "]" : ")"}`;
}

export function inRange(value: number, range: Range): boolean {
  return (
    Number.isFinite(value) &&
    (!range.integer || Number.isInteger(value)) &&
    !(range.min !== undefined && value < range.min) &&
    !(range.max !== undefined && value > range.max) &&
    !(range.above !== undefined && value <= range.above) &&
    !(range.below !== undefined && value >= range.below)
  );
}

export function readNumber(name: string, value: unknown, range: Range): number {
  if (typeof value !== "number" || !inRange(value, range)) throw refusal(name, value, describeRange(range));
  return value;
}

export function readBoolean(name: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw refusal(name, value, "true or false");
  return value;
}

/**
 * One of several names; case, dashes and underscores do not matter.
 *
 * @param hint Ends the error about any other value.
 */
export function readChoice<T extends string>(
  name: string,
  value: unknown,
  allowed: readonly T[],
  hint?: (value: unknown) => string,
): T {
  const found = meant(value, allowed);
  if (found !== undefined) return found;
  throw refusal(name, value, `one of ${allowed.join(", ")}${hint?.(value) ?? ""}`);
}

/** Whether a value is an object of fields, not an array, map, promise or anything else with other contents. */
export function isOptions(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/**
 * A plain object whose fields are all known; unknown fields are errors, so that a misspelt option never passes.
 *
 * @param hint Ends the error about an unknown field.
 */
export function readObject(
  name: string,
  value: unknown,
  known: readonly string[],
  hint?: (key: string) => string,
): Record<string, unknown> {
  if (!isOptions(value)) throw refusal(name, value, `an object with ${known.join(", ")}`);
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      throw new OptionError(
        `${name} has an unknown option "${key}"; the options are ${[...new Set(known)].join(", ")}${hint?.(key) ?? ""}`,
      );
    }
  }
  return value;
}

/** An object with any field names; {@link readObject} reads one whose names are known. */
export function readRecord<T extends object>(name: string, value: T, of: string): T {
  if (isOptions(value)) return value;
  throw refusal(name, value, `an object of ${of}`);
}

/** An array; holes become undefined, so that no reader skips them. */
export function readArray(name: string, value: unknown, of: string): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw refusal(name, value, `an array of ${of}`);
  }
  return [...value];
}

/** An array of numbers, typed or not. One that is not typed may hold anything; a word among the numbers would become NaN. */
export function readNumbers(name: string, data: ArrayLike<number>): ArrayLike<number> {
  if (ArrayBuffer.isView(data) && !(data instanceof DataView)) {
    if (!(data instanceof BigInt64Array || data instanceof BigUint64Array)) return data;
    throw refusal(name, data, "an array of numbers, not of bigints");
  }
  if (!Array.isArray(data)) throw refusal(name, data, "an array of numbers");
  const bad = data.findIndex((value) => typeof value !== "number");
  if (bad >= 0) throw new OptionError(`${name} holds ${show(data[bad])} at ${bad}; it must be an array of numbers`);
  return data;
}

/** The `typeof` of each member that something must have; "array" and "object" are distinct, and null is neither. */
export type Members = Readonly<Record<string, "function" | "number" | "string" | "boolean" | "array" | "object">>;

/**
 * An argument recognised by its members: an engine, an optimizer, a data set, including those made elsewhere.
 *
 * @param allowed What it must be, in words.
 */
export function readMade<T>(name: string, value: T, allowed: string, members: Members): T {
  const given: unknown = value;
  if ((typeof given !== "object" && typeof given !== "function") || given === null) {
    throw refusal(name, given, allowed);
  }
  for (const [member, kind] of Object.entries(members)) {
    const part = (given as Readonly<Record<string, unknown>>)[member];
    if (kindOf(part) === kind) continue;
    throw refusal(`${name} is ${show(given)}, whose ${member}`, part, allowed);
  }
  return value;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** A function, or undefined if left out. */
export function readListener<T>(name: string, value: T): T {
  if (value === undefined || typeof value === "function") return value;
  throw refusal(name, value, "a function");
}

/** The AbortSignal that stops a run, or undefined if left out. */
export function readSignal<T>(name: string, value: T): T {
  if (value === undefined) return value;
  return readMade(name, value, "an AbortSignal", { aborted: "boolean" });
}

export function readString(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw refusal(name, value, "a string");
}

/** The bytes of a file: a Uint8Array (Node's Buffer is one), or an ArrayBuffer as fetch and files give it. */
export function readBytes(name: string, value: Uint8Array | ArrayBuffer): Uint8Array {
  const bytes = bytesOf(value);
  if (bytes) return bytes;
  throw refusal(name, value, "a Uint8Array or an ArrayBuffer");
}

/** A value that {@link readBytes} takes, as a Uint8Array over the same memory; undefined for anything else. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

/** Refuses arguments of a function that takes none: they would be ignored. */
export function readNothing(name: string, given: readonly unknown[]): void {
  const first = given.find((value) => value !== undefined);
  if (first !== undefined) throw new OptionError(`${name} was given ${show(first)}; it takes nothing`);
}

/**
 * An option of a definition: its allowed values, and how it is read.
 *
 * @typeParam T Its type once read.
 * @typeParam Context What its reader needs besides the value.
 * @typeParam Given Its type in a config.
 */
export interface Option<T, Context extends readonly unknown[] = [], Given = T> {
  /** Its allowed values, in words. */
  readonly allowed: string;
  /** Absent if the option is required, or undefined when left out. */
  readonly default?: unknown;
  /** Whether it may be left out though it has no default. */
  readonly optional?: boolean;
  /** The value; errors call it `name`. @throws OptionError for a value that is not allowed. */
  read(name: string, value: unknown, ...context: Context): T;
  /** Never set; it carries the type. */
  readonly given?: Given;
}

/** An option that may be left out. */
export type Defaulted<O> = O & { readonly default: NonNullable<unknown> };

/** The values of options that were read. */
export type Values<O extends Readonly<Record<string, { read(...given: never): unknown }>>> = {
  readonly [K in keyof O]: ReturnType<O[K]["read"]>;
};

type Given<O> = O extends { readonly given?: infer G } ? Exclude<G, undefined> : never;

type Omittable<Os> = {
  [K in keyof Os]: Os[K] extends { readonly default: NonNullable<unknown> } | { readonly optional: true } ? K : never;
}[keyof Os];

/** The options of a definition as a config gives them, each with its docstring. */
export type OptionsOf<Os> = {
  readonly [K in keyof Pick<Os, Exclude<keyof Os, Omittable<Os>>>]: Given<Os[K]>;
} & { readonly [K in keyof Pick<Os, Omittable<Os>>]?: Given<Os[K]> | undefined };

export function number(range?: Range): Option<number>;
export function number(range: Range, standard: number): Defaulted<Option<number>>;
export function number(range: Range = {}, standard?: number): Option<number> {
  return { allowed: describeRange(range), default: standard, read: (name, value) => readNumber(name, value, range) };
}

export function whole(min: number): Option<number>;
export function whole(min: number, standard: number): Defaulted<Option<number>>;
export function whole(min: number, standard?: number): Option<number> {
  const range = { min, integer: true };
  return standard === undefined ? number(range) : number(range, standard);
}

export function flag(standard: boolean): Defaulted<Option<boolean>> {
  return { allowed: "true or false", default: standard, read: readBoolean };
}

export function choice<T extends string>(names: readonly T[], standard: T): Defaulted<Option<T>> {
  return {
    allowed: names.map((name) => JSON.stringify(name)).join(", "),
    default: standard,
    read: (name, value) => readChoice(name, value, names),
  };
}

/** Gives a function the fields of its definition, and its name. */
export function defineFields<T extends object>(target: T, name: string, fields: object): T {
  for (const [field, value] of Object.entries({ ...fields, name })) {
    Object.defineProperty(target, field, { value, enumerable: field !== "toString" });
  }
  return target;
}

/**
 * The options that a definition's function was given.
 *
 * @throws OptionError for options that are not an object, or belong to another type.
 */
export function readTyped(type: string, definition: unknown, options: unknown): Record<string, unknown> {
  if (options === undefined) return {};
  if (!isOptions(options)) {
    throw new OptionError(`${type} was given ${show(options)}; it must be an object of its options`);
  }
  if (options.type !== undefined && options.type !== definition) {
    throw refusal(`${type} was given options whose type`, options.type, `${type} or left out`);
  }
  return options;
}

/** How deeply arrays and objects of a config may be nested. */
export const deepest = 100;

/** Whether a value is nested deeper than `most`, or contains itself. */
export function isDeep(value: unknown, most = deepest): boolean {
  // Level by level, since recursion could overflow the stack; a value that occurs twice in a level is visited once.
  let level = new Set<unknown>([value]);
  for (let depth = 0; level.size > 0; depth++) {
    if (depth > most) return true;
    const next = new Set<unknown>();
    for (const parent of level) {
      if (typeof parent !== "object" || parent === null || ArrayBuffer.isView(parent)) continue;
      for (const part of Object.values(parent)) if (typeof part === "object" && part !== null) next.add(part);
    }
    level = next;
  }
  return false;
}

/**
 * A config with lists and objects of its own, so that changes of one do not reach the other. What is made elsewhere (functions,
 * instances, models) stays, and so does a config that {@link isDeep}.
 */
export function copied<T>(value: T): T {
  return isPlain(value) && !isDeep(value) ? copyOf(value) : value;
}

function copyOf<T>(value: T): T {
  if (!isPlain(value)) return value;
  if (Array.isArray(value)) return [...value].map(copyOf) as T;
  return Object.fromEntries(Object.entries(value as object).map(([key, part]) => [key, copyOf(part)])) as T;
}

/** A list, or an object written down as a literal; not one with a program. */
function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return true;
  if (!isOptions(value) || "program" in value) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
