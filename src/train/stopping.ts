// Early stopping: which value of a metric was the best, and when there has been no better one for too long (Prechelt 1998).
import { refusal } from "../base/errors.ts";
import { readNumber } from "../base/options.ts";
import { readFields, readName } from "../base/words.ts";

/** Options of {@link createStopping}. */
export interface StoppingOptions {
  /** Values in a row without an improvement after which to stop; a whole number >= 1; default: never. */
  readonly patience?: number | undefined;
  /** How much better than the best a value must be to count, >= 0, default 0. */
  readonly minDelta?: number | undefined;
  /** Whether lower ("min", the default) or higher ("max") is better. */
  readonly mode?: "min" | "max" | undefined;
}

/** The result of observing a value. */
export interface StoppingReport {
  /** Whether it is the new best. */
  readonly improved: boolean;
  /** Whether to stop. */
  readonly stop: boolean;
  /** The best value so far; null before the first finite one. */
  readonly best: number | null;
  /** The index of that value, counted from 0; null before the first. */
  readonly bestIndex: number | null;
  /** Values in a row, this one included, without an improvement. */
  readonly waited: number;
}

/** Decides when further training is not worthwhile. */
export interface Stopping {
  /**
   * Observes the next value of the metric. A value that is not finite is no improvement.
   *
   * @throws OptionError for a metric that is not a number.
   */
  observe(metric: number): StoppingReport;
}

/**
 * Early stopping for a custom training loop: call `observe` with each value of the metric, keep a checkpoint when it
 * `improved`, and leave the loop when `stop` is true. `train` does so for the `stop` of a run config.
 *
 * @throws OptionError for values out of range and unknown options.
 */
export function createStopping(options: StoppingOptions = {}): Stopping {
  const fields = readFields("stopping", options, ["patience", "minDelta", "mode"]);
  const patience =
    fields.patience === undefined
      ? Number.POSITIVE_INFINITY
      : readNumber("stopping.patience", fields.patience, { min: 1, integer: true });
  const minDelta = fields.minDelta === undefined ? 0 : readNumber("stopping.minDelta", fields.minDelta, { min: 0 });
  const mode = fields.mode === undefined ? "min" : readName("stopping.mode", fields.mode, ["min", "max"]);
  const sign = mode === "min" ? 1 : -1;
  let best: number | null = null;
  let bestIndex: number | null = null;
  let waited = 0;
  let count = 0;
  return {
    observe(metric) {
      if (typeof metric !== "number") throw refusal("the metric", metric, "a number");
      const improved = Number.isFinite(metric) && (best === null || sign * metric < sign * best - minDelta);
      if (improved) [best, bestIndex] = [metric, count];
      waited = improved ? 0 : waited + 1;
      count++;
      return { improved, stop: waited >= patience, best, bestIndex, waited };
    },
  };
}
