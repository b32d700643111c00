// Compares the answers of engines with the expected one of their case.

import { type Answer, type Case, messageOf, type Tolerance } from "./suite.ts";

/** Float32 itself is off by about 1e-6, a wrong rule by 1e-1 and more. */
const defaultTolerance: Tolerance = { number: 1e-3, values: 0.02 };

/** The expected answer of a case, or why it is unknown; the engines' rows then say so. */
export async function expectedOf(of: Case): Promise<Answer | { readonly error: string } | undefined> {
  try {
    return await of.expected?.();
  } catch (error) {
    return { error: `the reference failed: ${messageOf(error)}` };
  }
}

/** The difference of an answer from the expected one beyond rounding, or undefined. */
export function compare(of: Case, answer: Answer, expected: Answer): string | undefined {
  const { number = "loss", tolerance = defaultTolerance } = of;
  const start = of.start?.();
  for (const [i, value] of expected.numbers.entries()) {
    const found = answer.numbers[i] ?? Number.NaN;
    if (!(Math.abs(found - value) <= tolerance.number * Math.abs(value))) {
      return `a ${number} of ${found.toPrecision(6)} instead of ${value.toPrecision(6)} in step ${i + 1}`;
    }
  }
  // Where gradients are computed, a single value may differ by a whole step, since some are close to zero; a whole array may not.
  let [off, moved] = [0, 0];
  for (const [t, values] of expected.values.entries()) {
    const differences = differencesOf(answer.values[t], values, start?.[t]);
    off += differences.off;
    moved += differences.moved;
    const { largest } = differences;
    const share = shareOf(differences);
    const rms = Math.sqrt(differences.moved / Math.max(1, values.length));
    if (!(share <= 5 * tolerance.values))
      return `values of array ${t + 1} are off by ${percent(share)} of how far they moved`;
    if (tolerance.each !== undefined && !(largest.off <= tolerance.each * rms)) {
      return `value ${largest.index} of array ${t + 1} is off by ${percent(largest.off / rms)} of how far they moved`;
    }
  }
  const share = shareOf({ off, moved });
  if (share <= tolerance.values) return undefined;
  return `its values are off by ${percent(share)} of how far they moved`;
}

/** Sums of squares: of errors, of movements; and the place of the largest error. */
function differencesOf(found: Float32Array | undefined, values: Float32Array, from: Float32Array | undefined) {
  let [off, moved] = [0, 0];
  let largest = { off: 0, index: 0 };
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    // Missing values and NaN are infinitely far off.
    const distance = Math.abs((found?.[i] ?? Number.NaN) - value);
    const size = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
    if (size > largest.off) largest = { off: size, index: i };
    off += size ** 2;
    moved += (value - (from?.[i] ?? 0)) ** 2;
  }
  return { off, moved, largest };
}

const shareOf = ({ off, moved }: { readonly off: number; readonly moved: number }) =>
  off === 0 ? 0 : Math.sqrt(off / moved);

const percent = (share: number) => `${(100 * share).toPrecision(3)} %`;
