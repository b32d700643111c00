// The error function in float64, for activations of the CPU reference: JavaScript has none.

/** Beyond it the series takes more terms than the continued fraction. */
const seriesEnd = 2.5;
/** From here on, the nearest float64 is 1. */
const saturation = 6;
/** Levels of the continued fraction: at 2.5 they leave an error of 1e-14 in the complement, which is 4e-4 there. */
const levels = 24;

/**
 * The error function, 2/√π ∫₀ˣ exp(-t²) dt, to within 1e-15 of its value; NaN for NaN.
 *
 * Up to 2.5 by the series 2/√π exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n+1)), whose terms all have the same sign, beyond by the
 * continued fraction of its complement (DLMF 7.6.2 and 7.9.1).
 */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (z >= saturation) return Math.sign(x);
  if (z >= seriesEnd) {
    let fraction = z;
    for (let level = levels; level > 0; level--) fraction = z + level / 2 / fraction;
    return Math.sign(x) * (1 - bell(z) / (Math.sqrt(Math.PI) * fraction));
  }
  const ratio = 2 * x * x;
  let sum = x;
  let term = (x * ratio) / 3;
  for (let odd = 5; Math.abs(term) > Math.abs(sum) * 2 ** -54; odd += 2) {
    sum += term;
    term *= ratio / odd;
  }
  return (2 / Math.sqrt(Math.PI)) * bell(z) * sum;
}

/** exp(-z²). The square of a float32 is exact in float64, so the exponential has no rounding of z² to amplify. */
function bell(z: number): number {
  const near = Math.fround(z);
  return Math.exp(-near * near) * Math.exp((near - z) * (near + z));
}
