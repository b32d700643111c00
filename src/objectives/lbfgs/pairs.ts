// The pairs of steps and gradient differences that L-BFGS keeps, known by their dot products alone: the two-loop recursion
// (Nocedal 1980) on the host, as a linear combination of vectors that stay where they are (Chen, Wang and Zhou 2014).

/** The dot products of a new pair with the existing ones, by slot, and with itself. */
export interface PairDots {
  /** s · y of the pair. */
  readonly sy: number;
  /** y · y of the pair. */
  readonly yy: number;
  /** y · each older s; the recursion does not use s · an older y. */
  readonly yWithS: ArrayLike<number>;
  /** y · each y. */
  readonly yWithY: ArrayLike<number>;
}

/** A direction: a factor for each s and y, by slot, and for the gradient. */
export interface Combination {
  readonly s: Float64Array;
  readonly y: Float64Array;
  readonly gradient: number;
}

/** Pairs in JSON. */
export interface PairsState {
  /** Slots, the oldest first. */
  readonly order: readonly number[];
  /** s · y by slots, row after row. */
  readonly sy: readonly number[];
  /** y · y by slots, row after row. */
  readonly yy: readonly number[];
}

/** The last pairs, each in a slot; one slot more than pairs are kept is free for the next. */
export class Pairs {
  readonly slots: number;
  /** Slots in use, the oldest first; they follow each other in a ring. */
  #order: readonly number[] = [];
  readonly #sy: Float64Array;
  readonly #yy: Float64Array;

  /** @param capacity The most pairs kept, >= 1. */
  constructor(capacity: number) {
    this.slots = capacity + 1;
    this.#sy = new Float64Array(this.slots ** 2);
    this.#yy = new Float64Array(this.slots ** 2);
  }

  get count(): number {
    return this.#order.length;
  }

  /** The free slot, for the next pair. */
  get next(): number {
    return ((this.#order.at(-1) ?? -1) + 1) % this.slots;
  }

  /** Adds a pair in the slot {@link Pairs.next}; the oldest is dropped if all are in use. */
  add({ sy, yy, yWithS, yWithY }: PairDots): void {
    const [slot, n] = [this.next, this.slots];
    const kept = this.#order.slice(this.count < n - 1 ? 0 : 1);
    for (const other of kept) {
      this.#sy[other * n + slot] = yWithS[other]!;
      this.#yy[slot * n + other] = yWithY[other]!;
      this.#yy[other * n + slot] = yWithY[other]!;
    }
    this.#sy[slot * n + slot] = sy;
    this.#yy[slot * n + slot] = yy;
    this.#order = [...kept, slot];
  }

  forget(): void {
    this.#order = [];
  }

  /**
   * -H·g, where H approximates the inverse Hessian; steepest descent if there are no pairs.
   *
   * @param gWithS The gradient · each s, by slot.
   * @param gWithY The gradient · each y, by slot.
   */
  direction(gWithS: ArrayLike<number>, gWithY: ArrayLike<number>): Combination {
    const n = this.slots;
    const [s, y] = [new Float64Array(n), new Float64Array(n)];
    const newest = this.#order.at(-1);
    if (newest === undefined) return { s, y, gradient: -1 };
    const alphas = new Float64Array(n);
    const curvature = (slot: number) => this.#sy[slot * (n + 1)]!;
    const scale = curvature(newest) / this.#yy[newest * (n + 1)]!;
    // Pairs newer than this one have changed the vector already, and older ones have not.
    for (const [age, slot] of [...this.#order.entries()].reverse()) {
      let dot = -gWithS[slot]!;
      for (const newer of this.#order.slice(age + 1)) dot += y[newer]! * this.#sy[slot * n + newer]!;
      alphas[slot] = dot / curvature(slot);
      y[slot] = -alphas[slot]!;
    }
    for (const slot of this.#order) y[slot]! *= scale;
    for (const [age, slot] of this.#order.entries()) {
      let dot = -scale * gWithY[slot]!;
      for (const other of this.#order) dot += y[other]! * this.#yy[other * n + slot]!;
      for (const older of this.#order.slice(0, age)) dot += s[older]! * this.#sy[older * n + slot]!;
      s[slot] = alphas[slot]! - dot / curvature(slot);
    }
    return { s, y, gradient: -scale };
  }

  state(): PairsState {
    return { order: this.#order, sy: [...this.#sy], yy: [...this.#yy] };
  }

  restore({ order, sy, yy }: PairsState): void {
    this.#order = [...order];
    this.#sy.set(sy);
    this.#yy.set(yy);
  }
}
