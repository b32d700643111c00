// The listeners of a run: each is called once per event, even if steps are repeated after a device loss, and errors of listeners
// are distinguished from other failures.
import { refusal } from "../base/errors.ts";
import type { CurvaturePoint } from "./curvature.ts";
import type { WatchEvent } from "./findings.ts";
import type { MetricOptions } from "./metric.ts";
import type { RunState } from "./run_checkpoint.ts";
import type { LayersPoint, Progress, TrainOptions } from "./train.ts";

export interface Listeners {
  /** Starts at a state whose past needs no report. */
  begin(state: Pick<RunState, "step" | "metrics" | "events" | "curvature">): void;
  onStart(): void;
  readonly beforeStep: TrainOptions["beforeStep"];
  onStep(progress: Progress): void;
  onLayers(point: LayersPoint): void;
  /** Reports the events that have not been reported yet. */
  onEvents(events: readonly WatchEvent[]): void;
  /** Reports a sharpness, if it has not been reported yet. */
  onCurvature(point: CurvaturePoint): void;
  readonly ofMetric: Required<Pick<MetricOptions, "onTest" | "onMetric">> & Pick<MetricOptions, "onBest">;
  readonly onCheckpoint: TrainOptions["onCheckpoint"];
  /** Whether a listener threw this. */
  threw(error: unknown): boolean;
}

/** @throws OptionError for a listener that is not a function. */
export function listen(options: TrainOptions): Listeners {
  const { beforeStep, onStart, onStep, onLayers, onEvent, onCurvature, onTest, onMetric, onBest, onCheckpoint } =
    options;
  const listeners = { onStart, onStep, onLayers, onEvent, onCurvature, onTest, onMetric, onBest, onCheckpoint };
  const all = { beforeStep, ...listeners, recover: options.recover };
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined && typeof value !== "function") {
      throw refusal(name, value, "a function");
    }
  }
  const thrown = new Set<unknown>();
  const reported = { start: false, step: 0, layers: 0, events: 0, curvature: 0, metric: 0, best: 0 };
  const guarded = (report: () => void) => {
    try {
      report();
    } catch (error) {
      thrown.add(error);
      throw error;
    }
  };
  const guardedLater =
    <T>(report: (of: T) => void | Promise<void>) =>
    async (of: T) => {
      try {
        await report(of);
      } catch (error) {
        thrown.add(error);
        throw error;
      }
    };
  return {
    begin({ step, metrics, events, curvature }) {
      const metric = metrics.at(-1)?.step ?? 0;
      const measured = curvature?.points.at(-1)?.step ?? 0;
      Object.assign(reported, { step, layers: step, events: events.length, curvature: measured, metric, best: metric });
    },
    onStart() {
      if (!reported.start) guarded(() => onStart?.());
      reported.start = true;
    },
    onStep(progress) {
      if (progress.index <= reported.step) return;
      reported.step = progress.index;
      guarded(() => onStep?.(progress));
    },
    onLayers(point) {
      if (point.step <= reported.layers) return;
      reported.layers = point.step;
      guarded(() => onLayers?.(point));
    },
    onEvents(events) {
      while (reported.events < events.length) {
        const event = events[reported.events++]!;
        guarded(() => onEvent?.(event));
      }
    },
    onCurvature(point) {
      if (point.step <= reported.curvature) return;
      reported.curvature = point.step;
      guarded(() => onCurvature?.(point));
    },
    ofMetric: {
      onTest: (rows) => guarded(() => onTest?.(rows)),
      onMetric(point) {
        if (point.step <= reported.metric) return;
        reported.metric = point.step;
        guarded(() => onMetric?.(point));
      },
      ...(onBest && {
        async onBest(best) {
          if (best.step <= reported.best) return;
          await guardedLater(onBest)(best);
          reported.best = best.step;
        },
      }),
    },
    beforeStep: beforeStep && guardedLater(beforeStep),
    onCheckpoint: onCheckpoint && guardedLater(onCheckpoint),
    threw: (error) => thrown.has(error),
  };
}
