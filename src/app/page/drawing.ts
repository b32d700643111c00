// Turns a drawing into the input of a network for digits: cropped, scaled and centred like the data set's images.

/** How the images of a data set were made. */
export interface ImageKind {
  /** Pixels along a side. */
  readonly side: number;
  /** Pixels along the longer side of a digit. */
  readonly fill: number;
  /** What is in the middle: the centre of mass, or that of the box around the digit. */
  readonly centre: "mass" | "box";
}

/** LeCun et al. 1998: digits of at most 20 × 20 pixels, in 28 × 28, by their centre of mass. */
const mnist: ImageKind = { side: 28, fill: 20, centre: "mass" };
/** Alpaydin and Kaynak 1998: 32 × 32 black and white, of which each pixel here counts 4 × 4. */
const uci: ImageKind = { side: 8, fill: 8, centre: "box" };

/** The kind of images with this many numbers in a row; undefined if they are not digits. */
export const imageKindOf = (features: number): ImageKind | undefined =>
  [mnist, uci].find(({ side }) => side * side === features);

/** Less ink than this counts as none. */
const faint = 0.05;
/** Samples along a side of each pixel. */
const samples = 4;

/**
 * The image of a drawing: `side · side` numbers in [0, 1].
 *
 * @param ink How dark each of `size · size` places is, in [0, 1], row after row.
 * @returns null for an empty drawing.
 */
export function imageOf(ink: ArrayLike<number>, size: number, { side, fill, centre }: ImageKind): Float32Array | null {
  let [left, right, top, bottom] = [size, -1, size, -1];
  let [mass, massX, massY] = [0, 0, 0];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const dark = ink[y * size + x]!;
      if (dark < faint) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
      mass += dark;
      massX += dark * (x + 0.5);
      massY += dark * (y + 0.5);
    }
  }
  if (mass === 0) return null;
  const longer = Math.max(right - left, bottom - top) + 1;
  const step = longer / fill;
  const [centreX, centreY] =
    centre === "mass" ? [massX / mass, massY / mass] : [(left + right + 1) / 2, (top + bottom + 1) / 2];
  const image = new Float32Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let sum = 0;
      for (let i = 0; i < samples * samples; i++) {
        const atX = Math.floor(centreX + (x + ((i % samples) + 0.5) / samples - side / 2) * step);
        const atY = Math.floor(centreY + (y + (Math.floor(i / samples) + 0.5) / samples - side / 2) * step);
        if (atX >= 0 && atX < size && atY >= 0 && atY < size) sum += ink[atY * size + atX]!;
      }
      image[y * side + x] = sum / samples ** 2;
    }
  }
  return image;
}

/**
 * The ink of a picture, from 0 to 1, on paper of any colour: the difference from its border.
 *
 * @param rgba Four bytes for each place of `size · size`.
 */
export function inkOf(rgba: ArrayLike<number>, size: number): Float32Array {
  // Transparent places count as white.
  const light = Float32Array.from({ length: size * size }, (_, i) => {
    const alpha = rgba[4 * i + 3]! / 255;
    const luma = (0.299 * rgba[4 * i]! + 0.587 * rgba[4 * i + 1]! + 0.114 * rgba[4 * i + 2]!) / 255;
    return alpha * luma + 1 - alpha;
  });
  let [sum, count] = [0, 0];
  for (let i = 0; i < size; i++) {
    for (const at of [i, (size - 1) * size + i, i * size, i * size + size - 1]) {
      sum += light[at]!;
      count++;
    }
  }
  const paper = sum / count;
  const most = light.reduce((far, each) => Math.max(far, Math.abs(each - paper)), 0);
  return light.map((each) => (most < faint ? 0 : Math.max(0, Math.abs(each - paper) / most - faint)));
}
