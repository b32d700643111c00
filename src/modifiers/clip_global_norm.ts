// Clips the gradient by its norm over all tensors, like torch's clip_grad_norm_.

import { defineNormClip, normCosts } from "./clip_norm.ts";
import type { ModifierNotes } from "./modifier.ts";

/** Scales the gradient so that its norm over all tensors is at most `maxNorm`. */
export const clipGlobalNorm = /* @__PURE__ */ defineNormClip("clipGlobalNorm", "globalNorm", 20, false);

/** Its entry in docs/rules.md. */
export const clipGlobalNormNotes: ModifierNotes = {
  call: "clipGlobalNorm({ maxNorm, norm })",
  effect: "scales the gradient of all tensors down to a norm of at most `maxNorm`; `stats()` reports the norm before",
  source: "torch.nn.utils.clip_grad_norm_",
  costs: /* @__PURE__ */ normCosts("globalNorm"),
};
