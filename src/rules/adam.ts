// Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), one family: they differ only in where the decay
// enters, and that is two columns of the row.
//
//   g ← g + l2·p                                   l2 = weightDecay (adam), 0 (adamw)
//   m ← m + (1-β1)(g - m),  v ← β2 v + (1-β2) g²
//   p ← keep·p - (lr / bc1) · m / (√w / √bc2 + eps)     keep = 1 (adam), 1 - lr·weightDecay (adamw)
//
// or with subtractDecay p ← p - (lr·weightDecay·p + (lr / bc1) · m / (√w / √bc2 + eps)).
// bc1 = 1-β1^t, bc2 = 1-β2^t; w is v, or with amsgrad (Reddi et al. 2018) the largest v so far, before correction.
// Operations and defaults follow torch.optim.
import wgsl from "../../shaders/rules/adam.wgsl?raw";
import { ruleFrom } from "./rule.ts";

const adamFlags = {
  /** Divide by the largest second moment so far; default false. */
  amsgrad: false,
};

const adamwFlags = {
  ...adamFlags,
  /**
   * Subtract the decay together with the step, `p - (lr·weightDecay·p + step)`, in place of `(1 - lr·weightDecay)·p - step`:
   * about ten times closer to float64 over a thousand updates, since float32 rounds 1 - lr·weightDecay the same way every time,
   * but not torch's result to the bit; default false.
   */
  subtractDecay: false,
};

interface Form<F> {
  readonly decoupled: boolean;
  readonly weightDecay: number;
  readonly flags: F;
  readonly laterFlags?: readonly (keyof F & string)[];
}

function adamFamily<F extends { amsgrad: boolean; subtractDecay?: boolean }>(
  name: string,
  source: string,
  { decoupled, weightDecay, flags, laterFlags = [] }: Form<F>,
) {
  return ruleFrom({
    name,
    source,
    hypers: {
      /** Learning rate, >= 0; default 1e-3. */
      lr: { default: 1e-3, range: { min: 0 } },
      /** Decay of the first moment, in [0, 1); default 0.9. */
      beta1: { default: 0.9, range: { min: 0, below: 1 } },
      /** Decay of the second moment, in [0, 1); default 0.999. */
      beta2: { default: 0.999, range: { min: 0, below: 1 } },
      /** Added to the denominator, >= 0; default 1e-8. */
      eps: { default: 1e-8, range: { min: 0 } },
      /** Weight decay, >= 0: added to the gradient (adam, default 0) or subtracted from the parameter (adamw, default 0.01). */
      weightDecay: { default: weightDecay, range: { min: 0 } },
    },
    flags,
    laterFlags,
    slots: ["m", "v", "vMax"],
    activeSlots: (given) => (given.amsgrad ? ["m", "v", "vMax"] : ["m", "v"]),
    row(h, t, _, given) {
      const decay = decoupled ? h.lr * h.weightDecay : 0;
      return {
        l2: decoupled ? 0 : h.weightDecay,
        keep: given.subtractDecay ? 1 : 1 - decay,
        decay: given.subtractDecay ? decay : 0,
        oneMinusBeta1: 1 - h.beta1,
        beta2: h.beta2,
        oneMinusBeta2: 1 - h.beta2,
        stepSize: h.lr / (1 - h.beta1 ** t),
        sqrtBias2: Math.sqrt(1 - h.beta2 ** t),
        eps: h.eps,
      };
    },
    wgsl,
    update(x, gradient, h, given) {
      const g = gradient + h.l2 * x.p;
      x.m += h.oneMinusBeta1 * (g - x.m);
      x.v = h.beta2 * x.v + h.oneMinusBeta2 * g * g;
      x.vMax = Math.max(x.vMax, x.v);
      const w = given.amsgrad ? x.vMax : x.v;
      if (given.subtractDecay) x.decay = h.decay * x.p;
      x.p *= h.keep;
      x.step = (h.stepSize * x.m) / (Math.sqrt(w) / h.sqrtBias2 + h.eps);
    },
    torch: { m: "exp_avg", v: "exp_avg_sq", vMax: "max_exp_avg_sq" },
  });
}

/** Adam with L2 decay, as in torch.optim.Adam. */
export const adam = /* @__PURE__ */ adamFamily("adam", "Kingma and Ba 2015; torch.optim.Adam", {
  decoupled: false,
  weightDecay: 0,
  flags: adamFlags,
});

/** Adam with decoupled weight decay, as in torch.optim.AdamW. */
export const adamw = /* @__PURE__ */ adamFamily("adamw", "Loshchilov and Hutter 2019; torch.optim.AdamW", {
  decoupled: true,
  weightDecay: 0.01,
  flags: adamwFlags,
  laterFlags: ["subtractDecay"],
});
