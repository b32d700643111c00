// The learning-rate range test (Smith 2017, "Cyclical learning rates for training neural networks"; Gugger 2018; fastai):
// a short run whose rate climbs from far too small to far too large, and what its losses say about the rate to take.
import type { Dataset } from "../data/dataset.ts";
import { DataError, OptionError, show } from "../errors.ts";
import type { Optimizer } from "../optimizer.ts";
import { readChoice, readNumber, readObject } from "../options.ts";
import type { Engine } from "../train/engine.ts";
import { batchSizes, type RunConfig } from "../train/run_config.ts";
import { openRun, readRun } from "../train/train.ts";
import { selfTuned, standardLr } from "./defaults.ts";
import { type RangeEnd, type RangePoint, type Suggestions, suggestRates } from "./suggest.ts";

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
   * The test ends once the smoothed loss is above this multiple of the best so far, > 1; default 4. Where the best is below
   * 0, it ends as far above it as it would above the same number without its sign.
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
export interface RangeOptions extends Partial<Ramp> {
  /** Hears each point once its loss is there. */
  readonly onPoint?: (progress: RangeProgress) => void;
  /** Ends the test before its next step; what there is is returned. */
  readonly signal?: AbortSignal;
}

/** A point as it comes. */
export interface RangeProgress extends RangePoint {
  /** 1-based number of the step. */
  readonly index: number;
  /** Steps of the whole ramp. */
  readonly steps: number;
}

/** Options of {@link rangeTest}. */
export interface RangeTestOptions<S = unknown> extends RangeOptions {
  /** Where the caller's data comes from, if its order is to be as before: `restore` is given what `state` gave at the start. */
  readonly data?: { state(): S; restore(state: S): void };
}

/** What a range test found, as plain JSON. */
export interface RangeTestResult extends Suggestions {
  readonly format: "fallline-lr/1";
  /** The ramp, with every default filled in. */
  readonly ramp: Ramp;
  /** Every step whose loss was finite. */
  readonly points: readonly RangePoint[];
  readonly ended: RangeEnd;
  /** The last rate that was tried; null where none was. */
  readonly endedAt: number | null;
}

/**
 * Runs a range test on a training step of the caller's. The rate of every group follows the ramp (a group's `lrScale` goes
 * on holding), all other hypers stay as they are. Afterwards parameters, slots, step, hypers (functions of the step and
 * plateaus too), gradients and, with `data`, the data's order are what they were, to the bit; also where `step` throws or
 * the test is stopped. Only what `stats` and `layers` tell of the last update is forgotten.
 *
 * @param step makes one training step: computes gradients, lets the optimizer update from them (what it encodes it submits
 * too) and returns the loss before the update, the number that is to fall, or a promise of it. Its argument counts from 0.
 * @throws OptionError for options out of range, an optimizer with replicas, or a loss that is no number; DataError where
 * the first loss is not finite; and whatever `step` throws.
 */
export async function rangeTest<S>(
  optimizer: Optimizer,
  step: (index: number) => number | Promise<number>,
  options: RangeTestOptions<S> = {},
): Promise<RangeTestResult> {
  const ramp = readOptions(options, ["data"]);
  if (optimizer.replicas > 1) {
    throw new OptionError(`the optimizer has ${optimizer.replicas} replicas; a range test takes an optimizer with one`);
  }
  const rewind = options.data && bookmark(options.data);
  const gradients = await optimizer.read("gradients");
  const state = await optimizer.save();
  try {
    return await climb(optimizer, step, ramp, options);
  } finally {
    try {
      rewind?.();
    } finally {
      await optimizer.load(state);
      optimizer.write("gradients", gradients);
    }
  }
}

/** Remembers where data stands, and gives what goes back there. */
function bookmark<S>(data: { state(): S; restore(state: S): void }): () => void {
  const state = data.state();
  return () => data.restore(state);
}

/**
 * Runs a range test on a run: its model, start, optimizer and data's order, all made anew, so that nothing of the caller's
 * is touched and the same seed gives the same curve. The run's own rate, steps and stopping do not matter, and a batch that
 * changes stays as it begins. Where the optimizer adds gradients up, a point is one update.
 *
 * @throws OptionError for a config or options that do not hold together; DataError where the first loss is not finite.
 */
export async function findLr(
  engine: Engine,
  config: RunConfig,
  data: Dataset,
  options: RangeOptions = {},
): Promise<RangeTestResult> {
  const ramp = readOptions(options);
  const complete = readRun(config, data);
  const batch = batchSizes(complete)(0);
  const { optimizer, objective, order, destroy } = await openRun(engine, { ...complete, batch }, data);
  try {
    const { accumulate = 1 } = optimizer.config;
    const update = async () => {
      let sum = 0;
      for (let micro = 0; micro < accumulate; micro++) sum += (await objective.step(order.next().value)).loss;
      return sum / accumulate;
    };
    return await climb(optimizer, update, ramp, options);
  } finally {
    destroy();
  }
}

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
    mode: readChoice("mode", options.mode ?? standard.mode, rangeModes),
    smoothing: readNumber("smoothing", options.smoothing ?? standard.smoothing, { min: 0, below: 1 }),
    diverge: readNumber("diverge", options.diverge ?? standard.diverge, { above: 1 }),
  };
}

function readOptions(options: RangeOptions, more: readonly string[] = []): Ramp {
  readObject("the range test", options, [...Object.keys(rangeDefaults), "onPoint", "signal", ...more]);
  return readRamp(options);
}

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
  // Both ends at once: a rule may not take them all.
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
    const loss = await step(i);
    if (typeof loss !== "number") throw new OptionError(`step ${i} returned ${show(loss)}; it must return the loss`);
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
    ended,
    endedAt,
    ...read,
    notes: [...read.notes, ...notesOn(optimizer)],
  };
}

function cannotBegin(loss: number): string {
  return `the loss of the first step is ${loss}, before any rate has mattered, so the range test cannot begin: look for values that are not finite in the data and the initial parameters, and for logarithms or divisions of 0 in the loss`;
}

/** What the optimizer's config makes of a rate. */
function* notesOn({ config }: Optimizer): Generator<string> {
  const name = typeof config.rule === "string" ? config.rule : (config.rule as { name: string }).name;
  if (selfTuned.includes(name)) {
    yield `${name} works out a rate of its own and multiplies it by lr, for which about ${standardLr(name)} is meant: take another only for a reason`;
  }
  if (config.groups?.some(({ lrScale = 1 }) => lrScale !== 1)) {
    yield "the rates are the optimizer's; groups with an lrScale took them times it";
  }
}
