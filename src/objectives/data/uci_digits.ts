// A data set that comes with the library, for lessons and experiments: 1,797 images of handwritten digits, loaded on demand.
import type { LabelledDataset } from "./dataset.ts";

const pixels = 64;

/**
 * 1,797 images of handwritten digits, 8 × 8 pixels in [0, 1], labels 0 to 9, in a shuffled order that never changes. They are the
 * test fold of Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998, UCI Machine Learning Repository, CC BY 4.0),
 * and are in a separate module (47 kB compressed) that is loaded only by this call.
 */
export async function uciDigits(): Promise<LabelledDataset> {
  const { images } = await import("./uci_images.ts");
  const count = images.length / (1 + pixels);
  const inputs = new Uint8Array(count * pixels);
  const labels = new Uint8Array(count);
  for (let row = 0; row < count; row++) {
    const first = row * (1 + pixels);
    labels[row] = Number(images[first]);
    for (let i = 0; i < pixels; i++) inputs[row * pixels + i] = images.charCodeAt(first + 1 + i) - zero;
  }
  return { name: "digits", count, features: pixels, inputs, scale: 1 / 16, labels, classes: 10 };
}

/** The character of a pixel of 0. */
const zero = "a".charCodeAt(0);
