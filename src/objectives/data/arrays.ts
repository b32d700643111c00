// Data sets from arrays: flat or nested, typed or plain.
import { DataError, OptionError, refusal, show } from "../../base/errors.ts";
import { readNumber, readNumbers, readString } from "../../base/options.ts";
import { readFields } from "../../base/words.ts";
import { checkDataset, type Dataset, type LabelledDataset, type TargetDataset } from "./dataset.ts";
import { type ClassesOption, readLabels } from "./labels.ts";

/** Numbers row after row, or an array for each row. */
export type Rows = ArrayLike<number> | ArrayLike<ArrayLike<number>>;

/** Options of {@link arrayDataset}. */
export interface ArrayDatasetOptions {
  /** The data set's name in errors; default "data". */
  readonly name?: string | undefined;
  /** The numbers of each example. A flat Uint8Array or Float32Array is not copied. */
  readonly inputs: Rows;
  /** The class of each example: whole numbers >= 0, or names, which are numbered in order of first appearance. */
  readonly labels?: ArrayLike<number> | readonly string[] | undefined;
  /** In place of labels: the numbers to predict of each example. */
  readonly targets?: Rows | undefined;
  /** The weight of each example in the mean loss of a batch, >= 0; default equal weights. */
  readonly weights?: ArrayLike<number> | undefined;
  /** How many classes there are, or their names in order; default those of the labels. */
  readonly classes?: ClassesOption | undefined;
  /** Factor of each input when it is read (1/255 for pixels), > 0; default 1. */
  readonly scale?: number | undefined;
  /** How many examples; needed only if inputs and targets are flat and there are no weights. */
  readonly count?: number | undefined;
}

const fields = ["name", "inputs", "labels", "targets", "weights", "classes", "scale", "count"];

/**
 * A data set from arrays.
 *
 * @throws OptionError for options that contradict each other; DataError for rows of different lengths, numbers that are not
 * finite in float32 and labels out of range, each with its row, for no rows at all, and for numbers as labels that make more
 * classes than there are rows.
 */
export function arrayDataset(
  options: ArrayDatasetOptions & {
    readonly labels: ArrayLike<number> | readonly string[];
    readonly targets?: undefined;
  },
): LabelledDataset;
export function arrayDataset(
  options: ArrayDatasetOptions & { readonly targets: Rows; readonly labels?: undefined },
): TargetDataset;
export function arrayDataset(options: ArrayDatasetOptions): Dataset;
export function arrayDataset(options: ArrayDatasetOptions): Dataset {
  readFields("the data set", options, fields);
  const { name = "data", labels, classes, scale = 1 } = options;
  readString("name", name);
  if (options.weights !== undefined) readNumbers("weights", options.weights);
  if (labels !== undefined) readLabelCells(labels);
  if ((labels === undefined) === (options.targets === undefined)) {
    throw new OptionError(
      `${name} has ${labels ? "both labels and targets" : "no labels and no targets"}; give one or the other`,
    );
  }
  readNumber("scale", scale, { above: 0 });
  readClasses("classes", classes);
  const inputRows = readRows("inputs", options.inputs);
  const targetRows = options.targets === undefined ? undefined : readRows("targets", options.targets);
  const count = countOf(options, inputRows, targetRows);
  if (count === 0 || inputRows.length === 0) throw new DataError(`${name} is empty`);
  const inputs = flat(name, "input", inputRows, count);
  const examples = {
    name,
    count,
    features: inputs.length / count,
    inputs,
    scale,
    ...(options.weights === undefined ? {} : { weights: Float32Array.from(options.weights) }),
  };
  const data: Dataset = labels
    ? {
        ...examples,
        ...readLabels(labels, classes, {
          at: (row) => `${name}: the label of row ${row}`,
          all: `${name}: labels`,
          numbers: '"targets" instead of "labels"',
        }),
      }
    : targetsOf(examples, Float32Array.from(flat(name, "target", targetRows!, count)));
  checkDataset(data);
  return data;
}

/** @throws OptionError for anything but a number of classes or their names. */
export function readClasses(name: string, value: unknown): ClassesOption | undefined {
  if (value === undefined || typeof value === "number") {
    return value === undefined ? value : readNumber(name, value, { min: 1, max: 2 ** 32, integer: true });
  }
  // With undefined in place of holes.
  const names: readonly unknown[] = Array.isArray(value) ? [...value] : [];
  const isNames = names.length > 0 && names.every((each) => typeof each === "string");
  if (!isNames || new Set(names).size < names.length) {
    throw refusal(name, value, "a whole number >= 1, or an array of different names");
  }
  return names as readonly string[];
}

/** Inputs as bytes where all are whole numbers in [0, 255], which take a quarter of the memory, else in float32. */
export function packed(values: ArrayLike<number>): Uint8Array | Float32Array {
  for (let i = 0; i < values.length; i++) if ((values[i]! & 255) !== values[i]) return Float32Array.from(values);
  return Uint8Array.from(values);
}

function targetsOf<T extends { readonly count: number }>(examples: T, targets: Float32Array) {
  return { ...examples, outputs: targets.length / examples.count, targets };
}

/** @throws OptionError for anything but an array of numbers or strings. */
function readLabelCells(labels: ArrayLike<unknown>): void {
  const allowed = "an array of numbers or strings";
  if (ArrayBuffer.isView(labels) && "length" in labels) return;
  if (!Array.isArray(labels)) throw refusal("labels", labels, allowed);
  const bad = labels.findIndex((label) => typeof label !== "number" && typeof label !== "string");
  if (bad >= 0) throw refusal(`labels[${bad}]`, labels[bad], allowed);
}

/** @throws OptionError for anything else. */
export function readRows(name: string, value: Rows): Rows {
  if (typeof value !== "object" || value === null || typeof value.length !== "number") {
    throw refusal(name, value, "an array of numbers, or of rows of numbers");
  }
  return value;
}

function isNested(rows: Rows): rows is ArrayLike<ArrayLike<number>> {
  return typeof rows[0] === "object" && rows[0] !== null;
}

function countOf({ labels, weights, count }: ArrayDatasetOptions, inputs: Rows, targets: Rows | undefined): number {
  if (count !== undefined) return readNumber("count", count, { min: 1, integer: true });
  if (isNested(inputs)) return inputs.length;
  if (targets && isNested(targets)) return targets.length;
  const known = labels ?? weights;
  if (known) return known.length;
  throw new OptionError("count is missing; with flat inputs and targets it must give their number of rows");
}

/** Row after row, `count` of them, all of the same length. */
function flat(name: string, what: string, rows: Rows, count: number): Uint8Array | Float32Array {
  if (!isNested(rows)) {
    if (rows.length % count !== 0 || rows.length === 0) {
      throw new DataError(`${name} has ${rows.length} ${what}s, which do not divide into ${count} rows`);
    }
    if (rows instanceof Uint8Array || rows instanceof Float32Array) return rows;
    return finite(name, what, rows, rows.length / count, 0);
  }
  if (rows.length !== count) throw new DataError(`${name} has ${rows.length} rows of ${what}s; there must be ${count}`);
  const width = rows[0]!.length;
  // Such as a record with a field for each number.
  if (width === undefined) throw refusal(`${name}: row 0`, rows[0], `an array of ${what}s`, DataError);
  if (width === 0) throw new DataError(`${name}: row 0 has no ${what}s`);
  const values = new Float32Array(count * width);
  for (let row = 0; row < count; row++) {
    const given = rows[row]!;
    if (given?.length !== width) {
      throw new DataError(`${name}: row ${row} has ${given?.length ?? 0} ${what}s; row 0 has ${width}`);
    }
    values.set(finite(name, what, given, width, row), row * width);
  }
  return values;
}

/**
 * Rows of `width` numbers each.
 *
 * @throws DataError that names the first row of another width.
 */
export function rowsOf(name: string, rows: Rows, width: number): Float32Array {
  const nested = isNested(rows);
  const short = nested ? Array.from(rows).findIndex((row) => row?.length !== width) : -1;
  if (short >= 0 && nested) {
    throw new DataError(`${name}: row ${short} has ${rows[short]?.length ?? 0} numbers; it must have ${width}`);
  }
  if (rows.length === 0 || (!nested && rows.length % width !== 0)) {
    throw new DataError(`${name} has ${rows.length} numbers, which do not divide into rows of ${width}`);
  }
  return Float32Array.from(flat(name, "number", rows, nested ? rows.length : rows.length / width));
}

/** As float32, in which numbers too large are infinite. */
function finite(name: string, what: string, values: ArrayLike<number>, width: number, from: number): Float32Array {
  const found = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value: unknown = values[i];
    if (typeof value !== "number" || !Number.isFinite(Math.fround(value))) {
      const row = from + Math.floor(i / width);
      throw new DataError(
        `${name}: row ${row} has ${show(value)} as ${what} ${i % width}; it must be a number that float32 can hold`,
      );
    }
    found[i] = value;
  }
  return found;
}
