// IDX, the format of the MNIST files (yann.lecun.com/exdb/mnist): two zero bytes, a type byte, the number of dimensions,
// each dimension as a big-endian 32-bit integer, then the values. We read unsigned bytes.
import { DataError } from "../../base/errors.ts";
import { readBytes, readMade, readNumber, readString } from "../../base/options.ts";
import { readFields } from "../../base/words.ts";
import { checkDataset, type LabelledDataset } from "./dataset.ts";

/** The array in an IDX file. */
export interface IdxArray {
  /** Its sizes, outermost first. */
  readonly shape: readonly number[];
  /** A view of the file's values, row-major. */
  readonly values: Uint8Array;
}

/**
 * Reads an IDX file of unsigned bytes; `name` is its name in errors.
 *
 * @param dimensions How many dimensions it must have; default any number up to 8.
 * @throws OptionError for anything but bytes; DataError for a wrong magic number, the wrong number of dimensions, or a
 * length that contradicts the header.
 */
export function parseIdx(name: string, file: Uint8Array | ArrayBuffer, dimensions?: number): IdxArray {
  readString("name", name);
  const bytes = readBytes(name, file);
  return parse(
    name,
    bytes,
    dimensions === undefined
      ? Math.min(Math.max(bytes[3] ?? 1, 1), 8)
      : readNumber("dimensions", dimensions, { min: 1, max: 255, integer: true }),
  );
}

function parse(name: string, bytes: Uint8Array, dimensions: number): IdxArray {
  const headerLength = 4 + 4 * dimensions;
  if (bytes.length < headerLength) {
    throw new DataError(`${name} is truncated: ${bytes.length} bytes, its header needs ${headerLength}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  const wanted = 0x0800 + dimensions;
  if (magic !== wanted) {
    throw new DataError(
      `${name} is not an IDX file of unsigned bytes in ${dimensions} dimensions: its magic number is 0x${hex(magic)}, not 0x${hex(wanted)}`,
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

/** Options of {@link idxDataset}. */
export interface IdxOptions {
  /** How many classes there are, a whole number in [1, 256]; default one more than the largest label. */
  readonly classes?: number | undefined;
  /** Factor of each byte when it is read, > 0; default 1/255. */
  readonly scale?: number | undefined;
  /** The names of the two files in errors. */
  readonly files?: { readonly images: string; readonly labels: string } | undefined;
}

/**
 * Makes a data set from the bytes of two IDX files: examples of any shape, counted by the first dimension, and their labels.
 *
 * @throws OptionError for a bad option; DataError for a file that is corrupt or truncated, files of different lengths, and a
 * label out of range, with its row.
 */
export function idxDataset(
  name: string,
  images: Uint8Array | ArrayBuffer,
  labels: Uint8Array | ArrayBuffer,
  options: IdxOptions = {},
): LabelledDataset {
  readString("name", name);
  readFields("options", options, ["classes", "scale", "files"]);
  const { scale = 1 / 255, files = { images: `${name} (images)`, labels: `${name} (labels)` } } = options;
  readMade("files", files, "{ images, labels }, what errors call them", { images: "string", labels: "string" });
  const pixels = parseIdx(files.images, images);
  const given = parseIdx(files.labels, labels, 1);
  const [count = 0, ...shape] = pixels.shape;
  if (given.shape[0] !== count) {
    throw new DataError(`${files.labels} has ${given.shape[0]} labels for ${count} images`);
  }
  const classes =
    options.classes === undefined
      ? given.values.reduce((top, label) => Math.max(top, label), 0) + 1
      : readNumber("classes", options.classes, { min: 1, max: 256, integer: true });
  readNumber("scale", scale, { above: 0 });
  const features = shape.reduce((product, size) => product * size, 1);
  const data = { name, count, features, inputs: pixels.values, scale, classes, labels: given.values };
  checkDataset({ ...data, name: files.labels });
  return data;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
