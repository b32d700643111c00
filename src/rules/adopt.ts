// ADOPT (Taniguchi et al. 2024): the gradient is divided by the second moment of earlier ones, and only then averaged, as in
// optax.contrib.adopt:
//
//   u = g / max(√v, eps), clamped to ±(t-1)^clipExponent
//   m ← m + (1-β1)(u - m),  then v ← β2 v + (1-β2) g²        in the first update m stays 0, v ← g²
//   p ← p - lr (d + weightDecay·p)                      d = m, or with nesterov m + (1-β1)(u - m) again
//
// The first update moves parameters only by the decay. optax.contrib.adopt has no decay; ours is that of
// optax.add_decayed_weights.
import wgsl from "../../shaders/rules/adopt.wgsl?raw";
import { boundsSnippet } from "../engines/stages/snippets.ts";
import { ruleFrom } from "./rule.ts";

/** Adam that divides before it averages, as in optax.contrib.adopt. */
export const adopt = ruleFrom({
  name: "adopt",
  source: "Taniguchi et al. 2024; optax.contrib.adopt",
  hypers: {
    /** Learning rate, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** Decay of the mean of scaled gradients, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the second moment, in [0, 1); default 0.9999. */
    beta2: { default: 0.9999, range: { min: 0, below: 1 } },
    /** Lower bound of the second moment's root, >= 0; default 1e-6. */
    eps: { default: 1e-6, range: { min: 0 } },
    /** A scaled gradient is clamped to this power of t - 1, >= 0; default 0.25. */
    clipExponent: { default: 0.25, range: { min: 0 } },
    /** Decoupled weight decay, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {
    /** Look ahead along the momentum; default false. */
    nesterov: false,
    /** Clamp scaled gradients; default true. */
    useClipping: true,
  },
  slots: ["m", "v"],
  row: (h, t) => ({
    // The update subtracts the decay with the step, which rounds less; modifiers read `keep`.
    keep: 1 - h.lr * h.weightDecay,
    decay: h.lr * h.weightDecay,
    // If v is 0, as in the first update, eps is the whole divisor: at least the smallest normal float32.
    eps: Math.max(h.eps, 2 ** -126),
    limit: (t - 1) ** h.clipExponent,
    share: t === 1 ? 0 : 1 - h.beta1,
    beta2: t === 1 ? 0 : h.beta2,
    oneMinusBeta2: t === 1 ? 1 : 1 - h.beta2,
    lr: h.lr,
  }),
  wgsl,
  helpers: [boundsSnippet],
  update(x, g, h, flags) {
    const scaled = g / Math.max(Math.sqrt(x.v), h.eps);
    const u = flags.useClipping ? Math.min(Math.max(scaled, -h.limit), h.limit) : scaled;
    x.m += h.share * (u - x.m);
    x.v = h.beta2 * x.v + h.oneMinusBeta2 * g * g;
    const direction = flags.nesterov ? x.m + h.share * (u - x.m) : x.m;
    x.decay = h.decay * x.p;
    x.step = h.lr * direction;
  },
});
