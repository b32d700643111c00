// Clips the gradient by its norm over all tensors, like torch's clip_grad_norm_.

import { normStage } from "../engines/stages/norm.ts";
import { normCosts, readNorm } from "./clip_norm.ts";
import { defineModifier, type ModifierFunction, type ModifierNotes } from "./modifier.ts";

/** Scales the gradient so that its norm over all tensors is at most `maxNorm`. */
export const clipGlobalNorm = /* @__PURE__ */ defineModifier<
  ReturnType<typeof readNorm>,
  ModifierFunction<{
    /** The largest norm that passes unchanged; > 0. */
    readonly maxNorm: number;
    /** 2 (Euclidean, the default), 1 (sum of magnitudes) or "inf" (largest magnitude). */
    readonly norm?: 1 | 2 | "inf" | undefined;
  }>
>({
  name: "clipGlobalNorm",
  key: "clip",
  order: 20,
  type: "globalNorm",
  law: { maxNorm: 60 },
  read: readNorm,
  json: (settings) => ({ type: "globalNorm", ...settings }),
  effects: ({ maxNorm, norm }) => ({ norm: { kind: norm, maxNorm, byGroup: false }, skips: true, step: normStage }),
});

/** Its entry in docs/rules.md. */
export const clipGlobalNormNotes: ModifierNotes = {
  call: "clipGlobalNorm({ maxNorm, norm })",
  effect: "scales the gradient of all tensors down to a norm of at most `maxNorm`; `stats()` reports the norm before",
  source: "torch.nn.utils.clip_grad_norm_",
  costs: /* @__PURE__ */ normCosts("globalNorm"),
};
