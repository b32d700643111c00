// The learning-rate range test (Smith 2017, "Cyclical learning rates for training neural networks"; Gugger 2018; fastai):
// a short run whose rate climbs from far too small to far too large, the rates that its losses suggest, and short
// runs at rates around the best of these, since a ramp is too brief to show where a rate leads.

import { DataError, OptionError, refusal, show } from "../base/errors.ts";
import { readMade, readNumber } from "../base/options.ts";
import { readFields, readName } from "../base/words.ts";
import { accumulateOf } from "../modifiers/modifier.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import { loadCheckpoint, saveCheckpoint } from "../optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../optimizer/config.ts";
import { type Optimizer, readOptimizer } from "../optimizer/optimizer.ts";
import { readConfig } from "../optimizer/read_config.ts";
import { insideOf } from "../optimizer/shell.ts";
import { curvature } from "../schedules/curvature.ts";
import { plateau } from "../schedules/plateau.ts";
import { createSchedule, holds } from "../schedules/schedule.ts";
import { readRunOptions } from "../train/arguments.ts";
import type { Engine } from "../train/engine.ts";
import { openJob, ownJob, type RunJob } from "../train/job.ts";
import { openRun, readRun } from "../train/open_run.ts";
import { batchSizes, type CompleteRunConfig, isOf, type RunConfig, updatesOf } from "../train/run_config.ts";
import { Fading } from "../train/signals.ts";
import { usualRate } from "./defaults.ts";
import { choose, type RangeEnd, type RangePoint, type Suggestions, suggestRates } from "./suggest.ts";

const rangeModes = ["exponential", "linear"] as const;

/** How the rate of a range test climbs, and when the test ends. */
export interface Ramp {
  /** First rate, > 0; default 1e-7. */
  readonly start: number;
  /** Last rate, above `start`; default 10. */
  readonly end: number;
  /** Steps of the ramp, a whole number >= 2; default 100. */
  readonly steps: number;
  /**
   * The rate of step i of n: "exponential", start·(end/start)^(i/(n-1)), or "linear", start + (end-start)·i/(n-1);
   * default "exponential".
   */
  readonly mode: (typeof rangeModes)[number];
  /** Share of the mean that the smoothed loss keeps at each step, corrected for its start at 0, in [0, 1); default 0.98. */
  readonly smoothing: number;
  /**
   * The test ends once the smoothed loss is above this multiple of the best so far, > 1; default 4. For a best below
   * 0, the allowed rise is that for its absolute value.
   */
  readonly diverge: number;
}

export const rangeDefaults: Ramp = {
  start: 1e-7,
  end: 10,
  steps: 100,
  mode: "exponential",
  smoothing: 0.98,
  diverge: 4,
};

/** Options of {@link findLr}. */
export interface RangeOptions {
  /** How the rate climbs, where not by its defaults. */
  readonly ramp?: Partial<Ramp>;
  /**
   * The most short runs, each from the start, that follow the ramp and decide which rate is suggested; a whole number >= 0,
   * default 12, of which 4 to 8 are usually made. 0 leaves them out. Each takes as many steps as the ramp.
   */
  readonly trials?: number;
  /** Called with each point once its loss is known. */
  readonly onPoint?: (progress: RangeProgress) => void;
  /** Called for each step of a short run. */
  readonly onTrial?: (progress: TrialProgress) => void;
  /** Ends the test before its next step; the results so far are returned. */
  readonly signal?: AbortSignal;
}

/** A run to find a rate for, and how. */
export interface FindLrJob extends RunJob, RangeOptions {}

/** A point as it is measured. */
export interface RangeProgress extends RangePoint {
  /** 1-based number of the step. */
  readonly index: number;
  /** Steps of the whole ramp. */
  readonly steps: number;
}

/** A step of a short run as it is made. */
export interface TrialProgress {
  /** 1-based number of the run. */
  readonly trial: number;
  /** The highest rate of the run. */
  readonly lr: number;
  /** 1-based number of the step. */
  readonly index: number;
  /** Steps of the run. */
  readonly steps: number;
  /** The loss of the last step. */
  readonly loss: number;
}

/** A short run at one rate. */
export interface RateTrial {
  /** The learning rate that was tried. */
  readonly lr: number;
  /** The mean of the last fifth of its losses; null where it diverged. */
  readonly loss: number | null;
}

/** Options of {@link rangeTest}. */
export interface RangeTestOptions<S = unknown> extends RangeOptions {
  /** The caller's data, if its order is to be restored: `restore` is given the result of `state` at the start. */
  readonly data?: { state(): S; restore(state: S): void };
}

/** The result of a range test, as plain JSON. */
export interface RangeTestResult extends Suggestions {
  /** The format and its version. */
  readonly format: "fallline-lr/1";
  /** The ramp, with every default filled in. */
  readonly ramp: Ramp;
  /** Every step whose loss was finite. */
  readonly points: readonly RangePoint[];
  /** The short runs that followed, in the order in which they were made; none where the curve suggests no rate. */
  readonly trials: readonly RateTrial[];
  /** Why the ramp ended. */
  readonly ended: RangeEnd;
  /** The last rate that was tried; null where none was. */
  readonly endedAt: number | null;
}

/**
 * Runs a range test on a training step of the caller's: the ramp, and then, from the same start, short runs at constant rates
 * around the one that its curve suggests (`trials: 0` leaves them out). The rate of every group follows (a group's `lrScale`
 * still applies), all other hypers stay as they are. Afterwards parameters, slots, step, hypers (functions of the step and
 * plateaus too), gradients and, with `data`, the data's order are what they were, to the bit; also if `step` throws or
 * the test is stopped. Only the `stats` and `layers` of the last update are lost.
 *
 * @param step makes one training step: computes gradients, lets the optimizer update from them (submits what it encodes)
 * and returns the loss before the update, the number to minimise, or a promise of it. Its argument counts from 0, and
 * starts again in each short run.
 * @throws OptionError for options out of range, an optimizer with replicas, or a loss that is not a number; DataError where
 * the first loss is not finite; and whatever `step` throws.
 */
export async function rangeTest<S>(
  optimizer: Optimizer,
  step: (index: number) => number | Promise<number>,
  options: RangeTestOptions<S> = {},
): Promise<RangeTestResult> {
  readOptimizer(optimizer);
  if (typeof step !== "function") {
    throw refusal("step", step, "a function");
  }
  readRunOptions<RangeTestOptions<S>>("the range test", options, [...rangeOptionNames, "data"]);
  const { ramp, trials } = readOptions(options);
  if (options.data !== undefined) {
    readMade("data", options.data, "{ state, restore }", { state: "function", restore: "function" });
  }
  if (optimizer.replicas > 1) {
    throw new OptionError(`the optimizer has ${optimizer.replicas} replicas; a range test takes an optimizer with one`);
  }
  const rewind = options.data && bookmark(options.data);
  const gradients = await optimizer.read("gradients");
  const state = await saveCheckpoint(optimizer);
  const restore = async () => {
    try {
      rewind?.();
    } finally {
      await loadCheckpoint(optimizer, state);
      optimizer.write("gradients", gradients);
    }
  };
  try {
    const found = await climb(optimizer, step, ramp, options);
    return await settle(found, { ...options, trials, updates: ramp.steps }, async (lr, each) => {
      await restore();
      optimizer.set({ lr });
      for (let i = 0; i < ramp.steps && each(await lossOf(step, i)); i++);
    });
  } finally {
    await restore();
  }
}

/** Remembers the position of data, and returns a function that goes back there. */
function bookmark<S>(data: { state(): S; restore(state: S): void }): () => void {
  const state = data.state();
  return () => data.restore(state);
}

/**
 * Runs a range test on a run: its model, start, optimizer and data's order, all made anew, so that nothing of the caller's
 * is touched and the same seed gives the same curve. The run's own rate, steps and stopping do not matter, and a batch that
 * changes keeps its initial size. Where the optimizer accumulates gradients, a point is one update.
 *
 * @throws OptionError for an invalid config or invalid options; DataError where the first loss is not finite.
 */
export async function findLr(given: FindLrJob): Promise<RangeTestResult> {
  const job = ownJob(given);
  const { engine, config, data, test, close } = await openJob("findLr", job, rangeOptionNames);
  try {
    return await findLrOn(engine, config, data, test, job);
  } finally {
    close();
  }
}

async function findLrOn(
  engine: Engine,
  config: RunConfig,
  data: Dataset | undefined,
  test: Dataset | undefined,
  options: RangeOptions,
): Promise<RangeTestResult> {
  const { ramp, trials } = readOptions(options);
  const complete = readRun(config, data, test);
  if (complete.optimizer.maximize) {
    throw new OptionError("optimizer.maximize is true; range tests look for the lowest loss, so it must be false");
  }
  const batch = data ? batchSizes(complete)(0) : null;
  const accumulate = accumulateOf(complete.optimizer);
  /** Makes a run's updates one by one. */
  const open = async (run: CompleteRunConfig) => {
    const { optimizer, objective, order, destroy } = await openRun(engine, run, data);
    const update = async () => {
      let sum = 0;
      for (let micro = 0; micro < accumulate; micro++) sum += (await objective.step(order.next().value)).loss;
      return sum / accumulate;
    };
    return { optimizer, update, destroy };
  };
  const tested = await open({ ...complete, batch });
  let found: RangeTestResult;
  try {
    found = await climb(tested.optimizer, tested.update, ramp, options);
  } finally {
    tested.destroy();
  }
  const whole = updatesOf(complete);
  const updates = whole < leastUpdates ? ramp.steps : Math.min(whole, ramp.steps);
  const { lr: _, ...others } = readConfig(config.optimizer);
  const observing = [plateau, curvature].find((type) => holds(others, (part) => isOf(type, part)));
  if (observing) {
    const reason = `a ${observing} schedule drives something other than the rate, which short runs cannot reproduce`;
    return { ...found, suggestions: { trial: { lr: null, reason }, ...found.suggestions } };
  }
  const shape = shapeOf(complete, whole, updates);
  return settle(found, { ...options, trials, updates }, async (peak, each) => {
    const optimizer = { ...others, lr: (step: number) => peak * shape(step) } as OptimizerConfig;
    const short = {
      ...config,
      optimizer,
      batch,
      steps: updates * accumulate,
      metric: null,
      stop: null,
      handover: null,
      curvature: null,
      watch: null,
    };
    const run = await open(readRun(short, data));
    try {
      for (let i = 0; i < updates && each(await run.update()); i++);
    } catch (error) {
      // The loss scale of this run has underflowed.
      if (!(error instanceof DataError)) throw error;
      each(Number.NaN);
    } finally {
      run.destroy();
    }
  });
}

/** The shape of a run's rate, its highest value 1, over as many updates as a short run has. */
function shapeOf({ optimizer }: CompleteRunConfig, whole: number, updates: number): (step: number) => number {
  const { lr } = optimizer;
  const schedule = lr === undefined ? undefined : createSchedule(lr, "lr");
  if (!schedule || schedule.constant !== undefined || schedule.listeners?.length) return () => 1;
  const looked = Math.min(whole, shapeSteps);
  const at = (share: number) => schedule.at(Math.min(whole - 1, Math.floor(share * whole)));
  let highest = 0;
  for (let i = 0; i < looked; i++) highest = Math.max(highest, at(i / looked));
  if (!(highest > 0)) return () => 1;
  return (step) => Math.max(0, at(step / updates)) / highest;
}

/** Steps of a schedule that are searched for its highest value. */
const shapeSteps = 10_000;

/**
 * Fills in a ramp's defaults.
 *
 * @throws OptionError for a value out of range.
 */
export function readRamp(options: { readonly [Field in keyof Ramp]?: Ramp[Field] | undefined }): Ramp {
  const standard = rangeDefaults;
  const start = readNumber("start", options.start ?? standard.start, { above: 0 });
  const end = readNumber("end", options.end ?? standard.end, { above: start });
  if (!Number.isFinite(Math.fround(end))) {
    throw new OptionError(`end is ${end}; it must be at most 3.4e38, the largest that float32 holds`);
  }
  return {
    start,
    end,
    steps: readNumber("steps", options.steps ?? standard.steps, { min: 2, integer: true }),
    mode: readName("mode", options.mode ?? standard.mode, rangeModes),
    smoothing: readNumber("smoothing", options.smoothing ?? standard.smoothing, { min: 0, below: 1 }),
    diverge: readNumber("diverge", options.diverge ?? standard.diverge, { above: 1 }),
  };
}

function readOptions({ ramp = {}, trials }: RangeOptions): { ramp: Ramp; trials: number } {
  return {
    ramp: readRamp(readFields("ramp", ramp, Object.keys(rangeDefaults)) as Partial<Ramp>),
    trials: readTrials(trials),
  };
}

const rangeOptionNames = ["ramp", "trials", "onPoint", "onTrial", "signal"] as const;

/** @throws OptionError for anything but a whole number >= 0. */
export function readTrials(value: number | undefined): number {
  return value === undefined ? standardTrials : readNumber("trials", value, { min: 0, integer: true });
}

/** The most short runs after a ramp. */
export const standardTrials = 12;

function rateAt({ start, end, steps, mode }: Ramp, index: number): number {
  if (index === steps - 1) return end;
  const share = index / (steps - 1);
  return mode === "linear" ? start + (end - start) * share : start * (end / start) ** share;
}

async function climb(
  optimizer: Optimizer,
  step: (index: number) => number | Promise<number>,
  ramp: Ramp,
  { onPoint, signal }: RangeOptions,
): Promise<RangeTestResult> {
  const { start, end, steps, smoothing, diverge } = ramp;
  // Both ends at once: a rule may refuse either.
  optimizer.set({ lr: end });
  optimizer.set({ lr: start });
  const points: RangePoint[] = [];
  let ended: RangeEnd = "complete";
  let endedAt: number | null = null;
  let mean = 0;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < steps && ended === "complete"; i++) {
    if (signal?.aborted) {
      ended = "aborted";
      break;
    }
    const lr = rateAt(ramp, i);
    optimizer.set({ lr });
    const loss = await lossOf(step, i);
    endedAt = lr;
    mean = smoothing * mean + (1 - smoothing) * loss;
    const smooth = mean / (1 - smoothing ** (i + 1));
    if (!Number.isFinite(smooth)) {
      if (i === 0) throw new DataError(cannotBegin(loss));
      ended = "nonFinite";
      break;
    }
    points.push({ lr, loss, smooth });
    best = Math.min(best, smooth);
    if (smooth - best > (diverge - 1) * Math.abs(best)) ended = "diverged";
    onPoint?.({ index: i + 1, steps, lr, loss, smooth });
  }
  const read = suggestRates(points, steps, ended);
  return {
    format: "fallline-lr/1",
    ramp,
    points,
    trials: [],
    ended,
    endedAt,
    ...read,
    notes: [...read.notes, ...notesOn(optimizer)],
  };
}

async function lossOf(step: (index: number) => number | Promise<number>, index: number): Promise<number> {
  const loss = await step(index);
  if (typeof loss === "number") return loss;
  throw new OptionError(`step ${index} returned ${show(loss)}; it must return the loss`);
}

/** Updates that a run must make before its last losses depend on its rate. */
const leastUpdates = 8;

interface Settling extends RangeOptions {
  readonly trials: number;
  /** Updates of each short run. */
  readonly updates: number;
}

/** Makes the steps of a short run at a rate for as long as `each`, which is called with their losses, returns true. */
type ShortRun = (lr: number, each: (loss: number) => boolean) => Promise<void>;

/**
 * Searches for the best rate by short runs: from the one that the curve suggests by factors of 2 until it gets worse, and
 * between the best and its neighbours once more. Of rates within 5 % of the best loss the lowest is taken.
 */
async function settle(
  found: RangeTestResult,
  { trials: most, updates, signal, onTrial }: Settling,
  shortRun: ShortRun,
): Promise<RangeTestResult> {
  const { lr: center } = found.suggested;
  if (most === 0 || center === null || found.ended === "aborted" || updates < leastUpdates) return found;
  const { start, end, diverge } = found.ramp;
  const scores = new Map<number, number>();
  const last = Math.ceil(updates / 5);
  const isStopped = () => signal?.aborted === true;
  /** Infinite where it diverged; null if no more may be made. */
  const scoreOf = async (lr: number): Promise<number | null> => {
    const known = scores.get(lr);
    if (known !== undefined) return known;
    if (scores.size >= most || isStopped() || lr > end || lr < start) return null;
    const mean = new Fading(trialMemory);
    let [index, first, sum, isLost] = [0, 0, 0, false];
    await shortRun(lr, (loss) => {
      index++;
      if (index === 1) first = loss;
      mean.add(loss);
      if (index > updates - last) sum += loss;
      isLost = !Number.isFinite(mean.mean) || mean.mean - first > (diverge - 1) * Math.abs(first);
      onTrial?.({ trial: scores.size + 1, lr, index, steps: updates, loss });
      return !isLost && !isStopped();
    });
    if (isStopped()) return null;
    const score = isLost ? Number.POSITIVE_INFINITY : sum / last;
    scores.set(lr, score);
    return score;
  };
  const first = await scoreOf(center);
  let best = { lr: center, score: first ?? Number.POSITIVE_INFINITY };
  const take = async (lr: number): Promise<boolean> => {
    const score = await scoreOf(lr);
    // From rates that all diverge, the way is down.
    const isBetter =
      score !== null && (score < best.score || (score === best.score && score === Infinity && lr < best.lr));
    if (isBetter) best = { lr, score };
    return isBetter;
  };
  const rises = best.score < Infinity && (await take(2 * center));
  while (await take(rises ? 2 * best.lr : best.lr / 2));
  const middle = best.lr;
  await take(middle * Math.SQRT2);
  await take(middle / Math.SQRT2);
  let picked = best.lr;
  // Of rates that are as good, the lowest: too high a rate only shows in a longer run.
  for (const [lr, score] of scores) {
    if (lr < best.lr && score - best.score <= asGood * Math.abs(best.score)) picked = Math.min(picked, lr);
  }
  const trials = [...scores].map(([lr, score]) => ({ lr, loss: score < Infinity ? score : null }));
  const trial =
    best.score < Infinity && !isStopped()
      ? { lr: picked, reason: `the lowest that is as good as the best of ${trials.length} runs of ${updates} steps` }
      : { lr: null, reason: isStopped() ? "the short runs were stopped" : "every short run diverged" };
  const suggestions = { trial, ...found.suggestions };
  return { ...found, trials, suggestions, suggested: choose(suggestions) };
}

/** Losses within this share of the best are as good. */
const asGood = 0.05;

/** The share that the mean of a short run's losses keeps at each step; the run counts as diverged by this mean. */
const trialMemory = 0.9;

function cannotBegin(loss: number): string {
  return `the first step's loss is ${loss}, before any rate has had an effect, so the range test cannot start; look for values that are not finite in the data and the initial parameters, and for log(0) or a division by 0 in the loss`;
}

/** Notes on how the optimizer's config uses a rate. */
function* notesOn(optimizer: Optimizer): Generator<string> {
  const { rule, groups } = insideOf(optimizer).plan;
  if (rule.findsRate) {
    yield `${rule.name} finds its own rate and multiplies it by lr, which should stay at about ${usualRate(rule)} unless you have a reason`;
  }
  if (groups.some(({ lrScale }) => lrScale !== 1)) {
    yield "the rates are the optimizer's; groups multiply them by their lrScale";
  }
}
