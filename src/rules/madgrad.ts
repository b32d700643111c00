// MADGRAD (Defazio and Jelassi 2021), as in the authors' madgrad.MADGRAD: dual averaging, with a cube root for the step size.
//
//   g ← g + l2·p                        l2 = weightDecay, 0 with decoupledWeightDecay
//   λ = lr'·√t                          lr' = lr + eps, or 0 where lr is 0
//   s ← s + λ g,  v ← v + λ g²
//   z = x0 - s / (∛v + eps)             x0 is the parameter before the first update
//   p ← p - decay·p - (1-momentum)·(p - z)     decay = lr'·weightDecay with decoupledWeightDecay, else 0
//
// While momentum is 0, p would be z except for the decay, so x0 is p + s / (∛v + eps), before s and v change, and if momentum is
// always 0, x0 is not kept at all. p - z is computed as (p - x0) + s / (∛v + eps), which loses no digits when p and z hardly
// differ. Departure: a quotient whose denominator is 0 (eps = 0) is 0 there too.
import wgsl from "../../shaders/rules/madgrad.wgsl?raw";
import { ruleFrom } from "./rule.ts";

/** s / (∛v + eps); 0 where nothing has been summed. */
function quotient(s: number, v: number, eps: number): number {
  const root = Math.cbrt(v) + eps;
  return s / (root === 0 ? 1 : root);
}

/** MADGRAD, as in its authors' madgrad.MADGRAD. */
export const madgrad = ruleFrom({
  name: "madgrad",
  source: "Defazio and Jelassi 2021; madgrad.MADGRAD of its authors",
  hypers: {
    /** Learning rate, >= 0; default 1e-2. */
    lr: { default: 1e-2, range: { min: 0 } },
    /** Share of the parameter that is kept, in [0, 1); default 0.9. */
    momentum: { default: 0.9, range: { min: 0, below: 1 } },
    /** Added to the denominator, and to lr, >= 0; default 1e-6. */
    eps: { default: 1e-6, range: { min: 0 } },
    /** Weight decay, >= 0: added to the gradient, or with `decoupledWeightDecay` subtracted from the parameter; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {
    /** Subtract the decay from the parameter, as AdamW does; default false. */
    decoupledWeightDecay: false,
  },
  slots: ["s", "v", "x0"],
  activeSlots: (_, used) => (used("momentum") ? ["s", "v", "x0"] : ["s", "v"]),
  starts: { x0: "p" },
  fixed: ["x0"],
  row(h, t, _, flags) {
    const lr = h.lr === 0 ? 0 : h.lr + h.eps;
    const decay = flags.decoupledWeightDecay ? lr * h.weightDecay : 0;
    return {
      l2: flags.decoupledWeightDecay ? 0 : h.weightDecay,
      keep: 1 - decay,
      decay,
      lambda: lr * Math.sqrt(t),
      eps: h.eps,
      momentum: h.momentum,
      oneMinusMomentum: 1 - h.momentum,
    };
  },
  wgsl,
  update(x, gradient, h) {
    const g = gradient + h.l2 * x.p;
    const away = h.momentum === 0 ? -quotient(x.s, x.v, h.eps) : x.p - x.x0;
    x.s += h.lambda * g;
    x.v += h.lambda * g * g;
    x.decay = h.decay * x.p;
    x.step = h.oneMinusMomentum * (away + quotient(x.s, x.v, h.eps));
  },
});
