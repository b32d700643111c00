// AdaBelief (Zhuang et al. 2020): Adam with the gradient's variance about m in place of its second moment, as
// optax.adabelief:
//
//   d = g - m,  m ← m + (1-β1) d,  v ← β2 v + (1-β2)(β1 d)² + epsRoot        β1 d: g less the new m
//   p ← p - lr (m / bc1 / (√v / √bc2 + eps) + weightDecay·p)
//
// bc1 = 1-β1^t, bc2 = 1-β2^t. With nesterov, β1 m / (1-β1^(t+1)) + (1-β1) g / bc1 in place of m / bc1. optax.adabelief
// has no decay; ours is what optax.add_decayed_weights makes of it.
import wgsl from "../../shaders/rules/adabelief.wgsl?raw";
import type { CommonOptions } from "../around.ts";
import { type RuleFunction, ruleFunction } from "../forms.ts";
import { defineRule } from "../rule.ts";
import type { Scheduled } from "../schedule.ts";

/** The hypers of {@link adabelief}. */
export interface AdabeliefHypers {
  /** Learning rate, >= 0; default 1e-3. */
  lr?: Scheduled | undefined;
  /** Decay of the first moment, in [0, 1); default 0.9. */
  beta1?: Scheduled | undefined;
  /** Decay of the variance, in [0, 1); default 0.999. */
  beta2?: Scheduled | undefined;
  /** Added to the denominator, >= 0; default 1e-16. */
  eps?: Scheduled | undefined;
  /** Added to the variance in every update, and kept there, >= 0; default 1e-16. */
  epsRoot?: Scheduled | undefined;
  /** Decoupled weight decay, >= 0; default 0. */
  weightDecay?: Scheduled | undefined;
}

/** Options of {@link adabelief}. */
export interface AdabeliefOptions extends AdabeliefHypers, CommonOptions<AdabeliefHypers> {
  /** Look ahead along the momentum; default false. */
  nesterov?: boolean | undefined;
}

export const adabeliefRule = defineRule({
  name: "adabelief",
  source: "Zhuang et al. 2020; optax.adabelief",
  hypers: {
    lr: { default: 1e-3, range: { min: 0 } },
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    eps: { default: 1e-16, range: { min: 0 } },
    epsRoot: { default: 1e-16, range: { min: 0 } },
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: { nesterov: false },
  slots: ["m", "v"],
  columns: [
    "keep",
    "decay",
    "beta1",
    "oneMinusBeta1",
    "beta2",
    "oneMinusBeta2",
    "stepSize",
    "momentumStep",
    "gradientStep",
    "sqrtBias2",
    "epsRoot",
    "eps",
  ],
  row(h, t) {
    const stepSize = h.lr / (1 - h.beta1 ** t);
    return {
      // The update takes the decay off with the step, which rounds less; the core reads keep.
      keep: 1 - h.lr * h.weightDecay,
      decay: h.lr * h.weightDecay,
      beta1: h.beta1,
      oneMinusBeta1: 1 - h.beta1,
      beta2: h.beta2,
      oneMinusBeta2: 1 - h.beta2,
      stepSize,
      momentumStep: (h.lr * h.beta1) / (1 - h.beta1 ** (t + 1)),
      gradientStep: stepSize * (1 - h.beta1),
      sqrtBias2: Math.sqrt(1 - h.beta2 ** t),
      epsRoot: h.epsRoot,
      eps: h.eps,
    };
  },
  wgsl,
  update(x, g, h, flags) {
    const difference = g - x.m;
    const surprise = h.beta1 * difference;
    x.m += h.oneMinusBeta1 * difference;
    x.v = h.beta2 * x.v + h.oneMinusBeta2 * surprise * surprise + h.epsRoot;
    const shift = flags.nesterov ? h.momentumStep * x.m + h.gradientStep * g : h.stepSize * x.m;
    x.p -= h.decay * x.p + shift / (Math.sqrt(x.v) / h.sqrtBias2 + h.eps);
  },
});

/** Adam that trusts gradients as far as they come as expected, as optax.adabelief. */
export const adabelief: RuleFunction<"adabelief", AdabeliefOptions> = ruleFunction(adabeliefRule);
