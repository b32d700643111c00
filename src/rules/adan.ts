// Adan (Xie et al. 2022): Nesterov momentum from the change of the gradient, as in optax.adan:
//
//   d = g - previous g, 0 in the first update;  s = g + (1-β2) d
//   m ← m + (1-β1)(g - m),  c ← c + (1-β2)(d - c),  v ← β3 v + (1-β3) s²
//   p ← p - lr ((m / bc1 + (1-β2) c / bc2) / (√(v / bc3 + epsRoot) + eps) + weightDecay·p)
//
// bcN = 1-βN^t. The paper's betas are 1 minus these, and yet its factor of d and c is 1 minus its own β2: 0.92 there is 0.08 in
// Optax, and so here. The paper's decay divides by 1 + lr·weightDecay, Optax's subtracts lr·weightDecay·p.
import wgsl from "../../shaders/rules/adan.wgsl?raw";
import { ruleFrom } from "./rule.ts";

/** Adaptive Nesterov momentum, as in optax.adan. */
export const adan = ruleFrom({
  name: "adan",
  source: "Xie et al. 2022; optax.adan",
  hypers: {
    /** Learning rate, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** Decay of the mean of gradients, in [0, 1); default 0.98. */
    beta1: { default: 0.98, range: { min: 0, below: 1 } },
    /** Decay of the mean of the gradient's changes, in [0, 1); default 0.92. */
    beta2: { default: 0.92, range: { min: 0, below: 1 } },
    /** Decay of the second moment, in [0, 1); default 0.99. */
    beta3: { default: 0.99, range: { min: 0, below: 1 } },
    /** Added to the denominator, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
    /** Added under the root, >= 0; default 1e-8. */
    epsRoot: { default: 1e-8, range: { min: 0 } },
    /** Decoupled weight decay, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["m", "change", "v", "previous"],
  row: (h, t) => ({
    // The update subtracts the decay with the step, which rounds less; modifiers read `keep`.
    keep: 1 - h.lr * h.weightDecay,
    decay: h.lr * h.weightDecay,
    comparable: t === 1 ? 0 : 1,
    oneMinusBeta1: 1 - h.beta1,
    oneMinusBeta2: 1 - h.beta2,
    beta3: h.beta3,
    oneMinusBeta3: 1 - h.beta3,
    stepSize: h.lr / (1 - h.beta1 ** t),
    changeStep: (h.lr * (1 - h.beta2)) / (1 - h.beta2 ** t),
    bias3: 1 - h.beta3 ** t,
    epsRoot: h.epsRoot,
    eps: h.eps,
  }),
  wgsl,
  update(x, g, h) {
    const difference = h.comparable !== 0 ? g - x.previous : 0;
    const ahead = g + h.oneMinusBeta2 * difference;
    x.m += h.oneMinusBeta1 * (g - x.m);
    x.change += h.oneMinusBeta2 * (difference - x.change);
    x.v = h.beta3 * x.v + h.oneMinusBeta3 * ahead * ahead;
    x.previous = g;
    const shift = h.stepSize * x.m + h.changeStep * x.change;
    x.decay = h.decay * x.p;
    x.step = shift / (Math.sqrt(x.v / h.bias3 + h.epsRoot) + h.eps);
  },
});
