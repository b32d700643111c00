// The data of a run as JSON: which data set, and how many of its rows.
import { type Dataset, firstRows } from "../data/dataset.ts";
import { mnistFiles } from "../data/mnist.ts";
import { readChoice, readNumber, readObject } from "../options.ts";

/** What is known of each data set before it is loaded. */
const sources = {
  mnist: { name: "MNIST", rows: mnistFiles.train.count, testRows: mnistFiles.test.count, features: 784, classes: 10 },
} as const;

export interface DataConfig {
  /** The handwritten digits of LeCun, Cortes and Burges; the only data set so far. */
  readonly type: keyof typeof sources;
  /** Training takes this many rows, the first; a whole number in [1, 60000]; default all. */
  readonly rows?: number | undefined;
  /** The same for the test set; a whole number in [1, 10000]; default all. */
  readonly testRows?: number | undefined;
}

/** With every default filled in. */
export type CompleteDataConfig = { readonly [Field in keyof DataConfig]-?: NonNullable<DataConfig[Field]> };

/** @throws OptionError for an unknown data set or option, and more rows than it has. */
export function readData(value: unknown): CompleteDataConfig {
  const { type, ...given } = readObject("data", value, ["type", "rows", "testRows"]);
  const source = readChoice("data.type", type, ["mnist"]);
  const rows = (field: "rows" | "testRows") => {
    const all = sources[source][field];
    return given[field] === undefined
      ? all
      : readNumber(`data.${field}`, given[field], { min: 1, max: all, integer: true });
  };
  return { type: source, rows: rows("rows"), testRows: rows("testRows") };
}

/** What the training rows are like, without loading them. */
export function describeData({
  type,
  rows,
}: CompleteDataConfig): Pick<Dataset, "name" | "features" | "classes" | "count"> {
  const { name, features, classes } = sources[type];
  return { name: `${name} train`, features, classes, count: rows };
}

/** The rows that a run takes of its data set. */
export function takeRows(
  { rows, testRows }: CompleteDataConfig,
  { train, test }: { readonly train: Dataset; readonly test: Dataset },
): { readonly train: Dataset; readonly test: Dataset } {
  return { train: firstRows(train, rows), test: firstRows(test, testRows) };
}
