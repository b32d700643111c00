// RMSprop (Tieleman and Hinton 2012), centered as in Graves 2013, as in torch.optim.RMSprop:
//
//   g ← g + weightDecay·p
//   v ← α v + (1-α) g²
//   ḡ ← ḡ + (1-α)(g - ḡ)                with centered
//   d = g / (√w + eps)                  w = v, or with centered v - ḡ²
//   b ← momentum·b + d
//   p ← p - lr·b                        while momentum is 0, p - lr·d, and b is unchanged
//
// Departure: where rounding makes v - ḡ² negative, it counts as 0; in torch the result is NaN.
import wgsl from "../../shaders/rules/rmsprop.wgsl?raw";
import { boundsSnippet } from "../engines/stages/snippets.ts";
import { ruleFrom } from "./rule.ts";

/** RMSprop with or without momentum and centering, as in torch.optim.RMSprop. */
export const rmsprop = ruleFrom({
  name: "rmsprop",
  source: "Tieleman and Hinton 2012, Graves 2013; torch.optim.RMSprop",
  usualRate: 5e-4,
  hypers: {
    /** Learning rate, >= 0; default 1e-2. */
    lr: { default: 1e-2, range: { min: 0 } },
    /** Decay of the mean square, and of the mean with `centered`, in [0, 1]; default 0.99. */
    alpha: { default: 0.99, range: { min: 0, max: 1 } },
    /** Added to the denominator, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
    /** Share of the last step's direction that is kept, >= 0; default 0, which keeps no state for it. */
    momentum: { default: 0, range: { min: 0 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {
    /** Divide by the gradient's standard deviation instead of its root mean square; default false. */
    centered: false,
  },
  slots: ["v", "mean", "momentum"],
  activeSlots: (flags, used) => [
    "v",
    ...(flags.centered ? (["mean"] as const) : []),
    ...(used("momentum") ? (["momentum"] as const) : []),
  ],
  row: (h) => ({
    weightDecay: h.weightDecay,
    alpha: h.alpha,
    oneMinusAlpha: 1 - h.alpha,
    eps: h.eps,
    momentum: h.momentum,
    lr: h.lr,
  }),
  wgsl,
  helpers: [boundsSnippet],
  update(x, gradient, h, flags) {
    const g = gradient + h.weightDecay * x.p;
    x.v = h.alpha * x.v + h.oneMinusAlpha * g * g;
    x.mean += h.oneMinusAlpha * (g - x.mean);
    const w = flags.centered ? Math.max(x.v - x.mean * x.mean, 0) : x.v;
    let direction = g / (Math.sqrt(w) + h.eps);
    if (h.momentum !== 0) {
      x.momentum = h.momentum * x.momentum + direction;
      direction = x.momentum;
    }
    x.step = h.lr * direction;
  },
  torch: { v: "square_avg", mean: "grad_avg", momentum: "momentum_buffer" },
});
