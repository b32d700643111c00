// NovoGrad (Ginsburg et al. 2019): momentum over gradients that are divided by a running norm of their tensor.
//
//   v ← β2 v + (1-β2) ‖g‖²                    one number per tensor; ‖g‖² itself in the first update
//   m ← β1 m + g / (√(v + epsRoot) + eps) + weightDecay·p
//   p ← p - lr·m
//
// Operations and defaults follow optax.novograd, which has no default lr; ours is 1e-3.
import wgsl from "../../shaders/rules/novograd.wgsl?raw";
import { reductionStage } from "../engines/stages/reduction.ts";
import { ruleFrom } from "./rule.ts";

/** NovoGrad, as in optax.novograd. */
export const novograd = ruleFrom({
  name: "novograd",
  source: "Ginsburg et al. 2019, Stochastic Gradient Methods with Layer-wise Adaptive Moments; optax.novograd",
  usualRate: 5e-2,
  hypers: {
    /** Learning rate, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** Decay of the momentum, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the squared norm, in [0, 1); default 0.25. */
    beta2: { default: 0.25, range: { min: 0, below: 1 } },
    /** Added to the denominator, >= 0; default 1e-6. */
    eps: { default: 1e-6, range: { min: 0 } },
    /** Added under the root, >= 0; default 0. */
    epsRoot: { default: 0, range: { min: 0 } },
    /** Weight decay, >= 0, added to the gradient after the division; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["m"],
  row: (h, t) => ({
    lr: h.lr,
    beta1: h.beta1,
    kept: t === 1 ? 0 : h.beta2,
    share: t === 1 ? 1 : 1 - h.beta2,
    eps: h.eps,
    epsRoot: h.epsRoot,
    weightDecay: h.weightDecay,
  }),
  reduction: {
    stage: reductionStage,
    scope: "tensor",
    sums: ["squares"],
    scalars: { v: 0 },
    measure: (_, g) => ({ squares: g * g }),
    conclude(s, r, h) {
      r.v = h.share * s.squares + h.kept * r.v;
    },
  },
  wgsl,
  update(x, g, h, _, r) {
    x.m = h.beta1 * x.m + (g / (Math.sqrt(r.v + h.epsRoot) + h.eps) + h.weightDecay * x.p);
    x.step = h.lr * x.m;
  },
});
