// Stochastic gradient descent with heavy-ball (Polyak 1964) or Nesterov momentum, as in torch.optim.SGD:
//
//   g ← g + weightDecay·p
//   b ← momentum·b + share·g            share = 1 where b is first used, then 1 - dampening
//   p ← p - lr·d                        d = b, or with nesterov g + momentum·b
//
// While momentum is 0, d is g and b is unchanged; if it is always 0, b is not kept at all.
import wgsl from "../../shaders/rules/sgd.wgsl?raw";
import { Carried } from "../optimizer/carried.ts";
import { ruleFrom } from "./rule.ts";

/** Stochastic gradient descent with momentum, as in torch.optim.SGD. */
export const sgd = ruleFrom({
  name: "sgd",
  source: "Polyak 1964, Nesterov 1983; torch.optim.SGD",
  usualRate: 0.1,
  hypers: {
    /** Learning rate, >= 0; default 1e-3. */
    lr: { default: 1e-3, range: { min: 0 } },
    /** Share of the last step's direction that is kept, >= 0; default 0, which keeps no state. */
    momentum: { default: 0, range: { min: 0 } },
    /** Share of the gradient that is left out of the momentum, in [0, 1]; default 0. */
    dampening: { default: 0, range: { min: 0, max: 1 } },
    /** L2 decay, added to the gradient, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  flags: {
    /** Look ahead along the momentum; needs momentum and no dampening; default false. */
    nesterov: false,
  },
  slots: ["momentum"],
  activeSlots: (_, used) => (used("momentum") ? ["momentum"] : []),
  conflict(flags, used) {
    if (flags.nesterov && !used("momentum")) return "nesterov is true, which needs momentum > 0";
    if (flags.nesterov && used("dampening")) return "nesterov is true, which needs dampening 0";
    return undefined;
  },
  carry: {
    kept: Carried,
    // 1 once an update had momentum.
    names: ["started"],
    start: () => ({ started: 0 }),
    next: (carry, h) => ({ started: h.momentum !== 0 ? 1 : carry.started }),
  },
  row: (h, _, carry) => ({
    lr: h.lr,
    momentum: h.momentum,
    share: carry.started === 0 ? 1 : 1 - h.dampening,
    weightDecay: h.weightDecay,
  }),
  wgsl,
  update(x, gradient, h, flags) {
    const g = gradient + h.weightDecay * x.p;
    let direction = g;
    if (h.momentum !== 0) {
      x.momentum = h.momentum * x.momentum + h.share * g;
      direction = flags.nesterov ? g + h.momentum * x.momentum : x.momentum;
    }
    x.step = h.lr * direction;
  },
  torch: { momentum: "momentum_buffer" },
  // torch has a buffer from the first update with momentum on.
  torchCarry: { started: 1 },
  torchSteps: false,
});
