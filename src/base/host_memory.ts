// Memory of the process: what asks for more than there is ends in an error of ours instead of a bare RangeError.
import { DeviceError } from "./errors.ts";

/**
 * Runs `work`, which makes large arrays.
 *
 * @param purpose What an error says could not be held, such as "a checkpoint of 12 tensors".
 * @throws DeviceError where the process has no memory for it.
 */
export function inMemory<T>(purpose: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw memoryError(purpose, error);
  }
}

/** What to throw for an error of {@link inMemory}, also of work that is awaited. */
export function memoryError(purpose: string, error: unknown): unknown {
  if (!(error instanceof RangeError)) return error;
  return new DeviceError(`this process has no memory for ${purpose}: ${error.message}`, { cause: error });
}
