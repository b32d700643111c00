// Means under a bell curve, of any number of values in n log n: their convolution, by Fourier transforms.

/**
 * The mean of each value and its neighbours. A neighbour at distance d has the weight exp(-(d / width)² / 2) up to three widths, and
 * none beyond; there are fewer neighbours at the ends. Off by about 1e-15 of the largest value.
 *
 * @param width in values, > 0.
 */
export function bellMeans(values: readonly number[], width: number): number[] {
  const { length } = values;
  if (length === 0) return [];
  const reach = Math.min(Math.ceil(3 * width), length - 1);
  // Room for the bell beyond the last value, where it would meet the first ones.
  const size = 2 ** Math.ceil(Math.log2(length + reach));
  const [re, im] = [new Float64Array(size), new Float64Array(size)];
  const [bell, none] = [new Float64Array(size), new Float64Array(size)];
  /** The weights of the neighbours up to each distance on one side, without the value. */
  const beside = new Float64Array(reach + 1);
  re.set(values);
  bell[0] = 1;
  for (let away = 1; away <= reach; away++) {
    const weight = Math.exp(-((away / width) ** 2) / 2);
    bell[away] = weight;
    bell[size - away] = weight;
    beside[away] = beside[away - 1]! + weight;
  }
  transform(re, im);
  // The transform of something real and even is real.
  transform(bell, none);
  for (let i = 0; i < size; i++) {
    re[i]! *= bell[i]! / size;
    im[i]! *= bell[i]! / size;
  }
  // With its parts swapped, a transform is its own inverse.
  transform(im, re);
  return values.map((_, i) => re[i]! / (1 + beside[Math.min(i, reach)]! + beside[Math.min(length - 1 - i, reach)]!));
}

/** The discrete Fourier transform in place, of a power of two of complex numbers (Cooley and Tukey 1965). */
function transform(re: Float64Array, im: Float64Array): void {
  const { length } = re;
  for (let i = 1, reversed = 0; i < length; i++) {
    let bit = length / 2;
    for (; reversed & bit; bit /= 2) reversed -= bit;
    reversed += bit;
    if (i >= reversed) continue;
    [re[i], re[reversed]] = [re[reversed]!, re[i]!];
    [im[i], im[reversed]] = [im[reversed]!, im[i]!];
  }
  const cos = Float64Array.from({ length: length / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / length));
  const sin = Float64Array.from({ length: length / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / length));
  for (let half = 1; half < length; half *= 2) {
    const stride = length / (2 * half);
    for (let first = 0; first < length; first += 2 * half) {
      for (let i = first; i < first + half; i++) {
        const [c, s] = [cos[(i - first) * stride]!, sin[(i - first) * stride]!];
        const [x, y] = [re[i + half]!, im[i + half]!];
        const [turnedX, turnedY] = [c * x - s * y, s * x + c * y];
        re[i + half] = re[i]! - turnedX;
        im[i + half] = im[i]! - turnedY;
        re[i]! += turnedX;
        im[i]! += turnedY;
      }
    }
  }
}
