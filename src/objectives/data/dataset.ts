// A data set for both engines, and the order in which training visits its rows.
import { DataError, listed, OptionError, refusal, show } from "../../base/errors.ts";
import { readBoolean, readMade, readNumber } from "../../base/options.ts";
import { Random } from "../../base/random.ts";
import { readFields } from "../../base/words.ts";
import type { Columns } from "./columns.ts";
import { isUnknown } from "./labels.ts";

/** Examples in rows. */
interface Examples {
  readonly name: string;
  /** How many examples. */
  readonly count: number;
  /** Numbers per example. */
  readonly features: number;
  /** `count · features` numbers, row after row; bytes stay bytes on the GPU. */
  readonly inputs: Uint8Array | Float32Array;
  /** Factor of each input when it is read (1/255 for pixels). */
  readonly scale: number;
  /** The weight of each example in the mean loss of a batch, >= 0: Σ weight·loss / Σ weight. Default equal weights. */
  readonly weights?: Float32Array | undefined;
  /** After a split or shuffle: the original number of each row, from 0, which errors name. Default its present number. */
  readonly rowNumbers?: Uint32Array | undefined;
  /** For a table: how its columns were read, so that others like it are read the same way. */
  readonly columns?: Columns | undefined;
}

/** Examples with a class each. */
export interface LabelledDataset extends Examples {
  /** How many classes; labels are whole numbers in [0, classes). */
  readonly classes: number;
  /** The names of the classes, in order; undefined if they are numbers alone. */
  readonly classNames?: readonly string[] | undefined;
  /** A class for each row; whole numbers in [0, classes). */
  readonly labels: Uint8Array | Uint32Array;
  /** A labelled set has none. */
  readonly targets?: undefined;
}

/** Examples with numbers to predict. */
export interface TargetDataset extends Examples {
  /** How many numbers to predict for each example; 0 for points at which an equation must hold. */
  readonly outputs: number;
  /** `count · outputs` numbers, row after row. */
  readonly targets: Float32Array;
  /** A set with targets has none. */
  readonly labels?: undefined;
}

/** A data set for both engines: with a class for each example, or with numbers to predict. */
export type Dataset = LabelledDataset | TargetDataset;

/** The shape of a data set, which decides whether a model fits it. */
export type DatasetShape =
  | Pick<LabelledDataset, "name" | "features" | "classes">
  | Pick<TargetDataset, "name" | "features" | "outputs">;

/** "10 classes", "3 numbers to predict", "neither labels nor targets" … */
export function datasetNoun(data: DatasetShape): string {
  if ("classes" in data) return `${data.classes} classes`;
  if (data.outputs === 0) return "neither labels nor targets";
  return data.outputs === 1 ? "1 number to predict" : `${data.outputs} numbers to predict`;
}

/** @throws OptionError for anything but a data set; {@link checkDataset} checks numbers and lengths. */
export function readDataset<T extends Dataset>(name: string, data: T): T {
  const allowed = "a data set, such as datasets.fromArrays() makes";
  readMade(name, data, allowed, {
    ...{ name: "string", count: "number", features: "number", scale: "number", inputs: "object" },
    ...(data?.labels ? { classes: "number", labels: "object" } : { outputs: "number", targets: "object" }),
  });
  const { inputs, labels, targets, weights, rowNumbers } = data as Dataset & {
    readonly labels?: unknown;
    readonly targets?: unknown;
  };
  const kinds: readonly (readonly [string, unknown, readonly ArrayKind[]])[] = [
    ["inputs", inputs, [Uint8Array, Float32Array]],
    labels ? ["labels", labels, [Uint8Array, Uint32Array]] : ["targets", targets, [Float32Array]],
    ["weights", weights ?? new Float32Array(), [Float32Array]],
    ["rowNumbers", rowNumbers ?? new Uint32Array(), [Uint32Array]],
  ];
  for (const [part, values, allowed] of kinds) {
    if (allowed.some((kind) => values instanceof kind)) continue;
    const names = allowed.map((kind) => `a ${kind.name}`).join(" or ");
    throw refusal(`${name}.${part}`, values, names);
  }
  readNumber(`${name}.count`, data.count, { min: 0, integer: true });
  readNumber(`${name}.features`, data.features, { min: 0, integer: true });
  return data;
}

type ArrayKind = Uint8ArrayConstructor | Uint32ArrayConstructor | Float32ArrayConstructor;

/** @throws DataError that names what is wrong, with the row, and the label where one is out of range. */
export function checkDataset(data: Dataset): void {
  const { name, count, features, inputs, weights } = data;
  if (count < 1) throw new DataError(`${name} is empty`);
  checkLength(name, "inputs", inputs, count, features);
  checkFinite(data, "input", inputs, features);
  if (data.labels) {
    const { labels, classes } = data;
    if (labels.length !== count) throw new DataError(`${name} has ${labels.length} labels for ${count} rows`);
    const row = labels.findIndex((label) => label >= classes);
    if (row >= 0) {
      throw new DataError(
        `${name}: row ${rowNumber(data, row)} has label ${labels[row]}; labels are 0 to ${classes - 1}`,
      );
    }
  } else {
    checkLength(name, "targets", data.targets, count, data.outputs);
    checkFinite(data, "target", data.targets, data.outputs);
  }
  if (!weights) return;
  if (weights.length !== count) throw new DataError(`${name} has ${weights.length} weights for ${count} rows`);
  const row = weights.findIndex((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
  if (row >= 0)
    throw new DataError(`${name}: row ${rowNumber(data, row)} has weight ${weights[row]}; weights are finite and >= 0`);
}

/** A row's number in the original data. */
export function rowNumber({ rowNumbers }: Pick<Dataset, "rowNumbers">, row: number): number {
  return rowNumbers?.[row] ?? row;
}

/** Whether any example counts. */
export function counts({ weights }: Pick<Dataset, "weights">): boolean {
  return !weights || weights.some((weight) => weight > 0);
}

function checkLength(name: string, what: string, values: ArrayLike<number>, count: number, width: number): void {
  if (values.length === count * width) return;
  throw new DataError(`${name} has ${values.length} ${what}; ${count} rows of ${width} need ${count * width}`);
}

function checkFinite(data: Dataset, what: string, values: Uint8Array | Float32Array, width: number): void {
  if (values instanceof Uint8Array) return;
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new DataError(
    `${data.name}: row ${rowNumber(data, Math.floor(bad / width))} has ${values[bad]} as ${what} ${bad % width}; numbers must be finite`,
  );
}

/** The number of every row, in order. */
export function everyRow({ count }: Pick<Dataset, "count">): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, row) => row);
}

/**
 * The data set's first `rows` rows, or all if it has fewer.
 *
 * @throws OptionError if `rows` is not a whole number >= 0.
 */
export function firstRows<Data extends Dataset>(data: Data, rows: number): Data {
  readDataset("data", data);
  readNumber("rows", rows, { min: 0, integer: true });
  return rows >= data.count ? data : sliceRows(data, 0, rows);
}

/** How {@link splitRows} splits. */
export interface SplitOptions {
  /** Seed that fixes which rows test, and their order; a whole number in [0, 2^53), default 0. */
  readonly seed?: number | undefined;
  /**
   * Whether rows are shuffled beforehand, default true. With false they stay in order and the last ones test: for time series,
   * and for files that are shuffled already in an order that others must be able to reproduce.
   */
  readonly shuffle?: boolean | undefined;
  /**
   * Whether each class has its share of rows on both sides, and at least one if it has two; for labels alone. Default true if
   * rows are shuffled.
   */
  readonly stratify?: boolean | undefined;
}

/** A split data set, of the kind that was split. */
export interface Split<Data extends Dataset = Dataset> {
  /** The rows to train on. */
  readonly train: Data;
  /** The rows to test on. */
  readonly test: Data;
  /** Notes about classes that are missing on one side; see {@link classNotes}. */
  readonly notes: readonly string[];
}

/**
 * Splits a data set into rows to train on and rows to test with, drawn by a seed, class by class. Weights, labels and targets
 * move with their rows. With `shuffle` false both share memory with the data, unless they are stratified.
 *
 * @param testRows A whole number >= 1, fewer than there are rows.
 * @throws OptionError for any other number, and for wrong options.
 */
export function splitRows<Data extends Dataset>(data: Data, testRows: number, options: SplitOptions = {}): Split<Data> {
  readDataset("data", data);
  const given = readFields("options", options, ["seed", "shuffle", "stratify"]);
  const shuffle = given.shuffle === undefined ? true : readBoolean("shuffle", given.shuffle);
  const stratify =
    given.stratify === undefined ? shuffle && data.labels !== undefined : readBoolean("stratify", given.stratify);
  const random = new Random(
    given.seed === undefined
      ? 0
      : readNumber("seed", given.seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }),
    splitStream,
  );
  if (stratify && !data.labels) {
    throw new OptionError(`stratify is true; ${data.name} has targets, not classes`);
  }
  readNumber("testRows", testRows, { min: 1, integer: true });
  const trainRows = data.count - testRows;
  if (trainRows < 1) {
    throw new OptionError(`testRows is ${testRows}; ${data.name} has ${data.count} rows, and at least one must train`);
  }
  const order = shuffle ? random.permutation(data.count) : everyRow(data);
  const [train, test] =
    stratify && data.labels
      ? dealRows(data, order, testRows)
      : [order.subarray(0, trainRows), order.subarray(trainRows)];
  const halves =
    shuffle || stratify
      ? { train: pickRows(data, train), test: pickRows(data, test) }
      : { train: sliceRows(data, 0, trainRows), test: sliceRows(data, trainRows, data.count) };
  return { ...halves, notes: classNotes(halves.train, halves.test) };
}

/** Rows to train on and rows to test with, each in the given order; the last ones of each class test. */
function dealRows(
  { labels, classes }: LabelledDataset,
  order: Uint32Array,
  testRows: number,
): [Uint32Array, Uint32Array] {
  const sizes = new Array<number>(classes).fill(0);
  for (const label of labels) sizes[label]!++;
  const trains = testCounts(sizes, testRows, labels.length).map((count, label) => sizes[label]! - count);
  const [train, test] = [new Uint32Array(labels.length - testRows), new Uint32Array(testRows)];
  let [trained, tested] = [0, 0];
  for (const row of order) {
    if (trains[labels[row]!]!-- > 0) train[trained++] = row;
    else test[tested++] = row;
  }
  return [train, test];
}

/** How many rows of each class test: in proportion, and if possible neither none nor all of a class that has at least two. */
function testCounts(sizes: readonly number[], testRows: number, rows: number): number[] {
  const exact = sizes.map((size) => (size * testRows) / rows);
  let most = sizes.map((size) => Math.max(0, size - 1));
  const counts = exact.map((share, label) => Math.min(Math.floor(share), most[label]!));
  // Those that lack the most come first.
  const lacking = [...sizes.keys()].sort((a, b) => exact[b]! - counts[b]! - (exact[a]! - counts[a]!) || a - b);
  let left = counts.reduce((sum, count) => sum - count, testRows);
  while (left > 0) {
    const before = left;
    for (const label of lacking) {
      if (left === 0 || counts[label]! >= most[label]!) continue;
      counts[label]!++;
      left--;
    }
    if (left === before) most = [...sizes];
  }
  for (const [label, size] of sizes.entries()) {
    if (size < 2 || counts[label]! > 0) continue;
    const giver = counts.reduce((best, count, each) => (count > Math.max(1, counts[best] ?? 1) ? each : best), -1);
    if (giver < 0) break;
    counts[giver]!--;
    counts[label]!++;
  }
  return counts;
}

function pickRows<Data extends Dataset>(data: Data, rows: Uint32Array): Data {
  const { features, inputs, weights } = data;
  const part = {
    count: rows.length,
    inputs: picked(inputs, features, rows),
    ...(weights ? { weights: picked(weights, 1, rows) } : {}),
    rowNumbers: rows.map((row) => rowNumber(data, row)),
  };
  const kind: Dataset = data;
  const answers = kind.labels
    ? { labels: picked(kind.labels, 1, rows) }
    : { targets: picked(kind.targets, kind.outputs, rows) };
  return { ...data, ...part, ...answers };
}

function picked<T extends Uint8Array | Uint32Array | Float32Array>(values: T, width: number, rows: Uint32Array): T {
  const found = new (values.constructor as new (length: number) => T)(rows.length * width);
  rows.forEach((row, i) => {
    found.set(values.subarray(row * width, (row + 1) * width), i * width);
  });
  return found;
}

/**
 * Sentences about classes that have rows to train on and none to test with, or the other way round, for which a test result does
 * not hold, about rows that are all of one class, and about a class named like an unknown value ("NA"). Empty if there are none, and for numbers to predict.
 */
export function classNotes(train: Dataset, test: Dataset): readonly string[] {
  readDataset("train", train);
  readDataset("test", test);
  if (!train.labels || !test.labels) return [];
  const [trained, tested] = [new Set(train.labels), new Set(test.labels)];
  const named = (labels: readonly number[]) =>
    `${labels.length === 1 ? "class" : "classes"} ${listed(labels.map((label) => train.classNames?.[label] ?? String(label)))}`;
  const untested = [...trained].filter((label) => !tested.has(label)).sort((a, b) => a - b);
  const untrained = [...tested].filter((label) => !trained.has(label)).sort((a, b) => a - b);
  return [
    ...[...trained].flatMap((label) => {
      const name = train.classNames?.[label];
      return name !== undefined && isUnknown(name)
        ? [
            `${show(name)} is learned as a class of its own; where it means that the class is not known, leave those rows out`,
          ]
        : [];
    }),
    ...(trained.size === 1 && untrained.length === 0 ? [`all rows have ${named([...trained])}`] : []),
    ...(untested.length > 0
      ? [`the test set has no row of ${named(untested)}, so its results do not cover all classes`]
      : []),
    ...(untrained.length > 0 ? [`the test set has ${named(untrained)}, which no training row has`] : []),
  ];
}

/**
 * The rows from `start` up to `end`, sharing memory with the data.
 *
 * @throws OptionError unless they are whole numbers with 0 <= start <= end <= data.count.
 */
export function sliceRows<Data extends Dataset>(data: Data, start: number, end: number): Data {
  readDataset("data", data);
  readNumber("start", start, { min: 0, max: data.count, integer: true });
  readNumber("end", end, { min: start, max: data.count, integer: true });
  const { features, inputs, weights, rowNumbers } = data;
  const part = {
    count: end - start,
    inputs: inputs.subarray(start * features, end * features),
    weights: weights?.subarray(start, end),
    rowNumbers:
      rowNumbers?.subarray(start, end) ??
      (start > 0 ? Uint32Array.from({ length: end - start }, (_, row) => start + row) : undefined),
  };
  const kind: Dataset = data;
  const answers = kind.labels
    ? { labels: kind.labels.subarray(start, end) }
    : { targets: kind.targets.subarray(start * kind.outputs, end * kind.outputs) };
  return { ...data, ...part, ...answers };
}

/**
 * The rows of each batch, endlessly: every epoch is a new permutation of all rows, fixed by the seed, cut into whole batches; the
 * rows left over at an epoch's end, fewer than the next batch, are dropped. A batch size that changes from step to step uses the
 * same permutations.
 *
 * @param batch How many rows each batch has, as a number or a function of the 0-based step.
 * @param skip How many batches to skip, as a resumed run does; a whole number >= 0, default 0.
 * @throws OptionError if a batch is not a whole number >= 1, or is larger than the data set.
 */
export function batches(
  count: number,
  batch: number | ((step: number) => number),
  seed: number,
  skip = 0,
): Generator<Uint32Array, never> {
  readNumber("count", count, { min: 0, max: 2 ** 32 - 2, integer: true });
  if (typeof batch !== "number" && typeof batch !== "function") {
    throw refusal("batch", batch, "a whole number >= 1 or a function of the step");
  }
  readNumber("seed", seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  readNumber("skip", skip, { min: 0, integer: true });
  return batchesOf(count, batch, seed, skip);
}

function* batchesOf(
  count: number,
  batch: number | ((step: number) => number),
  seed: number,
  skip: number,
): Generator<Uint32Array, never> {
  const sizeAt = (step: number): number => {
    const size = typeof batch === "number" ? batch : batch(step);
    const name = typeof batch === "number" ? "batch" : `batch at step ${step}`;
    readNumber(name, size, { min: 1, integer: true });
    if (size > count) throw new OptionError(`${name} is ${size}; the data set has ${count} rows`);
    return size;
  };
  let size = sizeAt(0);
  // Whole epochs of equal batches are skipped at once.
  const epochs = typeof batch === "number" ? Math.floor(skip / Math.floor(count / size)) : 0;
  for (let epoch = epochs, step = epochs * Math.floor(count / size); ; epoch++) {
    // Skipped epochs need no permutation.
    let order: Uint32Array | undefined;
    for (let start = 0; start + size <= count; ) {
      if (step >= skip) {
        order ??= new Random(seed, (shuffleStream + epoch) % 2 ** 32).permutation(count);
        yield order.subarray(start, start + size);
      }
      start += size;
      size = sizeAt(++step);
    }
  }
}

/** Streams of the seeded generator: initial weights count from 0, epochs from here; the division has the last. */
const shuffleStream = 2 ** 16;
const splitStream = 2 ** 32 - 1;
