// Derivatives from values of a function alone: central differences over strides that halve from one to the next, extrapolated
// in pairs to stride 0 (Richardson 1911); the least uncertain one, given rounding and curvature, is taken.

/** How many strides are tried. */
const strides = 12;

/** How many values a derivative takes. */
export const shiftCount = 2 * strides;

/** The values of a parameter at which to evaluate: above and below its own, from the widest stride on. */
export function shiftsAround(value: number): Float64Array {
  const size = Math.max(1, Math.abs(value));
  return Float64Array.from(
    { length: shiftCount },
    (_, k) => value + (k % 2 === 0 ? 1 : -1) * size * 2 ** -(2 + (k >> 1)),
  );
}

export interface Slope {
  /** NaN if the function is not finite near there. */
  readonly slope: number;
  /** An estimate of its error. */
  readonly error: number;
}

/**
 * @param xs As {@link shiftsAround} returned them, or rounded.
 * @param ys The function's values at them.
 * @param precision The relative precision with which it was computed: 2^-24 for float32, 2^-53 for float64.
 */
export function slopeOf(xs: ArrayLike<number>, ys: ArrayLike<number>, precision: number): Slope {
  const width = (k: number) => xs[2 * k]! - xs[2 * k + 1]!;
  const differences = Array.from({ length: strides }, (_, k) => (ys[2 * k]! - ys[2 * k + 1]!) / width(k));
  // The spread of the narrowest differences shows the rounding of the values, which may be more than that of one number.
  const narrow = differences.slice(-3);
  const spread = (Math.max(...narrow) - Math.min(...narrow)) * width(strides - 1);
  const largest = Math.max(...Array.from({ length: 6 }, (_, k) => Math.abs(ys[shiftCount - 1 - k]!)));
  const noise = Math.max(spread, precision * largest);
  const extrapolated = differences.slice(1).map((fine, k) => (4 * fine - differences[k]!) / 3);
  let best: Slope = { slope: Number.NaN, error: Number.POSITIVE_INFINITY };
  for (let k = 1; k < extrapolated.length; k++) {
    const slope = extrapolated[k]!;
    const error = Math.abs(slope - extrapolated[k - 1]!) + (2 * noise) / width(k + 1);
    if (error < best.error) best = { slope, error };
  }
  return best;
}
