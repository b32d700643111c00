// Training: a run config and an engine in, a trained model out. A run whose device is lost goes on from its last checkpoint on
// another.

import { DataError, DeviceError, OptionError } from "../base/errors.ts";
import { readNumber } from "../base/options.ts";
import type { StepReport } from "../objectives/objective.ts";
import type { LayerStats, Optimizer, Role, TensorValues } from "../optimizer/optimizer.ts";
import { readEngine } from "./arguments.ts";
import { attempt, type Run } from "./attempt.ts";
import type { CurvaturePoint } from "./curvature.ts";
import type { Engine } from "./engine.ts";
import type { WatchEvent } from "./findings.ts";
import { type OpenJob, openJob, ownJob, type RunJob } from "./job.ts";
import { createKeeper } from "./keeper.ts";
import { listen } from "./listeners.ts";
import { checkMetric, type MetricOptions, type MetricPoint } from "./metric.ts";
import { readRun } from "./open_run.ts";
import { decodeRunCheckpoint, markOf, type RunCheckpoint, resumable } from "./run_checkpoint.ts";
import type { CompleteRunConfig } from "./run_config.ts";

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
 * Trains a model, points on a landscape or a custom objective from its seed, or resumes from a checkpoint of the run: `train({
 * model: mlp([784, 256, 10]), data, optimizer: adamw(), batch: 64, steps: 300 })`.
 *
 * @throws OptionError for an invalid config, or one that is not the checkpoint's; DataError for a bad checkpoint; DeviceError if
 * the engine cannot run it or its device is lost; and whatever a listener throws.
 */
export async function train(given: TrainJob): Promise<TrainResult> {
  const job = ownJob(given);
  const opened = await openJob("train", job, trainOptions);
  try {
    return await trainOn(opened, job);
  } finally {
    opened.close();
  }
}

async function trainOn({ engine, config, data, test }: OpenJob, options: TrainOptions): Promise<TrainResult> {
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
  const run: Run = { config: complete, data, test, options, listeners, keeper, marks };
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
