// D-Adaptation with Adam (Defazio and Mishchenko 2023): Adam whose rate is a lower bound d of the distance to the
// solution, which only grows. With δ = lr·d, times √(1-β2^t) / (1-β1^t) with useBiasCorrection, and the d of the update
// before:
//
//   g ← g + weightDecay·p                     not with decoupledWeightDecay
//   n ← √β2 n + (1-√β2) δ·⟨g, s / (√v + eps)⟩     over all tensors, with s and v of the update before
//   m ← β1 m + (1-β1) δ·g,  v ← β2 v + (1-β2) g²,  s ← √β2 s + (1-√β2) δ·g
//   d ← max(d, min(n / ((1-√β2) ‖s‖₁), growthRate·d))
//   p ← p - m / (√v + eps)                    with decoupledWeightDecay also - δ·weightDecay·p
//
// Operations and defaults follow DAdaptAdam in facebookresearch/dadaptation (releases 3.x, as in the paper's last version);
// optax.contrib.dadapt_adamw is this with both flags. Where s is 0 everywhere, d stays; optax gets NaN.
import wgsl from "../../shaders/rules/dadapt_adam.wgsl?raw";
import { reductionStage } from "../engines/stages/reduction.ts";
import { boundsSnippet } from "../engines/stages/snippets.ts";
import { ruleFrom } from "./rule.ts";

type Flags = Readonly<Record<string, boolean>>;

type Columns = Readonly<Record<"lr" | "correctedLr" | "weightDecay", number>>;

function rate(d: number, h: Columns, flags: Flags): number {
  return d * (flags.useBiasCorrection ? h.correctedLr : h.lr);
}

function decayed(gradient: number, p: number, h: Columns, flags: Flags): number {
  return gradient + (flags.decoupledWeightDecay ? 0 : h.weightDecay) * p;
}

/** D-Adaptation with Adam, as in DAdaptAdam of facebookresearch/dadaptation: the rate is an estimate. */
export const dadaptAdam = ruleFrom({
  name: "dadaptAdam",
  source: "Defazio and Mishchenko 2023, Learning-Rate-Free Learning by D-Adaptation; facebookresearch/dadaptation",
  usualRate: 1,
  findsRate: true,
  hypers: {
    /** Factor of the estimated rate, >= 0; default 1. */
    lr: { default: 1, range: { min: 0 } },
    /** Decay of the first moment, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the second moment; its root is that of the sums behind the estimate; in [0, 1), default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Added to the denominator, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
    /** Weight decay, >= 0, added to the gradient or subtracted from the parameter; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
    /** The first estimate, which should rather be too small than too large; > 0, default 1e-6. */
    d0: { default: 1e-6, range: { above: 0 } },
    /** Largest factor of the estimate in one update, >= 1; default 1e30, which is no limit. */
    growthRate: { default: 1e30, range: { min: 1 } },
  },
  flags: {
    /** Subtract the decay from the parameter, as AdamW does; default false. */
    decoupledWeightDecay: false,
    /** Correct the bias of both moments, as Adam does; default false. */
    useBiasCorrection: false,
  },
  slots: ["m", "v", "s"],
  row: (h, t) => ({
    lr: h.lr,
    correctedLr: (h.lr * Math.sqrt(1 - h.beta2 ** t)) / (1 - h.beta1 ** t),
    beta1: h.beta1,
    oneMinusBeta1: 1 - h.beta1,
    beta2: h.beta2,
    oneMinusBeta2: 1 - h.beta2,
    sqrtBeta2: Math.sqrt(h.beta2),
    oneMinusSqrtBeta2: 1 - Math.sqrt(h.beta2),
    eps: h.eps,
    weightDecay: h.weightDecay,
    d0: h.d0,
    // Keeps growthRate·d a float32.
    growthRate: Math.min(h.growthRate, 1e30),
  }),
  reduction: {
    stage: reductionStage,
    scope: "all",
    sums: ["inner", "magnitude"],
    scalars: { d: "d0", dPrevious: "d0", numerator: 0 },
    advances: ["s"],
    measure(x, gradient, h, r, flags) {
      const g = decayed(gradient, x.p, h, flags);
      const inner = g * (x.s / (Math.sqrt(x.v) + h.eps));
      x.s = h.sqrtBeta2 * x.s + h.oneMinusSqrtBeta2 * (rate(r.d, h, flags) * g);
      return { inner, magnitude: Math.abs(x.s) };
    },
    conclude(s, r, h, flags) {
      r.numerator = h.sqrtBeta2 * r.numerator + h.oneMinusSqrtBeta2 * rate(r.d, h, flags) * s.inner;
      r.dPrevious = r.d;
      const estimate = r.numerator / (h.oneMinusSqrtBeta2 * s.magnitude);
      if (s.magnitude > 0) r.d = Math.max(r.d, Math.min(estimate, r.d * h.growthRate));
    },
  },
  wgsl,
  helpers: [boundsSnippet],
  update(x, gradient, h, flags, r) {
    const delta = rate(r.dPrevious, h, flags);
    const decay = flags.decoupledWeightDecay ? delta * h.weightDecay : 0;
    const g = decayed(gradient, x.p, h, flags);
    x.m = h.beta1 * x.m + h.oneMinusBeta1 * (delta * g);
    x.v = h.beta2 * x.v + h.oneMinusBeta2 * g * g;
    x.step = decay * x.p + x.m / (Math.sqrt(x.v) + h.eps);
  },
});
