// A sweep: one run config trained with many values of its hypers, side by side as replicas in the same dispatches, the
// hopeless stopped on the way.

import { OptionError, show } from "../base/errors.ts";
import { readArray, readMade, readNumber, readRecord } from "../base/options.ts";
import { Random } from "../base/random.ts";
import { readFields, readName } from "../base/words.ts";
import { accumulateOf } from "../modifiers/modifier.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import type { ReplicaEvaluation } from "../objectives/objective.ts";
import { scale } from "../schedules/scale.ts";
import type { Scheduled } from "../schedules/schedule.ts";
import { createSchedule } from "../schedules/schedule.ts";
import type { Engine } from "../train/engine.ts";
import { openJob, ownJob, type RunJob } from "../train/job.ts";
import { type KnownEvaluation, knownOf } from "../train/metric.ts";
import { type CompleteRunConfig, type RunConfig, readRunConfig } from "../train/run_config.ts";
import type { Verdict } from "../train/watch.ts";
import { Cohort, type Entrant, halvingRungs, type Rung, race, type Stop, type Trial } from "./race.ts";

/** The range in which a hyper is tried; `scale` "log" (the default) is by equal factors and needs min > 0. */
export interface Span {
  /** The lowest value. */
  readonly min: number;
  /** The highest value. */
  readonly max: number;
  /** Whether values or their logarithms are evenly spaced. */
  readonly scale?: "log" | "linear" | undefined;
}

function readSpan(name: string, value: unknown): Required<Span> {
  const fields = readFields(name, value, ["min", "max", "scale"]);
  const scale = fields.scale === undefined ? "log" : readName(`${name}.scale`, fields.scale, ["log", "linear"]);
  const min = readNumber(`${name}.min`, fields.min, scale === "log" ? { above: 0 } : {});
  const max = readNumber(`${name}.max`, fields.max, {});
  if (max < min) throw new OptionError(`${name}.max is ${max}; it must be >= ${name}.min, which is ${min}`);
  return { min, max, scale };
}

/** The value a share (0 to 1) of the way through a span. */
function within({ min, max, scale }: Required<Span>, share: number): number {
  return scale === "log" ? min * (max / min) ** share : min + (max - min) * share;
}

/**
 * `count` values from `min` to `max`, both included, by equal factors or equal steps.
 *
 * @throws OptionError for an invalid span, or a count that is not a whole number >= 1.
 */
export function spaced(span: Span, count: number): readonly number[] {
  const read = readSpan("span", span);
  readNumber("count", count, { min: 1, integer: true });
  mustBeFew(count);
  if (count === 1) return [within(read, 0.5)];
  // The last one explicitly: a power of a quotient need not be exact.
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? read.max : within(read, i / (count - 1))));
}

/** More than this no device runs side by side. */
function mustBeFew(count: number): void {
  const most = 65_535;
  if (count > most) {
    throw new OptionError(
      `the sweep has ${count.toLocaleString("en")} runs; at most ${most.toLocaleString("en")} run in parallel`,
    );
  }
}

/**
 * Every combination of the values given for some hypers: `{ lr: spaced({ min: 1e-4, max: 1 }, 8), weightDecay: [0, 0.1] }`
 * makes 16 trials.
 *
 * @throws OptionError where a hyper has no values, and for more than 65,535 combinations.
 */
export function gridTrials(values: Readonly<Record<string, readonly Scheduled[]>>): readonly Trial[] {
  readRecord("values", values, "arrays by hyper");
  const count = Object.values(values).reduce((product, choices) => product * (choices?.length ?? 0), 1);
  mustBeFew(count);
  return Object.entries(values).reduce<readonly Trial[]>(
    (trials, [hyper, choices]) => {
      readArray(hyper, choices, "values");
      if (choices.length === 0) throw new OptionError(`${hyper} is []; it must have at least one value`);
      return trials.flatMap((trial) => choices.map((choice) => ({ ...trial, [hyper]: choice })));
    },
    [{}],
  );
}

/**
 * `count` trials drawn at random: uniformly from a span (from its logarithm, unless it is linear), or one value of a list.
 * The same seed draws the same trials (Bergstra and Bengio 2012 on why random search rather than a grid).
 *
 * @throws OptionError for invalid spans, empty lists, a count that is not a whole number >= 1.
 */
export function randomTrials(
  choices: Readonly<Record<string, Span | readonly Scheduled[]>>,
  count: number,
  seed = 0,
): readonly Trial[] {
  readNumber("count", count, { min: 1, integer: true });
  mustBeFew(count);
  readRecord("choices", choices, "spans and arrays by hyper");
  const random = new Random(seed);
  const draws = Object.entries(choices).map(([hyper, choice]): [string, () => Scheduled] => {
    if (!Array.isArray(choice)) {
      const span = readSpan(hyper, choice);
      return [hyper, () => within(span, random.uniform())];
    }
    const list = choice as readonly Scheduled[];
    if (list.length === 0) throw new OptionError(`${hyper} is []; it must have at least one value`);
    return [hyper, () => list[Math.floor(random.uniform() * list.length)]!];
  });
  return Array.from({ length: count }, () => Object.fromEntries(draws.map(([hyper, draw]) => [hyper, draw()])));
}

/** A schedule times a factor that makes its highest value within `steps` updates `peak`; a number becomes `peak`. */
export function withPeak(schedule: Scheduled, peak: number, steps: number): Scheduled {
  const { at, constant } = createSchedule(schedule);
  readNumber("peak", peak, {});
  readNumber("steps", steps, { min: 1, integer: true });
  if (constant !== undefined) return peak;
  let highest = 0;
  for (let step = 0; step < steps; step++) highest = Math.max(highest, at(step));
  if (highest === 0)
    throw new OptionError(`lr is ${show(schedule)}, which is 0 at every step; it has no highest value`);
  return scale({ by: peak / highest, schedule });
}

/** Successive halving: when, and how many trials are stopped. */
export interface Halving {
  /** How many times the worse part is stopped; a whole number >= 0, default 3 (or fewer, so that one is left). */
  readonly times?: number | undefined;
  /** One in so many goes on, and the steps up to the next time grow by as much; a whole number >= 2, default 2. */
  readonly eta?: number | undefined;
}

/** The options of {@link sweep}. */
export interface SweepOptions {
  /** Hypers in place of the config's, for each run; see {@link gridTrials} and {@link randomTrials}. */
  readonly trials: readonly Trial[];
  /** How the hopeless are stopped (successive halving); null: only those whose loss is not finite are stopped. */
  readonly halving?: Halving | null | undefined;
  /** Stops the sweep after the steps in flight; the results so far are returned. */
  readonly signal?: AbortSignal | undefined;
  /** Called once everything is made. */
  readonly onStart?: (() => void) | undefined;
  /** Called after each step with every run so far. */
  readonly onStep?: ((entrants: readonly Entrant[], step: number) => void) | undefined;
  /** Called with the number of rows tested. */
  readonly onTest?: ((rows: number) => void) | undefined;
}

/** A run, the hypers that each trial changes, and how trials are compared. Those that run to the end are tested. */
export interface SweepJob extends RunJob, SweepOptions {}

/** How one trial ended. */
export interface TrialResult {
  /** The hypers that were tried. */
  readonly trial: Trial;
  /** The loss of every step it made, before the update; NaN and infinities as null, as in JSON. */
  readonly losses: readonly (number | null)[];
  /** The mean of about the last ten losses; null if it diverged. */
  readonly finalLoss: number | null;
  /** The watch's last verdict, and since which step. */
  readonly verdict: Verdict;
  /** Why it was stopped before the end; null if it was not. */
  readonly stopped: Stop | null;
  /** On the test set; null without one, and if it was stopped. The accuracy is null for a loss that has none. */
  readonly evaluation: KnownEvaluation | null;
}

/** A sweep's outcome as JSON. */
export interface SweepResult {
  /** The format and its version. */
  readonly format: "fallline-sweep/1";
  /** The run config without the trials, complete. */
  readonly config: CompleteRunConfig;
  /** Every trial, in the order given. */
  readonly trials: readonly TrialResult[];
  /** The index of the best: of those that ran longest, the one with the lowest loss; null if all diverged. */
  readonly best: number | null;
  /** Steps of all runs together. */
  readonly steps: number;
  /** Whether a signal ended the sweep. */
  readonly interrupted: boolean;
}

/**
 * Trains a run config once for each trial, all side by side.
 *
 * @throws OptionError for a bad config, trial or option; DeviceError when the device cannot hold so many runs, with how
 * many fit.
 */
export async function sweep(given: SweepJob): Promise<SweepResult> {
  const job = ownJob(given);
  const { engine, config, data, test, close } = await openJob("sweep", job, sweepOptions);
  try {
    return await sweepOn(engine, config, data, test, job);
  } finally {
    close();
  }
}

async function sweepOn(
  engine: Engine,
  config: RunConfig,
  data: Dataset | undefined,
  test: Dataset | undefined,
  options: SweepOptions,
): Promise<SweepResult> {
  const { signal, onStart, onStep, onTest } = options;
  const trials = readArray("trials", options.trials, "hypers by name").map((trial, i) =>
    readRecord(`trials[${i}]`, trial as Trial, "hypers"),
  );
  const complete = readRunConfig(config);
  mustUpdate(complete);
  const rungs = rungsOf(options.halving, trials.length, complete);
  const cohort = await Cohort.create(engine, config, data, trials, test);
  try {
    onStart?.();
    await race([cohort], rungs, () => onStep?.(cohort.entrants, cohort.made), signal);
    const interrupted = signal?.aborted === true && cohort.made < complete.steps;
    const evaluations = test && !interrupted && cohort.running.length > 0 ? await cohort.evaluate(test, onTest) : [];
    return {
      format: "fallline-sweep/1",
      config: cohort.config,
      trials: cohort.entrants.map((entrant, i) => trialResult(entrant, evaluations[i] ?? null)),
      best: bestOf(cohort.entrants),
      steps: cohort.entrants.reduce((sum, { losses }) => sum + losses.length, 0),
      interrupted,
    };
  } finally {
    cohort.destroy();
  }
}

const sweepOptions: readonly (keyof SweepOptions)[] = [
  ...(["trials", "halving", "signal", "onStart", "onStep", "onTest"] as const),
];

/**
 * The config of one trial, to be trained alone.
 *
 * @throws OptionError for a bad config or trial.
 */
export function trialConfig(config: RunConfig, trial: Trial): CompleteRunConfig {
  readMade("config", config, "a run config", { optimizer: "object" });
  readRecord("trial", trial, "hypers");
  return readRunConfig({ ...config, optimizer: { ...config.optimizer, ...trial } });
}

/** @throws OptionError for runs whose losses all precede the first update, so that nothing can be compared. */
export function mustUpdate({ steps, optimizer }: CompleteRunConfig): void {
  const accumulate = accumulateOf(optimizer);
  if (steps > accumulate) return;
  throw new OptionError(
    `steps is ${steps}; to compare runs it must be more than ${accumulate === 1 ? "1" : `${accumulate}, the steps of one update`}`,
  );
}

function rungsOf(halving: Halving | null | undefined, count: number, config: CompleteRunConfig): readonly Rung[] {
  const { steps, optimizer } = config;
  const accumulate = accumulateOf(optimizer);
  if (halving === null) return halvingRungs(count, steps, 0);
  const fields = readFields("halving", halving ?? {}, ["times", "eta"]);
  const eta = fields.eta === undefined ? 2 : readNumber("halving.eta", fields.eta, { min: 2, integer: true });
  const times = fields.times === undefined ? 3 : readNumber("halving.times", fields.times, { min: 0, integer: true });
  return halvingRungs(count, steps, times, { eta, accumulate });
}

/** Of those that came furthest, the best one. */
export function bestOf(entrants: readonly Entrant[]): number | null {
  const whole = entrants
    .map((entrant, index) => ({ entrant, index }))
    .filter(({ entrant }) => entrant.score < Infinity && entrant.verdict.state !== "diverged");
  const furthest = Math.max(0, ...whole.map(({ entrant }) => entrant.losses.length));
  const ranked = whole
    .filter(({ entrant }) => entrant.losses.length === furthest && furthest > 0)
    .sort((a, b) => a.entrant.score - b.entrant.score);
  return ranked[0]?.index ?? null;
}

export function trialResult(entrant: Entrant, evaluation: ReplicaEvaluation | null): TrialResult {
  const { trial, losses, score, verdict, stopped } = entrant;
  return {
    trial,
    losses: losses.map((loss) => (Number.isFinite(loss) ? loss : null)),
    finalLoss: Number.isFinite(score) ? score : null,
    verdict,
    stopped,
    evaluation: evaluation && knownOf(evaluation),
  };
}
