// DoG, distance over gradients (Ivgi et al. 2023): gradient descent whose rate is the farthest distance from the start
// so far over the root of all squared gradients so far, both over all tensors.
//
//   g ← g + weightDecay·p
//   r ← max(r, ‖p - p0‖),  G ← G + ‖g‖²
//   p ← p - lr · r / √(G + eps) · g
//
// r starts at repsRel·(1 + ‖p0‖), or at initDistance if that is above 0; with initLr above 0 it starts at 0 and the first update
// has the rate lr·initLr. These are the heuristic, distance and learning_rate of optax.contrib.dog's init_step; operations and
// defaults are that function's too.
import wgsl from "../../shaders/rules/dog.wgsl?raw";
import { reductionStage } from "../engines/stages/reduction.ts";
import { boundsSnippet } from "../engines/stages/snippets.ts";
import { ruleFrom } from "./rule.ts";

/** Distance over gradients, as in optax.contrib.dog. */
export const dog = ruleFrom({
  name: "dog",
  source: "Ivgi et al. 2023, DoG is SGD's Best Friend; optax.contrib.dog",
  usualRate: 3,
  findsRate: true,
  hypers: {
    /** Factor of the rate found, >= 0; default 1. */
    lr: { default: 1, range: { min: 0 } },
    /** The first distance as a share of 1 + ‖p0‖, >= 0; default 1e-6, and 1e-4 is advised with batch normalization. */
    repsRel: { default: 1e-6, range: { min: 0 } },
    /** The first distance, >= 0; default 0, which leaves it to repsRel. */
    initDistance: { default: 0, range: { min: 0 } },
    /** The rate of the first update, >= 0; default 0, which leaves it to the first distance. */
    initLr: { default: 0, range: { min: 0 } },
    /** Added to the sum of squares, >= 0; default 1e-8. */
    eps: { default: 1e-8, range: { min: 0 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {},
  slots: ["params0"],
  starts: { params0: "p" },
  fixed: ["params0"],
  conflict: (_, used) =>
    used("initLr") && used("initDistance") ? "initLr and initDistance are both set; set at most one" : undefined,
  // The terms that start the distance are 0 from the second update on.
  row: (h, t) => ({
    lr: h.lr,
    repsRel: t === 1 && h.initDistance === 0 && h.initLr === 0 ? h.repsRel : 0,
    initDistance: t === 1 ? h.initDistance : 0,
    initLr: t === 1 ? h.initLr : 0,
    eps: h.eps,
    weightDecay: h.weightDecay,
  }),
  reduction: {
    stage: reductionStage,
    scope: "all",
    sums: ["paramSquares", "distanceSquares", "gradientSquares"],
    scalars: { farthest: 0, gradientSquares: 0, rate: 0 },
    measure(x, gradient, h) {
      const g = gradient + h.weightDecay * x.p;
      const away = x.params0 - x.p;
      return { paramSquares: x.p * x.p, distanceSquares: away * away, gradientSquares: g * g };
    },
    conclude(s, r, h) {
      const start = h.initDistance + h.repsRel * (1 + Math.sqrt(s.paramSquares));
      r.farthest = Math.max(r.farthest, start, Math.sqrt(s.distanceSquares));
      r.gradientSquares += s.gradientSquares;
      r.rate = h.initLr > 0 ? h.initLr : r.farthest / Math.sqrt(r.gradientSquares + h.eps);
    },
  },
  wgsl,
  helpers: [boundsSnippet],
  update(x, gradient, h, _, r) {
    x.step = h.lr * r.rate * (gradient + h.weightDecay * x.p);
  },
});
