// The training loop: a run config and an engine in, a trained model out. It starts steps without waiting for the ones before;
// only when the run's metric is due does it wait for the steps in flight.

import { DataError, DeviceError, OptionError, show } from "../base/errors.ts";
import { readNumber } from "../base/options.ts";
import { accumulateOf, flatConfig } from "../modifiers/modifier.ts";
import { batches, classNotes, counts, type Dataset, readDataset } from "../objectives/data/dataset.ts";
import { firstAndEach, reportOf, type StepReport } from "../objectives/objective.ts";
import { createPipeline } from "../objectives/pipeline.ts";
import { programOf } from "../objectives/program.ts";
import { loadCheckpoint, saveCheckpoint } from "../optimizer/checkpoint.ts";
import type { LayerStats, Optimizer, Role, TensorValues } from "../optimizer/optimizer.ts";
import { scheduleDefinitions } from "../schedules/index.ts";
import { readEngine } from "./arguments.ts";
import { type CurvaturePoint, type CurvatureTrack, createCurvatureTrack, meterRows } from "./curvature.ts";
import { createTrainee, type Engine, mustFit, type Trainee } from "./engine.ts";
import type { WatchEvent } from "./findings.ts";
import { createHandover, type Handover, type HandoverRun } from "./handover.ts";
import { openJob, type RunJob } from "./job.ts";
import { createKeeper, type Keeper } from "./keeper.ts";
import { type Listeners, listen } from "./listeners.ts";
import { checkMetric, knownOf, type MetricOptions, type MetricPoint, trackMetric } from "./metric.ts";
import { updateRest } from "./rest.ts";
import {
  decodeRunCheckpoint,
  encodeRunCheckpoint,
  type LastUpdate,
  markOf,
  type RunCheckpoint,
  type RunState,
  resumable,
} from "./run_checkpoint.ts";
import {
  batchSizes,
  type CompleteRunConfig,
  checkBatch,
  metricMode,
  type RunConfig,
  readRunConfig,
  trainableOf,
} from "./run_config.ts";
import { createUse } from "./use.ts";
import { createWatch } from "./watch.ts";

/** A step's report with what the host knows about it. */
export interface Progress extends StepReport {
  /** 1-based number of the training step. */
  readonly index: number;
  /** The learning rate of the step; after a handover the length of L-BFGS's step, in units of its direction. */
  readonly lr: number;
}

/**
 * Why a run ended: all steps were made ("finished"), `stop` saw no improvement ("stopped-early"), a loss was not finite
 * ("diverged"), or the signal ended it ("interrupted"). With `stop` divergence ends the run at once; without it, a run that made
 * all its steps has diverged if its last loss, or its test loss, is not finite.
 */
export type Reason = "finished" | "stopped-early" | "diverged" | "interrupted";

/** A run before one of its steps. */
export interface BeforeStep {
  /** 1-based number of the next step. */
  readonly index: number;
  /**
   * The run's optimizer: `set` changes hypers from this step on, `freeze` and `thaw` stop and start groups, `read` returns the
   * parameters so far. Its `step`, `write` and `destroy` belong to the run.
   */
  readonly optimizer: Optimizer;
  /**
   * Resolves once every step before this one is reported. Without it up to four are in flight, and are reported with the rate that
   * the optimizer has by then: await it before `set`.
   */
  settle(): Promise<void>;
}

/** The effect of the updates of one step on each tensor. */
export interface LayersPoint {
  /** 1-based number of the training step. */
  readonly step: number;
  /** The statistics of each tensor, as `layers` of the optimizer returns them. */
  readonly layers: readonly LayerStats[];
}

/** What a run does besides training. */
export interface TrainOptions extends Omit<MetricOptions, "test"> {
  /** Called for every step, in order, once its loss has come back. */
  readonly onStep?: (progress: Progress) => void;
  /** Called once everything is made, before the first step. */
  readonly onStart?: () => void;
  /**
   * Called and awaited before every step: the run waits for the returned promise, however long, and a hyper that it sets holds
   * from this step on. Checkpoints hold the hypers as they are set, so a run that is resumed keeps them. After a device loss it is
   * called again for steps that are repeated, with a new optimizer. If it throws, the run ends with that error.
   */
  readonly beforeStep?: (moment: BeforeStep) => void | Promise<void>;
  /** Stops the run after the steps in flight; `train` returns the result so far. */
  readonly signal?: AbortSignal;
  /** Also returns the trained parameters as they were after this many steps. */
  readonly snapshotAfter?: number;
  /** Called with every sharpness measured for the config's `curvature`. */
  readonly onCurvature?: (point: CurvaturePoint) => void;
  /** Called with every observation of the layers by the config's `watch`, before the `onStep` of its step. */
  readonly onLayers?: (point: LayersPoint) => void;
  /** Called with every finding of the config's `watch`. */
  readonly onEvent?: (event: WatchEvent) => void;
  /**
   * Training steps between checkpoints of the run, a whole number >= 1; needs `onCheckpoint` or `recover`. Default 100, or a
   * tenth of the run's steps if those are fewer than 1,000.
   */
  readonly saveEvery?: number;
  /**
   * Called with every checkpoint of the run, including one after the last step, or when `stop` or the signal ends the run. The
   * run goes on meanwhile; only the next checkpoint and the end of the run wait for the returned promise. If it fails, the run
   * ends with that error.
   */
  readonly onCheckpoint?: (checkpoint: RunCheckpoint) => void | Promise<void>;
  /**
   * The bytes of a {@link RunCheckpoint} to resume from; on the same kind of engine the run continues to the bit as if it had
   * never stopped. Config and data must be the checkpoint's, but `steps` may be larger. Hypers and batches that are functions of
   * the step, which no file holds, come from this config. Listeners are called for new steps only; earlier ones are in
   * `runs.decodeCheckpoint` and in the result.
   */
  readonly resume?: Uint8Array | ArrayBuffer;
  /**
   * Called with the error when the engine's device is lost. It must resolve to a new engine, on which the run continues from its
   * last checkpoint. Repeated steps are not reported again. After three losses without a new checkpoint in between the run ends
   * with the error.
   */
  readonly recover?: (error: DeviceError) => Promise<Engine>;
}

/** A run, its data, its engine, and its listeners. */
export interface TrainJob extends RunJob, TrainOptions {}

/** The result of a run. */
export interface TrainResult {
  /** The engine that it ran on. */
  readonly backend: Engine["backend"];
  /** The config with every default filled in. */
  readonly config: CompleteRunConfig;
  /** The loss of every step that ran, before its update. */
  readonly losses: number[];
  /** Every value of the metric; none without one. */
  readonly metrics: readonly MetricPoint[];
  /** The best of them; null if there is none. */
  readonly best: MetricPoint | null;
  /** Every sharpness that was measured; none without `curvature`, nor after a handover to L-BFGS. */
  readonly curvature: readonly CurvaturePoint[];
  /** The findings of `watch`; none without it. */
  readonly events: readonly WatchEvent[];
  /**
   * Notes about the data: classes that have rows to train on and none to test with, or the other way round, and a test set in
   * which no row counts.
   */
  readonly notes: readonly string[];
  /**
   * The parameters to use: those of the best point with `stop.restoreBest`, else those after the last step; the average or the
   * evaluation point if the optimizer has one (`role`).
   */
  readonly params: TensorValues;
  /** The role of `params` in the optimizer: "params", "swa", "ema", "lookahead" or "evaluation", as `evaluationRole` says. */
  readonly role: Role;
  /** The shape of each parameter, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The parameters after `snapshotAfter` steps, by name; undefined without it. */
  readonly snapshot: TensorValues | undefined;
  /** Mean loss of `params` on the test set; null without a test set in which a row counts, or if the run was interrupted. */
  readonly testLoss: number | null;
  /** Their accuracy on the test set; null in the same cases, and with a loss that has no accuracy. */
  readonly testAccuracy: number | null;
  /** Root mean square error of their outputs on the test set; null if no exact outputs are known. */
  readonly testError: number | null;
  /** The step at which the run handed over to L-BFGS; null if it did not. */
  readonly handedOverAt: number | null;
  /** How many steps were skipped because a gradient was not finite. */
  readonly skipped: number;
  /** Why the run ended. */
  readonly reason: Reason;
  /**
   * The first training step, 1-based, whose loss was not finite; null if all were. Unless such steps are skipped
   * (`skipNonFinite`), the parameters are lost from then on.
   */
  readonly divergedAt: number | null;
  /** Whether the signal ended the run. */
  readonly interrupted: boolean;
}

/**
 * Reads a run config and checks it against its data.
 *
 * @throws OptionError as {@link readRunConfig}, and if config and data do not fit each other; DataError for targets that the loss
 * does not take, and if no training row counts.
 */
export function readRun(config: RunConfig, data: Dataset | undefined, test?: Dataset): CompleteRunConfig {
  const complete = readRunConfig(config);
  const program = programOf(trainableOf(complete));
  if (!program.needsData) {
    for (const [name, rows] of Object.entries({ data, test })) {
      if (rows === undefined) continue;
      throw new OptionError(`${name} is ${show(rows)}; ${program.title} takes no data, so it must be left out`);
    }
    return complete;
  }
  readDataset("data", data as Dataset);
  if (test !== undefined) readDataset("test", test);
  checkBatch(complete, data!);
  for (const rows of test ? [data!, test] : [data!]) {
    program.checkFit(rows);
    program.checkAnswers(rows);
  }
  if (!counts(data!)) throw new DataError(`${data!.name}: all ${data!.count} training rows have weight 0`);
  return complete;
}

/** A run before its first step. */
export interface OpenRun extends Trainee {
  /** The rows of each step; undefined without data. */
  readonly order: Generator<Uint32Array | undefined, never>;
}

/**
 * Makes everything that a run needs, for {@link train} and for tools that make the steps themselves.
 *
 * @param from Steps whose rows are skipped.
 */
export async function openRun(
  engine: Engine,
  config: CompleteRunConfig,
  data: Dataset | undefined,
  from = 0,
): Promise<OpenRun> {
  const trainable = trainableOf(config);
  const { program } = trainable;
  const start = config.init ?? undefined;
  const batch = data ? checkBatch(config, data) : 1;
  mustFit(engine, trainable, { config: config.optimizer, batch, replicas: 1, start });
  if (config.handover && data) {
    mustFit(engine, trainable, { config: config.optimizer, batch: data.count, replicas: 1, start });
  }
  if (config.curvature && data) {
    mustFit(engine, trainable, {
      config: config.optimizer,
      batch: meterRows(config.curvature, data),
      replicas: 1,
      start,
    });
  }
  const bound = data ? { data, batch } : {};
  const trainee = await createTrainee(engine, trainable, program.initial(start), config.optimizer, bound);
  const { optimizer, objective } = trainee;
  return { optimizer, objective, order: orderOf(config, data, from), destroy: () => trainee.destroy() };
}

/** The rows of each step of a run. */
export function orderOf(
  config: CompleteRunConfig,
  data: Dataset | undefined,
  from = 0,
): Generator<Uint32Array | undefined, never> {
  return data ? batches(data.count, batchSizes(config), config.seed, from) : noRows();
}

function* noRows(): Generator<undefined, never> {
  for (;;) yield undefined;
}

/**
 * Trains a model, points on a landscape or a custom objective from its seed, or resumes from a checkpoint of the run: `train({
 * model: mlp([784, 256, 10]), data, optimizer: adamw(), batch: 64, steps: 300 })`.
 *
 * @throws OptionError for an invalid config, or one that is not the checkpoint's; DataError for a bad checkpoint; DeviceError if
 * the engine cannot run it or its device is lost; and whatever a listener throws.
 */
export async function train(job: TrainJob): Promise<TrainResult> {
  const { engine, config, data, test, close } = await openJob("train", job, trainOptions);
  try {
    return await trainOn(engine, config, data, test, job);
  } finally {
    close();
  }
}

async function trainOn(
  engine: Engine,
  config: RunConfig,
  data: Dataset | undefined,
  test: Dataset | undefined,
  options: TrainOptions,
): Promise<TrainResult> {
  const { resume, recover, snapshotAfter } = options;
  if (snapshotAfter !== undefined) readNumber("snapshotAfter", snapshotAfter, { min: 0, integer: true });
  const listeners = listen(options);
  const complete = readRun(config, data, test);
  checkMetric(complete.metric, test, "; this run has none");
  const keeper = createKeeper({ ...options, onCheckpoint: listeners.onCheckpoint }, complete.steps);
  const marks =
    keeper || resume !== undefined ? { data: data ? markOf(data) : null, test: test ? markOf(test) : null } : null;
  let state = resume === undefined ? null : resumable(resume, complete, marks!.data, marks!.test);
  if (state) {
    keeper?.begin(state.step);
    listeners.begin(state);
  }
  const run: Run = { config: complete, data, test, options, listeners, keeper, marks, found: {} };
  let current = engine;
  let [failures, keptAt] = [0, keeper?.step ?? 0];
  for (;;) {
    try {
      return await attempt(current, run, state);
    } catch (error) {
      if (listeners.threw(error) || error instanceof OptionError || error instanceof DataError) throw error;
      const loss = (await current.lost?.()) ?? null;
      if (loss === null) throw error;
      const lost =
        error instanceof DeviceError ? error : new DeviceError(`the GPU device was lost (${loss})`, { cause: error });
      if (!recover || !keeper) throw lost;
      failures = keeper.step > keptAt ? 1 : failures + 1;
      keptAt = keeper.step;
      if (failures > mostLosses) throw lost;
      current = readEngine(await recover(lost));
      if (keeper.latest) state = decodeRunCheckpoint(keeper.latest.bytes);
    }
  }
}

const trainOptions: readonly (keyof TrainOptions)[] = [
  ...(["signal", "snapshotAfter", "saveEvery", "resume", "recover"] as const),
  ...(["beforeStep", "onStart", "onStep", "onLayers", "onEvent", "onCurvature"] as const),
  ...(["onTest", "onMetric", "onBest", "onCheckpoint"] as const),
];

/** Device losses without a checkpoint in between after which a run gives up. */
const mostLosses = 3;

/** The parts of a run that survive a device loss. */
interface Run {
  readonly config: CompleteRunConfig;
  readonly data: Dataset | undefined;
  readonly test: Dataset | undefined;
  readonly options: TrainOptions;
  readonly listeners: Listeners;
  readonly keeper: Keeper | null;
  readonly marks: Pick<RunState, "data" | "test"> | null;
  /** Results that were requested on the way. */
  readonly found: { snapshot?: TensorValues };
}

/** Makes the remaining steps after a state, or all of them. */
async function attempt(engine: Engine, run: Run, state: RunState | null): Promise<TrainResult> {
  const { config, data, test, listeners, keeper, marks, found } = run;
  const { signal, snapshotAfter } = run.options;
  const { steps, stop } = config;
  const accumulate = accumulateOf(config.optimizer);
  const { every: lookEvery, ...limits } = config.watch ?? { every: Number.POSITIVE_INFINITY };
  const watch = config.watch && createWatch(limits);
  if (watch && state?.watch) watch.restore(state.watch);
  // The first update too: it shows which tensors start at zero, whose early updates are large for that reason alone.
  const looks = (step: number) => watch !== null && (step === accumulate || step % lookEvery === 0);
  const opened = await openRun(engine, config, data, state?.step);
  const { optimizer, objective, order } = opened;
  const losses: number[] = [...(state?.losses ?? [])];
  const events: WatchEvent[] = [...(state?.events ?? [])];
  let skipped = state?.skipped ?? 0;
  // Such a step is not skipped, so the parameters are lost with it.
  const loses = (loss: number) =>
    stop !== null && flatConfig(config.optimizer).skipNonFinite !== true && !Number.isFinite(loss);
  let lost = losses.some(loses);
  let last: LastUpdate | null = state?.lastUpdate ?? null;
  // Until the next update, an optimizer that was loaded does not know the results of the last one.
  let loaded = last;
  /** Records the results of a step, and returns its report. */
  const record = (found: StepReport, looked: readonly LayerStats[] | undefined, lr?: number): Progress => {
    if (loaded && (found.step !== loaded.step || found.skipped !== loaded.skipped)) loaded = null;
    const report = loaded ? withNorm(found, loaded.gradientNorm) : found;
    const layers = loaded && looked ? (loaded.layers ?? undefined) : looked;
    losses.push(report.loss);
    skipped = report.skipped;
    last = { step: report.step, skipped, gradientNorm: report.gradientNorm, layers: loaded?.layers ?? null };
    lost ||= loses(report.loss);
    const index = losses.length;
    const progress = { ...report, index, lr: lr ?? optimizer.hyper("lr", Math.max(0, report.step - 1)) };
    if (watch) events.push(...watch.observe(progress), ...(layers ? watch.observeLayers(index, layers) : []));
    if (layers) listeners.onLayers({ step: index, layers });
    return progress;
  };
  const report = (progress: Progress) => {
    listeners.onStep(progress);
    listeners.onEvents(events);
  };
  const pipeline = createPipeline((made: readonly [StepReport, readonly LayerStats[] | undefined]) =>
    report(record(...made)),
  );
  const use = createUse(optimizer);
  const track = trackMetric(
    { optimizer, objective, use },
    config,
    losses,
    { ...run.options, ...(test ? { test } : {}), ...listeners.ofMetric },
    state,
  );

  let handover: Handover | null = null;
  let meter: CurvatureTrack | null = null;
  /** Measures the sharpness if due: during the rule's steps, as long as the loss is finite. */
  const measure = async (made: number): Promise<void> => {
    if (handover?.step != null || !meter?.isDue(made)) return;
    await pipeline.drain();
    if (signal?.aborted || !Number.isFinite(losses.at(-1))) return;
    const point = await meter.measure(made);
    if (!point) return;
    if (watch) events.push(...watch.observeCurvature(made, point));
    listeners.onCurvature(point);
    listeners.onEvents(events);
  };
  /** Hands over if due; every step must be reported first, so that the decision can be made. */
  const handOver = async (made: number): Promise<void> => {
    if (!handover?.mayBeDue(made)) return;
    await pipeline.drain();
    await handover.decide(made);
  };

  /** Makes a checkpoint of the current run. */
  const keep = async (): Promise<void> => {
    if (!keeper || !marks) return;
    await pipeline.drain();
    if (losses.length === keeper.step) return;
    // The next steps may report the last update again, which a loaded optimizer cannot.
    const again = watch && accumulate > 1 && last?.layers === null;
    const layers = again ? await optimizer.layers() : (last?.layers ?? null);
    const checkpoint = encodeRunCheckpoint({
      config,
      backend: engine.backend,
      losses,
      metrics: track.points,
      best: track.best,
      events,
      skipped,
      ...marks,
      optimizer: await saveCheckpoint(optimizer),
      bestOptimizer: track.kept,
      watch: watch?.state() ?? null,
      handover: handover ? await handover.state() : null,
      curvature: meter ? await meter.state() : null,
      lastUpdate: last && { ...last, layers },
    });
    await keeper.put(checkpoint);
  };

  try {
    if (state) await loadCheckpoint(optimizer, state.optimizer, { schedules: scheduleDefinitions });
    if (config.handover) {
      handover = await createHandover(config.handover, handoverRun(engine, config, data, opened));
      const before = state?.handover?.step ?? Number.POSITIVE_INFINITY;
      for (const { step, value } of state?.metrics ?? []) if (step <= before) handover.observe(value);
      if (state?.handover) await handover.restore(state.handover);
    }
    if (config.curvature) {
      meter = await createCurvatureTrack(
        config.curvature,
        {
          optimizer,
          data,
          objectiveOf: (batch) => engine.objective(optimizer, trainableOf(config), data ? { data, batch } : {}),
        },
        state?.curvature ?? null,
      );
    }
    listeners.onStart();
    let snapshot: Promise<TensorValues> | undefined;
    const takeSnapshot = async () => {
      found.snapshot = await optimizer.read();
      return found.snapshot;
    };
    let step = losses.length;
    // The gradients left after the last step make an update, which is reported with that step. A longer run makes none here, so it
    // comes after the checkpoint.
    const left = () => (handover?.step == null ? steps % accumulate : 0);
    // Measurements that were due where the run was interrupted.
    if (step < steps && !lost) await measure(step);
    if (step < steps && track.isDue(step) && !lost) await track.observe();
    const ended = (): Reason | null => (lost ? "diverged" : track.stops ? "stopped-early" : null);
    let reason: Reason = (step < steps && ended()) || "finished";
    while (step < steps && reason === "finished") {
      await listeners.beforeStep?.({ index: step + 1, optimizer, settle: () => pipeline.drain() });
      reason = signal?.aborted ? "interrupted" : (ended() ?? "finished");
      if (reason !== "finished") break;
      step++;
      // Both at once: the layer statistics come back with the loss of the same step.
      const make = () =>
        Promise.all([objective.step(order.next().value), looks(step) ? optimizer.layers() : undefined]);
      if (handover?.step != null) {
        await pipeline.drain();
        const { report: found, lr } = await pipeline.track(handover.iterate());
        report(record(found, undefined, lr));
      } else if (step === steps && left() > 0) {
        await pipeline.drain();
        record(...(await pipeline.track(make())));
      } else {
        await pipeline.start(make);
        handover?.look();
      }
      if (step === snapshotAfter) snapshot = pipeline.track(takeSnapshot());
      if (step === steps) break;
      await measure(step);
      if (track.isDue(step)) {
        await pipeline.drain();
        if (!lost && !signal?.aborted) {
          await track.observe();
          handover?.observe(track.points.at(-1)!.value);
        }
      }
      await handOver(step);
      reason = ended() ?? "finished";
      if (reason === "finished" && keeper?.isDue(step)) await keep();
    }
    await pipeline.drain();
    if (losses.length > 0) await keep();
    if (step === steps && left() > 0) {
      await updateRest(optimizer, left());
      const stats = await optimizer.stats();
      skipped = stats.skipped;
      const lr = optimizer.hyper("lr", Math.max(0, stats.step - 1));
      report({ ...firstAndEach([reportOf(losses.at(-1)!, stats)]), index: step, lr });
    }
    if (step === steps && reason === "finished") await measure(step);
    if (step === steps && track.isDue(step) && !lost && !signal?.aborted) await track.observe();
    await track.restore();
    const evaluation = reason === "interrupted" ? null : await track.evaluation();
    const tested = evaluation && knownOf(evaluation);
    const role = await use.role();
    const finals = [losses.at(-1), evaluation?.loss].filter((loss) => loss !== undefined);
    if (reason === "finished" && !finals.every(Number.isFinite)) reason = "diverged";
    const broken = losses.findIndex((loss) => !Number.isFinite(loss));
    const result: TrainResult = {
      backend: engine.backend,
      config,
      losses,
      metrics: track.points,
      best: track.best,
      curvature: meter?.points ?? [],
      events,
      notes: data && test ? [...classNotes(data, test), ...weightNotes(test)] : [],
      params: await optimizer.read(role),
      role,
      shapes: new Map(optimizer.segments.map(({ name, shape }) => [name, shape])),
      snapshot: (await snapshot) ?? found.snapshot,
      testLoss: tested?.loss ?? null,
      testAccuracy: tested?.accuracy ?? null,
      testError: tested?.error ?? null,
      handedOverAt: handover?.step ?? null,
      skipped,
      reason,
      divergedAt: broken < 0 ? null : broken + 1,
      interrupted: reason === "interrupted",
    };
    await keeper?.settled();
    return result;
  } finally {
    await pipeline.close();
    handover?.destroy();
    meter?.destroy();
    opened.destroy();
    await keeper?.close();
  }
}

/** What a handover needs from its run. */
function handoverRun(
  engine: Engine,
  config: CompleteRunConfig,
  data: Dataset | undefined,
  { optimizer }: OpenRun,
): HandoverRun {
  const trainable = trainableOf(config);
  return {
    optimizer,
    data,
    accumulate: accumulateOf(config.optimizer),
    mode: config.metric ? metricMode(config.metric, config.optimizer.maximize) : "min",
    // A landscape's function is the sum over its points, its loss their mean.
    examples: config.landscape ? optimizer.segments[0]!.shape[0]! : 1,
    wholeObjective: () => engine.objective(optimizer, trainable, data ? { data, batch: data.count } : {}),
  };
}

function weightNotes(test: Dataset): readonly string[] {
  return counts(test) ? [] : [`${test.name}: all ${test.count} test rows have weight 0, so they test nothing`];
}

/** A report of a single replica, for an optimizer that was loaded and does not know its last norm. */
function withNorm(report: StepReport, gradientNorm: number): StepReport {
  return { ...report, gradientNorm, replicas: report.replicas.map((replica) => ({ ...replica, gradientNorm })) };
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
