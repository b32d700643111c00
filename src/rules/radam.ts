// RAdam (Liu et al. 2020): Adam whose step is scaled by how well the second moment is known so far, as in torch.optim.RAdam:
//
//   g ← g + weightDecay·p                               or, decoupled, p ← (1 - lr·weightDecay) p
//   m ← m + (1-β1)(g - m),  v ← β2 v + (1-β2) g²
//   ρ∞ = 2/(1-β2) - 1,  ρ = ρ∞ - 2t β2^t / bc2           bc1 = 1-β1^t, bc2 = 1-β2^t
//   p ← p - (lr / bc1) · m · r √bc2 / (√v + eps)         where ρ > 5, else p ← p - (lr / bc1) · m
//   r = √( (ρ-4)(ρ-2) ρ∞ / ((ρ∞-4)(ρ∞-2) ρ) )
import wgsl from "../../shaders/rules/radam.wgsl?raw";
import { ruleFrom } from "./rule.ts";

/** Rectified Adam, as in torch.optim.RAdam. */
export const radam = ruleFrom({
  name: "radam",
  source: "Liu et al. 2020; torch.optim.RAdam",
  usualRate: 1e-2,
  hypers: {
    /** Learning rate, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** Decay of the first moment, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the second moment, in [0, 1); default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Added to the denominator, before bias correction, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
    /** Weight decay, >= 0: added to the gradient, or with `decoupledWeightDecay` subtracted from the parameter; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {
    /** Subtract the decay from the parameter, apart from the gradient, as AdamW does; default false. */
    decoupledWeightDecay: false,
  },
  slots: ["m", "v"],
  torch: { m: "exp_avg", v: "exp_avg_sq" },
  row(h, t, _, flags) {
    const bias2 = 1 - h.beta2 ** t;
    const longest = 2 / (1 - h.beta2) - 1;
    const length = longest - (2 * t * h.beta2 ** t) / bias2;
    const rectified = length > 5;
    const variance = ((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length);
    return {
      l2: flags.decoupledWeightDecay ? 0 : h.weightDecay,
      keep: flags.decoupledWeightDecay ? 1 - h.lr * h.weightDecay : 1,
      oneMinusBeta1: 1 - h.beta1,
      beta2: h.beta2,
      oneMinusBeta2: 1 - h.beta2,
      stepSize: (h.lr / (1 - h.beta1 ** t)) * (rectified ? Math.sqrt(variance * bias2) : 1),
      rectified: rectified ? 1 : 0,
      eps: h.eps,
    };
  },
  wgsl,
  update(x, gradient, h) {
    const g = gradient + h.l2 * x.p;
    x.m += h.oneMinusBeta1 * (g - x.m);
    x.v = h.beta2 * x.v + h.oneMinusBeta2 * g * g;
    x.p *= h.keep;
    x.step = (h.stepSize * x.m) / (h.rectified !== 0 ? Math.sqrt(x.v) + h.eps : 1);
  },
});
