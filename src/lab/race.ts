// Runs side by side, of which the hopeless are stopped: the common part of sweeps and searches. Entrants that share a rule
// are replicas of one optimizer, a cohort; all of them see the same batches. At each rung the worse part of all
// entrants still running is stopped (successive halving: Jamieson and Talwalkar 2016), and costs nothing from then on.

import { DataError, OptionError, show } from "../base/errors.ts";
import { accumulateOf } from "../modifiers/modifier.ts";
import { counts, type Dataset } from "../objectives/data/dataset.ts";
import type { Evaluation, ReplicaEvaluation, ReplicaReport } from "../objectives/objective.ts";
import { createPipeline } from "../objectives/pipeline.ts";
import { breathe } from "../objectives/turns.ts";
import { readConfig } from "../optimizer/read_config.ts";
import type { Scheduled } from "../schedules/schedule.ts";
import { readEngine } from "../train/arguments.ts";
import { createTrainee, type Engine, mustFit, type Trainee } from "../train/engine.ts";
import { checkMetric, metricOf } from "../train/metric.ts";
import { orderOf, readRun } from "../train/open_run.ts";
import { updateRest } from "../train/rest.ts";
import {
  type CompleteRunConfig,
  checkBatch,
  type MetricConfig,
  type RunConfig,
  readRunConfig,
  trainableOf,
} from "../train/run_config.ts";
import { Fading } from "../train/signals.ts";
import { createUse, type Use } from "../train/use.ts";
import { createWatch, type Verdict, type Watch } from "../train/watch.ts";

/** Hypers in place of those of the run config. */
export type Trial = Readonly<Record<string, Scheduled>>;

/** Why an entrant was stopped. */
export type Stop =
  /** Its loss was not finite, or its loss scale underflowed. */
  | "diverged"
  /** Others were ahead of it at a rung. */
  | "behind";

/** One run among others. */
export interface Entrant {
  /** The hypers that are tried. */
  readonly trial: Trial;
  /** The loss of each of its steps, before the update. */
  readonly losses: readonly number[];
  /** The mean of its last losses, by which it is ranked; infinite if it diverged. */
  readonly score: number;
  /** The watch's verdict, and since which step. */
  readonly verdict: Verdict;
  /** Why it was stopped; null while it runs and if it finished. */
  readonly stopped: Stop | null;
}

class Runner implements Entrant {
  readonly trial: Trial;
  readonly losses: number[] = [];
  stopped: Stop | null = null;
  readonly #watch: Watch = createWatch();
  /** Over about the last ten losses. */
  readonly #mean = new Fading(0.9);

  constructor(trial: Trial) {
    this.trial = trial;
  }

  get score(): number {
    const { mean } = this.#mean;
    return this.stopped === "diverged" || !Number.isFinite(mean) ? Number.POSITIVE_INFINITY : mean;
  }

  get verdict(): Verdict {
    return this.#watch.verdict;
  }

  /** Records a step; returns whether it ended the run. */
  record(report: ReplicaReport, lr: number): boolean {
    const { loss, underflowed } = report;
    this.losses.push(loss);
    this.#mean.add(loss);
    this.#watch.observe({ ...report, index: this.losses.length, lr });
    if (!Number.isFinite(loss) || underflowed) this.stopped = "diverged";
    return this.stopped !== null;
  }
}

/** Entrants of one rule, trained in the same dispatches. */
export class Cohort {
  /** Complete, without the trials. */
  readonly config: CompleteRunConfig;
  readonly #runners: readonly Runner[];
  readonly #trainee: Trainee;
  readonly #order: Generator<Uint32Array | undefined, never>;
  readonly #test: Dataset | undefined;
  readonly #use: Use;
  #made = 0;
  #finished = false;

  private constructor(
    config: CompleteRunConfig,
    runners: readonly Runner[],
    trainee: Trainee,
    order: Generator<Uint32Array | undefined, never>,
    test: Dataset | undefined,
  ) {
    this.config = config;
    this.#runners = runners;
    this.#trainee = trainee;
    this.#order = order;
    this.#test = test;
    this.#use = createUse(trainee.optimizer);
  }

  /**
   * Makes everything for the trials of one run config. Its `stop` is ignored: an entrant runs until others are better.
   *
   * @throws OptionError for a bad config or trial; DeviceError when the device cannot hold so many, with how many fit.
   */
  static async create(
    engine: Engine,
    config: RunConfig,
    data: Dataset | undefined,
    trials: readonly Trial[],
    test?: Dataset,
  ): Promise<Cohort> {
    readEngine(engine);
    if (trials.length === 0) throw new OptionError("trials is []; it must have at least one entry");
    const complete = readRun(config, data, test);
    checkMetric(complete.metric, test);
    if (complete.curvature) {
      throw new OptionError(
        `curvature is ${show(config.curvature)}; parallel runs do not measure sharpness, so it must be left out`,
      );
    }
    if (complete.handover) {
      throw new OptionError(
        `handover is ${show(config.handover)}; parallel runs do not hand over to L-BFGS, so it must be left out`,
      );
    }
    if (complete.optimizer.maximize) {
      throw new OptionError("optimizer.maximize is true; parallel runs look for the lowest loss, so it must be false");
    }
    const trainable = trainableOf(complete);
    const start = complete.init ?? undefined;
    const batch = data ? checkBatch(complete, data) : 1;
    mustFit(engine, trainable, { config: complete.optimizer, batch, replicas: trials.length, start });
    await checkTrials(config, trials);
    const optimizer = readConfig({ ...config.optimizer, replicas: trials });
    const tensors = trainable.program.initial(start);
    const trainee = await createTrainee(engine, trainable, tensors, optimizer, data ? { data, batch } : {});
    const runners = trials.map((trial) => new Runner(trial));
    return new Cohort(complete, runners, trainee, orderOf(complete, data), test);
  }

  get entrants(): readonly Entrant[] {
    return this.#runners;
  }

  /** Steps made so far by those still running. */
  get made(): number {
    return this.#made;
  }

  get running(): readonly Entrant[] {
    return this.#runners.filter(({ stopped }) => stopped === null);
  }

  /** Trains the entrants still running up to a step; `onStep` is called after each step. */
  async run(to: number, onStep: () => void, signal: AbortSignal | undefined): Promise<void> {
    const { optimizer, objective } = this.#trainee;
    const { metric } = this.config;
    const pipeline = createPipeline<readonly ReplicaReport[]>((reports) => {
      this.#runners.forEach((runner, replica) => {
        if (runner.stopped) return;
        const report = reports[replica]!;
        const lr = optimizer.hyper("lr", Math.max(0, report.step - 1), { group: 0, replica });
        if (runner.record(report, lr)) optimizer.halt(replica);
      });
      onStep();
    });
    try {
      while (this.#made < to && !signal?.aborted && this.running.length > 0) {
        const rows = this.#order.next().value;
        await pipeline.start(async () => (await objective.step(rows)).replicas);
        this.#made++;
        if (metric && this.#made % metric.every === 0) {
          await pipeline.drain();
          await this.#observeMetric(metric);
        }
      }
      await pipeline.drain();
    } catch (error) {
      // Where all loss scales have underflowed, steps in flight no longer belong to any entrant.
      if (!(error instanceof DataError) || this.running.length > 0) throw error;
    } finally {
      await pipeline.close();
    }
  }

  stop(entrant: Entrant): void {
    const replica = this.#runners.indexOf(entrant as Runner);
    this.#runners[replica]!.stopped = "behind";
    this.#trainee.optimizer.halt(replica);
  }

  /** Loss and accuracy of the parameters to use, for entrants still running; null for the others, and if no row counts. */
  async evaluate(test: Dataset, onProgress?: (rows: number) => void): Promise<readonly (ReplicaEvaluation | null)[]> {
    if (!counts(test)) return this.#runners.map(() => null);
    await this.#finish();
    const { replicas } = await this.#evaluate(test, onProgress);
    return this.#runners.map(({ stopped }, replica) => (stopped === null ? replicas[replica]! : null));
  }

  destroy(): void {
    this.#trainee.destroy();
  }

  #evaluate(test: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    return this.#use.during(() => this.#trainee.objective.evaluate(test, onProgress));
  }

  /** After the last step, makes an update of the gradients accumulated since the last one. */
  async #finish(): Promise<void> {
    const accumulate = accumulateOf(this.config.optimizer);
    if (this.#finished || this.#made < this.config.steps) return;
    this.#finished = true;
    await updateRest(this.#trainee.optimizer, this.#made % accumulate);
  }

  /** Lets each entrant's plateaus observe its own metric. */
  async #observeMetric(metric: MetricConfig): Promise<void> {
    const { type, every } = metric;
    const { optimizer } = this.#trainee;
    const evaluations = type === "loss" ? undefined : (await this.#evaluate(this.#test!)).replicas;
    this.#runners.forEach(({ stopped, losses }, replica) => {
      if (stopped) return;
      const recent = losses.slice(-every);
      const mean = recent.reduce((sum, loss) => sum + loss, 0) / recent.length;
      const evaluation = evaluations?.[replica];
      optimizer.observe(evaluation ? metricOf(metric, evaluation) : mean, { replica });
    });
  }
}

/** Checks each trial separately: errors name it, and the rules for one run apply to each. */
async function checkTrials(config: RunConfig, trials: readonly Trial[]): Promise<void> {
  for (const [index, trial] of trials.entries()) {
    // Thousands take seconds, in which a signal should be noticed.
    await breathe();
    try {
      readRunConfig({ ...config, optimizer: { ...config.optimizer, ...trial } });
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      throw new OptionError(`trials[${index}]: ${error.message}`, { cause: error });
    }
  }
}

/** When, and how many of the entrants go on. */
export interface Rung {
  /** After this many steps … */
  readonly step: number;
  /** … so many go on. */
  readonly keep: number;
}

/** The better one first: entrants that look diverged come last, however low their loss has fallen again. */
export function compareEntrants(a: Entrant, b: Entrant): number {
  const lost = ({ verdict }: Entrant) => Number(verdict.state === "diverged");
  // Two infinite scores have no difference.
  return lost(a) - lost(b) || (a.score === b.score ? 0 : a.score - b.score);
}

/**
 * Trains cohorts up to each rung in turn, and there stops all but the best entrants of all cohorts.
 *
 * @param rungs Steps rise; the last is the length of a whole run, where none is stopped.
 */
export async function race(
  cohorts: readonly Cohort[],
  rungs: readonly Rung[],
  onStep: (cohort: Cohort) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const [index, { step, keep }] of rungs.entries()) {
    for (const cohort of cohorts) await cohort.run(step, () => onStep(cohort), signal);
    if (signal?.aborted || index === rungs.length - 1) continue;
    const ranked = cohorts
      .flatMap((cohort) => cohort.running.map((entrant) => ({ cohort, entrant })))
      .sort((a, b) => compareEntrants(a.entrant, b.entrant));
    for (const { cohort, entrant } of ranked.slice(keep)) cohort.stop(entrant);
    for (const cohort of cohorts) onStep(cohort);
  }
}

/** Updates that an entrant must have made before it is compared with others: the first losses do not depend on its rate. */
const leastUpdates = 8;

/**
 * Successive halving of `count` entrants over runs of `steps`: at each of `times` rungs one in `eta` goes on, and the steps
 * up to the next rung grow by `eta`. There are fewer rungs if some would leave no entrant or come before eight updates;
 * `accumulate` steps make an update.
 */
export function halvingRungs(
  count: number,
  steps: number,
  times: number,
  { eta = 2, accumulate = 1 }: { readonly eta?: number; readonly accumulate?: number } = {},
): readonly Rung[] {
  const rungs: Rung[] = [];
  const most = Math.floor(Math.log(count) / Math.log(eta) + 1e-9);
  let keep = count;
  for (let left = Math.min(times, most); left > 0; left--) {
    const step = Math.floor(steps / eta ** left);
    if (step < leastUpdates * accumulate) continue;
    keep = Math.ceil(keep / eta);
    rungs.push({ step, keep });
  }
  return [...rungs, { step: steps, keep: 0 }];
}
