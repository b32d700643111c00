// AdEMAMix (Pagliardini et al. 2024): Adam with a second, much slower mean of gradients, as in optax.contrib.ademamix:
//
//   m ← m + (1-β1)(g - m),  slow ← slow + (1-β3)(g - slow),  v ← β2 v + (1-β2) g²
//   p ← p - lr ((m / bc1 + alpha·slow) / (√(v / bc2 + epsRoot) + eps) + weightDecay·p)
//
// bc1 = 1-β1^t, bc2 = 1-β2^t; the slow mean is not corrected, so that it fills up slowly. The paper's warm-ups of
// alpha and beta3 are schedules of these hypers, as in Optax.
import wgsl from "../../shaders/rules/ademamix.wgsl?raw";
import { ruleFrom } from "./rule.ts";

/** AdamW with a fast and a slow mean of gradients, as in optax.contrib.ademamix. */
export const ademamix = ruleFrom({
  name: "ademamix",
  source: "Pagliardini et al. 2024; optax.contrib.ademamix",
  hypers: {
    /** Learning rate, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** Decay of the fast mean, in [0, 1); default 0.9. If it is always 0, that mean is not kept. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the second moment, in [0, 1); default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Decay of the slow mean, in [0, 1); default 0.9999. */
    beta3: { default: 0.9999, range: { min: 0, below: 1 } },
    /** Weight of the slow mean, >= 0; default 5. If it is always 0, that mean is not kept. */
    alpha: { default: 5, range: { min: 0 } },
    /** Added to the denominator, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
    /** Added under the root, >= 0; default 0. */
    epsRoot: { default: 0, range: { min: 0 } },
    /** Decoupled weight decay, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["m", "slow", "v"],
  activeSlots: (_, used) => [
    ...(used("beta1") ? ["m" as const] : []),
    ...(used("alpha") ? ["slow" as const] : []),
    "v",
  ],
  row: (h, t) => ({
    // The update subtracts the decay with the step, which rounds less; modifiers read `keep`.
    keep: 1 - h.lr * h.weightDecay,
    decay: h.lr * h.weightDecay,
    oneMinusBeta1: 1 - h.beta1,
    oneMinusBeta3: 1 - h.beta3,
    beta2: h.beta2,
    oneMinusBeta2: 1 - h.beta2,
    stepSize: h.lr / (1 - h.beta1 ** t),
    slowStep: h.lr * h.alpha,
    bias2: 1 - h.beta2 ** t,
    epsRoot: h.epsRoot,
    eps: h.eps,
  }),
  wgsl,
  update(x, g, h) {
    x.m += h.oneMinusBeta1 * (g - x.m);
    x.slow += h.oneMinusBeta3 * (g - x.slow);
    x.v = h.beta2 * x.v + h.oneMinusBeta2 * g * g;
    const shift = h.stepSize * x.m + h.slowStep * x.slow;
    x.decay = h.decay * x.p;
    x.step = shift / (Math.sqrt(x.v / h.bias2 + h.epsRoot) + h.eps);
  },
});
