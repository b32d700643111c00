// What a watch finds in one tensor: gradients that explode or vanish, and updates out of proportion.
import type { LayerStats } from "../optimizer/optimizer.ts";
import { exploding, figure, type WatchEvent } from "./findings.ts";
import { Alarm, acquaintance, patience, readRecord, type SignalState, statesOf, Usual } from "./signals.ts";
import type { Limits } from "./watch_options.ts";

/** Norms over all tensors, for one update. */
export interface Totals {
  readonly gradient: number;
  readonly weight: number;
  readonly update: number;
}

/** The context in which a layer is judged. */
export interface Context {
  /** The layer whose gradient is the largest. */
  readonly largest: LayerStats;
  readonly totals: Totals;
  /** Whether the whole gradient explodes, which also covers the layers. */
  readonly exploding: boolean;
  /** Whether small updates would be a mistake: there is a gradient, and the schedule does not intend them. */
  readonly settled: boolean;
  readonly limits: Limits;
}

/** One tensor over the run. */
export class Layer {
  readonly #gradient: Usual;
  #fromZero: boolean;
  readonly #exploding: Alarm;
  readonly #vanishing = new Alarm(patience, patience);
  readonly #large = new Alarm(patience, patience);
  readonly #small = new Alarm(patience, patience);

  constructor({ window, vanish, explode }: Limits, fromZero: boolean) {
    this.#exploding = new Alarm(window);
    this.#gradient = new Usual(vanish, explode);
    this.#fromZero = fromZero;
  }

  state(): Readonly<Record<string, SignalState>> {
    return { ...statesOf(this.#signals), fromZero: [Number(this.#fromZero)] };
  }

  /** @throws DataError for anything but the state of a layer. */
  restore(state: unknown): void {
    const record = readRecord("layers", state);
    for (const [name, signal] of Object.entries(this.#signals)) signal.restore(record[name]);
    this.#fromZero = Array.isArray(record.fromZero) && record.fromZero[0] === 1;
  }

  get #signals() {
    return {
      gradient: this.#gradient,
      exploding: this.#exploding,
      vanishing: this.#vanishing,
      large: this.#large,
      small: this.#small,
    };
  }

  *observe(step: number, stats: LayerStats, context: Context): Generator<WatchEvent> {
    const { name, gradientNorm, weightNorm, updateNorm } = stats;
    const { largest, totals, settled, limits } = context;
    const { size: usual, peak, count } = this.#gradient;
    const sudden = count >= acquaintance && gradientNorm > limits.explode * usual && gradientNorm > peak;
    if (this.#exploding.observe(sudden && !context.exploding, gradientNorm > (limits.explode / 2) * usual)) {
      yield exploding(step, name, gradientNorm, usual);
    }
    this.#gradient.add(gradientNorm);
    const reference = largest.gradientNorm;
    if (
      this.#vanishing.observe(gradientNorm < limits.vanish * reference, gradientNorm < 2 * limits.vanish * reference)
    ) {
      yield {
        kind: "vanishingGradient",
        step,
        layer: name,
        gradientNorm,
        reference,
        against: largest.name,
        message: `the gradient norm of ${name} is ${figure(gradientNorm)} at step ${step}, that of ${largest.name} ${figure(reference)}`,
        remedy:
          "rescale the initial weights to the width, use activations that do not saturate, or add normalisation or skip connections",
      };
    }
    const ratio = updateNorm / weightNorm;
    // Biases and the like start at or stay near zero: the relative size of their updates means nothing.
    const isMeaningful = !this.#fromZero && weightNorm > 0.01 * totals.weight;
    if (
      this.#large.observe(isMeaningful && ratio > limits.largeUpdate, isMeaningful && ratio > limits.largeUpdate / 2)
    ) {
      yield {
        kind: "largeUpdate",
        step,
        layer: name,
        ratio,
        limit: limits.largeUpdate,
        message: `an update changes ${name} by ${figure(ratio)} of its norm at step ${step}; around 0.001 is usual`,
        remedy: "lower the rate, of this layer alone if the others are fine, warm up, or clip the gradient's norm",
      };
    }
    const small = isMeaningful && settled && !this.#vanishing.active && ratio < limits.smallUpdate;
    if (this.#small.observe(small, isMeaningful && ratio < 2 * limits.smallUpdate)) {
      yield {
        kind: "smallUpdate",
        step,
        layer: name,
        ratio,
        limit: limits.smallUpdate,
        message: `an update changes ${name} by ${figure(ratio)} of its norm at step ${step}; around 0.001 is usual`,
        remedy: "raise the rate, of this layer alone if the others move, or use a rule that scales each layer's step",
      };
    }
  }
}
