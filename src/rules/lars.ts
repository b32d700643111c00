// LARS (You et al. 2017): momentum over gradients that are scaled to a share of the length of the tensor they move.
//
//   u = g + weightDecay·p
//   b ← momentum·b + lr · φ · u               φ = trustCoefficient·‖p‖ / (‖u‖ + eps), or 1 where either norm is 0
//   p ← p - b                                 with nesterov p ← p - (lr · φ · u + momentum·b)
//
// The norms are Euclidean, over one tensor; the buffer holds steps, so a changed rate affects only later gradients. Operations
// and defaults follow optax.lars, which has no default lr; ours is 1. Its masks are groups here.
import wgsl from "../../shaders/rules/lars.wgsl?raw";
import { reductionStage } from "../engines/stages/reduction.ts";
import { ruleFrom } from "./rule.ts";

/** LARS, as in optax.lars. */
export const lars = ruleFrom({
  name: "lars",
  source: "You et al. 2017, Large Batch Training of Convolutional Networks; optax.lars",
  usualRate: 5,
  hypers: {
    /** Learning rate, >= 0; default 1. */
    lr: { default: 1, range: { min: 0 } },
    /** Share of the last step that is kept, >= 0; default 0.9; 0 keeps no state. */
    momentum: { default: 0.9, range: { min: 0 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
    /** The ratio of a step to ‖p‖ at rate 1, >= 0; default 1e-3. */
    trustCoefficient: { default: 1e-3, range: { min: 0 } },
    /** Added to ‖u‖, >= 0; default 0. */
    eps: { default: 0, range: { min: 0 } },
  },
  flags: {
    /** Look ahead along the momentum; default false. */
    nesterov: false,
  },
  slots: ["momentum"],
  activeSlots: (_, used) => (used("momentum") ? ["momentum"] : []),
  row: (h) => ({
    lr: h.lr,
    momentum: h.momentum,
    weightDecay: h.weightDecay,
    trustCoefficient: h.trustCoefficient,
    eps: h.eps,
  }),
  reduction: {
    stage: reductionStage,
    scope: "tensor",
    sums: ["paramSquares", "stepSquares"],
    scalars: { ratio: 1 },
    measure(x, g, h) {
      const u = g + h.weightDecay * x.p;
      return { paramSquares: x.p * x.p, stepSquares: u * u };
    },
    conclude(s, r, h) {
      const ratio = (h.trustCoefficient * Math.sqrt(s.paramSquares)) / (Math.sqrt(s.stepSquares) + h.eps);
      r.ratio = s.paramSquares > 0 && s.stepSquares > 0 ? ratio : 1;
    },
  },
  wgsl,
  update(x, g, h, flags, r) {
    const scaled = h.lr * r.ratio * (g + h.weightDecay * x.p);
    x.momentum = scaled + h.momentum * x.momentum;
    x.step = flags.nesterov ? scaled + h.momentum * x.momentum : x.momentum;
  },
});
