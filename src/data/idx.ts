// IDX, the format of the MNIST files (yann.lecun.com/exdb/mnist): two zero bytes, a type byte, the number of dimensions,
// each dimension as a big-endian 32-bit integer, then the values. We read unsigned bytes.
import { DataError } from "../errors.ts";

export interface IdxArray {
  readonly shape: readonly number[];
  /** A view of the file's values, row-major. */
  readonly values: Uint8Array;
}

/**
 * Reads an IDX file of unsigned bytes; `name` is what errors call it.
 *
 * @throws DataError for a wrong magic number, the wrong number of dimensions, or a length that the header denies.
 */
export function parseIdx(name: string, bytes: Uint8Array, dimensions: number): IdxArray {
  const headerLength = 4 + 4 * dimensions;
  if (bytes.length < headerLength) {
    throw new DataError(`${name} is truncated: ${bytes.length} bytes, its header alone needs ${headerLength}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  const wanted = 0x0800 + dimensions;
  if (magic !== wanted) {
    throw new DataError(
      `${name} is no IDX file of unsigned bytes in ${dimensions} dimensions: its magic number is 0x${hex(magic)}, not 0x${hex(wanted)}`,
    );
  }
  const shape = Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i));
  const length = shape.reduce((product, size) => product * size, 1);
  const found = bytes.length - headerLength;
  if (found !== length) {
    throw new DataError(
      `${name} is ${found < length ? "truncated" : "too long"}: its shape [${shape.join(", ")}] needs ${length} bytes of data, it has ${found}`,
    );
  }
  return { shape, values: bytes.subarray(headerLength) };
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
