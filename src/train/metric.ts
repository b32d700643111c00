// The metric of a run: measured where it is due, observed by plateaus, and used by early stopping and for the best checkpoint.

import { OptionError } from "../base/errors.ts";
import { counts, type Dataset } from "../objectives/data/dataset.ts";
import type { Evaluation, ReplicaEvaluation } from "../objectives/objective.ts";
import { loadCheckpoint, saveCheckpoint } from "../optimizer/checkpoint.ts";
import type { Trainee } from "./engine.ts";
import { type CompleteRunConfig, type MetricConfig, metricMode } from "./run_config.ts";
import { createStopping } from "./stopping.ts";
import type { Use } from "./use.ts";

/** The run's metric at one point. */
export interface MetricPoint {
  /** Training steps made. */
  readonly step: number;
  /** Not finite where a loss was not. */
  readonly value: number;
}

/**
 * The best point so far, and the optimizer's whole state there as `save` gives it. Which of its parameters are those to use,
 * and were evaluated, `evaluationRole` says.
 */
export interface Best extends MetricPoint {
  /** The optimizer's checkpoint of that step. */
  readonly checkpoint: Uint8Array<ArrayBuffer>;
}

/** How a run is measured on the way. */
export interface MetricOptions {
  /** Evaluated at the end, unless the run was interrupted, and for metrics of the test set. */
  readonly test?: Dataset;
  /** Called with how many rows of the test set are done. */
  readonly onTest?: (rows: number) => void;
  /** Called with every value of the metric. */
  readonly onMetric?: (point: MetricPoint) => void;
  /** Called, and waited for, where the metric is better than ever before. */
  readonly onBest?: (best: Best) => void | Promise<void>;
}

/** The metric of one run; of one without a metric it is never due. */
export interface MetricTrack {
  readonly points: readonly MetricPoint[];
  /** The best of them; null before there is one. */
  readonly best: MetricPoint | null;
  /** Whether there is to be a value after this many steps. */
  isDue(step: number): boolean;
  /** The next value; all steps on their way must have been reported. */
  observe(): Promise<void>;
  /** Goes back to the best parameters, where the config says so. */
  restore(): Promise<void>;
  /** How well the parameters to use do on the test set; null without one that counts. */
  evaluation(): Promise<Evaluation | null>;
  /** Whether the last value was one improvement too few. */
  readonly stops: boolean;
  /** The optimizer's checkpoint at the best value, where {@link MetricTrack.restore} or a listener asks for it. */
  readonly kept: Uint8Array<ArrayBuffer> | null;
}

/** What a run that goes on has measured before. */
export interface Measured {
  readonly metrics: readonly MetricPoint[];
  readonly bestOptimizer: Uint8Array<ArrayBuffer> | null;
}

/** @throws OptionError for a metric of a test set that there is not, or in which nothing counts. */
export function checkMetric(metric: MetricConfig | null, test: Dataset | undefined, missing = ""): void {
  if (!metric || metric.type === "loss") return;
  const what = `metric.type is "${metric.type}", which needs a test set`;
  if (!test) throw new OptionError(`${what}${missing}`);
  if (!counts(test)) throw new OptionError(`${what}; all rows of ${test.name} have weight 0`);
}

/** An evaluation of one replica, in which null stands for what there is not. */
export interface KnownEvaluation {
  /** Mean loss over the test set. */
  readonly loss: number;
  /** As in an evaluation; null with a loss that has none. */
  readonly accuracy: number | null;
  /** As in an evaluation; null where no exact outputs are known. */
  readonly error: number | null;
}

export function knownOf({ loss, accuracy, error }: ReplicaEvaluation): KnownEvaluation {
  const known = (value: number) => (Number.isNaN(value) ? null : value);
  return { loss, accuracy: known(accuracy), error: known(error) };
}

/** What an evaluation says of a metric of the test set. */
export function metricOf({ type }: MetricConfig, { loss, accuracy, error }: ReplicaEvaluation): number {
  return type === "testAccuracy" ? accuracy : type === "testError" ? error : loss;
}

/** @param losses Those of all steps so far; grows with the run. */
export function trackMetric(
  { optimizer, objective, use }: Pick<Trainee, "optimizer" | "objective"> & { readonly use: Use },
  { metric, stop, steps }: Pick<CompleteRunConfig, "metric" | "stop" | "steps">,
  losses: readonly number[],
  { test, onTest, onMetric, onBest }: MetricOptions,
  measured: Measured | null = null,
): MetricTrack {
  const mode = metric ? metricMode(metric) : "min";
  const stopping = createStopping({ mode, patience: stop?.patience, minDelta: stop?.minDelta });
  const points: MetricPoint[] = [];
  /** By the steps made: the test set is large, and need not be gone through twice for the same parameters. */
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
      await loadCheckpoint(optimizer, kept);
      restored = true;
    },
    async evaluation() {
      if (!test || !counts(test)) return null;
      const step = restored ? bestPoint()?.step : losses.length;
      return evaluations.get(step ?? losses.length) ?? evaluate(test);
    },
  };
}
