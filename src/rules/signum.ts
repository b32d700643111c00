// Signum (Bernstein et al. 2018), as in optax.signum: the sign of the mean gradient, and with momentum 0 signSGD.
//
//   m ← momentum·m + (1-momentum)·g
//   p ← p - lr (sign(m) + weightDecay·p)
//
// The decay is the paper's; optax has none.
import wgsl from "../../shaders/rules/signum.wgsl?raw";
import { signsSnippet } from "../engines/stages/snippets.ts";
import { ruleFrom } from "./rule.ts";
import { signOf } from "./sign.ts";

/** Signum, as in optax.signum. */
export const signum = ruleFrom({
  name: "signum",
  source: "Bernstein et al. 2018; optax.signum",
  usualRate: 3e-4,
  hypers: {
    /** Learning rate, >= 0; default 1e-3 (optax has none). */
    lr: { default: 1e-3, range: { min: 0 } },
    /** Decay of the mean gradient, in [0, 1); default 0.9; 0 keeps no state. */
    momentum: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decoupled weight decay, >= 0; default 0. */
    weightDecay: { default: 0, range: { min: 0 } },
  },
  goesBySign: true,
  flags: {},
  slots: ["m"],
  activeSlots: (_, used) => (used("momentum") ? ["m"] : []),
  row: (h) => ({
    keep: 1 - h.lr * h.weightDecay,
    decay: h.lr * h.weightDecay,
    momentum: h.momentum,
    oneMinusMomentum: 1 - h.momentum,
    lr: h.lr,
  }),
  wgsl,
  helpers: [signsSnippet],
  update(x, g, h) {
    x.m = h.momentum * x.m + h.oneMinusMomentum * g;
    x.decay = h.decay * x.p;
    x.step = h.lr * signOf(x.m);
  },
});
