// The listeners of a run: each hears of a thing once, also where steps are made again after a loss of the device, and what one
// throws is told from what fails by itself.
import { OptionError, show } from "../errors.ts";
import type { MetricOptions } from "./metric.ts";
import type { RunState } from "./run_checkpoint.ts";
import type { Progress, TrainOptions } from "./train.ts";
import type { WatchEvent } from "./watch.ts";

export interface Listeners {
  /** Takes a state of which they need not hear any more. */
  begin(state: Pick<RunState, "step" | "metrics" | "events">): void;
  onStart(): void;
  onStep(progress: Progress): void;
  /** Tells those that were not told yet. */
  onEvents(events: readonly WatchEvent[]): void;
  readonly ofMetric: Required<Pick<MetricOptions, "onTest" | "onMetric">> & Pick<MetricOptions, "onBest">;
  readonly onCheckpoint: TrainOptions["onCheckpoint"];
  /** Whether a listener threw this. */
  threw(error: unknown): boolean;
}

/** @throws OptionError for a listener that is no function. */
export function listen(options: TrainOptions): Listeners {
  const { onStart, onStep, onEvent, onTest, onMetric, onBest, onCheckpoint } = options;
  const all = { onStart, onStep, onEvent, onTest, onMetric, onBest, onCheckpoint, recover: options.recover };
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined && typeof value !== "function") {
      throw new OptionError(`${name} is ${show(value)}; it must be a function`);
    }
  }
  const thrown = new Set<unknown>();
  const told = { start: false, step: 0, events: 0, metric: 0, best: 0 };
  const noting = (tell: () => void) => {
    try {
      tell();
    } catch (error) {
      thrown.add(error);
      throw error;
    }
  };
  const notingLater =
    <T>(tell: (of: T) => void | Promise<void>) =>
    async (of: T) => {
      try {
        await tell(of);
      } catch (error) {
        thrown.add(error);
        throw error;
      }
    };
  return {
    begin({ step, metrics, events }) {
      const metric = metrics.at(-1)?.step ?? 0;
      Object.assign(told, { step, events: events.length, metric, best: metric });
    },
    onStart() {
      if (!told.start) noting(() => onStart?.());
      told.start = true;
    },
    onStep(progress) {
      if (progress.index <= told.step) return;
      told.step = progress.index;
      noting(() => onStep?.(progress));
    },
    onEvents(events) {
      while (told.events < events.length) {
        const event = events[told.events++]!;
        noting(() => onEvent?.(event));
      }
    },
    ofMetric: {
      onTest: (rows) => noting(() => onTest?.(rows)),
      onMetric(point) {
        if (point.step <= told.metric) return;
        told.metric = point.step;
        noting(() => onMetric?.(point));
      },
      ...(onBest && {
        async onBest(best) {
          if (best.step <= told.best) return;
          await notingLater(onBest)(best);
          told.best = best.step;
        },
      }),
    },
    onCheckpoint: onCheckpoint && notingLater(onCheckpoint),
    threw: (error) => thrown.has(error),
  };
}
