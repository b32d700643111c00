// MNIST in the page: the files that vite.config.ts puts beside it, fetched once.

import { DataError } from "../../base/errors.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import { mnistDataset, mnistFiles } from "../../objectives/data/mnist.ts";

interface Mnist {
  readonly train: Dataset;
  readonly test: Dataset;
}

let loaded: Promise<Mnist> | undefined;

/** @throws DataError if a file cannot be fetched or is malformed. */
export function loadMnist(): Promise<Mnist> {
  loaded ??= Promise.all([load("train"), load("test")])
    .then(([train, test]) => ({ train, test }))
    .catch((error) => {
      loaded = undefined;
      throw error;
    });
  return loaded;
}

async function load(half: "train" | "test"): Promise<Dataset> {
  const { images, labels } = mnistFiles[half];
  return mnistDataset(half, ...(await Promise.all([fetchBytes(images), fetchBytes(labels)])));
}

async function fetchBytes(name: string): Promise<Uint8Array> {
  const url = `mnist/${name}.idx`;
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    // Without a connection, or if it breaks off, fetch throws a TypeError.
    throw new DataError(`${url} could not be fetched: ${(error as Error).message}`, { cause: error });
  }
}
