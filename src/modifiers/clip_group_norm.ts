// Clips the gradient of each group by the group's own norm.

import { defineNormClip, normCosts } from "./clip_norm.ts";
import type { ModifierNotes } from "./modifier.ts";

/** Scales each group's gradient so that its norm is at most `maxNorm`. */
export const clipGroupNorm = /* @__PURE__ */ defineNormClip("clipGroupNorm", "groupNorm", 21, true);

/** Its entry in docs/rules.md. */
export const clipGroupNormNotes: ModifierNotes = {
  call: "clipGroupNorm({ maxNorm, norm })",
  effect: "scales the gradient of each group down to a norm of at most `maxNorm`",
  source: "torch.nn.utils.clip_grad_norm_",
  costs: /* @__PURE__ */ normCosts("groupNorm"),
};
