// Rprop (Riedmiller and Braun 1993), as in torch.optim.Rprop: every element has its own step size, and only the sign of the
// gradient counts.
//
//   s = sign(g)·sign(g')                g' is the last gradient, 0 before the first update and after a turn
//   δ ← clamp(η δ, stepSizeMin, stepSizeMax)    η = etaPlus where s > 0, etaMinus where s < 0, else 1; δ starts at lr
//   g ← 0 where s < 0
//   p ← p - δ·sign(g),  g' ← g
//
// So lr counts only in the first update, which clamps it and takes the step. Departures: the signs are multiplied instead of the
// gradients, whose product may underflow; and there is an L2 decay, g ← g + weightDecay·p, which torch lacks.
import wgsl from "../../shaders/rules/rprop.wgsl?raw";
import { signsSnippet } from "../engines/stages/snippets.ts";
import { ruleFrom } from "./rule.ts";
import { signOf } from "./sign.ts";

/** Rprop, as in torch.optim.Rprop. */
export const rprop = ruleFrom({
  name: "rprop",
  source: "Riedmiller and Braun 1993; torch.optim.Rprop",
  usualRate: 1e-2,
  hypers: {
    /** The first step size, >= 0, read at the first update; default 1e-2. */
    lr: { default: 1e-2, range: { min: 0 } },
    /** Factor of a step size when the gradient changes sign, in (0, 1); default 0.5. */
    etaMinus: { default: 0.5, range: { above: 0, below: 1 } },
    /** Factor of a step size when the gradient keeps its sign, > 1; default 1.2. */
    etaPlus: { default: 1.2, range: { above: 1 } },
    /** The smallest step size, >= 0; default 1e-6. */
    stepSizeMin: { default: 1e-6, range: { min: 0 } },
    /** The largest step size, >= 0; default 50. */
    stepSizeMax: { default: 50, range: { min: 0 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  goesBySign: true,
  flags: {},
  slots: ["previous", "stepSize"],
  starts: { stepSize: "lr" },
  row: (h) => ({
    weightDecay: h.weightDecay,
    lr: h.lr,
    etaMinus: h.etaMinus,
    etaPlus: h.etaPlus,
    stepSizeMin: h.stepSizeMin,
    stepSizeMax: h.stepSizeMax,
  }),
  wgsl,
  helpers: [signsSnippet],
  update(x, gradient, h) {
    const g = gradient + h.weightDecay * x.p;
    const turn = signOf(g) * signOf(x.previous);
    const eta = turn > 0 ? h.etaPlus : turn < 0 ? h.etaMinus : 1;
    x.stepSize = Math.min(Math.max(eta * x.stepSize, h.stepSizeMin), h.stepSizeMax);
    x.previous = turn < 0 ? 0 : g;
    x.step = x.stepSize * signOf(x.previous);
  },
  torch: { previous: "prev", stepSize: "step_size" },
});
