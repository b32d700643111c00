// The metric of a run: measured when it is due, observed by plateaus, and used for early stopping and the best checkpoint.

import { OptionError } from "../base/errors.ts";
import { counts, type Dataset } from "../objectives/data/dataset.ts";
import type { Evaluation, ReplicaEvaluation } from "../objectives/objective.ts";
import { loadCheckpoint, saveCheckpoint } from "../optimizer/checkpoint.ts";
import { scheduleDefinitions } from "../schedules/index.ts";
import type { Trainee } from "./engine.ts";
import { type CompleteRunConfig, type MetricConfig, metricMode } from "./run_config.ts";
import { createStopping } from "./stopping.ts";
import type { Use } from "./use.ts";

/** The run's metric at one point. */
export interface MetricPoint {
  /** Training steps made. */
  readonly step: number;
  /** Not finite if a loss was not. */
  readonly value: number;
}

/**
 * The best point so far, and the optimizer's whole state there. `evaluationRole` returns which of its parameters were evaluated and
 * are the ones to use.
 */
export interface Best extends MetricPoint {
  /** The optimizer's checkpoint of that step. */
  readonly checkpoint: Uint8Array<ArrayBuffer>;
}

/** How a run is measured along the way. */
export interface MetricOptions {
  /** Evaluated at the end, unless the run was interrupted, and for metrics of the test set. */
  readonly test?: Dataset;
  /** Called with the number of rows of the test set done. */
  readonly onTest?: (rows: number) => void;
  /** Called with every value of the metric. */
  readonly onMetric?: (point: MetricPoint) => void;
  /** Called and awaited when the metric is better than ever before. */
  readonly onBest?: (best: Best) => void | Promise<void>;
}

/** The metric of one run; without a metric it is never due. */
export interface MetricTrack {
  readonly points: readonly MetricPoint[];
  /** The best of them; null before there is one. */
  readonly best: MetricPoint | null;
  /** Whether a value is due after this many steps. */
  isDue(step: number): boolean;
  /** Measures the next value; all steps in flight must have been reported. */
  observe(): Promise<void>;
  /** Restores the best parameters, if the config requires it. */
  restore(): Promise<void>;
  /** Loss and accuracy of the parameters to use on the test set; null without a test set in which a row counts. */
  evaluation(): Promise<Evaluation | null>;
  /** Whether early stopping is due after the last value. */
  readonly stops: boolean;
  /** The optimizer's checkpoint at the best value, if {@link MetricTrack.restore} or a listener needs it. */
  readonly kept: Uint8Array<ArrayBuffer> | null;
}

/** The measurements of a resumed run until then. */
export interface Measured {
  readonly metrics: readonly MetricPoint[];
  readonly bestOptimizer: Uint8Array<ArrayBuffer> | null;
}

/** @throws OptionError for a metric of a missing test set, or of one in which no row counts. */
export function checkMetric(metric: MetricConfig | null, test: Dataset | undefined, missing = ""): void {
  if (!metric || metric.type === "loss") return;
  const what = `metric.type is "${metric.type}", which needs a test set`;
  if (!test) throw new OptionError(`${what}${missing}`);
  if (!counts(test)) throw new OptionError(`${what}; all rows of ${test.name} have weight 0`);
}

/** An evaluation of one replica, with null for what does not exist. */
export interface KnownEvaluation {
  /** Mean loss over the test set. */
  readonly loss: number;
  /** As in an evaluation; null for a loss that has none. */
  readonly accuracy: number | null;
  /** As in an evaluation; null if no exact outputs are known. */
  readonly error: number | null;
}

export function knownOf({ loss, accuracy, error }: ReplicaEvaluation): KnownEvaluation {
  const known = (value: number) => (Number.isNaN(value) ? null : value);
  return { loss, accuracy: known(accuracy), error: known(error) };
}

/** The value of a test-set metric in an evaluation. */
export function metricOf({ type }: MetricConfig, { loss, accuracy, error }: ReplicaEvaluation): number {
  return type === "testAccuracy" ? accuracy : type === "testError" ? error : loss;
}

/** @param losses The losses of all steps so far; grows with the run. */
export function trackMetric(
  { optimizer, objective, use }: Pick<Trainee, "optimizer" | "objective"> & { readonly use: Use },
  { metric, stop, steps, optimizer: { maximize } }: Pick<CompleteRunConfig, "metric" | "stop" | "steps" | "optimizer">,
  losses: readonly number[],
  { test, onTest, onMetric, onBest }: MetricOptions,
  measured: Measured | null = null,
): MetricTrack {
  const mode = metric ? metricMode(metric, maximize) : "min";
  const stopping = createStopping({ mode, patience: stop?.patience, minDelta: stop?.minDelta });
  const points: MetricPoint[] = [];
  /** By steps made: the test set is large, and is not evaluated twice for the same parameters. */
  const evaluations = new Map<number, Evaluation>();
  let bestIndex = -1;
  let kept: Uint8Array<ArrayBuffer> | null = measured?.bestOptimizer ?? null;
  let restored = false;
  let stops = false;
  const judge = (point: MetricPoint): boolean => {
    points.push(point);
    const verdict = stopping.observe(point.value);
    if (verdict.improved) bestIndex = points.length - 1;
    stops = verdict.stop;
    return verdict.improved;
  };
  for (const point of measured?.metrics ?? []) judge(point);

  const evaluate = async (data: Dataset) => {
    const evaluation = await use.during(() => objective.evaluate(data, onTest));
    evaluations.set(losses.length, evaluation);
    return evaluation;
  };
  const measure = async (): Promise<number> => {
    if (metric?.type !== "loss" && test) {
      return metricOf(metric!, await evaluate(test));
    }
    const since = losses.slice(points.at(-1)?.step ?? 0);
    return since.reduce((sum, loss) => sum + loss, 0) / since.length;
  };
  const bestPoint = () => points[bestIndex] ?? null;
  return {
    points,
    get best() {
      return bestPoint();
    },
    get stops() {
      return stops;
    },
    get kept() {
      return kept;
    },
    isDue: (step) =>
      metric !== null && (step % metric.every === 0 || step === steps) && points.at(-1)?.step !== step && step > 0,
    async observe() {
      const point = { step: losses.length, value: await measure() };
      const improved = judge(point);
      optimizer.observe(point.value);
      onMetric?.(point);
      if (improved && (stop?.restoreBest || onBest)) {
        const checkpoint = await saveCheckpoint(optimizer);
        kept = checkpoint;
        await onBest?.({ ...point, checkpoint });
      }
    },
    async restore() {
      if (!kept || !stop?.restoreBest) return;
      await loadCheckpoint(optimizer, kept, { schedules: scheduleDefinitions });
      restored = true;
    },
    async evaluation() {
      if (!test || !counts(test)) return null;
      const step = restored ? bestPoint()?.step : losses.length;
      return evaluations.get(step ?? losses.length) ?? evaluate(test);
    },
  };
}
