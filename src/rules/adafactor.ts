// Adafactor (Shazeer and Stern 2018), as in torch.optim.Adafactor: a matrix's second moment is kept only as the means of its rows
// and columns, and the step is proportional to the size of the tensor.
//
//   w = t^beta2Decay,  ρ = min(lr, 1/√t),  α = ρ · max(eps2, RMS(p))
//   matrices: row, column ← lerp(·, mean of g², w),  V = row · column / max(mean of row, eps1);  else V ← lerp(V, g², w)
//   U = g / √max(V, eps1²)
//   p ← keep·p - α / max(1, RMS(U) / d) · U                keep = 1 - lr·weightDecay
//
// Tensors with more than two dimensions are stacks of matrices, each with its own means.
import wgsl from "../../shaders/rules/adafactor.wgsl?raw";
import { factoredStage } from "../engines/stages/factored.ts";
import { reductionStage } from "../engines/stages/reduction.ts";
import { boundsSnippet } from "../engines/stages/snippets.ts";
import { ruleFrom } from "./rule.ts";

/** Adafactor, as in torch.optim.Adafactor. */
export const adafactor = ruleFrom({
  name: "adafactor",
  source: "Shazeer and Stern 2018; torch.optim.Adafactor",
  usualRate: 0.1,
  hypers: {
    /** Upper bound of the rate relative to the size of the tensor, >= 0; default 1e-2. */
    lr: { default: 1e-2, range: { min: 0 } },
    /** The share by which the second moment moves towards g² is this power of t, <= 0; default -0.8. */
    beta2Decay: { default: -0.8, range: { max: 0 } },
    /** Lower bound of the second moment's root and of the rows' mean, >= 0; default 2^-23, float32's precision. */
    eps1: { default: 2 ** -23, range: { min: 0 } },
    /** Lower bound of the root mean square of a tensor's parameters, >= 0; default 1e-3. */
    eps2: { default: 1e-3, range: { min: 0 } },
    /** The largest root mean square of the scaled gradient that passes unclipped, > 0; default 1. */
    d: { default: 1, range: { above: 0 } },
    /** Decoupled weight decay, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["v"],
  factored: { stage: factoredStage, slot: "v", weight: "share", least: "least" },
  row: (h, t) => ({
    keep: 1 - h.lr * h.weightDecay,
    share: t ** h.beta2Decay,
    // At least the smallest normal float32, so that nothing is divided by 0.
    least: Math.max(h.eps1, 2 ** -126),
    leastSquare: Math.max(h.eps1 * h.eps1, 2 ** -126),
    rho: Math.min(h.lr, 1 / Math.sqrt(t)),
    eps2: h.eps2,
    d: h.d,
  }),
  reduction: {
    stage: reductionStage,
    scope: "tensor",
    sums: ["param", "scaled"],
    scalars: { factored: 0, step: 0 },
    measure(x, g, h, r) {
      const scaled = g / Math.sqrt(Math.max(moment(x.v, g, h.share, r.factored), h.leastSquare));
      return { param: x.p * x.p, scaled: scaled * scaled };
    },
    conclude(s, r, h) {
      const alpha = h.rho * Math.max(h.eps2, Math.sqrt(s.param / s.count));
      r.step = alpha / Math.max(1, Math.sqrt(s.scaled / s.count) / h.d);
    },
  },
  wgsl,
  helpers: [boundsSnippet],
  update(x, g, h, _, r) {
    x.v = moment(x.v, g, h.share, r.factored);
    x.p *= h.keep;
    x.step = (r.step * g) / Math.sqrt(Math.max(x.v, h.leastSquare));
  },
});

/** The second moment after this gradient: for a factored tensor it has moved already. */
function moment(v: number, g: number, share: number, factored: number): number {
  return factored !== 0 ? v : v + share * (g * g - v);
}
