// The running figures by which a watch (watch.ts) judges a run. Each costs the same at every step and never grows. It keeps
// the past as a short list of numbers, which a checkpoint stores.
import { DataError, show } from "../base/errors.ts";

/** The memory of a figure; only the figure knows its meaning. */
export type SignalState = readonly number[];

/** Observations before a gradient has a usual size. */
export const acquaintance = 10;
/** Observations in a row of layers, or of a lost gradient, before they count: first steps and single batches may be unusual. */
export const patience = 5;

/** The states of figures, by name. */
export function statesOf(signals: Readonly<Record<string, { state(): SignalState }>>): Record<string, SignalState> {
  return Object.fromEntries(Object.entries(signals).map(([name, signal]) => [name, signal.state()]));
}

/** @throws DataError for anything but an object in the state of a watch. */
export function readRecord(name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new DataError(`the state of a watch holds ${show(value)} as ${name}; it must be an object`);
}

/** @throws DataError for anything but a list of that many numbers. */
function readState(value: unknown, count: number): readonly number[] {
  if (Array.isArray(value) && value.length === count && value.every((number) => typeof number === "number"))
    return value;
  throw new DataError(`the state of a watch holds ${show(value)}; it must be ${count} numbers`);
}

/** A condition with memory: it starts once, and can start again only after it has ended. */
export class Alarm {
  readonly #calm: number;
  readonly #patience: number;
  #active = false;
  /** While off: observations in a row in which it could start; while on: those in which it did not hold. */
  #row = 0;

  /** Starts at the `patience`-th observation in a row with `begins`, ends after `calm` in a row without `holds`. */
  constructor(calm: number, patience = 1) {
    this.#calm = calm;
    this.#patience = patience;
  }

  get active(): boolean {
    return this.#active;
  }

  /** Whether it starts with this observation. `holds` is the weaker condition that keeps it on once it has started. */
  observe(begins: boolean, holds: boolean = begins): boolean {
    this.#row = (this.#active ? !holds : begins) ? this.#row + 1 : 0;
    if (this.#row < (this.#active ? this.#calm : this.#patience)) return false;
    this.#active = !this.#active;
    this.#row = 0;
    return this.#active;
  }

  state(): SignalState {
    return [Number(this.#active), this.#row];
  }

  restore(state: unknown): void {
    const [active, row] = readState(state, 2);
    this.#active = active === 1;
    this.#row = row!;
  }
}

/** A fading mean: each value has `keep` times the weight of the next. NaN before the first. */
export class Fading {
  readonly #keep: number;
  #sum = 0;
  #weight = 0;
  #squares = 0;

  constructor(keep: number) {
    this.#keep = keep;
  }

  get mean(): number {
    return this.#sum / this.#weight;
  }

  /** The deviation of the mean relative to that of independent values; 1 at the first. */
  get noise(): number {
    return Math.sqrt(this.#squares) / this.#weight;
  }

  add(value: number): void {
    this.#sum = this.#keep * this.#sum + value;
    this.#weight = this.#keep * this.#weight + 1;
    this.#squares = this.#keep ** 2 * this.#squares + 1;
  }

  state(): SignalState {
    return [this.#sum, this.#weight, this.#squares];
  }

  restore(state: unknown): void {
    const [sum, weight, squares] = readState(state, 3);
    [this.#sum, this.#weight, this.#squares] = [sum!, weight!, squares!];
  }
}

/**
 * The usual size of a positive figure: its fading geometric mean. A value counts as at most `most` and at least `least`
 * times the usual size so far, so that one outlier moves it little; that makes it as good as a running median, in two numbers.
 */
export class Usual {
  readonly #log = new Fading(0.95);
  readonly #least: number;
  readonly #most: number;
  #count = 0;
  #peak = 0;

  constructor(least: number, most: number) {
    this.#least = least;
    this.#most = most;
  }

  /** NaN before the first value. */
  get size(): number {
    return Math.exp(this.#log.mean);
  }

  /** The largest usual size so far. */
  get peak(): number {
    return this.#peak;
  }

  get count(): number {
    return this.#count;
  }

  /** @param value finite and >= 0. */
  add(value: number): void {
    const usual = this.size;
    const bounded = this.#count > 0 ? Math.min(Math.max(value, usual * this.#least), usual * this.#most) : value;
    this.#log.add(Math.log(Math.max(bounded, Number.MIN_VALUE)));
    this.#count++;
    this.#peak = Math.max(this.#peak, this.size);
  }

  state(): SignalState {
    return [...this.#log.state(), this.#count, this.#peak];
  }

  restore(state: unknown): void {
    const [sum, weight, squares, count, peak] = readState(state, 5);
    this.#log.restore([sum, weight, squares]);
    [this.#count, this.#peak] = [count!, peak!];
  }
}

/** How the last values of a series moved. The trend is the line through the means of their two halves. */
export interface Motion {
  /** Mean of the older half. */
  readonly older: number;
  /** Mean of the newer half. */
  readonly newer: number;
  /** Lowest and highest value. */
  readonly low: number;
  readonly high: number;
  /** Root mean square of the distance from the trend; of all, and of each half. */
  readonly spread: number;
  readonly olderSpread: number;
  readonly newerSpread: number;
  /**
   * Mean square of the differences of neighbours over the square of the spread (von Neumann 1941): 2 for independent noise,
   * whatever its size, 4 for a series that jumps up and down at every step, near 0 for slow swings. 2 if nothing moves.
   */
  readonly roughness: number;
  /** Observations from one crossing of the trend to the next; a crossing counts once it is half a spread beyond the trend. */
  readonly swings: readonly number[];
  /** Share of the steps in which the value fell. */
  readonly falling: number;
  /** Three standard deviations of the difference of the halves' means, as far as the values are noise. */
  readonly blur: number;
}

/** The last values of a series. */
export class Recent {
  readonly #values: Float64Array;
  #count = 0;

  constructor(length: number) {
    this.#values = new Float64Array(length);
  }

  get full(): boolean {
    return this.#count >= this.#values.length;
  }

  add(value: number): void {
    this.#values[this.#count % this.#values.length] = value;
    this.#count++;
  }

  state(): SignalState {
    return [this.#count, ...this.#values];
  }

  restore(state: unknown): void {
    const [count, ...values] = readState(state, 1 + this.#values.length);
    this.#count = count!;
    this.#values.set(values);
  }

  /** The motion over a full window. */
  motion(): Motion {
    const length = this.#values.length;
    const at = (i: number) => this.#values[(this.#count + i) % length]!;
    const half = length >> 1;
    let [olderTotal, newerTotal, low, high] = [0, 0, at(0), at(0)];
    for (let i = 0; i < length; i++) {
      const value = at(i);
      if (i < half) olderTotal += value;
      else newerTotal += value;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const [older, newer] = [olderTotal / half, newerTotal / (length - half)];
    const slope = (newer - older) / (length / 2);
    const middle = (olderTotal + newerTotal) / length;
    const rest = (i: number) => at(i) - middle - slope * (i - (length - 1) / 2);
    let [olderSum, newerSum, jumps, falls] = [0, 0, 0, 0];
    for (let i = 0; i < length; i++) {
      const now = rest(i);
      if (i < half) olderSum += now * now;
      else newerSum += now * now;
      if (i === 0) continue;
      jumps += (now - rest(i - 1)) ** 2;
      if (at(i) < at(i - 1)) falls++;
    }
    const variance = (olderSum + newerSum) / length;
    const spread = Math.sqrt(variance);
    const swings: number[] = [];
    let [side, since] = [0, -1];
    for (let i = 0; i < length; i++) {
      const now = rest(i);
      if (Math.abs(now) <= spread / 2 || Math.sign(now) === side) continue;
      if (side !== 0 && since >= 0) swings.push(i - since);
      if (side !== 0) since = i;
      side = Math.sign(now);
    }
    const roughness = variance > 0 ? jumps / (length - 1) / variance : 2;
    return {
      older,
      newer,
      low,
      high,
      spread,
      olderSpread: Math.sqrt(olderSum / half),
      newerSpread: Math.sqrt(newerSum / (length - half)),
      roughness,
      swings,
      falling: falls / (length - 1),
      blur: (6 * spread * Math.sqrt(roughness / 2)) / Math.sqrt(length),
    };
  }
}
