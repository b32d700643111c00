// A labelled data set as both engines take it, and the order in which training visits its rows.
import { DataError, OptionError } from "../errors.ts";
import { readNumber } from "../options.ts";
import { Random } from "../random.ts";

/** Examples in rows, and a class for each. */
export interface Dataset {
  readonly name: string;
  /** How many examples. */
  readonly count: number;
  /** Numbers per example. */
  readonly features: number;
  /** How many classes; labels are whole numbers in [0, classes). */
  readonly classes: number;
  /** `count · features` numbers, row after row; bytes stay bytes on the GPU. */
  readonly inputs: Uint8Array | Float32Array;
  /** What each input is multiplied by when it is read (1/255 for pixels). */
  readonly scale: number;
  readonly labels: Uint8Array | Uint32Array;
}

/** @throws DataError that names what is wrong, with row and label where a label is out of range. */
export function checkDataset(data: Dataset): void {
  const { name, count, features, classes, inputs, labels } = data;
  if (count < 1) throw new DataError(`${name} is empty`);
  if (inputs.length !== count * features) {
    throw new DataError(`${name} has ${inputs.length} inputs; ${count} rows of ${features} need ${count * features}`);
  }
  if (labels.length !== count) throw new DataError(`${name} has ${labels.length} labels for ${count} rows`);
  const row = labels.findIndex((label) => label >= classes);
  if (row >= 0) throw new DataError(`${name}: row ${row} has label ${labels[row]}; labels are 0 to ${classes - 1}`);
}

/** The data set's first rows, as many as that, or all where it has no more. */
export function firstRows(data: Dataset, rows: number): Dataset {
  if (rows >= data.count) return data;
  const { features, inputs, labels } = data;
  return { ...data, count: rows, inputs: inputs.subarray(0, rows * features), labels: labels.subarray(0, rows) };
}

/**
 * The rows of each batch, without end: every epoch is a new permutation of all rows, fixed by the seed, cut into whole
 * batches; what is left over at an epoch's end, fewer than the next batch, is dropped. A batch that changes from step to
 * step takes its rows from the same permutations.
 *
 * @param batch How many rows each batch has, or how many that of a 0-based step has.
 * @throws OptionError when a batch is no whole number >= 1, or larger than the data set.
 */
export function* batches(
  count: number,
  batch: number | ((step: number) => number),
  seed: number,
): Generator<Uint32Array, never> {
  const sizeAt = (step: number): number => {
    const size = typeof batch === "number" ? batch : batch(step);
    const name = typeof batch === "number" ? "batch" : `batch at step ${step}`;
    readNumber(name, size, { min: 1, integer: true });
    if (size > count) throw new OptionError(`${name} is ${size}; the data set has ${count} rows`);
    return size;
  };
  let size = sizeAt(0);
  for (let epoch = 0, step = 0; ; epoch++) {
    const order = new Random(seed, shuffleStream + epoch).permutation(count);
    for (let start = 0; start + size <= count; ) {
      yield order.subarray(start, start + size);
      start += size;
      size = sizeAt(++step);
    }
  }
}

/** Streams of the seeded generator: initial weights count from 0, epochs from here. */
const shuffleStream = 2 ** 16;
