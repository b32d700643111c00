// Random numbers that are the same in every engine and on every machine: Philox4x32-10, a counter-based generator
// (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"), in 32-bit integer arithmetic, and
// normals whose logarithm is built from exactly rounded operations instead of the engine's own Math.log.
import { readNumber } from "./options.ts";

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of the product of two unsigned 32-bit integers. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}

/** One block of Philox4x32-10: `counter` (4 words) under `key` (2 words) to 4 random words. */
export function philox(counter: Uint32Array, key0: number, key1: number, out: Uint32Array): void {
  let [c0, c1, c2, c3] = counter as unknown as [number, number, number, number];
  let k0 = key0 >>> 0;
  let k1 = key1 >>> 0;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0);
    const high1 = mulHigh(M1, c2);
    const low0 = Math.imul(M0, c0);
    const low1 = Math.imul(M1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** Natural logarithm of x in (0, 1], from +, -, *, / alone: x = f·2^e with f in [√½, √2), then atanh's series. */
function ln(x: number): number {
  let f = x;
  let e = 0;
  while (f < Math.SQRT1_2) {
    f *= 2;
    e--;
  }
  const z = (f - 1) / (f + 1);
  const z2 = z * z;
  let sum = 0;
  for (let k = 23; k >= 1; k -= 2) sum = sum * z2 + 1 / k;
  return 2 * z * sum + e * Math.LN2;
}

/** A stream of random numbers, fixed by `seed` (a whole number in [0, 2^53)) and `stream` (in [0, 2^32), default 0). */
export class Random {
  readonly #counter = new Uint32Array(4);
  readonly #block = new Uint32Array(4);
  readonly #key0: number;
  readonly #key1: number;
  #used = 4;
  #spare: number | undefined;

  /** @throws OptionError for an invalid seed or stream. */
  constructor(seed: number, stream = 0) {
    readNumber("seed", seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
    readNumber("stream", stream, { min: 0, max: 2 ** 32 - 1, integer: true });
    this.#key0 = seed >>> 0;
    this.#key1 = Math.floor(seed / 2 ** 32) >>> 0;
    this.#counter[3] = stream;
  }

  /** The next 32 random bits as an unsigned integer. */
  bits(): number {
    if (this.#used === 4) {
      philox(this.#counter, this.#key0, this.#key1, this.#block);
      this.#used = 0;
      for (let i = 0; i < 3; i++) {
        this.#counter[i]! += 1;
        if (this.#counter[i] !== 0) break;
      }
    }
    return this.#block[this.#used++]!;
  }

  /** Uniform in [0, 1), a multiple of 2^-32. */
  uniform(): number {
    return this.bits() / 2 ** 32;
  }

  /**
   * Uniform whole number in [0, n), without bias.
   *
   * @throws OptionError unless n is a whole number in [1, 2^32].
   */
  below(n: number): number {
    readNumber("n", n, { min: 1, max: 2 ** 32, integer: true });
    return this.#below(n);
  }

  #below(n: number): number {
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const bits = this.bits();
      if (bits < limit) return bits % n;
    }
  }

  /** Standard normal, by Marsaglia's polar method (Marsaglia and Bray 1964). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) {
        const factor = Math.sqrt((-2 * ln(s)) / s);
        this.#spare = v * factor;
        return u * factor;
      }
    }
  }

  /**
   * 0 … n-1 in random order (Fisher–Yates).
   *
   * @throws OptionError unless n is a whole number in [0, 2^32 - 1).
   */
  permutation(n: number): Uint32Array {
    readNumber("n", n, { min: 0, max: 2 ** 32 - 2, integer: true });
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.#below(i + 1);
      const held = order[i]!;
      order[i] = order[j]!;
      order[j] = held;
    }
    return order;
  }
}
