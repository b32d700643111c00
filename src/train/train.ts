// The training loop: a run config and an engine in, a trained model out. It starts steps without waiting for the ones
// before; only where the run's metric is due does it wait for those on their way.
import { batches, classNotes, type Dataset } from "../data/dataset.ts";
import { OptionError } from "../errors.ts";
import { targetsOf } from "../objectives/loss.ts";
import { createModel, initialTensors, type Model } from "../objectives/model.ts";
import { checkFit, type StepReport } from "../objectives/objective.ts";
import { createPipeline } from "../objectives/pipeline.ts";
import type { LayerStats, TensorValues } from "../optimizer.ts";
import type { Engine, Trainee } from "./engine.ts";
import { knownAccuracy, type MetricOptions, type MetricPoint, trackMetric } from "./metric.ts";
import { batchSizes, type CompleteRunConfig, checkBatch, type RunConfig, readRunConfig } from "./run_config.ts";
import { createWatch, type WatchEvent } from "./watch.ts";

/** A step's report with what the host knows about it. */
export interface Progress extends StepReport {
  /** 1-based number of the training step. */
  readonly index: number;
  readonly lr: number;
}

/**
 * Why a run ended: all steps were made; `stop` ended it, for want of an improvement or because a loss was not finite; or
 * the signal did.
 */
export type Reason = "finished" | "stopped-early" | "diverged" | "interrupted";

export interface TrainOptions extends MetricOptions {
  /** Called for every step, in order, once its loss has come back. */
  readonly onStep?: (progress: Progress) => void;
  /** Called once everything is made, before the first step. */
  readonly onStart?: () => void;
  /** Stops the run after the steps that are on their way; what there is is returned. */
  readonly signal?: AbortSignal;
  /** Also return the parameters as they were after this many steps. */
  readonly snapshotAfter?: number;
  /** Called with every finding of the config's `watch`. */
  readonly onEvent?: (event: WatchEvent) => void;
}

export interface TrainResult {
  /** The config with every default filled in. */
  readonly config: CompleteRunConfig;
  /** The loss of every step that ran, before its update. */
  readonly losses: number[];
  /** Every value of the metric; none without one. */
  readonly metrics: readonly MetricPoint[];
  /** The best of them; null where there is none. */
  readonly best: MetricPoint | null;
  /** What `watch` found; nothing without it. */
  readonly events: readonly WatchEvent[];
  /** What to know about the data: classes that have rows to train on and none to test with, or the other way about. */
  readonly notes: readonly string[];
  /** Those of the best point where `stop.restoreBest` says so and there is one, else those after the last step. */
  readonly params: TensorValues;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly snapshot: TensorValues | undefined;
  /** Mean loss of `params` on the test set; null without one, or when the run was interrupted. */
  readonly testLoss: number | null;
  /** Their accuracy there; null then too, and with a loss that has none. */
  readonly testAccuracy: number | null;
  readonly skipped: number;
  readonly reason: Reason;
  /** Whether the signal ended the run. */
  readonly interrupted: boolean;
}

/**
 * Reads a run config, also against its data.
 *
 * @throws OptionError as {@link readRunConfig} does, and where config and data do not fit each other; DataError for targets
 * that the loss does not take.
 */
export function readRun(config: RunConfig, data: Dataset, test?: Dataset): CompleteRunConfig {
  const complete = readRunConfig(config);
  const model = createModel(complete.model);
  checkBatch(complete, data);
  for (const rows of test ? [data, test] : [data]) {
    checkFit(model, rows);
    checkTargets(model, rows);
  }
  return complete;
}

/** Engines find such targets too, but only once the run has begun. */
function checkTargets({ config, outputs }: Model, data: Dataset): void {
  if (data.targets) targetsOf(config.loss, outputs, data);
}

/** A run before its first step. */
export interface OpenRun extends Trainee {
  /** The rows of each step. */
  readonly order: Generator<Uint32Array, never>;
}

/** Makes everything that a run needs; for {@link train}, and for tools that make the steps themselves. */
export async function openRun(engine: Engine, config: CompleteRunConfig, data: Dataset): Promise<OpenRun> {
  const model = createModel(config.model);
  const largest = checkBatch(config, data);
  engine.mustFit(model, config.optimizer, largest, 1);
  const trainee = await engine.trainee(model, initialTensors(model, config.init), config.optimizer, data, largest);
  const { optimizer, objective } = trainee;
  const order = batches(data.count, batchSizes(config), config.seed);
  return { optimizer, objective, order, destroy: () => trainee.destroy() };
}

/**
 * Trains a model from its seed.
 *
 * @throws OptionError for a config that does not hold together; DeviceError when the engine cannot run it.
 */
export async function train(
  engine: Engine,
  config: RunConfig,
  data: Dataset,
  options: TrainOptions = {},
): Promise<TrainResult> {
  const { onStart, onStep, onEvent, signal, snapshotAfter } = options;
  const complete = readRun(config, data, options.test);
  const { steps, stop, metric } = complete;
  if (metric && metric.type !== "loss" && !options.test) {
    throw new OptionError(`metric.type is "${metric.type}", which needs a test set; this run has none`);
  }
  const { accumulate = 1 } = complete.optimizer;
  const { every: lookEvery, ...limits } = complete.watch ?? { every: Number.POSITIVE_INFINITY };
  const watch = complete.watch && createWatch(limits);
  // The first update too: it shows which tensors begin at zero, whose early updates are large for that alone.
  const looks = (step: number) => watch !== null && (step === accumulate || step % lookEvery === 0);
  const run = await openRun(engine, complete, data);
  const { optimizer, objective, order } = run;
  const losses: number[] = [];
  let skipped = 0;
  let lost = false;
  const events: WatchEvent[] = [];
  const pipeline = createPipeline(([report, layers]: readonly [StepReport, readonly LayerStats[] | undefined]) => {
    losses.push(report.loss);
    skipped = report.skipped;
    // Nothing skips such a step, so the parameters are gone with it.
    lost ||= stop !== null && !complete.optimizer.skipNonFinite && !Number.isFinite(report.loss);
    const index = losses.length;
    const progress = { ...report, index, lr: optimizer.hyper("lr", Math.max(0, report.step - 1)) };
    onStep?.(progress);
    if (!watch) return;
    for (const event of [...watch.observe(progress), ...(layers ? watch.observeLayers(index, layers) : [])]) {
      events.push(event);
      onEvent?.(event);
    }
  });

  const track = trackMetric(run, complete, losses, options);
  try {
    onStart?.();
    let snapshot: Promise<TensorValues> | undefined;
    let reason: Reason = "finished";
    for (let step = 1; step <= steps && reason === "finished"; step++) {
      if (signal?.aborted) {
        reason = "interrupted";
        break;
      }
      // Both at once: what the layers did comes back with the loss of the same step.
      await pipeline.start(() =>
        Promise.all([objective.step(order.next().value), looks(step) ? optimizer.layers() : undefined]),
      );
      if (step === snapshotAfter) snapshot = pipeline.track(optimizer.read());
      if (track.isDue(step)) {
        await pipeline.drain();
        if (!lost && !signal?.aborted && (await track.observe()) && step < steps) reason = "stopped-early";
      }
      if (lost) reason = "diverged";
    }
    await pipeline.drain();
    await track.restore();
    const evaluation = reason === "interrupted" ? null : await track.evaluation();
    return {
      config: complete,
      losses,
      metrics: track.points,
      best: track.best,
      events,
      notes: options.test ? classNotes(data, options.test) : [],
      params: await optimizer.read(),
      shapes: new Map(optimizer.segments.map(({ name, shape }) => [name, shape])),
      snapshot: await snapshot,
      testLoss: evaluation?.loss ?? null,
      testAccuracy: evaluation && knownAccuracy(evaluation),
      skipped,
      reason,
      interrupted: reason === "interrupted",
    };
  } finally {
    await pipeline.close();
    run.destroy();
  }
}

/** The largest difference between two sets of parameters. */
export function largestDifference(a: TensorValues, b: TensorValues): number {
  let largest = 0;
  for (const [name, values] of Object.entries(a)) {
    const others = b[name]!;
    for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]! - others[i]!));
  }
  return largest;
}
