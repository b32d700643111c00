// L-BFGS over a vector space: directions from the pairs of steps and gradient differences, steps from a line search. Vectors stay
// on their engine; each evaluation reads back scalars once, including those for the next direction. Written once for both
// engines, in float64 on the CPU and float32 on the GPU.

import { type At, alone, at, type Block, copy, type Span, span, type VectorSpace } from "../../engines/vectors.ts";
import { type Found, strongWolfe } from "./line_search.ts";
import { type Combination, Pairs, type PairsState } from "./pairs.ts";

/** The options of an iteration; every number in range. */
export interface Settings {
  /** The factor of a direction before the line search; without one it is the rate. */
  readonly lr: number;
  /** Pairs of steps and gradient changes that are kept. */
  readonly history: number;
  /** The most iterations of one step. */
  readonly maxIterations: number;
  /** The most evaluations of one step. */
  readonly maxEvaluations: number;
  /** A step ends once the largest derivative is at most this. */
  readonly gradientTolerance: number;
  /** A step ends once neither a parameter nor the loss changes by more than this. */
  readonly changeTolerance: number;
  /** How the length of a step is chosen. */
  readonly lineSearch: LineSearch;
}

/** How the length of a step is found. */
export type LineSearch = "strongWolfe" | "none";

/**
 * Why a step ended: its iterations or evaluations are used up; the largest derivative ("gradient") or the last change of the
 * parameters or the loss ("change") is within its tolerance; no lower point was found ("stuck"); or a loss was not
 * finite ("notFinite").
 */
export type LbfgsReason = "iterations" | "evaluations" | "gradient" | "change" | "stuck" | "notFinite";

/** The result of one step. */
export interface LbfgsReport {
  /** The loss at the parameters before the step. */
  readonly startLoss: number;
  /** The 2-norm of the gradient there. */
  readonly startGradientNorm: number;
  /** The loss at the parameters after it. */
  readonly loss: number;
  /** Losses and gradients computed. */
  readonly evaluations: number;
  /** Steps made along a direction. */
  readonly iterations: number;
  /** The 2-norm of the gradient after it. */
  readonly gradientNorm: number;
  /** The last step's length, in units of its direction; 0 if none was made. */
  readonly stepLength: number;
  /** Why it ended. */
  readonly reason: LbfgsReason;
}

/** The source of losses and gradients. */
export interface Source {
  /** Whether the optimizer's parameters are those of the last recorded point. */
  readonly moves: boolean;
  /** Records: gradient := the gradient at a point, and scalars[loss] := the loss there. */
  record(point: At, gradient: At, loss: number): void | Promise<void>;
}

/** Scalars known at a point, without its vectors. */
interface Known {
  readonly loss: number;
  /** The gradient · each s and y, by slot. */
  readonly withS: Float64Array;
  readonly withY: Float64Array;
  /** The square of its 2-norm, its 1-norm and its largest element. */
  readonly square: number;
  readonly sum: number;
  readonly largest: number;
}

/** The result of a sample along a direction. */
interface Trial extends Known {
  readonly at: number;
  /** The derivative along the direction there, and at its start. */
  readonly slope: number;
  readonly startSlope: number;
  /** y·y of the pair that the sample would make. */
  readonly yy: number;
  /** The largest element of the direction. */
  readonly reach: number;
  /** The square of the distance of the parameters from where they had been left, if it was measured. */
  readonly moved: number;
}

/** An evaluation's error relative to the loss, by the precision of its sums. */
const rounding = { cpu: 2 ** -50, webgpu: 2 ** -21 } as const;

/** A pair counts if y·s is above this. */
const leastCurvature = 1e-10;

/** The most samples of one line search. */
const searchEvaluations = 25;

/** How many vectors and scalars of a space L-BFGS needs. */
export function roomOf(history: number): { readonly vectors: number; readonly scalars: number } {
  const slots = history + 1;
  return { vectors: 2 * slots + 6, scalars: scalarsOf(slots).end };
}

/** The places of the scalars that are read after each evaluation. */
function scalarsOf(slots: number) {
  const slopes = 2 * slots + 2;
  return {
    /** The gradient · every s, every y, both gradients. */
    basis: 0,
    /** The direction · both gradients. */
    slopes,
    yy: slopes + 2,
    /** The 1-norm of the gradient and its largest element; the same for the direction. */
    gradient: slopes + 3,
    direction: slopes + 5,
    loss: slopes + 7,
    /** The square of the distance of the parameters from where they were left. */
    moved: slopes + 8,
    end: slopes + 9,
  } as const;
}

/** The state of L-BFGS outside of its engine. */
export interface IterationState {
  readonly pairs: PairsState;
  readonly known: (Omit<Known, "withS" | "withY"> & Record<"withS" | "withY", readonly number[]>) | null;
  readonly vectors: ReadonlyMap<string, Float64Array>;
}

/** L-BFGS over vectors of one space. */
export class Iteration {
  readonly #space: VectorSpace;
  readonly #block: Block;
  readonly #settings: Settings;
  readonly #pairs: Pairs;
  readonly #scalars: ReturnType<typeof scalarsOf>;
  /** Which of both gradients and points is the current one. */
  #now: 0 | 1 = 0;
  /** The scalars at the current point; null if unknown. */
  #known: Known | null = null;
  /** Whether the parameters are the current point. */
  #placed = true;

  /** @param block As many vectors of zeros as {@link roomOf} returns. */
  constructor(space: VectorSpace, block: Block, settings: Settings) {
    this.#space = space;
    this.#block = block;
    this.#settings = settings;
    this.#pairs = new Pairs(settings.history);
    this.#scalars = scalarsOf(this.#pairs.slots);
  }

  /** Pairs kept. */
  get pairs(): number {
    return this.#pairs.count;
  }

  /** Forgets the pairs and the current point: the next step is one of steepest descent. */
  forget(): void {
    this.#pairs.forget();
    this.#known = null;
  }

  /**
   * @param again Whether loss and gradient come from the same function as in the step before; they are then not computed
   * again if the parameters are as that step left them.
   */
  async step(source: Source, again: boolean): Promise<LbfgsReport> {
    try {
      return await this.#steps(source, again);
    } finally {
      if (!this.#placed) {
        this.#space.store(this.#point(this.#now));
        this.#placed = true;
        await this.#space.submit();
      }
      this.#keep();
    }
  }

  async #steps(source: Source, again: boolean): Promise<LbfgsReport> {
    const { lr, maxIterations, maxEvaluations, gradientTolerance, changeTolerance, lineSearch } = this.#settings;
    let [evaluations, iterations, stepLength] = [0, 0, 0];
    let known = again ? this.#known : null;
    // Checked together with the first sample.
    let unsure = known !== null;
    const begin = async () => {
      known = await this.#begin(source);
      evaluations++;
      unsure = false;
      return known;
    };
    if (known && known.largest <= gradientTolerance) {
      this.#compare();
      const [moved] = (await this.#space.scalars(this.#scalars.moved, 1))[0]!;
      if (moved === 0) unsure = false;
      else known = null;
    }
    known ??= await begin();
    let start = known;
    const report = (reason: LbfgsReason): LbfgsReport => {
      const [startGradientNorm, gradientNorm] = [Math.sqrt(start.square), Math.sqrt(known!.square)];
      const norms = { startGradientNorm, gradientNorm };
      return { startLoss: start.loss, loss: known!.loss, evaluations, iterations, ...norms, stepLength, reason };
    };
    while (true) {
      if (!finite(known)) {
        this.#known = null;
        return report("notFinite");
      }
      if (known.largest <= gradientTolerance) return report("gradient");
      if (evaluations >= maxEvaluations) return report("evaluations");
      const slope = this.#direct(known);
      if (slope > -changeTolerance) return report("change");
      const first = this.#pairs.count === 0 ? Math.min(1, 1 / known.sum) * lr : lr;
      if (unsure) this.#compare();
      let trial = await this.#try(source, first);
      evaluations++;
      if (unsure && trial.moved !== 0) {
        copy(this.#space, this.#s(this.#pairs.next), this.#point(this.#now));
        this.#space.store(this.#point(this.#now));
        known = await begin();
        start = known;
        continue;
      }
      unsure = false;
      if (!(trial.startSlope < 0)) {
        // Rounding has spoilt the direction, whose factors alone promise a descent.
        if (this.#pairs.count === 0) return report("stuck");
        this.#pairs.forget();
        continue;
      }
      let found: Found;
      if (lineSearch === "none") {
        found = { point: finite(trial) ? { at: first, value: trial.loss, slope: trial.slope } : null };
      } else {
        const search = strongWolfe({ value: known.loss, slope: trial.startSlope }, first, {
          decrease: 1e-4,
          curvature: 0.9,
          evaluations: Math.min(searchEvaluations, maxEvaluations - evaluations + 1),
          resolution: changeTolerance / trial.reach,
          noise: rounding[this.#space.backend] * Math.abs(known.loss),
        });
        let asked = search.next();
        while (true) {
          asked = search.next({ value: trial.loss, slope: trial.slope });
          if (asked.done) break;
          trial = await this.#try(source, asked.value);
          evaluations++;
        }
        found = asked.value;
      }
      const { point } = found;
      if (!point) {
        if (lineSearch === "strongWolfe" && this.#pairs.count > 0 && evaluations < maxEvaluations) {
          this.#pairs.forget();
          continue;
        }
        return report(finite(trial) ? "stuck" : "notFinite");
      }
      if (point.at !== trial.at) {
        trial = await this.#try(source, point.at);
        evaluations++;
      }
      const before = known.loss;
      known = this.#accept(known, trial, source);
      iterations++;
      stepLength = trial.at;
      if (known.largest <= gradientTolerance) return report("gradient");
      const still = Math.abs(known.loss - before) < changeTolerance || trial.at * trial.reach <= changeTolerance;
      if (still) return report("change");
      if (iterations >= maxIterations) return report("iterations");
    }
  }

  /** Vectors that a saved state holds, by name. */
  #saved(): ReadonlyMap<string, At> {
    const { order } = this.#pairs.state();
    return new Map([
      ...order.flatMap((slot, age) => [[`s${age}`, this.#s(slot)] as const, [`y${age}`, this.#y(slot)] as const]),
      ["gradient", this.#gradient(this.#now)] as const,
      ["point", this.#point(this.#now)] as const,
    ]);
  }

  /** Everything that the next step depends on. */
  async state(): Promise<IterationState> {
    const vectors = new Map<string, Float64Array>();
    for (const [name, place] of this.#saved()) vectors.set(name, (await this.#space.read(place))[0]!);
    const known = this.#known && {
      ...this.#known,
      withS: [...this.#known.withS],
      withY: [...this.#known.withY],
    };
    return { pairs: this.#pairs.state(), known, vectors };
  }

  restore({ pairs, known, vectors }: IterationState): void {
    this.#pairs.restore(pairs);
    this.#known = known && {
      ...known,
      withS: Float64Array.from(known.withS),
      withY: Float64Array.from(known.withY),
    };
    for (const [name, place] of this.#saved()) this.#space.write(place, [vectors.get(name)!]);
    this.#placed = true;
    if (this.#space.backend === "cpu") {
      this.#space.write(this.#stored, [Float64Array.from(Float32Array.from(vectors.get("point")!))]);
    }
  }

  /** Loss and gradient at the current parameters. */
  async #begin(source: Source): Promise<Known> {
    const [space, now] = [this.#space, this.#now];
    space.load("params", this.#point(now));
    this.#placed = true;
    await source.record(this.#point(now), this.#gradient(now), this.#scalars.loss);
    this.#measure(now);
    this.#known = this.#knownOf(now, await this.#read());
    return this.#known;
  }

  /** direction := -H·gradient; returns the derivative along it. */
  #direct(known: Known): number {
    const factors = () => this.#pairs.direction(known.withS, known.withY);
    const slopeOf = ({ s, y, gradient }: Combination) =>
      s.reduce((sum, factor, slot) => sum + factor * known.withS[slot]!, 0) +
      y.reduce((sum, factor, slot) => sum + factor * known.withY[slot]!, 0) +
      gradient * known.square;
    let [direction, slope] = [factors(), slopeOf(factors())];
    if (!(slope < 0)) {
      this.#pairs.forget();
      direction = factors();
      slope = slopeOf(direction);
    }
    const { s, y, gradient } = direction;
    const coefficients = [...s, ...y, this.#now === 0 ? gradient : 0, this.#now === 1 ? gradient : 0];
    this.#space.combine(this.#direction, 0, this.#basis, coefficients);
    return slope;
  }

  /** Samples along the direction. */
  async #try(source: Source, length: number): Promise<Trial> {
    const [space, now] = [this.#space, this.#now];
    const other = now === 0 ? 1 : 0;
    const [direction, difference] = [this.#direction, this.#y(this.#pairs.next)];
    const line = span(this.#block, Math.min(this.#point(now).index, direction.index), 2);
    space.combine(this.#point(other), 0, line, now === 0 ? [1, length] : [length, 1]);
    if (source.moves) this.#placed = false;
    await source.record(this.#point(other), this.#gradient(other), this.#scalars.loss);
    space.combine(difference, 0, this.#gradients, now === 0 ? [-1, 1] : [1, -1]);
    this.#measure(other);
    space.dots(this.#gradients, direction, this.#scalars.slopes);
    space.dots(alone(difference), difference, this.#scalars.yy);
    space.extent(direction, this.#scalars.direction);
    const scalars = await this.#read();
    const { slopes, yy, direction: reach, moved } = this.#scalars;
    return {
      ...this.#knownOf(other, scalars),
      at: length,
      slope: scalars[slopes + other]!,
      startSlope: scalars[slopes + now]!,
      yy: scalars[yy]!,
      reach: scalars[reach + 1]!,
      moved: scalars[moved]!,
    };
  }

  /** Records the scalars of a gradient for an evaluation. */
  #measure(which: 0 | 1): void {
    this.#space.dots(this.#basis, this.#gradient(which), this.#scalars.basis);
    this.#space.extent(this.#gradient(which), this.#scalars.gradient);
  }

  async #read(): Promise<Float64Array> {
    const [scalars] = await this.#space.scalars(0, this.#scalars.end);
    return scalars!;
  }

  #knownOf(which: 0 | 1, scalars: Float64Array): Known {
    const { slots } = this.#pairs;
    const { gradient, loss } = this.#scalars;
    return {
      loss: scalars[loss]!,
      withS: scalars.slice(0, slots),
      withY: scalars.slice(slots, 2 * slots),
      square: scalars[2 * slots + which]!,
      sum: scalars[gradient]!,
      largest: scalars[gradient + 1]!,
    };
  }

  /** The last sample becomes the current point, and makes a pair with the one before. */
  #accept(before: Known, trial: Trial, source: Source): Known {
    const slot = this.#pairs.next;
    const sy = trial.at * (trial.slope - trial.startSlope);
    const withS = trial.withS.slice();
    if (sy > leastCurvature && Number.isFinite(trial.yy)) {
      this.#space.combine(this.#s(slot), 0, alone(this.#direction), [trial.at]);
      const minus = (a: Float64Array, b: Float64Array) => a.map((value, i) => value - b[i]!);
      const yWithS = minus(trial.withS, before.withS);
      this.#pairs.add({ sy, yy: trial.yy, yWithS, yWithY: minus(trial.withY, before.withY) });
      withS[slot] = trial.at * trial.slope;
    }
    this.#now = this.#now === 0 ? 1 : 0;
    this.#placed = source.moves;
    const { loss, withY, square, sum, largest } = trial;
    this.#known = { loss, withS, withY, square, sum, largest };
    return this.#known;
  }

  /** Remembers the current parameters in float32: on the GPU they are the current point itself. */
  #keep(): void {
    if (this.#space.backend === "cpu") this.#space.load("params", this.#stored);
  }

  /** The distance of the parameters, which the free s takes, from where they were left. */
  #compare(): void {
    const [free, difference] = [this.#s(this.#pairs.next), this.#point(this.#now === 0 ? 1 : 0)];
    const stored = this.#space.backend === "cpu" ? this.#stored : this.#point(this.#now);
    this.#space.load("params", free);
    copy(this.#space, free, difference);
    this.#space.combine(difference, 1, alone(stored), [-1]);
    this.#space.dots(alone(difference), difference, this.#scalars.moved);
  }

  // In the block: every s, every y, both gradients, a point, the direction, the other point, the parameters as they were left.
  #s(slot: number): At {
    return at(this.#block, slot);
  }

  #y(slot: number): At {
    return at(this.#block, this.#pairs.slots + slot);
  }

  #gradient(which: 0 | 1): At {
    return at(this.#block, 2 * this.#pairs.slots + which);
  }

  get #gradients(): Span {
    return span(this.#block, 2 * this.#pairs.slots, 2);
  }

  /** Every s and y and both gradients. */
  get #basis(): Span {
    return span(this.#block, 0, 2 * this.#pairs.slots + 2);
  }

  #point(which: 0 | 1): At {
    return at(this.#block, 2 * this.#pairs.slots + 2 + 2 * which);
  }

  get #direction(): At {
    return at(this.#block, 2 * this.#pairs.slots + 3);
  }

  get #stored(): At {
    return at(this.#block, 2 * this.#pairs.slots + 5);
  }
}

function finite({ loss, square }: Known): boolean {
  return Number.isFinite(loss) && Number.isFinite(square);
}
