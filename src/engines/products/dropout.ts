// Which elements dropout drops: a pure function of seed, stream, step, row and column, so that both engines, every batch and the
// backward pass agree without a mask. shaders/products/dropout.wgsl is its twin.
import { philox } from "../../base/random.ts";

/** The dropout of a layer's outputs: a pure function of seed, stream, row, column and step. */
export interface Dropout {
  /** The share that is dropped, in [0, 1); the rest is divided by 1 - rate (inverted dropout, Srivastava et al. 2014). */
  readonly rate: number;
  /** A whole number in [0, 2^53). */
  readonly seed: number;
  /** Distinguishes layers; a whole number in [0, 2^32). */
  readonly stream: number;
}

/** Elements with random words below it are dropped. */
export function dropoutThreshold(rate: number): number {
  return Math.floor(rate * 2 ** 32);
}

/** The two words of Philox's key. */
export function dropoutKey(seed: number): readonly [low: number, high: number] {
  return [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
}

/**
 * For the first `columns` elements of a row, 1 if dropped, else 0. Four columns share a block of Philox, whose counter is column
 * / 4, the row's number in the data set, the step and the stream.
 */
export function dropped({ rate, seed, stream }: Dropout, step: number, row: number, columns: number): Uint8Array {
  const threshold = dropoutThreshold(rate);
  const [low, high] = dropoutKey(seed);
  const found = new Uint8Array(columns);
  const words = new Uint32Array(4);
  for (let first = 0; first < columns; first += 4) {
    philox(Uint32Array.of(first / 4, row, step, stream), low, high, words);
    for (let i = 0; i < Math.min(4, columns - first); i++) found[first + i] = Number(words[i]! < threshold);
  }
  return found;
}
