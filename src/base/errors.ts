// The errors of the library: one base class, so that a caller can distinguish refusals from bugs, and three kinds. Every
// message is one sentence that names what was given and what is allowed.

/** Base of every error that fallline throws on purpose. */
export class FalllineError extends Error {
  /** The class's name, which identifies errors across several copies of the library. */
  override name = "FalllineError";

  /** A message that is not a string is formatted as values in errors are. */
  constructor(message?: string, options?: ErrorOptions) {
    super(message === undefined || typeof message === "string" ? message : show(message), options);
  }
}

/** A bad option, config or argument; thrown before anything is changed. */
export class OptionError extends FalllineError {
  /** "OptionError". */
  override name = "OptionError";
}

/** A file or buffer whose content violates its format (IDX, safetensors, replay). */
export class DataError extends FalllineError {
  /** "DataError". */
  override name = "DataError";
}

/** Something the GPU device cannot do or no longer does: limits, shader compilation, loss, use after `destroy`. */
export class DeviceError extends FalllineError {
  /** "DeviceError". */
  override name = "DeviceError";
}

/** The most characters of a value that an error shows. */
/** Why a reader refuses a value, in one sentence: `lr is -1; it must be a finite number >= 0`. */
export function refusal(
  name: string,
  value: unknown,
  allowed: string,
  Kind: typeof OptionError | typeof DataError = OptionError,
): FalllineError {
  return new Kind(`${name} is ${showGiven(value)}; it must be ${allowed}`);
}

/** {@link show} of what may have been left out. */
export const showGiven = (value: unknown) => (value === undefined ? "missing" : show(value));

const shown = 60;

/**
 * A value as an error message shows it: JSON where possible, NaN and undefined as they are, long ones cut. Takes no longer
 * for a large or deep value than for a small one.
 */
export function show(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  if (typeof value === "function") return "a function";
  try {
    return cut(value instanceof RegExp ? String(value) : written(value, shown));
  } catch {
    // It cannot be read: a getter throws.
    return Object.prototype.toString.call(value);
  }
}

function cut(text: string): string {
  return text.length > shown ? `${text.slice(0, shown - 3)}...` : text;
}

/** The most names that a sentence lists. */
const mostListed = 10;

/** Names for a sentence: all of a few, the first of many, long ones cut. */
export function listed(names: readonly string[]): string {
  const few = names.slice(0, mostListed).map(cut);
  const more = names.length - few.length;
  return `${few.join(", ")}${more > 0 ? ` and ${more.toLocaleString("en")} more` : ""}`;
}

/** The value as JSON, hardly longer than there is room for; typed arrays are shown by kind and length. */
function written(value: unknown, room: number): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, shown + 1));
  if (typeof value === "function") return '"a function"';
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name}(${"length" in value ? value.length : value.byteLength})`;
  }
  if ("toJSON" in value && typeof value.toJSON === "function") return JSON.stringify(value) ?? "undefined";
  const list = Array.isArray(value);
  let text = list ? "[" : "{";
  for (const key of list ? value.keys() : Object.keys(value)) {
    if (text.length > room) return text;
    const part: unknown = value[key as keyof typeof value];
    // JSON leaves such fields out.
    if (!list && (part === undefined || typeof part === "symbol")) continue;
    if (text.length > 1) text += ",";
    if (!list) text += `${written(key, room)}:`;
    text += written(part, room - text.length);
  }
  return text + (list ? "]" : "}");
}
