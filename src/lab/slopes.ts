// Derivatives from values of a function alone: central differences over strides that halve from one to the next, two by two
// extrapolated to stride 0 (Richardson 1911), of which the one counts that rounding and curvature leave most certain.

/** How many strides are tried. */
const strides = 12;

/** How many values a derivative is made of. */
export const shiftCount = 2 * strides;

/** The values that a parameter takes: above and below what it is, from the widest stride on. */
export function shiftsAround(value: number): Float64Array {
  const size = Math.max(1, Math.abs(value));
  return Float64Array.from(
    { length: shiftCount },
    (_, k) => value + (k % 2 === 0 ? 1 : -1) * size * 2 ** -(2 + (k >> 1)),
  );
}

export interface Slope {
  /** NaN where the function is not finite around there. */
  readonly slope: number;
  /** How far it may be from the true one. */
  readonly error: number;
}

/**
 * @param xs As {@link shiftsAround} gave them, or rounded.
 * @param ys What the function is at them.
 * @param precision The relative precision in which it was computed: 2^-24 of float32, 2^-53 of float64.
 */
export function slopeOf(xs: ArrayLike<number>, ys: ArrayLike<number>, precision: number): Slope {
  const width = (k: number) => xs[2 * k]! - xs[2 * k + 1]!;
  const differences = Array.from({ length: strides }, (_, k) => (ys[2 * k]! - ys[2 * k + 1]!) / width(k));
  // What the narrowest differences disagree by is what rounding does to the values, which may be more than to one number.
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
