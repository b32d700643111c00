// Float64 numbers in a safetensors file, to the bit: as float32 if it holds them exactly, else as four 16-bit words each.
import { DataError } from "./errors.ts";
import { encodeSafetensors, type SafeTensor } from "./safetensors.ts";

export function toExact(values: Float64Array): SafeTensor {
  const floats = Float32Array.from(values);
  if (values.every((value, i) => Object.is(value, floats[i]!))) return { shape: [values.length], data: floats };
  return { shape: [values.length, 4], data: Float32Array.from(new Uint16Array(values.slice().buffer)) };
}

/**
 * The numbers of {@link toExact}.
 *
 * @param what Their name in errors.
 * @param length How many there must be; by default any number.
 * @throws DataError for another number of them.
 */
export function fromExact(tensor: SafeTensor | undefined, what: string, length = tensor?.shape[0]): Float64Array {
  const shape = tensor?.shape.join();
  if (tensor && shape === `${length}`) return Float64Array.from(tensor.data);
  if (tensor && shape === `${length},4`) return new Float64Array(Uint16Array.from(tensor.data).buffer);
  const found = tensor ? `a tensor of shape [${tensor.shape.join(", ")}]` : "none";
  throw new DataError(`${what} must be ${length ?? "a list of"} numbers; the file has ${found}`);
}

/** A file of some lists of numbers. */
export function encodeExact(
  lists: Iterable<readonly [name: string, values: Float64Array]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  return encodeSafetensors({ metadata, tensors: new Map([...lists].map(([name, values]) => [name, toExact(values)])) });
}
