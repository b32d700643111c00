// The rate for a quadratic as sharp as the loss: a share of 2 / λ, where λ is the largest curvature, measured repeatedly
// during the run. It depends on its observations instead of the step.

import { DataError, refusal, show } from "../base/errors.ts";
import { inRange } from "../base/options.ts";
import { defineSchedule, number, optional } from "./define.ts";

/**
 * A share of the rate at which gradient descent is at the edge of stability; the sharpness comes from the curvature meter of a run,
 * or from `optimizer.observe(sharpness, { of: "sharpness" })`. A sharpness that is not above 0 sets no limit, and one that is not
 * finite carries no information: both leave the value unchanged.
 */
export const curvature = /* @__PURE__ */ defineSchedule({
  type: "curvature",
  formula: "base until a sharpness λ is observed, then share · 2 / λ of the last that is above 0; at most max",
  source: "Cohen et al. 2021",
  options: {
    /** The value until the first sharpness, > 0. */
    base: number({ above: 0 }),
    /** The share of 2 / λ, > 0; below 1 gradient descent is stable; default 0.5. */
    share: number({ above: 0 }, 0.5),
    /** The value does not rise above this, >= `base`; default no limit. */
    max: optional(number({ above: 0 })),
  },
  complete(name, values) {
    const { base, max } = values;
    if (max !== undefined && max < base) {
      throw refusal(`${name}.max`, max, `>= base, which is ${show(base)}`);
    }
    return values;
  },
  create({ base, share, max = Number.MAX_VALUE }) {
    let value = base;
    return {
      at: () => value,
      listeners: [
        {
          of: "sharpness",
          observe(sharpness) {
            if (typeof sharpness !== "number") {
              throw refusal("sharpness", sharpness, "a number");
            }
            if (sharpness > 0 && Number.isFinite(sharpness)) value = Math.min(max, (2 * share) / sharpness);
          },
          state: () => ({ value }),
          restore(state) {
            const names = typeof state === "object" && state !== null ? Object.keys(state) : [];
            const saved = names.join() === "value" ? state.value : undefined;
            if (typeof saved !== "number" || !inRange(saved, { above: 0, max })) {
              throw refusal(
                "a curvature schedule's state",
                state,
                "that of a schedule with the same options",
                DataError,
              );
            }
            value = saved;
          },
        },
      ],
    };
  },
});
