// Reading the options of modifiers.
import { refusal } from "../base/errors.ts";
import { type Range, readBoolean, readNumber, readObject } from "../base/options.ts";

/** A number in float32's range, since kernels calculate in float32. */
export function readSingle(name: string, value: unknown, range: Range): number {
  const number = readNumber(name, value, range);
  if (!Number.isFinite(Math.fround(number)) || (number !== 0 && number < 2 ** -126)) {
    throw refusal(name, value, "a number that float32 holds, from 2^-126 to 3.4e38");
  }
  return number;
}

/** An object of numbers with defaults and ranges, or nothing. */
export function readNumbers<K extends string>(
  owner: string,
  value: unknown,
  fields: Readonly<Record<K, readonly [number, Range]>>,
): Record<K, number> | undefined {
  if (value === undefined || value === null) return undefined;
  const given = readObject(owner, value, Object.keys(fields));
  return Object.fromEntries(
    Object.entries<readonly [number, Range]>(fields).map(([field, [standard, range]]) => [
      field,
      given[field] === undefined ? standard : readSingle(`${owner}.${field}`, given[field], range),
    ]),
  ) as Record<K, number>;
}

/** true, or nothing. */
export function readSwitch(owner: string, value: unknown): true | undefined {
  return value !== undefined && readBoolean(owner, value) ? true : undefined;
}
