// Watching a run: it observes the steps of a run and reports what is wrong, as typed findings with the numbers behind them. It
// knows no engine: a training loop, a sweep (one watch for each replica) or a custom loop feeds it.
import { DataError, OptionError, show } from "../base/errors.ts";
import { isOptions, type Range, readArray, readMade, readNumber } from "../base/options.ts";
import { readFields } from "../base/words.ts";
import type { LayerStats } from "../optimizer/optimizer.ts";
import { Alarm, Fading, type Motion, Recent, type SignalState, Usual } from "./signals.ts";

/** The thresholds of a watch. Ratios are plain numbers, not percent. */
export interface WatchOptions {
  /**
   * Steps over which the loss is judged, a whole number in [8, 4096], default 40; also how many steps in a row a finding must be
   * absent before it has ended. The longer it is, the less often noise looks like a swing or a standstill.
   */
  readonly window?: number | undefined;
  /** Decay of the smoothed loss, in [0, 1), default 0.9: a mean of about the last ten. */
  readonly smoothing?: number | undefined;
  /**
   * Diverging: the smoothed loss lies above its best by this many times the best itself, and by this many times what it had
   * fallen before; > 0, default 1, which is twice its best and all gains lost. (Range tests stop at a 3, four times the best,
   * since there the rate keeps rising.)
   */
  readonly rise?: number | undefined;
  /**
   * Diverging: and by this many standard deviations of the smoothed loss, as far as the loss is noise; >= 0, default 8, since
   * the best of many noisy values is itself 3 below their mean and the worst 3 above.
   */
  readonly deviations?: number | undefined;
  /**
   * Oscillating: mean square of the loss's steps over that of its distance from its trend, in (2, 4), default 3.5. Independent
   * noise has 2, and over 40 steps more than 3 by chance once in a thousand windows; a loss that alternates at every step has 4.
   */
  readonly alternation?: number | undefined;
  /**
   * Oscillating: the root mean square of the swing over the loss, > 0, default 0.01; smaller swings do not matter.
   */
  readonly swing?: number | undefined;
  /**
   * Stalled: the loss falls by less than this share of itself at a step, > 0, default 1e-4, with which it takes some 7,000
   * steps to halve.
   */
  readonly fall?: number | undefined;
  /**
   * Exploding gradient: its norm is more than this many times its usual size (a fading geometric mean), and more than its usual
   * size ever was; > 1, default 10, where minibatches differ by 2 or 3.
   */
  readonly explode?: number | undefined;
  /**
   * Vanishing gradient: its norm is less than this share of its usual size (and the loss has not halved before, after which it
   * may simply have converged), or a layer's of the largest layer's; in (0, 1), default 1e-4.
   */
  readonly vanish?: number | undefined;
  /**
   * Large updates: an update changes a layer by more than this share of its norm; > 0, default 0.1. Healthy is around 1e-3
   * (Karpathy, CS231n).
   */
  readonly largeUpdate?: number | undefined;
  /** Small updates, and with layers observed a stall: by less than this share; >= 0, default 1e-5. */
  readonly smallUpdate?: number | undefined;
}

const options: Readonly<Record<keyof WatchOptions, { readonly default: number; readonly range: Range }>> = {
  window: { default: 40, range: { min: 8, max: 4096, integer: true } },
  smoothing: { default: 0.9, range: { min: 0, below: 1 } },
  rise: { default: 1, range: { above: 0 } },
  deviations: { default: 8, range: { min: 0 } },
  alternation: { default: 3.5, range: { above: 2, below: 4 } },
  swing: { default: 0.01, range: { above: 0 } },
  fall: { default: 1e-4, range: { above: 0 } },
  explode: { default: 10, range: { above: 1 } },
  vanish: { default: 1e-4, range: { above: 0, below: 1 } },
  largeUpdate: { default: 0.1, range: { above: 0 } },
  smallUpdate: { default: 1e-5, range: { min: 0 } },
};

export const watchOptionNames = Object.keys(options) as readonly (keyof WatchOptions)[];

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

interface Finding {
  /** The training step at which it was found, 1-based. */
  readonly step: number;
  /** What happened, in one sentence with the numbers. */
  readonly message: string;
  /** What usually helps, in one sentence. */
  readonly remedy: string;
}

/** The loss is NaN or infinite. */
export interface NonFiniteLoss extends Finding {
  /** The loss is NaN or infinite. */
  readonly kind: "nonFiniteLoss";
  /** NaN or an infinity (null in JSON). */
  readonly loss: number;
  /** The last finite loss; null without one. */
  readonly last: number | null;
}

/** A gradient is NaN or infinite. */
export interface NonFiniteGradient extends Finding {
  /** A gradient is NaN or infinite. */
  readonly kind: "nonFiniteGradient";
  /** The reported norm (null in JSON if it is not finite). */
  readonly gradientNorm: number;
  /** Updates skipped so far. */
  readonly skipped: number;
}

/** The loss has risen well above its best and keeps rising. */
export interface Diverging extends Finding {
  /** The loss has risen far above its best. */
  readonly kind: "diverging";
  /** The smoothed loss. */
  readonly loss: number;
  /** The lowest smoothed loss. */
  readonly best: number;
  /** The step with the lowest loss so far. */
  readonly bestStep: number;
}

/**
 * The loss swings without getting lower, in a way that minibatches do not explain; or it stands still although there is a
 * gradient and the steps are long: they cross the valley from side to side, as plain gradient descent does on a parabola of
 * curvature λ at a rate of 2/λ.
 */
export interface Oscillating extends Finding {
  /** The loss rises and falls without getting lower. */
  readonly kind: "oscillating";
  /** Mean loss over the newer half of the window. */
  readonly loss: number;
  /** Half the distance from the lowest to the highest loss in the window. */
  readonly amplitude: number;
  /** Steps from one high to the next; 2 if the loss stands still. */
  readonly period: number;
  /** How much the loss would fall at a step if it were straight: gradient norm · step length; null if unknown. */
  readonly expectedFall: number | null;
}

/** The rate is too small: the loss hardly falls though there is a gradient, and the weights hardly move. */
export interface Stalled extends Finding {
  /** The loss no longer gets lower. */
  readonly kind: "stalled";
  /** Mean loss over the newer half of the window. */
  readonly loss: number;
  /** How much the loss fell at a step, relative to the loss; may be negative. */
  readonly fall: number;
  /** The usual norm of the update relative to the norm of all weights; null if no layers are observed. */
  readonly updateRatio: number | null;
  /** Gradient norm · step length, relative to the loss: the largest share by which a step can lower it; null if unknown. */
  readonly expectedFall: number | null;
}

/** A gradient's norm is far above its usual size. */
export interface ExplodingGradient extends Finding {
  /** A gradient's norm is far above its usual size. */
  readonly kind: "explodingGradient";
  /** The tensor; null for the whole gradient. */
  readonly layer: string | null;
  /** The norm. */
  readonly gradientNorm: number;
  /** The usual norm. */
  readonly usual: number;
}

/** A layer's gradient is far below that of the others. */
export interface VanishingGradient extends Finding {
  /** A layer's gradient is far below that of the others. */
  readonly kind: "vanishingGradient";
  /** The tensor; null for the whole gradient. */
  readonly layer: string | null;
  /** The norm of its gradient. */
  readonly gradientNorm: number;
  /** What it is small compared with: the norm of the layer `against`, or else the usual norm, at least 2⁻²⁴ of the loss. */
  readonly reference: number;
  /** The norm that it is compared with. */
  readonly against: string | null;
}

/** An update changes a layer too much or too little. */
export interface UpdateSize extends Finding {
  /** A layer's updates are too large or too small for its parameters. */
  readonly kind: "largeUpdate" | "smallUpdate";
  /** The tensor. */
  readonly layer: string;
  /** The norm of the change over the norm of the values before. */
  readonly ratio: number;
  /** The option whose limit it exceeds. */
  readonly limit: number;
}

/** The sharpness has reached the edge of stability: along its eigenvector the rule's steps grow. */
export interface EdgeOfStability extends Finding {
  /** The largest curvature of the loss is at the edge of stability of the rule. */
  readonly kind: "edgeOfStability";
  /** The largest curvature; for Adam and AdamW, of the preconditioned Hessian. */
  readonly sharpness: number;
  /** How far an eigenvalue may be from it. */
  readonly bound: number;
  /** The curvature from which the rule's steps grow: 2 / lr for plain gradient descent. */
  readonly edge: number;
  /** The learning rate. */
  readonly lr: number;
}

/** A finding of a watch, distinguished by `kind`; plain JSON except for numbers that are not finite. */
export type WatchEvent =
  | NonFiniteLoss
  | NonFiniteGradient
  | Diverging
  | Oscillating
  | Stalled
  | ExplodingGradient
  | VanishingGradient
  | UpdateSize
  | EdgeOfStability;

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
/** Observations before a gradient has a usual size. */
const acquaintance = 10;
/** Observations in a row of layers, or of a lost gradient, before they count: first steps and single batches may be unusual. */
const patience = 5;
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

/** The options with every default filled in. */
export type Limits = Readonly<Record<keyof WatchOptions, number>>;

/** @throws OptionError for values out of range and unknown options. */
export function readWatchOptions(given: WatchOptions): Limits {
  const names = watchOptionNames;
  const fields = readFields("watch", given, names);
  const read = (name: keyof WatchOptions) =>
    fields[name] === undefined ? options[name].default : readNumber(`watch.${name}`, fields[name], options[name].range);
  return Object.fromEntries(names.map((name) => [name, read(name)])) as Record<keyof WatchOptions, number>;
}

/** Norms over all tensors, for one update. */
interface Totals {
  readonly gradient: number;
  readonly weight: number;
  readonly update: number;
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

function statesOf(signals: Readonly<Record<string, { state(): SignalState }>>): Record<string, SignalState> {
  return Object.fromEntries(Object.entries(signals).map(([name, signal]) => [name, signal.state()]));
}

function readRecord(name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new DataError(`the state of a watch holds ${show(value)} as ${name}; it must be an object`);
}

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
    if (!isOptions(state)) throw new DataError(`the state of a watch is ${show(state)}; it must be what state() gives`);
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
    if (typeof loss !== "number") throw new OptionError(`loss is ${show(loss)}; it must be a number`);
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

/** The context in which a layer is judged. */
interface Context {
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
class Layer {
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

function exploding(step: number, layer: string | null, gradientNorm: number, usual: number): ExplodingGradient {
  const whose = layer === null ? "the gradient's norm" : `the norm of the gradient of ${layer}`;
  return {
    kind: "explodingGradient",
    step,
    layer,
    gradientNorm,
    usual,
    message: `${whose} is ${figure(gradientNorm)} at step ${step}, ${figure(gradientNorm / usual)} times what it usually is`,
    remedy:
      "clip the gradient's norm, lower the rate or warm up, and look for odd examples if it happens only on single batches",
  };
}

/** At most three digits, as short as possible. */
function figure(value: number): string {
  const size = Math.abs(value);
  return size > 0 && size < 1e-3 ? value.toExponential(2).replace(/\.?0+e/, "e") : String(Number(value.toPrecision(3)));
}
