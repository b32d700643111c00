// Prodigy (Mishchenko and Defazio 2024): AdamW whose rate is an estimate d of the distance to the solution that only grows. With
// δ = lr·d·√(1-β2^t) / (1-β1^t) and the d of the update before:
//
//   m ← β1 m + (1-β1) d·g,  v ← β2 v + (1-β2) (d·g)²
//   s ← β3 s + (d / d0)·δ·g                   (d² / d0)·g with safeguardWarmup
//   n ← β3 n + (d / d0)·δ·⟨g, p0 - p⟩         over all tensors; p0 are the first parameters
//   d ← max(d, dCoef · n / ‖s‖₁)
//   p ← p - δ·(weightDecay·p + m / (√v + d·eps))        with the new d, and δ of the old one
//
// Operations and defaults follow optax.contrib.prodigy; its estim_lr0 and estim_lr_coef are d0 and dCoef, as the authors call
// them. Where s is 0 everywhere, d stays, as in the authors' code; optax gets NaN. While d is small, p has hardly left p0, and p0
// - p is mostly float32 rounding: engines then differ in d, and by 2e-3 in parameters after 200 steps.
import wgsl from "../../shaders/rules/prodigy.wgsl?raw";
import { reductionStage } from "../engines/stages/reduction.ts";
import { boundsSnippet } from "../engines/stages/snippets.ts";
import { ruleFrom } from "./rule.ts";

/** Prodigy, as in optax.contrib.prodigy: the rate is an estimate of the distance to the solution. */
export const prodigy = ruleFrom({
  name: "prodigy",
  source:
    "Mishchenko and Defazio 2024, Prodigy: An Expeditiously Adaptive Parameter-Free Learner; optax.contrib.prodigy",
  usualRate: 1,
  findsRate: true,
  hypers: {
    /** Factor of the estimated rate, >= 0; default 1. */
    lr: { default: 1, range: { min: 0 } },
    /** Decay of the first moment, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the second moment, in [0, 1); default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Decay of the sums behind the estimate, in [0, 1); default 0, which means √beta2. */
    beta3: { default: 0, range: { min: 0, below: 1 } },
    /** Added to the denominator, times d, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
    /** The first estimate, which should rather be too small than too large; > 0, default 1e-6. */
    d0: { default: 1e-6, range: { above: 0 } },
    /** Factor of each estimate, >= 0; default 1. */
    dCoef: { default: 1, range: { min: 0 } },
    /** Decoupled weight decay, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {
    /** Leave the rate out of the denominator of the estimate, for long warm-ups; default false. */
    safeguardWarmup: false,
  },
  slots: ["m", "v", "s", "params0"],
  starts: { params0: "p" },
  fixed: ["params0"],
  row: (h, t) => ({
    stepSize: (h.lr * Math.sqrt(1 - h.beta2 ** t)) / (1 - h.beta1 ** t),
    beta1: h.beta1,
    oneMinusBeta1: 1 - h.beta1,
    beta2: h.beta2,
    oneMinusBeta2: 1 - h.beta2,
    beta3: h.beta3 === 0 ? Math.sqrt(h.beta2) : h.beta3,
    eps: h.eps,
    d0: h.d0,
    dCoef: h.dCoef,
    weightDecay: h.weightDecay,
  }),
  reduction: {
    stage: reductionStage,
    scope: "all",
    sums: ["inner", "magnitude"],
    scalars: { d: "d0", dPrevious: "d0", numerator: 0 },
    advances: ["s"],
    measure(x, g, h, r, flags) {
      x.s = h.beta3 * x.s + (r.d / h.d0) * (flags.safeguardWarmup ? 1 : h.stepSize) * (r.d * g);
      return { inner: g * (x.params0 - x.p), magnitude: Math.abs(x.s) };
    },
    conclude(s, r, h) {
      r.numerator = h.beta3 * r.numerator + (r.d / h.d0) * (r.d * h.stepSize) * s.inner;
      r.dPrevious = r.d;
      if (s.magnitude > 0) r.d = Math.max(r.d, (h.dCoef * r.numerator) / s.magnitude);
    },
  },
  wgsl,
  helpers: [boundsSnippet],
  update(x, g, h, _, r) {
    const dg = r.dPrevious * g;
    x.m = h.beta1 * x.m + h.oneMinusBeta1 * dg;
    x.v = h.beta2 * x.v + h.oneMinusBeta2 * dg * dg;
    const direction = h.weightDecay * x.p + x.m / (Math.sqrt(x.v) + r.d * h.eps);
    x.step = r.dPrevious * h.stepSize * direction;
  },
});
