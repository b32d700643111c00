// Hypergradient descent with Adam (Baydin et al. 2018): the rate descends along the loss's derivative by it, which is
// minus the product of this gradient and the direction last applied, over all tensors.
//
//   g ← g + weightDecay·p
//   drift ← drift + hyperLr·⟨g, d⟩             d of the update before, 0 in the first; rate = lr + drift
//   m ← m + (1-β1)(g - m),  v ← β2 v + (1-β2) g²
//   p ← p - rate·d                            d = (m / bc1) / (√v / √bc2 + eps)
//
// bc1 = 1-β1^t, bc2 = 1-β2^t. Adam's operations follow torch.optim, as the paper's Adam-HD does; defaults and the decay follow
// AdamHD in gbaydin/hypergradient-descent, from which this departs in two points: there eps is added before √v is corrected, and
// the rate changes from one tensor to the next within an update. The rate is not kept above 0 there either. The sum is the drift
// from lr, not the rate, because hyperLr·⟨g, d⟩ is easily too small to change a float32 of the rate's size; lr can then have a
// schedule, or differ between groups.
import wgsl from "../../shaders/rules/hypergradient_adam.wgsl?raw";
import { reductionStage } from "../engines/stages/reduction.ts";
import { Carried } from "../optimizer/carried.ts";
import { ruleFrom } from "./rule.ts";

/** Adam whose rate descends along its own gradient. */
export const hypergradientAdam = ruleFrom({
  name: "hypergradientAdam",
  source:
    "Baydin et al. 2018, Online Learning Rate Adaptation with Hypergradient Descent; gbaydin/hypergradient-descent",
  hypers: {
    /** Learning rate before any adaptation, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** The rate at which the learning rate descends, >= 0; default 1e-8; 0 makes this {@link adam}. */
    hyperLr: { default: 1e-8, range: { min: 0 } },
    /** Decay of the first moment, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the second moment, in [0, 1); default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Added to the denominator, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["m", "v"],
  // The factors that formed the last direction from its moments; before the first update, any that turn 0 into 0 will do.
  carry: {
    kept: Carried,
    names: ["unbias1", "sqrtBias2", "eps"],
    start: () => ({ unbias1: 1, sqrtBias2: 1, eps: 1 }),
    next: (_, h, t) => ({ unbias1: 1 / (1 - h.beta1 ** t), sqrtBias2: Math.sqrt(1 - h.beta2 ** t), eps: h.eps }),
  },
  row: (h, t, last) => ({
    lr: h.lr,
    hyperLr: h.hyperLr,
    oneMinusBeta1: 1 - h.beta1,
    beta2: h.beta2,
    oneMinusBeta2: 1 - h.beta2,
    unbias1: 1 / (1 - h.beta1 ** t),
    sqrtBias2: Math.sqrt(1 - h.beta2 ** t),
    eps: h.eps,
    lastUnbias1: last.unbias1,
    lastSqrtBias2: last.sqrtBias2,
    lastEps: last.eps,
    weightDecay: h.weightDecay,
  }),
  reduction: {
    stage: reductionStage,
    scope: "all",
    sums: ["inner"],
    // The rate is kept for reading; the update adds its own group's lr to the drift.
    scalars: { drift: 0, rate: "lr" },
    measure(x, gradient, h) {
      const direction = (h.lastUnbias1 * x.m) / (Math.sqrt(x.v) / h.lastSqrtBias2 + h.lastEps);
      return { inner: (gradient + h.weightDecay * x.p) * direction };
    },
    conclude(s, r, h) {
      r.drift += h.hyperLr * s.inner;
      r.rate = h.lr + r.drift;
    },
  },
  wgsl,
  update(x, gradient, h, _, r) {
    const g = gradient + h.weightDecay * x.p;
    x.m += h.oneMinusBeta1 * (g - x.m);
    x.v = h.beta2 * x.v + h.oneMinusBeta2 * g * g;
    x.step = ((h.lr + r.drift) * h.unbias1 * x.m) / (Math.sqrt(x.v) / h.sqrtBias2 + h.eps);
  },
});
