// NAdam (Dozat 2016): Adam with Nesterov momentum that warms up, as in torch.optim.NAdam:
//
//   g ← g + weightDecay·p                               or, decoupled, p ← (1 - lr·weightDecay) p
//   m ← m + (1-β1)(g - m),  v ← β2 v + (1-β2) g²
//   μ_t = β1 (1 - 0.96^(t·momentumDecay) / 2),  P_t = μ_1 ⋯ μ_t
//   p ← p - (lr (1-μ_t) / (1-P_t) · g + lr μ_{t+1} / (1-P_{t+1}) · m) / (√v / √bc2 + eps)     bc2 = 1-β2^t
//
// μ_{t+1} uses the hypers of update t; P_t those of each update.
import wgsl from "../../shaders/rules/nadam.wgsl?raw";
import { Carried } from "../optimizer/carried.ts";
import { ruleFrom } from "./rule.ts";

/** The momentum of update number `t`. */
function momentum(h: { readonly beta1: number; readonly momentumDecay: number }, t: number): number {
  return h.beta1 * (1 - 0.5 * 0.96 ** (t * h.momentumDecay));
}

/** Adam with Nesterov momentum, as in torch.optim.NAdam. */
export const nadam = ruleFrom({
  name: "nadam",
  source: "Dozat 2016; torch.optim.NAdam",
  hypers: {
    /** Learning rate, >= 0; default 2e-3. */
    lr: { default: 2e-3, range: { min: 0 } },
    /** Decay of the first moment, and the momentum's value after warm-up, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the second moment, in [0, 1); default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Added to the denominator, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
    /** Weight decay, >= 0: added to the gradient, or with `decoupledWeightDecay` subtracted from the parameter; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
    /** How fast the momentum warms up from half of beta1, >= 0; default 4e-3. */
    momentumDecay: { default: 4e-3, range: { min: 0 } },
  },
  flags: {
    /** Subtract the decay from the parameter, apart from the gradient, as AdamW does; default false. */
    decoupledWeightDecay: false,
  },
  slots: ["m", "v"],
  torch: { m: "exp_avg", v: "exp_avg_sq" },
  torchCarry: { product: "mu_product" },
  carry: {
    kept: Carried,
    names: ["product"],
    start: () => ({ product: 1 }),
    next: ({ product }, h, t) => ({ product: product * momentum(h, t) }),
  },
  row(h, t, carry, flags) {
    const now = momentum(h, t);
    const next = momentum(h, t + 1);
    const product = carry.product * now;
    return {
      l2: flags.decoupledWeightDecay ? 0 : h.weightDecay,
      keep: flags.decoupledWeightDecay ? 1 - h.lr * h.weightDecay : 1,
      oneMinusBeta1: 1 - h.beta1,
      beta2: h.beta2,
      oneMinusBeta2: 1 - h.beta2,
      gradientStep: (h.lr * (1 - now)) / (1 - product),
      momentumStep: (h.lr * next) / (1 - product * next),
      sqrtBias2: Math.sqrt(1 - h.beta2 ** t),
      eps: h.eps,
    };
  },
  wgsl,
  update(x, gradient, h) {
    const g = gradient + h.l2 * x.p;
    x.m += h.oneMinusBeta1 * (g - x.m);
    x.v = h.beta2 * x.v + h.oneMinusBeta2 * g * g;
    x.p *= h.keep;
    x.step = (h.gradientStep * g + h.momentumStep * x.m) / (Math.sqrt(x.v) / h.sqrtBias2 + h.eps);
  },
});
