// Adadelta (Zeiler 2012), as in torch.optim.Adadelta: steps in the parameters' own unit, from a mean square of the steps.
//
//   g ← g + weightDecay·p
//   v ← ρ v + (1-ρ) g²
//   Δ = √(u + eps) / √(v + eps) · g
//   u ← ρ u + (1-ρ) Δ²
//   p ← p - lr·Δ
import wgsl from "../../shaders/rules/adadelta.wgsl?raw";
import { ruleFrom } from "./rule.ts";

/** Adadelta, as in torch.optim.Adadelta. */
export const adadelta = ruleFrom({
  name: "adadelta",
  source: "Zeiler 2012; torch.optim.Adadelta",
  usualRate: 1,
  hypers: {
    /** Factor of the step, >= 0; default 1. */
    lr: { default: 1, range: { min: 0 } },
    /** Decay of both mean squares, in [0, 1]; default 0.9. */
    rho: { default: 0.9, range: { min: 0, max: 1 } },
    /** Added to both mean squares, >= 0; default 1e-6. */
    eps: { default: 1e-6, range: { min: 0 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["v", "u"],
  row: (h) => ({ weightDecay: h.weightDecay, rho: h.rho, oneMinusRho: 1 - h.rho, eps: h.eps, lr: h.lr }),
  wgsl,
  update(x, gradient, h) {
    const g = gradient + h.weightDecay * x.p;
    x.v = h.rho * x.v + h.oneMinusRho * g * g;
    const delta = (Math.sqrt(x.u + h.eps) / Math.sqrt(x.v + h.eps)) * g;
    x.u = h.rho * x.u + h.oneMinusRho * delta * delta;
    x.step = h.lr * delta;
  },
  torch: { v: "square_avg", u: "acc_delta" },
});
