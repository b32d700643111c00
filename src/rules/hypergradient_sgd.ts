// Hypergradient descent with SGD (Baydin et al. 2018): the rate descends along the loss's derivative by it, which is
// minus the product of this gradient and the direction last applied, over all tensors.
//
//   g ← g + weightDecay·p
//   drift ← drift + hyperLr·⟨g, d⟩             d of the update before, 0 in the first; rate = lr + drift
//   b ← momentum·b + share·g                  share = 1 in the first update, then 1 - dampening
//   p ← p - rate·d                            d = b, or with nesterov g + momentum·b, or g while momentum is 0
//
// Operations and defaults follow SGDHD in gbaydin/hypergradient-descent, where lr is required; ours is 1e-3. The rate is not kept
// above 0 there either. The sum is the drift from lr, not the rate, because hyperLr·⟨g, d⟩ is easily too small to change a
// float32 of the rate's size; lr can then have a schedule, or differ between groups.
import wgsl from "../../shaders/rules/hypergradient_sgd.wgsl?raw";
import { reductionStage } from "../engines/stages/reduction.ts";
import { ruleFrom } from "./rule.ts";

/** SGD whose rate descends along its own gradient. */
export const hypergradientSgd = ruleFrom({
  name: "hypergradientSgd",
  source:
    "Baydin et al. 2018, Online Learning Rate Adaptation with Hypergradient Descent; gbaydin/hypergradient-descent",
  usualRate: 0.1,
  hypers: {
    /** Learning rate before any adaptation, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** The rate at which the learning rate descends, >= 0; default 1e-6; 0 makes this {@link sgd}. */
    hyperLr: { default: 1e-6, range: { min: 0 } },
    /** Share of the last step's direction that is kept, >= 0; default 0. */
    momentum: { default: 0, range: { min: 0 } },
    /** Share of the gradient that is left out of the momentum, in [0, 1]; default 0. */
    dampening: { default: 0, range: { min: 0, max: 1 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {
    /** Look ahead along the momentum; needs momentum and no dampening; default false. */
    nesterov: false,
  },
  slots: ["direction", "momentum"],
  activeSlots: (_, used) => (used("momentum") ? ["direction", "momentum"] : ["direction"]),
  conflict(flags, used) {
    if (flags.nesterov && !used("momentum")) return "nesterov is true, which needs momentum > 0";
    if (flags.nesterov && used("dampening")) return "nesterov is true, which needs dampening 0";
    return undefined;
  },
  row: (h, t) => ({
    lr: h.lr,
    hyperLr: h.hyperLr,
    momentum: h.momentum,
    share: t === 1 ? 1 : 1 - h.dampening,
    weightDecay: h.weightDecay,
  }),
  reduction: {
    stage: reductionStage,
    scope: "all",
    sums: ["inner"],
    // The rate is kept for reading; the update adds its own group's lr to the drift.
    scalars: { drift: 0, rate: "lr" },
    measure: (x, g, h) => ({ inner: (g + h.weightDecay * x.p) * x.direction }),
    conclude(s, r, h) {
      r.drift += h.hyperLr * s.inner;
      r.rate = h.lr + r.drift;
    },
  },
  wgsl,
  update(x, gradient, h, flags, r) {
    const g = gradient + h.weightDecay * x.p;
    x.direction = g;
    if (h.momentum !== 0) {
      x.momentum = h.momentum * x.momentum + h.share * g;
      x.direction = flags.nesterov ? g + h.momentum * x.momentum : x.momentum;
    }
    x.step = (h.lr + r.drift) * x.direction;
  },
});
