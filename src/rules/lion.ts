// Lion (Chen et al. 2023), as optax.lion: the sign of a momentum that looks further ahead than the one it keeps.
//
//   c = β1 m + (1-β1) g
//   m ← β2 m + (1-β2) g
//   p ← p - lr (sign(c) + weightDecay·p)
import wgsl from "../../shaders/rules/lion.wgsl?raw";
import type { CommonOptions } from "../around.ts";
import { type RuleFunction, ruleFunction } from "../forms.ts";
import { defineRule } from "../rule.ts";
import type { Scheduled } from "../schedule.ts";

/** The hypers of {@link lion}. */
export interface LionHypers {
  /** Learning rate, >= 0; default 1e-4, the paper's (optax has none). */
  lr?: Scheduled | undefined;
  /** Share of the momentum in the direction, in [0, 1); default 0.9. */
  beta1?: Scheduled | undefined;
  /** Decay of the momentum, in [0, 1); default 0.99. */
  beta2?: Scheduled | undefined;
  /** Decoupled weight decay, >= 0; default 1e-3. */
  weightDecay?: Scheduled | undefined;
}

/** Options of {@link lion}. */
export interface LionOptions extends LionHypers, CommonOptions<LionHypers> {}

export const lionRule = defineRule({
  name: "lion",
  source: "Chen et al. 2023; optax.lion",
  hypers: {
    lr: { default: 1e-4, range: { min: 0 } },
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    beta2: { default: 0.99, range: { min: 0, below: 1 } },
    weightDecay: { default: 1e-3, range: { min: 0 } },
  },
  goesBySign: true,
  flags: {},
  slots: ["m"],
  columns: ["keep", "decay", "beta1", "oneMinusBeta1", "beta2", "oneMinusBeta2", "lr"],
  row: (h) => ({
    keep: 1 - h.lr * h.weightDecay,
    // Rounded to float32, 1 - decay errs alike in every update, and that adds up; decay does not.
    decay: h.lr * h.weightDecay,
    beta1: h.beta1,
    oneMinusBeta1: 1 - h.beta1,
    beta2: h.beta2,
    oneMinusBeta2: 1 - h.beta2,
    lr: h.lr,
  }),
  wgsl,
  update(x, g, h) {
    const c = h.beta1 * x.m + h.oneMinusBeta1 * g;
    x.m = h.beta2 * x.m + h.oneMinusBeta2 * g;
    x.p -= h.decay * x.p + h.lr * Math.sign(c);
  },
});

/** Lion, as optax.lion. */
export const lion: RuleFunction<"lion", LionOptions> = ruleFunction(lionRule);
