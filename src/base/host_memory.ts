// Memory of the process: running out of it is a DeviceError instead of a bare RangeError.
import { DeviceError } from "./errors.ts";

/**
 * Runs `work`, which makes large arrays.
 *
 * @param purpose What could not be held, for the error, such as "a checkpoint of 12 tensors".
 * @throws DeviceError where the process has no memory for it.
 */
export function inMemory<T>(purpose: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw memoryError(purpose, error);
  }
}

/** The error to throw for one caught by {@link inMemory}, or thrown by awaited work. */
export function memoryError(purpose: string, error: unknown): unknown {
  if (!(error instanceof RangeError)) return error;
  return new DeviceError(`this process has no memory for ${purpose}: ${error.message}`, { cause: error });
}
