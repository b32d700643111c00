// Muon (Jordan et al. 2024), as in torch.optim.Muon with the iteration in full precision: the momentum matrix is brought close to
// the nearest orthogonal one. For matrices; other tensors go to the rule `fallback`. PyTorch iterates in bfloat16, so its
// recorded trajectories differ by about 1e-3.
//
//   b ← b + (1-momentum)(g - b)
//   u = b, or with nesterov g + momentum (b - g)
//   X = u / max(‖u‖, eps), five times  A = XXᵀ,  X ← (a + bA + cA²)X      a, b, c = 3.4445, -4.775, 2.0315
//   p ← keep·p - s·X        keep = 1 - lr·weightDecay,  s = lr·√max(1, outputs/inputs)
//
// torch takes rows as outputs, since torch.nn.Linear keeps [outputs, inputs]; here the tensor's `layout` decides, by default the
// columns. With matchRms, s = lr·0.2·√max(outputs, inputs), so that a rate that suits AdamW suits Muon too (Liu et al. 2025).
// With polarExpress, each of the five steps has its own a, b and c, which bring singular values above 1e-3 closer to 1 (Amsel et
// al. 2025).
import wgsl from "../../shaders/rules/muon.wgsl?raw";
import { jordan, polarExpress } from "../engines/stages/newton_schulz.ts";
import { orthogonaliseStage } from "../engines/stages/orthogonalise.ts";
import { reductionStage } from "../engines/stages/reduction.ts";
import { boundsSnippet } from "../engines/stages/snippets.ts";
import { fallbacks } from "../optimizer/fallback.ts";
import { ruleFrom } from "./rule.ts";

/** Orthogonalised momentum, as in torch.optim.Muon; tensors that are not matrices go to `fallback`. */
export const muon = ruleFrom({
  name: "muon",
  source: "Jordan et al. 2024; torch.optim.Muon",
  usualRate: 1e-2,
  only: { what: "matrices", takes: (shape) => shape.length === 2, fallbacks },
  hypers: {
    /** Learning rate, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** Share of the momentum that is kept, in [0, 1); default 0.95. */
    momentum: { default: 0.95, range: { min: 0, below: 1 } },
    /** Decoupled weight decay, >= 0; default 0.1. */
    weightDecay: { default: 0.1, range: { min: 0 } },
    /** Lower bound of the norm that divides a matrix, >= 0; default 1e-7. */
    eps: { default: 1e-7, range: { min: 0 } },
  },
  flags: {
    /** Look ahead along the momentum; default true. */
    nesterov: true,
    /** Scale the step so that its root mean square is that of AdamW's; default false. */
    matchRms: false,
    /** Use the coefficients of Polar Express (Amsel et al. 2025) instead of Jordan's; default false. */
    polarExpress: false,
  },
  laterFlags: ["polarExpress"],
  slots: ["momentum", "orthogonal"],
  row: (h) => ({
    keep: 1 - h.lr * h.weightDecay,
    lr: h.lr,
    momentum: h.momentum,
    oneMinusMomentum: 1 - h.momentum,
    eps: h.eps,
  }),
  reduction: {
    stage: reductionStage,
    scope: "tensor",
    sums: ["square"],
    scalars: { inverse: 0 },
    advances: ["momentum"],
    measure(x, g, h, _, flags) {
      x.momentum += h.oneMinusMomentum * (g - x.momentum);
      return { square: direction(x.momentum, g, h, flags) ** 2 };
    },
    conclude(s, r, h) {
      const norm = Math.max(Math.sqrt(s.square), h.eps);
      r.inverse = norm === 0 ? 0 : 1 / norm;
    },
  },
  orthogonalises: {
    stage: orthogonaliseStage,
    slot: "orthogonal",
    quintics: ({ polarExpress: polar }) => (polar ? express : jordan),
    prepare: (x, g, h, r, flags) => direction(x.momentum, g, h, flags) * r.inverse,
    scale([outputs, inputs], flags) {
      return flags.matchRms ? 0.2 * Math.sqrt(Math.max(outputs, inputs)) : Math.sqrt(Math.max(1, outputs / inputs));
    },
  },
  wgsl,
  helpers: [boundsSnippet],
  update(x, _, h) {
    x.p *= h.keep;
    x.step = h.lr * x.orthogonal;
  },
  torch: { momentum: "momentum_buffer" },
  torchSteps: false,
});

/** As many steps as Jordan's. */
const express = /* @__PURE__ */ polarExpress(jordan.length);

type Flags = Readonly<Record<"nesterov", boolean>>;

function direction(momentum: number, g: number, h: Readonly<Record<"momentum", number>>, flags: Flags): number {
  return flags.nesterov ? g + h.momentum * (momentum - g) : momentum;
}
