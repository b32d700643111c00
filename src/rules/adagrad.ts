// Adagrad (Duchi, Hazan and Singer 2011), as torch.optim.Adagrad:
//
//   g ← g + weightDecay·p
//   S ← S + g²                          S starts at initialAccumulatorValue
//   p ← p - lr / (1 + (t-1)·lrDecay) · g / (√S + eps)
import wgsl from "../../shaders/rules/adagrad.wgsl?raw";
import type { CommonOptions } from "../around.ts";
import { type RuleFunction, ruleFunction } from "../forms.ts";
import { defineRule } from "../rule.ts";
import type { Scheduled } from "../schedule.ts";

/** The hypers of {@link adagrad}. */
export interface AdagradHypers {
  /** Learning rate, >= 0; default 1e-2. */
  lr?: Scheduled | undefined;
  /** How fast the rate falls: update t has lr / (1 + (t-1)·lrDecay); >= 0, default 0. */
  lrDecay?: Scheduled | undefined;
  /** What the sum of squares starts at, read at the first update; >= 0, default 0. */
  initialAccumulatorValue?: Scheduled | undefined;
  /** Added to the denominator, >= 0; default 1e-10. */
  eps?: Scheduled | undefined;
  /** L2 decay, added to the gradient, >= 0; default 0. */
  weightDecay?: Scheduled | undefined;
}

/** Options of {@link adagrad}. */
export interface AdagradOptions extends AdagradHypers, CommonOptions<AdagradHypers> {}

export const adagradRule = defineRule({
  name: "adagrad",
  source: "Duchi, Hazan and Singer 2011; torch.optim.Adagrad",
  hypers: {
    lr: { default: 1e-2, range: { min: 0 } },
    lrDecay: { default: 0, range: { min: 0 } },
    initialAccumulatorValue: { default: 0, range: { min: 0 } },
    eps: { default: 1e-10, range: { min: 0 } },
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["sum"],
  starts: { sum: "initialAccumulatorValue" },
  columns: ["weightDecay", "initialAccumulatorValue", "stepSize", "eps"],
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
    x.p -= (h.stepSize * g) / (Math.sqrt(x.sum) + h.eps);
  },
  torch: { sum: "sum" },
});

/** Adagrad, as torch.optim.Adagrad. */
export const adagrad: RuleFunction<"adagrad", AdagradOptions> = ruleFunction(adagradRule);
