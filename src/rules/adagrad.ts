// Adagrad (Duchi, Hazan and Singer 2011), as in torch.optim.Adagrad:
//
//   g ← g + weightDecay·p
//   S ← S + g²                          S starts at initialAccumulatorValue
//   p ← p - lr / (1 + (t-1)·lrDecay) · g / (√S + eps)
import wgsl from "../../shaders/rules/adagrad.wgsl?raw";
import { ruleFrom } from "./rule.ts";

/** Adagrad, as in torch.optim.Adagrad. */
export const adagrad = ruleFrom({
  name: "adagrad",
  source: "Duchi, Hazan and Singer 2011; torch.optim.Adagrad",
  usualRate: 1e-2,
  hypers: {
    /** Learning rate, >= 0; default 1e-2. */
    lr: { default: 1e-2, range: { min: 0 } },
    /** How fast the rate falls: update t has lr / (1 + (t-1)·lrDecay); >= 0, default 0. */
    lrDecay: { default: 0, range: { min: 0 } },
    /** Initial value of the sum of squares, read at the first update; >= 0, default 0. */
    initialAccumulatorValue: { default: 0, range: { min: 0 } },
    /** Added to the denominator, >= 0; default 1e-10. */
    eps: { default: 1e-10, range: { min: 0 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["sum"],
  starts: { sum: "initialAccumulatorValue" },
  row: (h, t) => ({
    weightDecay: h.weightDecay,
    initialAccumulatorValue: h.initialAccumulatorValue,
    stepSize: h.lr / (1 + (t - 1) * h.lrDecay),
    eps: h.eps,
  }),
  wgsl,
  update(x, gradient, h) {
    const g = gradient + h.weightDecay * x.p;
    x.sum += g * g;
    x.step = (h.stepSize * g) / (Math.sqrt(x.sum) + h.eps);
  },
  torch: { sum: "sum" },
});
