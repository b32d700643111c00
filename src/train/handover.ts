// From the rule to L-BFGS: when a run hands over (after a step, at a plateau of its metric, or when noise drowns its gradients),
// and the iterations over all rows that follow.

import { DataError } from "../base/errors.ts";
import { encodeExact, fromExact } from "../base/exact.ts";
import { decodeSafetensors } from "../base/safetensors.ts";
import { openVectors } from "../engines/open_vectors.ts";
import { at, type Block, span, type VectorSpace } from "../engines/vectors.ts";
import { type Dataset, everyRow } from "../objectives/data/dataset.ts";
import { createLbfgs, type Lbfgs } from "../objectives/lbfgs/lbfgs.ts";
import { firstAndEach, type Objective, type StepReport } from "../objectives/objective.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import type { CompleteHandoverConfig } from "./handover_config.ts";
import { createStopping, type Stopping } from "./stopping.ts";

/** How much of the gradients of successive steps is signal. */
export class NoiseMeter {
  readonly #space: VectorSpace;
  readonly #block: Block;
  /** Gradients measured since the last ratio, and whether the one before them is known. */
  #count = 0;

  private constructor(space: VectorSpace, block: Block) {
    this.#space = space;
    this.#block = block;
  }

  /** @param every The most gradients of one ratio. */
  static async open(optimizer: Optimizer, every: number): Promise<NoiseMeter> {
    const space = await openVectors(optimizer, { scalars: 2 * every });
    return new NoiseMeter(space, await space.create(2));
  }

  /** Takes the gradient of the last submitted step. */
  look(): void {
    const [space, now] = [this.#space, this.#count % 2];
    space.load("gradients", at(this.#block, now));
    space.dots(span(this.#block), at(this.#block, now), 2 * this.#count);
    this.#count++;
    // Before the next step overwrites the gradients.
    this.#space.flush();
  }

  /**
   * The square of the mean gradient over its variance, since the last call: the mean product of successive gradients estimates that
   * square if their noise is independent, and the mean square is the sum of both. Infinite without any noise.
   */
  async ratio(): Promise<number> {
    const count = this.#count;
    const [scalars] = await this.#space.scalars(0, 2 * count);
    this.#count = 0;
    let [products, squares] = [0, 0];
    for (let i = 0; i < count; i++) {
      const now = i % 2;
      squares += scalars![2 * i + now]! / count;
      // The first gradient has none before it.
      if (i > 0) products += scalars![2 * i + 1 - now]! / (count - 1);
    }
    const noise = squares - products;
    return noise > 0 ? products / noise : Number.isNaN(noise) ? Number.NaN : Number.POSITIVE_INFINITY;
  }

  /** The measurements since the last ratio, to the bit. */
  async state(): Promise<{ readonly count: number; readonly bytes: Uint8Array<ArrayBuffer> }> {
    const last = at(this.#block, (this.#count + 1) % 2);
    const [gradient] = await this.#space.read(last);
    const [scalars] = await this.#space.scalars(0, 2 * this.#count);
    const bytes = encodeExact(Object.entries({ gradient: gradient!, scalars: scalars! }));
    return { count: this.#count, bytes };
  }

  /** @throws DataError for anything but a state of {@link NoiseMeter.state}. */
  restore(count: number, bytes: Uint8Array): void {
    const { tensors } = decodeSafetensors(bytes);
    const values = (name: string, length: number) =>
      fromExact(tensors.get(name), `the ${name} of the noise that a run has seen`, length);
    const [gradient, scalars] = [values("gradient", this.#space.length), values("scalars", 2 * count)];
    this.#space.write(at(this.#block, (count + 1) % 2), [gradient]);
    if (count > 0) this.#space.set(0, scalars);
    this.#count = count;
  }

  destroy(): void {
    this.#space.destroy();
  }
}

/** The handover in a checkpoint. */
export interface HandoverState {
  /** Steps of the rule before the handover; null if it has not happened. */
  readonly step: number | null;
  /** Updates so far: the optimizer's, then L-BFGS's iterations. */
  readonly updates: number;
  /** Steps skipped until then because a gradient was not finite. */
  readonly skipped: number;
  /** Iterations since the last one that lowered the loss; after two there are no more. */
  readonly stalls: number;
  /** The values that later steps report. */
  readonly last: Pick<StepReport, "loss" | "gradientNorm">;
  /** Gradients in the current ratio. */
  readonly looks: number;
  /** The state of L-BFGS, or of the noise measurement. */
  readonly bytes: Uint8Array<ArrayBuffer> | null;
}

/** The handover of one run. */
export interface Handover {
  /** Steps of the rule before the handover; null if it has not happened. */
  readonly step: number | null;
  /** To be called after each submitted step of the rule, before the next. */
  look(): void;
  /** Observes the next value of the metric. */
  observe(value: number): void;
  /** Whether every step must be reported now, to decide whether the handover is due. */
  mayBeDue(step: number): boolean;
  /** Hands over if it is due after this many steps. */
  decide(step: number): Promise<void>;
  /** One iteration; its step length is reported as the rate. */
  iterate(): Promise<{ readonly report: StepReport; readonly lr: number }>;
  state(): Promise<HandoverState>;
  /** Continues from a state, once the optimizer is loaded. */
  restore(state: HandoverState): Promise<void>;
  destroy(): void;
}

/** What a handover needs from its run. */
export interface HandoverRun {
  readonly optimizer: Optimizer;
  readonly data: Dataset | undefined;
  readonly accumulate: number;
  readonly mode: "min" | "max";
  /** How many points share the loss: those of a landscape, else 1. */
  readonly examples: number;
  /** An objective that takes all rows at once. */
  wholeObjective(): Promise<Objective>;
}

/** Iterations in a row without a lower loss after which the parameters stay: float32 has no better ones. */
const mostStalls = 2;

export async function createHandover(config: CompleteHandoverConfig, run: HandoverRun): Promise<Handover> {
  const { optimizer, data, accumulate, mode, examples } = run;
  const { at: when, history, below = 1, every = 50, patience, minDelta } = config;
  const plateau: Stopping | null = when === "plateau" ? createStopping({ mode, patience, minDelta }) : null;
  let meter = when === "noise" ? await NoiseMeter.open(optimizer, every) : null;
  let [step, stalls, isFlat]: [number | null, number, boolean] = [null, 0, false];
  let [updates, skipped] = [0, 0];
  let [lbfgs, objective]: [Lbfgs | null, Objective | null] = [null, null];
  let last = { loss: Number.NaN, gradientNorm: Number.NaN };
  const rows = data && everyRow(data);
  const open = async () => {
    meter?.destroy();
    meter = null;
    objective = await run.wholeObjective();
    lbfgs = await createLbfgs(optimizer, {
      ...{ history, maxIterations: 1, maxEvaluations: 25 },
      ...{ gradientTolerance: 0, changeTolerance: 0 },
    });
  };
  return {
    get step() {
      return step;
    },
    look: () => meter?.look(),
    observe(value) {
      if (step === null && plateau) isFlat ||= plateau.observe(value).stop;
    },
    mayBeDue(made) {
      if (step !== null || made % accumulate !== 0) return false;
      return when === "noise" ? made % every === 0 : when === "plateau" ? isFlat : made === when;
    },
    async decide(made) {
      if (meter && !((await meter.ratio()) < below)) return;
      const stats = await optimizer.stats();
      [step, updates, skipped] = [made, stats.step, stats.skipped];
      await open();
    },
    async iterate() {
      const report = (): StepReport => {
        return firstAndEach([{ ...last, step: updates, skipped, underflowed: false }]);
      };
      if (stalls >= mostStalls) return { report: report(), lr: 0 };
      const found = await lbfgs!.step(objective!, rows);
      updates += found.iterations;
      last = { loss: found.startLoss / examples, gradientNorm: found.startGradientNorm };
      const made = { report: report(), lr: found.stepLength };
      stalls = found.loss < found.startLoss ? 0 : stalls + (found.iterations === 0 ? mostStalls : 1);
      if (stalls >= mostStalls) last = { loss: found.loss / examples, gradientNorm: found.gradientNorm };
      return made;
    },
    async state() {
      const kept = lbfgs ? { looks: 0, bytes: await lbfgs.save() } : null;
      const seen = meter ? await meter.state() : null;
      return {
        ...{ step, updates, skipped, stalls, last },
        looks: kept?.looks ?? seen?.count ?? 0,
        bytes: kept?.bytes ?? seen?.bytes ?? null,
      };
    },
    async restore(state) {
      ({ step, updates, skipped, stalls, last } = state);
      if (step === null) {
        if (meter && state.bytes) meter.restore(state.looks, state.bytes);
        return;
      }
      await open();
      if (!state.bytes) throw new DataError("the run checkpoint lacks the state of its L-BFGS");
      await lbfgs!.load(state.bytes);
    },
    destroy() {
      meter?.destroy();
      lbfgs?.destroy();
      objective?.destroy();
    },
  };
}
