// Float64 numbers in a safetensors file of float32, to the bit: four 16-bit words each.
import { DataError } from "../base/errors.ts";
import type { SafeTensor } from "../base/safetensors.ts";

/** The words of some numbers. */
export function toWords(values: Float64Array): SafeTensor {
  return { shape: [values.length, 4], data: Float32Array.from(new Uint16Array(values.slice().buffer)) };
}

/**
 * The numbers of some words.
 *
 * @param what Their name in errors.
 * @throws DataError for a wrong number of words.
 */
export function fromWords(tensor: SafeTensor | undefined, length: number, what: string): Float64Array {
  const { shape, data } = tensor ?? { shape: [], data: new Float32Array() };
  if (shape.join() !== `${length},4`) throw new DataError(`${what} must be ${length} numbers of four words each`);
  return new Float64Array(Uint16Array.from(data).buffer);
}
