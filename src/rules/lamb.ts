// LAMB (You et al. 2020): Adam's direction with the decay added, stretched to the length of the tensor it moves.
//
//   m ← β1 m + (1-β1) g,  v ← β2 v + (1-β2) g²
//   u = (m / bc1) / (√(v / bc2 + epsRoot) + eps) + weightDecay·p
//   p ← p - lr · φ · u                        φ = ‖p‖ / ‖u‖, or 1 where either norm is 0
//
// bc1 = 1-β1^t, bc2 = 1-β2^t; the norms are Euclidean, over one tensor. Operations and defaults follow optax.lamb,
// which has no default lr; ours is 1e-3.
import wgsl from "../../shaders/rules/lamb.wgsl?raw";
import { reductionStage } from "../engines/stages/reduction.ts";
import { type Cell, ruleFrom } from "./rule.ts";

type Columns = Readonly<Record<"unbias1" | "unbias2" | "eps" | "epsRoot" | "weightDecay", number>>;

/** u, from moments that have advanced. */
function direction(x: Readonly<Cell<"m" | "v">>, h: Columns): number {
  return (h.unbias1 * x.m) / (Math.sqrt(h.unbias2 * x.v + h.epsRoot) + h.eps) + h.weightDecay * x.p;
}

/** LAMB, as in optax.lamb. */
export const lamb = ruleFrom({
  name: "lamb",
  source: "You et al. 2020, Large Batch Optimization for Deep Learning; optax.lamb",
  usualRate: 2e-2,
  hypers: {
    /** Learning rate, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** Decay of the first moment, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the second moment, in [0, 1); default 0.999. */
    beta2: { default: 0.999, range: { min: 0, below: 1 } },
    /** Added to the denominator, >= 0; default 1e-6. */
    eps: { default: 1e-6, range: { min: 0 } },
    /** Added under the root, >= 0; default 0. */
    epsRoot: { default: 0, range: { min: 0 } },
    /** Weight decay, >= 0, added to Adam's direction before the lengths are compared; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["m", "v"],
  row: (h, t) => ({
    lr: h.lr,
    beta1: h.beta1,
    oneMinusBeta1: 1 - h.beta1,
    beta2: h.beta2,
    oneMinusBeta2: 1 - h.beta2,
    unbias1: 1 / (1 - h.beta1 ** t),
    unbias2: 1 / (1 - h.beta2 ** t),
    eps: h.eps,
    epsRoot: h.epsRoot,
    weightDecay: h.weightDecay,
  }),
  reduction: {
    stage: reductionStage,
    scope: "tensor",
    sums: ["paramSquares", "stepSquares"],
    scalars: { ratio: 1 },
    advances: ["m", "v"],
    measure(x, g, h) {
      x.m = h.beta1 * x.m + h.oneMinusBeta1 * g;
      x.v = h.beta2 * x.v + h.oneMinusBeta2 * g * g;
      const u = direction(x, h);
      return { paramSquares: x.p * x.p, stepSquares: u * u };
    },
    conclude(s, r) {
      const ratio = Math.sqrt(s.paramSquares) / Math.sqrt(s.stepSquares);
      r.ratio = s.paramSquares > 0 && s.stepSquares > 0 ? ratio : 1;
    },
  },
  wgsl,
  update(x, _g, h, _flags, r) {
    x.step = h.lr * r.ratio * direction(x, h);
  },
});
