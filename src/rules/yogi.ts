// Yogi (Zaheer et al. 2018): Adam whose second moment moves by no more than the gradient's square, as in optax.yogi:
//
//   m ← m + (1-β1)(g - m),  v ← v - (1-β2) sign(v - g²) g²               both start at initialAccumulatorValue
//   p ← p - lr (m / bc1 / (√(v / bc2 + epsRoot) + eps) + weightDecay·p)
//
// bc1 = 1-β1^t, bc2 = 1-β2^t, although the moments do not start at 0. epsRoot and initialAccumulatorValue are those of
// optax.scale_by_yogi. optax.yogi has no decay; ours is that of optax.add_decayed_weights.
import wgsl from "../../shaders/rules/yogi.wgsl?raw";
import { signsSnippet } from "../engines/stages/snippets.ts";
import { ruleFrom } from "./rule.ts";

/** Adam with a second moment that changes additively, as in optax.yogi. */
export const yogi = ruleFrom({
  name: "yogi",
  source: "Zaheer et al. 2018; optax.yogi",
  hypers: {
    /** Learning rate, >= 0; default 1e-2. */
    lr: { default: 1e-2, range: { min: 0 } },
    /** Decay of the first moment, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** 1 minus the share of the gradient's square by which the second moment moves, in [0, 1); default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Added to the denominator, >= 0; default 1e-3. */
    eps: { default: 1e-3, range: { min: 0 } },
    /** Added under the root, >= 0; default 0. */
    epsRoot: { default: 0, range: { min: 0 } },
    /** Decoupled weight decay, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
    /** Initial value of both moments, >= 0; default 1e-6. Only its value at the first update counts. */
    initialAccumulatorValue: { default: 1e-6, range: { min: 0 } },
  },
  flags: {},
  slots: ["m", "v"],
  starts: { m: "initial", v: "initial" },
  row: (h, t) => ({
    initial: h.initialAccumulatorValue,
    // The update subtracts the decay with the step, which rounds less; modifiers read `keep`.
    keep: 1 - h.lr * h.weightDecay,
    decay: h.lr * h.weightDecay,
    oneMinusBeta1: 1 - h.beta1,
    oneMinusBeta2: 1 - h.beta2,
    stepSize: h.lr / (1 - h.beta1 ** t),
    bias2: 1 - h.beta2 ** t,
    epsRoot: h.epsRoot,
    eps: h.eps,
  }),
  wgsl,
  helpers: [signsSnippet],
  update(x, g, h) {
    const squared = g * g;
    x.m += h.oneMinusBeta1 * (g - x.m);
    x.v -= h.oneMinusBeta2 * Math.sign(x.v - squared) * squared;
    x.decay = h.decay * x.p;
    x.step = (h.stepSize * x.m) / (Math.sqrt(x.v / h.bias2 + h.epsRoot) + h.eps);
  },
});
