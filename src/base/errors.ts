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
const shown = 60;

/**
 * A value as an error message shows it: JSON where possible, NaN and undefined as they are, long ones cut. Takes no longer
 * for a large or deep value than for a small one.
 */
export function show(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  const text = value instanceof RegExp ? String(value) : (written(value) ?? Object.prototype.toString.call(value));
  return text.length > shown ? `${text.slice(0, shown - 3)}...` : text;
}

/** The most names that a sentence lists. */
const mostListed = 10;

/** Names for a sentence: all of a few, the first of many, long ones cut. */
export function listed(names: readonly string[]): string {
  const few = names.slice(0, mostListed).map((name) => (name.length > shown ? `${name.slice(0, shown - 3)}...` : name));
  const more = names.length - few.length;
  return `${few.join(", ")}${more > 0 ? ` and ${more.toLocaleString("en")} more` : ""}`;
}

/** The value as JSON, no longer than is shown; undefined if it cannot be read (a getter that throws). */
function written(value: unknown): string | undefined {
  const out = { text: "" };
  try {
    write(value, out);
    return out.text;
  } catch {
    return undefined;
  }
}

/** Appends a value's JSON until there is more than is shown; typed arrays are shown by kind and length. */
function write(value: unknown, out: { text: string }): void {
  if (out.text.length > shown) return;
  if (typeof value === "string") out.text += JSON.stringify(value.slice(0, shown + 1));
  else if (typeof value === "function") out.text += '"a function"';
  else if (typeof value === "bigint") out.text += `${value}n`;
  else if (typeof value === "symbol") out.text += String(value);
  else if (typeof value !== "object" || value === null) out.text += JSON.stringify(value) ?? "null";
  else if (ArrayBuffer.isView(value)) {
    out.text += `${value.constructor.name}(${"length" in value ? value.length : value.byteLength})`;
  } else if ("toJSON" in value && typeof value.toJSON === "function") out.text += JSON.stringify(value);
  else {
    const list = Array.isArray(value);
    out.text += list ? "[" : "{";
    let comma = "";
    for (const key of list ? value.keys() : Object.keys(value)) {
      if (out.text.length > shown) return;
      const part: unknown = value[key as keyof typeof value];
      // JSON leaves such fields out.
      if (!list && (part === undefined || typeof part === "symbol")) continue;
      out.text += comma;
      comma = ",";
      if (!list) {
        write(key, out);
        out.text += ":";
      }
      write(part, out);
    }
    if (out.text.length <= shown) out.text += list ? "]" : "}";
  }
}
