// AdaBelief (Zhuang et al. 2020): Adam with the gradient's variance about m in place of its second moment, as
// optax.adabelief:
//
//   d = g - m,  m ← m + (1-β1) d,  v ← β2 v + (1-β2)(β1 d)² + epsRoot        β1 d: g less the new m
//   p ← p - lr (m / bc1 / (√v / √bc2 + eps) + weightDecay·p)
//
// bc1 = 1-β1^t, bc2 = 1-β2^t. With nesterov, β1 m / (1-β1^(t+1)) + (1-β1) g / bc1 in place of m / bc1. optax.adabelief has no
// decay; ours is that of optax.add_decayed_weights.
import wgsl from "../../shaders/rules/adabelief.wgsl?raw";
import { ruleFrom } from "./rule.ts";

/** Adam with larger steps where gradients are closer to their running mean, as in optax.adabelief. */
export const adabelief = ruleFrom({
  name: "adabelief",
  source: "Zhuang et al. 2020; optax.adabelief",
  hypers: {
    /** Learning rate, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** Decay of the first moment, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the variance, in [0, 1); default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Added to the denominator, >= 0; default 1e-16. */
    eps: { default: 1e-16, range: { min: 0 } },
    /** Added to the variance in every update, where it stays, >= 0; default 1e-16. */
    epsRoot: { default: 1e-16, range: { min: 0 } },
    /** Decoupled weight decay, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {
    /** Look ahead along the momentum; default false. */
    nesterov: false,
  },
  slots: ["m", "v"],
  row(h, t) {
    const stepSize = h.lr / (1 - h.beta1 ** t);
    return {
      // The update subtracts the decay with the step, which rounds less; modifiers read `keep`.
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
    x.decay = h.decay * x.p;
    x.step = shift / (Math.sqrt(x.v) / h.sqrtBias2 + h.eps);
  },
});
