// Averaged stochastic gradient descent (Polyak and Juditsky 1992), as in torch.optim.ASGD:
//
//   g ← g + weightDecay·p
//   p ← (1 - lambd·η)·p - η·g
//   a ← a + μ (p - a)                   p itself where μ = 1
//   η ← lr / (1 + lambd·lr·t)^alpha,  μ ← 1 / max(1, t - t0)
//
// η and μ are those left by the update before (η starts at lr, μ at 1), so a changed lr takes effect one update late. a is the
// parameter to evaluate with.
import wgsl from "../../shaders/rules/asgd.wgsl?raw";
import { Carried } from "../optimizer/carried.ts";
import { evaluationValues } from "../optimizer/evaluation.ts";
import { ruleFrom } from "./rule.ts";

/** Averaged SGD, as in torch.optim.ASGD. */
export const asgd = ruleFrom({
  name: "asgd",
  source: "Polyak and Juditsky 1992; torch.optim.ASGD",
  usualRate: 0.1,
  hypers: {
    /** Learning rate, >= 0; default 1e-2. */
    lr: { default: 1e-2, range: { min: 0 } },
    /** Decay of the parameters, and of the rate, >= 0; default 1e-4. */
    lambd: { default: 1e-4, range: { min: 0 } },
    /** Power of the rate's decay, >= 0; default 0.75. */
    alpha: { default: 0.75, range: { min: 0 } },
    /** Updates before averaging starts, >= 0; default 1e6. */
    t0: { default: 1e6, range: { min: 0 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["ax"],
  starts: { ax: "p" },
  carry: {
    kept: Carried,
    names: ["eta", "mu"],
    start: (h) => ({ eta: h.lr, mu: 1 }),
    next: (_, h, t) => ({
      eta: h.lr / (1 + h.lambd * h.lr * t) ** h.alpha,
      mu: 1 / Math.max(1, t - h.t0),
    }),
  },
  row: (h, _, carry) => ({
    weightDecay: h.weightDecay,
    keep: 1 - h.lambd * carry.eta,
    eta: carry.eta,
    mu: carry.mu,
  }),
  wgsl,
  update(x, gradient, h) {
    const g = gradient + h.weightDecay * x.p;
    x.p *= h.keep;
    x.step = h.eta * g;
    const p = x.p - x.step;
    x.ax = h.mu === 1 ? p : x.ax + h.mu * (p - x.ax);
  },
  evaluation: (x) => x.ax,
  evaluationValues,
  torch: { ax: "ax" },
  torchCarry: { eta: "eta", mu: "mu" },
});
