// Adamax (Kingma and Ba 2015, section 7): Adam with the gradient's largest magnitude so far, decaying, in place of its
// second moment, as in torch.optim.Adamax:
//
//   g ← g + weightDecay·p
//   m ← m + (1-β1)(g - m),  u ← max(β2 u, |g| + eps)
//   p ← p - (lr / bc1) · m / u                           bc1 = 1-β1^t
import wgsl from "../../shaders/rules/adamax.wgsl?raw";
import { ruleFrom } from "./rule.ts";

/** Adam with the largest magnitude, as in torch.optim.Adamax. */
export const adamax = ruleFrom({
  name: "adamax",
  source: "Kingma and Ba 2015, section 7; torch.optim.Adamax",
  usualRate: 4e-3,
  hypers: {
    /** Learning rate, >= 0; default 2e-3. */
    lr: { default: 2e-3, range: { min: 0 } },
    /** Decay of the first moment, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the largest magnitude, in [0, 1); default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Added to the gradient's magnitude, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["m", "u"],
  torch: { m: "exp_avg", u: "exp_inf" },
  row: (h, t) => ({
    weightDecay: h.weightDecay,
    oneMinusBeta1: 1 - h.beta1,
    beta2: h.beta2,
    eps: h.eps,
    stepSize: h.lr / (1 - h.beta1 ** t),
  }),
  wgsl,
  update(x, gradient, h) {
    const g = gradient + h.weightDecay * x.p;
    x.m += h.oneMinusBeta1 * (g - x.m);
    x.u = Math.max(h.beta2 * x.u, Math.abs(g) + h.eps);
    x.step = (h.stepSize * x.m) / x.u;
  },
});
