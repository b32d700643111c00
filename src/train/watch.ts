// Watching a run: it observes the steps of a run and reports what is wrong, as typed findings with the numbers behind them. It
// knows no engine: a training loop, a sweep (one watch for each replica) or a custom loop feeds it.
import { DataError, refusal, show } from "../base/errors.ts";
import { isOptions, readArray, readMade, readNumber } from "../base/options.ts";
import type { LayerStats } from "../optimizer/optimizer.ts";
import { exploding, figure, type UpdateSize, type WatchEvent } from "./findings.ts";
import { Alarm, acquaintance, Fading, type Motion, patience, Recent, readRecord, statesOf, Usual } from "./signals.ts";
import { type Limits, readWatchOptions, type WatchOptions } from "./watch_options.ts";
import { type Context, Layer, type Totals } from "./watched_layer.ts";

/** The results of a training step; the `Progress` of `train` is one. */
export interface WatchedStep {
  /** 1-based number of the training step; default one more than the last. */
  readonly index?: number | undefined;
  /** The loss before the update. */
  readonly loss: number;
  /** Norm of the whole gradient, before clipping; NaN (the default) if none is computed. */
  readonly gradientNorm?: number | undefined;
  /** Updates skipped so far because a gradient was not finite; default 0. */
  readonly skipped?: number | undefined;
  /** The learning rate of the update; default unknown. */
  readonly lr?: number | undefined;
}

/** The largest curvature of a loss, and the edge of stability. */
export interface ObservedCurvature {
  /** The largest eigenvalue of the Hessian, which for Adam and AdamW is the preconditioned one. */
  readonly sharpness: number;
  /** How far an eigenvalue may be from it, >= 0. */
  readonly bound: number;
  /** The learning rate. */
  readonly lr: number;
  /** The sharpness from which the rule's steps grow; null if unknown. */
  readonly edge: number | null;
}

/**
 * A run in one word: "waiting" until the loss is clearly below its start, "diverged" while the loss is not finite or stays where
 * it diverged to, "oscillating" and "stalled" while that lasts, else "converging", even after it has converged.
 */
export type RunState = "waiting" | "converging" | "oscillating" | "stalled" | "diverged";

/** A watch's verdict on a run. */
export interface Verdict {
  /** The run's state in a word. */
  readonly state: RunState;
  /** The training step at which this state started; 0 before the first. */
  readonly since: number;
}

/** Observes every step of a run and reports what goes wrong. */
export interface Watch {
  /**
   * Observes the results of a training step, step after step.
   *
   * @returns the findings that start with this observation, usually none. A finding is returned when it starts, and again only
   * after it has ended.
   * @throws OptionError for a loss that is not a number; nothing is changed then.
   */
  observe(report: WatchedStep): readonly WatchEvent[];
  /** Observes the effect of a training step's update on each tensor (`optimizer.layers()`), at every step or only some. */
  observeLayers(step: number, layers: readonly LayerStats[]): readonly WatchEvent[];
  /**
   * Observes the sharpness after a training step, at any interval; a {@link CurvaturePoint} is one. Without an edge nothing
   * is found.
   *
   * @throws OptionError for figures that are not numbers; nothing is changed then.
   */
  observeCurvature(step: number, curvature: ObservedCurvature): readonly WatchEvent[];
  /** The run in one word, from the observations so far. */
  readonly verdict: Verdict;
  /** The state on which later findings depend, to be kept with a checkpoint. */
  state(): WatchState;
  /**
   * Continues from the state of a watch with the same options: later findings are the same as that watch's.
   *
   * @throws DataError for anything but such a state; nothing is changed then.
   */
  restore(state: WatchState): void;
}

/**
 * The state that {@link Watch.state} returns: plain data, except for numbers that are not finite. Its fields may change with
 * the version.
 */
export type WatchState = Readonly<Record<string, unknown>>;

/** Below a thousandth of the first loss a run is done, and neither a stall nor a swing matters. */
const done = 1e-3;
/** A gradient is alive while it has this share of the largest usual size it had. */
const alive = 0.1;
/** Half of float32's precision: a unit step along a gradient of this share of the loss no longer changes the loss's bits. */
const resolution = 2 ** -24;

/**
 * Watches a run for losses and gradients that are not finite, divergence, oscillation, rates that are too small, exploding and
 * vanishing gradients and updates out of proportion. It is deterministic; a step costs the same however long the run, and memory
 * grows only with the number of tensors.
 *
 * @throws OptionError for values out of range and unknown options.
 */
export function createWatch(given: WatchOptions = {}): Watch {
  return new RunWatch(readWatchOptions(given));
}

/** The memory of a watch, as single figures. */
interface Figures {
  verdict: Verdict;
  step: number;
  count: number;
  first: number;
  /** Mean of the first half window; before it is over, the first loss. */
  start: number;
  last: number;
  lastChange: number;
  best: number;
  bestStep: number;
  /** The noise of the best, relative to that of single losses. */
  bestNoise: number;
  /** Steps in a row at which the loss rose. */
  climbs: number;
  /** Losses in a row far above the run's start. */
  outside: number;
  /** The highest smoothed loss. */
  top: number;
  /** Steps in a row that were long enough to lower the loss. */
  longSteps: number;
  /** Whether the loss is clearly below its start. */
  fallen: boolean;
  norm: number;
  reportsNorm: boolean;
  skipped: number | null;
  lr: number;
  topRate: number;
  rateRose: number;
  totals: Totals | null;
}

/** The figures before the first observation. */
const beginning: Figures = {
  verdict: { state: "waiting", since: 0 },
  step: 0,
  count: 0,
  first: Number.NaN,
  start: Number.NaN,
  last: Number.NaN,
  lastChange: 0,
  best: Number.POSITIVE_INFINITY,
  bestStep: 0,
  bestNoise: 1,
  climbs: 0,
  outside: 0,
  top: Number.NEGATIVE_INFINITY,
  longSteps: 0,
  fallen: false,
  norm: Number.NaN,
  reportsNorm: false,
  skipped: null,
  lr: Number.NaN,
  topRate: 0,
  rateRose: 0,
  totals: null,
};

function readEntry(entry: unknown): readonly [string, unknown] {
  if (Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string") return [entry[0], entry[1]];
  throw new DataError(`the state of a watch holds ${show(entry)} among its layers; it must be a name and a state`);
}

const runStates = [
  "waiting",
  "converging",
  "oscillating",
  "stalled",
  "diverged",
] as const satisfies readonly RunState[];

/** Whether a saved figure has the type that the watch expects. */
function fits(name: keyof Figures, value: unknown): boolean {
  const numbers = (fields: readonly string[]) => {
    const record = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
    return fields.every((field) => typeof record[field] === "number");
  };
  switch (name) {
    case "verdict":
      return numbers(["since"]) && runStates.includes((value as Verdict).state);
    case "totals":
      return value === null || numbers(["gradient", "weight", "update"]);
    case "skipped":
      return value === null || typeof value === "number";
    default:
      return typeof value === typeof beginning[name];
  }
}

class RunWatch implements Watch {
  readonly #limits: Limits;
  readonly #recent: Recent;
  readonly #smooth: Fading;
  /** The square of how far the loss turns back at a step: 0 for a loss that only falls or only rises, however fast. */
  readonly #turns = new Fading(0.98);
  readonly #gradient: Usual;
  readonly #layers = new Map<string, Layer>();
  readonly #alarms: Readonly<Record<Exclude<WatchEvent["kind"], UpdateSize["kind"]>, Alarm>>;
  readonly #now: Figures = { ...beginning };
  /** Norm of the update over the norm of the weights. */
  readonly #ratio: Usual;

  constructor(limits: Limits) {
    const { window, smoothing, vanish, explode } = limits;
    this.#limits = limits;
    this.#recent = new Recent(window);
    this.#smooth = new Fading(smoothing);
    this.#gradient = new Usual(vanish, explode);
    this.#ratio = new Usual(vanish, explode);
    this.#alarms = {
      nonFiniteLoss: new Alarm(window),
      nonFiniteGradient: new Alarm(window),
      diverging: new Alarm(window),
      oscillating: new Alarm(window),
      stalled: new Alarm(window),
      explodingGradient: new Alarm(window),
      vanishingGradient: new Alarm(window, patience),
      // Runs hover around the edge.
      edgeOfStability: new Alarm(patience),
    };
  }

  get verdict(): Verdict {
    return this.#now.verdict;
  }

  state(): WatchState {
    return {
      ...statesOf(this.#signals),
      now: { ...this.#now },
      alarms: statesOf(this.#alarms),
      layers: [...this.#layers].map(([name, layer]) => [name, layer.state()]),
    };
  }

  restore(state: WatchState): void {
    const before = this.state();
    try {
      this.#adopt(state);
    } catch (error) {
      this.#adopt(before);
      throw error;
    }
  }

  #adopt(state: WatchState): void {
    if (!isOptions(state)) throw refusal("the state of a watch", state, "what state() gives", DataError);
    const figures = readRecord("now", state.now);
    const names = Object.keys(beginning) as (keyof Figures)[];
    const wrong = names.find((name) => !fits(name, figures[name]));
    if (wrong) throw new DataError(`the state of a watch holds ${show(figures[wrong])} as ${wrong}`);
    Object.assign(this.#now, Object.fromEntries(names.map((name) => [name, figures[name]])));
    for (const [name, signal] of Object.entries(this.#signals)) signal.restore(state[name]);
    const alarms = readRecord("alarms", state.alarms);
    for (const [kind, alarm] of Object.entries(this.#alarms)) alarm.restore(alarms[kind]);
    if (!Array.isArray(state.layers)) {
      throw new DataError(`the state of a watch holds ${show(state.layers)} as layers; it must be an array`);
    }
    this.#layers.clear();
    for (const [name, layer] of state.layers.map((entry) => readEntry(entry))) {
      const restored = new Layer(this.#limits, false);
      restored.restore(layer);
      this.#layers.set(name, restored);
    }
  }

  get #signals() {
    return {
      recent: this.#recent,
      smooth: this.#smooth,
      turns: this.#turns,
      gradient: this.#gradient,
      ratio: this.#ratio,
    };
  }

  observe(report: WatchedStep): readonly WatchEvent[] {
    readMade("report", report, "{ loss }, and what else is known of a step", {});
    const { loss, gradientNorm = Number.NaN, skipped = 0, lr = Number.NaN } = report;
    if (typeof loss !== "number") throw refusal("loss", loss, "a number");
    const step = report.index ?? this.#now.step + 1;
    this.#now.step = step;
    this.#observeRate(lr);
    const events = [...this.#finiteLoss(step, loss)];
    if (Number.isFinite(loss)) this.#observeLoss(step, loss);
    events.push(...this.#finiteGradient(step, gradientNorm, skipped));
    if (Number.isFinite(gradientNorm)) events.push(...this.#wholeGradient(step, gradientNorm));
    if (Number.isFinite(loss)) {
      this.#now.longSteps = this.#expectedFall() >= this.#limits.swing * Math.abs(loss) ? this.#now.longSteps + 1 : 0;
      events.push(...this.#diverging(step, loss));
      if (this.#recent.full) {
        const motion = this.#recent.motion();
        if (this.#now.count === this.#limits.window) this.#now.start = motion.older;
        this.#now.fallen ||= this.#now.start - motion.newer > 1.5 * motion.blur;
        events.push(...this.#oscillating(step, motion), ...this.#stalled(step, motion));
      }
    }
    this.#judge(step);
    return events;
  }

  observeLayers(step: number, layers: readonly LayerStats[]): readonly WatchEvent[] {
    readNumber("step", step, { min: 0, integer: true });
    readArray("layers", layers, "what layers() gives").forEach((layer, i) => {
      const members = { name: "string", gradientNorm: "number", weightNorm: "number", updateNorm: "number" } as const;
      readMade(`layers[${i}]`, layer, "what layers() gives of a tensor", members);
    });
    const norm = (key: "gradientNorm" | "weightNorm" | "updateNorm") =>
      Math.hypot(...layers.map((layer) => layer[key]));
    const totals = { gradient: norm("gradientNorm"), weight: norm("weightNorm"), update: norm("updateNorm") };
    // All zero: nothing was updated yet, or the update was skipped.
    if (!(totals.weight > 0) || !Number.isFinite(totals.gradient + totals.update)) return [];
    this.#now.totals = totals;
    this.#ratio.add(totals.update / totals.weight);
    const events = this.#now.reportsNorm ? [] : [...this.#wholeGradient(step, totals.gradient)];
    const largest = layers.reduce((a, b) => (b.gradientNorm > a.gradientNorm ? b : a));
    const context: Context = {
      largest,
      totals,
      exploding: this.#alarms.explodingGradient.active,
      settled: !this.#deliberate() && this.#alive(),
      limits: this.#limits,
    };
    for (const stats of layers) {
      const frozen = stats.gradientNorm === 0 && stats.weightNorm === 0 && stats.updateNorm === 0;
      if (frozen) continue;
      const layer = this.#layers.get(stats.name) ?? new Layer(this.#limits, stats.weightNorm === 0);
      this.#layers.set(stats.name, layer);
      events.push(...layer.observe(step, stats, context));
    }
    return events;
  }

  observeCurvature(step: number, curvature: ObservedCurvature): readonly WatchEvent[] {
    readNumber("step", step, { min: 0, integer: true });
    const members = { sharpness: "number", bound: "number", lr: "number" } as const;
    readMade("curvature", curvature, "{ sharpness, bound, lr, edge }", members);
    const { sharpness, bound, lr, edge } = curvature;
    if (edge === null) return [];
    readNumber("curvature.edge", edge, { above: 0 });
    if (!this.#alarms.edgeOfStability.observe(sharpness >= edge, sharpness >= 0.9 * edge)) return [];
    return [
      {
        kind: "edgeOfStability",
        step,
        sharpness,
        bound,
        edge,
        lr,
        message: `the sharpness is ${figure(sharpness)} at step ${step}, at the edge of stability of ${figure(edge)} (lr ${figure(lr)})`,
        remedy:
          "the loss still falls over many steps while it swings; for a fall at every step, lower the rate or warm up",
      },
    ];
  }

  #observeRate(lr: number): void {
    if (lr > this.#now.lr) this.#now.rateRose = this.#now.count;
    if (!Number.isNaN(lr)) this.#now.lr = lr;
    if (lr > this.#now.topRate) this.#now.topRate = lr;
  }

  #observeLoss(step: number, loss: number): void {
    const change = this.#now.count > 0 ? loss - this.#now.last : 0;
    this.#turns.add(change * this.#now.lastChange < 0 ? Math.min(change ** 2, this.#now.lastChange ** 2) : 0);
    if (this.#now.count === 0) [this.#now.first, this.#now.start] = [loss, loss];
    this.#now.lastChange = change;
    this.#now.last = loss;
    this.#now.count++;
    this.#now.climbs = change > 0 ? this.#now.climbs + 1 : 0;
    this.#smooth.add(loss);
    this.#recent.add(loss);
    const { mean, noise } = this.#smooth;
    this.#now.top = Math.max(this.#now.top, mean);
    if (mean < this.#now.best) [this.#now.best, this.#now.bestStep, this.#now.bestNoise] = [mean, step, noise];
  }

  /** Standard deviation of single losses, as far as they are noise: larger while there are few values. */
  #noise(): number {
    // Independent noise turns back by 0.9 of its standard deviation, in root mean square.
    return (1 + acquaintance / this.#now.count) * (Math.sqrt(this.#turns.mean) / 0.9);
  }

  /** Whether the schedule itself warms up or has lowered the rate: small updates are then intended. */
  #deliberate(): boolean {
    const rising = this.#now.rateRose > 0 && this.#now.count - this.#now.rateRose < this.#limits.window;
    return rising || this.#now.lr < alive * this.#now.topRate;
  }

  /** Whether there is a gradient to follow, as far as is known. */
  #alive(): boolean {
    const { size, peak, count } = this.#gradient;
    return count === 0 || (size >= alive * peak && size >= resolution * Math.abs(this.#now.first));
  }

  /** The fall of the loss at a step if it is straight along it; NaN if unknown. */
  #expectedFall(norm: number = this.#now.norm): number {
    return norm * (this.#now.totals?.update ?? this.#now.lr * norm);
  }

  *#finiteLoss(step: number, loss: number): Generator<WatchEvent> {
    if (!this.#alarms.nonFiniteLoss.observe(!Number.isFinite(loss))) return;
    const last = Number.isNaN(this.#now.last) ? null : this.#now.last;
    yield {
      kind: "nonFiniteLoss",
      step,
      loss,
      last,
      message: `the loss is ${loss} at step ${step}${last === null ? "" : `, after ${figure(last)}`}${this.#atRate()}`,
      remedy:
        last === null
          ? "look for values that are not finite in the data and the initial parameters"
          : "go back to a checkpoint and lower the rate to a third or less, warm up, or clip the gradient's norm",
    };
  }

  *#finiteGradient(step: number, gradientNorm: number, skipped: number): Generator<WatchEvent> {
    // NaN alone may mean that no norm is computed, unless there was one before.
    const bad = gradientNorm === Number.POSITIVE_INFINITY || (Number.isNaN(gradientNorm) && this.#now.reportsNorm);
    // A watch that starts later does not know what was skipped just now.
    const more = skipped > (this.#now.skipped ?? (step === 1 ? 0 : skipped));
    this.#now.skipped = skipped;
    if (Number.isFinite(gradientNorm)) this.#now.reportsNorm = true;
    if (!this.#alarms.nonFiniteGradient.observe(bad || more)) return;
    const skips = more
      ? "with a loss scale an occasional skipped update is normal; if more follow"
      : "skip such updates (skipNonFinite: true)";
    yield {
      kind: "nonFiniteGradient",
      step,
      gradientNorm,
      skipped,
      message: `the gradient is not finite at step ${step}${skipped > 0 ? ` (updates skipped so far: ${skipped})` : ""}${this.#atRate()}`,
      remedy: `${skips}, lower the rate, clip the gradient's norm, and look for logarithms, roots or quotients of 0 in the loss`,
    };
  }

  *#diverging(step: number, loss: number): Generator<WatchEvent> {
    const { rise, deviations } = this.#limits;
    const { mean: smooth, noise: smoothNoise } = this.#smooth;
    const above = smooth - this.#now.best;
    const limit = rise * Math.max(Math.abs(this.#now.best), this.#now.first - this.#now.best);
    const noise = this.#noise() * deviations;
    // Before the noise is known, only a climb without a turn counts: n values climb by chance once in n!. At ten times the limit,
    // the current noise no longer describes that at the best, and half of it suffices.
    const known = this.#now.count >= acquaintance;
    const far =
      above > 10 * limit
        ? this.#now.climbs >= 3 || (known && above > (noise * smoothNoise) / 2)
        : above > (noise * (smoothNoise + this.#now.bestNoise)) / 2 && (known || this.#now.climbs >= 5);
    const climbs = above > limit && far && loss >= smooth;
    // A jump far above the run's start, even if the loss falls again afterwards: a run does not recover from that.
    const outside =
      loss - this.#now.first > 10 * rise * Math.max(Math.abs(this.#now.first), this.#now.first - this.#now.best);
    this.#now.outside = outside ? this.#now.outside + 1 : 0;
    const begins = climbs || this.#now.outside >= patience;
    if (!this.#alarms.diverging.observe(begins, above > limit / 2)) return;
    const how = climbs ? "and goes on rising" : `and stays far above its first value of ${figure(this.#now.first)}`;
    yield {
      kind: "diverging",
      step,
      loss: smooth,
      best: this.#now.best,
      bestStep: this.#now.bestStep,
      message: `the smoothed loss has risen to ${figure(smooth)} at step ${step}, from its best of ${figure(this.#now.best)} at step ${this.#now.bestStep}, ${how}${this.#atRate()}`,
      remedy:
        "lower the rate to a third or less (gradient descent is stable below 2/λ, λ the largest curvature), warm up, or clip the gradient's norm",
    };
  }

  *#oscillating(step: number, motion: Motion): Generator<WatchEvent> {
    const { oscillating } = this.#alarms;
    const { older, newer, low, high } = motion;
    const expected = this.#expectedFall();
    const matters = Math.abs(newer) > done * Math.abs(this.#now.first);
    const period = matters ? (this.#swing(motion, oscillating.active) ?? this.#bounce(motion)) : undefined;
    if (!oscillating.observe(period !== undefined) || period === undefined) return;
    const amplitude = (high - low) / 2;
    const stuck = amplitude < this.#limits.swing * Math.abs(newer);
    yield {
      kind: "oscillating",
      step,
      loss: newer,
      amplitude,
      period,
      expectedFall: Number.isFinite(expected) ? expected : null,
      message: stuck
        ? `the loss stays at ${figure(newer)} at step ${step} although a step is long enough to lower it by ${figure(expected)}: the steps cross the valley from side to side${this.#atRate()}`
        : `the loss swings between ${figure(low)} and ${figure(high)} about every ${figure(period)} steps at step ${step} and its mean goes from ${figure(older)} to ${figure(newer)}${this.#atRate()}`,
      remedy: "lower the rate to a half or less, or let it decay; with momentum, lower that",
    };
  }

  /** The period of a swing that minibatches do not cause; undefined without one. With `begun` the limits are lower. */
  #swing(motion: Motion, begun: boolean): number | undefined {
    const { alternation, swing } = this.#limits;
    const { older, newer, spread, olderSpread, newerSpread, roughness, swings } = motion;
    const lasting = newerSpread >= (begun ? 0.7 : 0.9) * olderSpread && older - newer < spread / 2;
    if (!lasting || !(spread > swing * Math.abs(newer))) return undefined;
    if (roughness >= (begun ? (2 + alternation) / 2 : alternation)) return 2;
    // A slow swing differs from noise by its smoothness, and from drifts and spikes by its regularity.
    const regular = swings.length >= 4 && Math.max(...swings) <= 1.25 * Math.min(...swings) + 1;
    if (roughness > (begun ? 1 : 4 - alternation) || !(regular || begun)) return undefined;
    return (2 * swings.reduce((sum, steps) => sum + steps, 0)) / swings.length;
  }

  /** 2 if the loss stands still under long steps, as it never does with minibatches; else undefined. */
  #bounce({ older, newer, low, high }: Motion): 2 | undefined {
    const { window } = this.#limits;
    const still = high - low <= 1e-3 * Math.abs(newer);
    const falls = (older - newer) / (window / 2) > 0.05 * this.#expectedFall();
    return still && !falls && this.#now.longSteps >= window && this.#alive() ? 2 : undefined;
  }

  *#stalled(step: number, { older, newer, blur, falling }: Motion): Generator<WatchEvent> {
    const { window, fall: limit, smallUpdate } = this.#limits;
    const fall = (older - newer) / (window / 2) / Math.abs(older);
    const slow = Math.abs(fall) < limit || Math.abs(older - newer) < blur;
    const updateRatio = this.#ratio.size;
    // By the usual norm, since an oscillating one passes through zero.
    const expectedFall = this.#expectedFall(this.#gradient.size) / Math.abs(newer);
    // Whether the weights hardly move, by the best available evidence; `room` widens the limit once it has started.
    const still = (room: number) => {
      if (!Number.isNaN(updateRatio)) return updateRatio < room * smallUpdate;
      if (!Number.isNaN(expectedFall)) return expectedFall < room * limit;
      // Losses alone: falling at nearly every step, but hardly at all, and not after a rise.
      const low = this.#now.top - this.#now.start < 0.05 * Math.abs(this.#now.start);
      return fall > 0 && fall < room * limit && falling > 0.9 && low;
    };
    const hardlyFallen = this.#now.start - newer < Math.max(0.05 * Math.abs(this.#now.start), blur);
    const begins =
      slow && still(1) && hardlyFallen && this.#alive() && !this.#deliberate() && !this.#alarms.diverging.active;
    const holds = (fall < 2 * limit || older - newer < blur) && still(2);
    if (!this.#alarms.stalled.observe(begins, holds)) return;
    const known = (value: number) => (Number.isFinite(value) ? value : null);
    const pace = fall < limit ? `falls by a fraction of ${figure(fall)} per step` : "does not fall beyond its noise";
    const evidence = !Number.isNaN(updateRatio)
      ? `, and an update changes the weights by ${figure(updateRatio)} of their norm`
      : !Number.isNaN(expectedFall)
        ? `, and a step along its gradient lowers it by at most ${figure(expectedFall)}`
        : "";
    yield {
      kind: "stalled",
      step,
      loss: newer,
      fall,
      updateRatio: known(updateRatio),
      expectedFall: known(expectedFall),
      message: `the loss ${pace} and is ${figure(newer)} at step ${step}, from ${figure(this.#now.start)} at first${evidence}${this.#atRate()}`,
      remedy: "raise the rate tenfold until the loss falls, or find it with a range test",
    };
  }

  *#wholeGradient(step: number, norm: number): Generator<WatchEvent> {
    const { explode, vanish } = this.#limits;
    this.#now.norm = norm;
    const { size: usual, peak, count } = this.#gradient;
    const begins = count >= acquaintance && norm > explode * usual && norm > peak;
    if (this.#alarms.explodingGradient.observe(begins, norm > (explode / 2) * usual))
      yield exploding(step, null, norm, usual);
    this.#gradient.add(norm);
    const floor = resolution * Math.abs(this.#now.first);
    const lost = norm < vanish * usual || (norm < floor && this.#gradient.peak < floor);
    // A loss that has halved and then loses its gradient has converged.
    const arrived = this.#now.first - this.#smooth.mean > Math.abs(this.#now.first) / 2;
    if (!this.#alarms.vanishingGradient.observe(lost && !arrived)) return;
    const reference = Math.max(usual, floor);
    yield {
      kind: "vanishingGradient",
      step,
      layer: null,
      gradientNorm: norm,
      reference,
      against: null,
      message: `the gradient's norm is ${figure(norm)} at step ${step}, ${usual > floor ? `usually ${figure(usual)}` : "negligible for a float32 of the loss's size"}, while the loss is ${figure(this.#now.last)}`,
      remedy:
        "unless this is the best the model can do, its units are dead or saturated: lower the rate or warm up, rescale the initial weights, or change the activation",
    };
  }

  #judge(step: number): void {
    const { nonFiniteLoss, diverging, oscillating, stalled } = this.#alarms;
    const smooth = this.#smooth.mean;
    const gain = this.#now.first - smooth;
    this.#now.fallen ||=
      this.#now.count >= patience && gain > 0.05 * Math.abs(this.#now.first) && gain > 3 * this.#noise();
    this.#now.fallen &&= !(smooth > Math.max(this.#now.first, this.#now.start));
    let state: RunState = this.#now.fallen ? "converging" : "waiting";
    if (stalled.active) state = "stalled";
    if (oscillating.active) state = "oscillating";
    if (diverging.active || nonFiniteLoss.active) state = "diverged";
    if (state !== this.#now.verdict.state) this.#now.verdict = { state, since: step };
  }

  #atRate(): string {
    return Number.isNaN(this.#now.lr) ? "" : ` (lr ${figure(this.#now.lr)})`;
  }
}
