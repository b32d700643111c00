// The errors of the library: one base class, so that a caller can tell our refusals from bugs, and three kinds. Every
// message is one sentence that names what was given and what is allowed.

/** Base of every error that fallline throws on purpose. */
export class FalllineError extends Error {
  override name = "FalllineError";
}

/** A bad option, config or argument; thrown before anything is changed. */
export class OptionError extends FalllineError {
  override name = "OptionError";
}

/** A file or buffer whose content is not what its format says (IDX, safetensors, replay). */
export class DataError extends FalllineError {
  override name = "DataError";
}

/** Something the GPU device cannot do or no longer does: limits, shader compilation, loss, use after `destroy`. */
export class DeviceError extends FalllineError {
  override name = "DeviceError";
}

/** A value as an error message shows it: JSON where possible, NaN and undefined as they are, long ones cut. */
export function show(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint" || value === undefined) return String(value);
  if (typeof value === "function") return "a function";
  const text = json(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** JSON, or nothing for what JSON cannot hold (a circular object). */
function json(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_, part) => (typeof part === "function" ? "a function" : part));
  } catch {
    return undefined;
  }
}
