// Lion (Chen et al. 2023), as in optax.lion: the sign of a momentum that looks further ahead than the one it keeps.
//
//   c = β1 m + (1-β1) g
//   m ← β2 m + (1-β2) g
//   p ← p - lr (sign(c) + weightDecay·p)
import wgsl from "../../shaders/rules/lion.wgsl?raw";
import { signsSnippet } from "../engines/stages/snippets.ts";
import { ruleFrom } from "./rule.ts";
import { signOf } from "./sign.ts";

/** Lion, as in optax.lion. */
export const lion = ruleFrom({
  name: "lion",
  source: "Chen et al. 2023; optax.lion",
  usualRate: 3e-4,
  hypers: {
    /** Learning rate, >= 0; default 1e-4, the paper's (optax has none). */
    lr: { default: 1e-4, range: { min: 0 } },
    /** Share of the momentum in the direction, in [0, 1); default 0.9. */
    beta1: { default: 0.9, range: { min: 0, below: 1 } },
    /** Decay of the momentum, in [0, 1); default 0.99. */
    beta2: { default: 0.99, range: { min: 0, below: 1 } },
    /** Decoupled weight decay, >= 0; default 1e-3. */
    weightDecay: { default: 1e-3, range: { min: 0 } },
  },
  goesBySign: true,
  flags: {},
  slots: ["m"],
  row: (h) => ({
    keep: 1 - h.lr * h.weightDecay,
    // Rounded to float32, 1 - decay has the same error in every update, which adds up; decay does not.
    decay: h.lr * h.weightDecay,
    beta1: h.beta1,
    oneMinusBeta1: 1 - h.beta1,
    beta2: h.beta2,
    oneMinusBeta2: 1 - h.beta2,
    lr: h.lr,
  }),
  wgsl,
  helpers: [signsSnippet],
  update(x, g, h) {
    const c = h.beta1 * x.m + h.oneMinusBeta1 * g;
    x.m = h.beta2 * x.m + h.oneMinusBeta2 * g;
    x.decay = h.decay * x.p;
    x.step = h.lr * signOf(c);
  },
});
