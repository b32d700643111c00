// Hessian-vector products as differences of gradients along the vector, on both engines: at strides that shrink until two of
// them agree or rounding sets them apart, and from these two extrapolated to a stride of nothing (Richardson 1911).

import type { TensorValues } from "../optimizer/optimizer.ts";
import { breathe } from "./turns.ts";

/** Values by tensor name, in whichever precision. */
export type VectorValues = Readonly<Record<string, Float32Array | Float64Array>>;

/** From one stride to the next. */
const factor = 4;

/** Strides that are tried at most. */
const most = 10;

/**
 * @param at The central difference of two gradients at a distance from the parameters, in units of the vector.
 * @param start The longest distance.
 * @param enough How well two differences agree, relative to the product, where it is pointless to go on.
 */
export async function extrapolate(
  at: (stride: number) => VectorValues | Promise<VectorValues>,
  start: number,
  enough: number,
): Promise<TensorValues> {
  let stride = start;
  let wide = await at(stride);
  let [best, least] = [wide, Number.POSITIVE_INFINITY];
  for (let tried = 1; tried < most; tried++) {
    stride /= factor;
    await breathe();
    const narrow = await at(stride);
    const off = distance(narrow, wide);
    // What is left once truncation is gone is rounding, which grows as the stride shrinks.
    if (off > least) break;
    [best, least] = [between(narrow, wide), off];
    if (off <= enough) break;
    wide = narrow;
  }
  return Object.fromEntries(Object.entries(best).map(([name, values]) => [name, Float32Array.from(values)]));
}

/** The 2-norm of the difference, relative to the first. */
function distance(a: VectorValues, b: VectorValues): number {
  let [difference, size] = [0, 0];
  for (const [name, values] of Object.entries(a)) {
    const others = b[name]!;
    for (let i = 0; i < values.length; i++) {
      difference += (values[i]! - others[i]!) ** 2;
      size += values[i]! ** 2;
    }
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}

/** The error of a central difference goes with the square of its stride: what both say of a stride of nothing. */
function between(narrow: VectorValues, wide: VectorValues): VectorValues {
  return Object.fromEntries(
    Object.entries(narrow).map(([name, values]) => {
      const others = wide[name]!;
      return [name, Float64Array.from(values, (value, i) => value + (value - others[i]!) / (factor * factor - 1))];
    }),
  );
}
