// Schedule-free SGD and AdamW (Defazio et al. 2024), as in optax.contrib.schedule_free_sgd and schedule_free_adamw: averaging
// in place of a falling rate. The parameters are y, where gradients are taken; z takes the steps; x is the mean of z.
//
//   u = g / d + weightDecay·y           d = 1 (SGD), √v / √bc2 + eps (AdamW), v ← β2 v + (1-β2) g², bc2 = 1-β2^t
//   z' = z - γ u                        γ = lr·min(1, (t-1) / warmupSteps)
//   x' = (1-c) x + c z'                 c = w / Σw, 0 while that is 0 / 0; w = (largest rate so far)^weightLrPower
//   y' = β1 x' + (1-β1) z'              in terms of y and z: y + (1-a)(z - y) - b γ u,
//                                       a = (1-c) β1 / β1', b = 1 - β1 (1-c), β1' the β1 of the update before
//
// The rate in w runs one update ahead of γ in optax: it is that of update t + 1, lr·min(1, t / warmupSteps).
// x = (y - (1-β1) z) / β1 is the parameter to evaluate with. Departure: if beta1 is scheduled, x survives the change.
import wgsl from "../../shaders/rules/schedule_free.wgsl?raw";
import { Carried } from "../optimizer/carried.ts";
import { evaluationValues } from "../optimizer/evaluation.ts";
import { ruleFrom } from "./rule.ts";

type Hypers = Readonly<Record<"lr" | "warmupSteps" | "beta1" | "weightDecay" | "weightLrPower", number>>;
type Sums = Readonly<Record<"maxLr" | "weightSum" | "beta1", number>>;
type Slot = "z" | "v";
type Column = "weightDecay" | "lr" | "lrShare" | "pull" | "beta2" | "oneMinusBeta2" | "sqrtBias2" | "eps";

/** The rate after `count` updates of warm-up. */
function rate(h: Hypers, count: number): number {
  return h.warmupSteps > 0 ? h.lr * Math.min(1, count / h.warmupSteps) : h.lr;
}

/** Update t's weight in the mean, which depends on the rate of the next one, and the sums after it. */
function weigh(h: Hypers, t: number, sums: Sums, ahead: () => Hypers) {
  const maxLr = Math.max(sums.maxLr, rate(ahead(), t));
  const weight = maxLr ** h.weightLrPower;
  return { weight, sums: { maxLr, weightSum: sums.weightSum + weight, beta1: h.beta1 } };
}

function averaging(h: Hypers, t: number, carry: Sums, ahead: () => Hypers) {
  const { weight, sums } = weigh(h, t, carry, ahead);
  const left = sums.weightSum === 0 ? 1 : 1 - weight / sums.weightSum;
  const lr = rate(h, t - 1);
  const share = 1 - h.beta1 * left;
  return {
    keep: 1 - share * lr * h.weightDecay,
    weightDecay: h.weightDecay,
    lr,
    lrShare: share * lr,
    pull: 1 - (left * h.beta1) / carry.beta1,
  };
}

const hypers = (lr: number) => ({
  /** Learning rate, >= 0; default 1 for SGD, 2.5e-3 for AdamW. */
  lr: { default: lr, range: { min: 0 } },
  /** Updates over which the rate grows linearly from 0, so that the first takes no step; whole, >= 0, default 0 (no warm-up). */
  warmupSteps: { default: 0, range: { min: 0, integer: true } },
  /** Share of the mean in the trained parameters, in (0, 1]; default 0.9. */
  beta1: { default: 0.9, range: { above: 0, max: 1 } },
  /** Weight decay, >= 0: the step includes lr·weightDecay times the parameter; default 0. */
  weightDecay: { default: 0, range: { min: 0 } },
  /** An update's weight in the mean is this power of the largest rate so far, >= 0; default 2. */
  weightLrPower: { default: 2, range: { min: 0 } },
});

const shared = {
  flags: {},
  slots: ["z", "v"],
  starts: { z: "p" },
  carry: {
    kept: Carried,
    names: ["maxLr", "weightSum", "beta1"],
    start: (h: Hypers) => ({ maxLr: 0, weightSum: 0, beta1: h.beta1 }),
    next: (carry: Sums, h: Hypers, t: number, ahead: () => Hypers) => weigh(h, t, carry, ahead).sums,
  },
  wgsl,
  update(x: Record<"p" | "step" | "decay" | Slot, number>, g: number, h: Readonly<Record<Column, number>>) {
    x.v = h.beta2 * x.v + h.oneMinusBeta2 * g * g;
    const direction = g / (Math.sqrt(x.v) / h.sqrtBias2 + h.eps);
    x.decay = h.lrShare * h.weightDecay * x.p;
    x.step = h.lrShare * direction - h.pull * (x.z - x.p);
    x.z -= h.lr * (direction + h.weightDecay * x.p);
  },
  evaluation: (x: Readonly<Record<"p" | "z", number>>, { beta1 }: Sums) => (x.p - (1 - beta1) * x.z) / beta1,
  evaluationValues,
} as const;

/** Schedule-free SGD, as in optax.contrib.schedule_free_sgd. */
export const scheduleFreeSgd = /* @__PURE__ */ ruleFrom({
  ...shared,
  name: "scheduleFreeSgd",
  source: "Defazio et al. 2024; optax.contrib.schedule_free_sgd",
  usualRate: 1,
  hypers: hypers(1),
  activeSlots: () => ["z"],
  // v stays 0 and the denominator is 1.
  row: (h, t, carry, _, ahead) => ({
    ...averaging(h, t, carry, ahead),
    beta2: 0,
    oneMinusBeta2: 0,
    sqrtBias2: 1,
    eps: 1,
  }),
});

/** Schedule-free AdamW, as in optax.contrib.schedule_free_adamw. */
export const scheduleFreeAdamw = /* @__PURE__ */ ruleFrom({
  ...shared,
  name: "scheduleFreeAdamw",
  source: "Defazio et al. 2024; optax.contrib.schedule_free_adamw",
  hypers: {
    ...hypers(2.5e-3),
    /** Decay of the second moment, in [0, 1); default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Added to the denominator, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
  },
  row: (h, t, carry, _, ahead) => ({
    ...averaging(h, t, carry, ahead),
    beta2: h.beta2,
    oneMinusBeta2: 1 - h.beta2,
    sqrtBias2: Math.sqrt(1 - h.beta2 ** t),
    eps: h.eps,
  }),
});
