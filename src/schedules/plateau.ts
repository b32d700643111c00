// The rate is multiplied by `factor` when a metric has not improved for more than `patience` observations, with a rest of
// `cooldown` after each cut (torch.optim ReduceLROnPlateau, except for metrics below 0, where torch counts any metric as a
// relative improvement). It depends on its observations instead of the step.

import { DataError, refusal, show } from "../base/errors.ts";
import { inRange, type Range } from "../base/options.ts";
import { choice, defineSchedule, number, whole } from "./define.ts";
import type { ListenerState } from "./schedule.ts";

const modes = ["min", "max"] as const;
const thresholdModes = ["rel", "abs"] as const;

/** What has been observed: the value now, the best metric, bad ones in a row, observations left of the cooldown. */
type Observed = { value: number; best: number | null; bad: number; resting: number };

/**
 * Cuts the value when a metric stops improving; the metric comes from `observe` of the optimizer. A metric that is not
 * finite is no improvement.
 */
export const plateau = defineSchedule({
  type: "plateau",
  formula:
    "base, times factor whenever more than patience metrics in a row were no better than best ∓ threshold · abs(best) or best ∓ threshold; at least min",
  source: "torch.optim ReduceLROnPlateau",
  options: {
    /** The value until the first cut. */
    base: number(),
    /** Whether a better metric is a lower one (a loss) or a higher one (an accuracy); default "min". */
    mode: choice(modes, "min"),
    /** The factor of a cut, in (0, 1); default 0.1. */
    factor: number({ above: 0, below: 1 }, 0.1),
    /**
     * How many observations without improvement are tolerated; one more and the value is cut; a whole number >= 0; default 10.
     */
    patience: whole(0, 10),
    /** How much better than the best a metric must be to count, >= 0; default 1e-4. */
    threshold: number({ min: 0 }, 1e-4),
    /** Whether `threshold` is a share of the best's magnitude or an amount; default "rel". */
    thresholdMode: choice(thresholdModes, "rel"),
    /** Observations after a cut in which none counts as bad; a whole number >= 0; default 0. */
    cooldown: whole(0, 0),
    /** The value is not cut below this, <= `base`; default 0. */
    min: number({}, 0),
    /** A cut of at most this is not made, >= 0; default 1e-8. */
    eps: number({ min: 0 }, 1e-8),
  },
  complete(name, values) {
    const { base, min } = values;
    if (min > base) throw refusal(`${name}.min`, min, `<= base, which is ${show(base)}`);
    return values;
  },
  create({ base, mode, factor, patience, threshold, thresholdMode, cooldown, min, eps }) {
    const sign = mode === "min" ? -1 : 1;
    let value = base;
    let best: number | null = null;
    let bad = 0;
    let resting = 0;

    const isBetter = (metric: number) => {
      if (!Number.isFinite(metric)) return false;
      if (best === null) return true;
      // torch's formula, except for a best below 0, where subtracting a share would move the limit to the wrong side.
      const share = best < 0 ? -threshold : threshold;
      const mark = thresholdMode === "rel" ? best * (1 + sign * share) : best + sign * threshold;
      return mode === "min" ? metric < mark : metric > mark;
    };
    const ranges: Record<keyof Observed, Range> = {
      value: { min, max: base },
      best: {},
      bad: { min: 0, max: patience, integer: true },
      resting: { min: 0, max: cooldown, integer: true },
    };
    const isState = (state: ListenerState): state is Observed =>
      Object.keys(state).every((key) => key in ranges) &&
      Object.entries(ranges).every(([key, range]) =>
        state[key] === null ? key === "best" : typeof state[key] === "number" && inRange(state[key], range),
      );

    return {
      at: () => value,
      listeners: [
        {
          of: "metric",
          observe(metric) {
            if (typeof metric !== "number") throw refusal("metric", metric, "a number");
            if (isBetter(metric)) {
              best = metric;
              bad = 0;
            } else {
              bad++;
            }
            if (resting > 0) {
              resting--;
              bad = 0;
            }
            if (bad > patience) {
              const cut = Math.max(value * factor, min);
              if (value - cut > eps) value = cut;
              resting = cooldown;
              bad = 0;
            }
          },
          state: () => ({ value, best, bad, resting }),
          restore(state) {
            if (typeof state !== "object" || state === null || !isState(state)) {
              throw refusal("a plateau's state", state, "that of a plateau with the same options", DataError);
            }
            ({ value, best, bad, resting } = state);
          },
        },
      ],
    };
  },
});
