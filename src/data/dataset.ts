// A data set as both engines take it, and the order in which training visits its rows.
import { DataError, OptionError } from "../errors.ts";
import { readNumber } from "../options.ts";
import { Random } from "../random.ts";

/** Examples in rows. */
interface Examples {
  readonly name: string;
  /** How many examples. */
  readonly count: number;
  /** Numbers per example. */
  readonly features: number;
  /** `count · features` numbers, row after row; bytes stay bytes on the GPU. */
  readonly inputs: Uint8Array | Float32Array;
  /** What each input is multiplied by when it is read (1/255 for pixels). */
  readonly scale: number;
  /** How much each example counts in the mean loss of a batch, >= 0: Σ weight·loss / Σ weight. Default all the same. */
  readonly weights?: Float32Array | undefined;
}

/** Examples with a class each. */
export interface LabelledDataset extends Examples {
  /** How many classes; labels are whole numbers in [0, classes). */
  readonly classes: number;
  /** What the classes are called, in their order; undefined where they are numbers alone. */
  readonly classNames?: readonly string[] | undefined;
  readonly labels: Uint8Array | Uint32Array;
  readonly targets?: undefined;
}

/** Examples with numbers to predict. */
export interface TargetDataset extends Examples {
  /** How many numbers are to be predicted of each example. */
  readonly outputs: number;
  /** `count · outputs` numbers, row after row. */
  readonly targets: Float32Array;
  readonly labels?: undefined;
}

/** A data set as both engines take it: with a class for each example, or with numbers. */
export type Dataset = LabelledDataset | TargetDataset;

/** What must be known of a data set to tell whether a model fits it. */
export type DatasetShape =
  | Pick<LabelledDataset, "name" | "features" | "classes">
  | Pick<TargetDataset, "name" | "features" | "outputs">;

/** "10 classes", "3 numbers to predict" … */
export function datasetNoun(data: DatasetShape): string {
  if ("classes" in data) return `${data.classes} classes`;
  return data.outputs === 1 ? "1 number to predict" : `${data.outputs} numbers to predict`;
}

/** @throws DataError that names what is wrong, with the row, and the label where one is out of range. */
export function checkDataset(data: Dataset): void {
  const { name, count, features, inputs, weights } = data;
  if (count < 1) throw new DataError(`${name} is empty`);
  checkLength(name, "inputs", inputs, count, features);
  checkFinite(name, "input", inputs, features);
  if (data.labels) {
    const { labels, classes } = data;
    if (labels.length !== count) throw new DataError(`${name} has ${labels.length} labels for ${count} rows`);
    const row = labels.findIndex((label) => label >= classes);
    if (row >= 0) throw new DataError(`${name}: row ${row} has label ${labels[row]}; labels are 0 to ${classes - 1}`);
  } else {
    checkLength(name, "targets", data.targets, count, data.outputs);
    checkFinite(name, "target", data.targets, data.outputs);
  }
  if (!weights) return;
  if (weights.length !== count) throw new DataError(`${name} has ${weights.length} weights for ${count} rows`);
  const row = weights.findIndex((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
  if (row >= 0) throw new DataError(`${name}: row ${row} has weight ${weights[row]}; weights are finite and >= 0`);
}

function checkLength(name: string, what: string, values: ArrayLike<number>, count: number, width: number): void {
  if (values.length === count * width) return;
  throw new DataError(`${name} has ${values.length} ${what}; ${count} rows of ${width} need ${count * width}`);
}

function checkFinite(name: string, what: string, values: Uint8Array | Float32Array, width: number): void {
  if (values instanceof Uint8Array) return;
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new DataError(
    `${name}: row ${Math.floor(bad / width)} has ${values[bad]} as ${what} ${bad % width}; numbers must be finite`,
  );
}

/**
 * The data set's first rows, as many as that, or all where it has no more.
 *
 * @throws OptionError where `rows` is no whole number >= 0.
 */
export function firstRows(data: Dataset, rows: number): Dataset {
  readNumber("rows", rows, { min: 0, integer: true });
  return rows >= data.count ? data : sliceRows(data, 0, rows);
}

/**
 * A data set in two, over the same memory: the last rows to test with, those before to train on.
 *
 * @param testRows A whole number >= 1, fewer than there are rows.
 * @throws OptionError for any other.
 */
export function splitRows(data: Dataset, testRows: number): { readonly train: Dataset; readonly test: Dataset } {
  readNumber("testRows", testRows, { min: 1, integer: true });
  const trainRows = data.count - testRows;
  if (trainRows < 1) {
    throw new OptionError(`testRows is ${testRows}; ${data.name} has ${data.count} rows, and one at least must train`);
  }
  return { train: sliceRows(data, 0, trainRows), test: sliceRows(data, trainRows, data.count) };
}

/**
 * The rows from `start` up to `end`, over the same memory.
 *
 * @throws OptionError where they are no whole numbers with 0 <= start <= end <= data.count.
 */
export function sliceRows(data: Dataset, start: number, end: number): Dataset {
  readNumber("start", start, { min: 0, max: data.count, integer: true });
  readNumber("end", end, { min: start, max: data.count, integer: true });
  const { features, inputs, weights } = data;
  const part = {
    count: end - start,
    inputs: inputs.subarray(start * features, end * features),
    weights: weights?.subarray(start, end),
  };
  return data.labels
    ? { ...data, ...part, labels: data.labels.subarray(start, end) }
    : { ...data, ...part, targets: data.targets.subarray(start * data.outputs, end * data.outputs) };
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
