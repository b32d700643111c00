// Clips the gradient by its norm over all tensors, as torch's clip_grad_norm_.

import { normStage } from "../engines/stages/norm.ts";
import { normCosts, readNorm } from "./clip_norm.ts";
import { defineModifier, type ModifierFunction } from "./modifier.ts";

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
  source: "torch.nn.utils.clip_grad_norm_",
  costs: normCosts("globalNorm"),
  law: { maxNorm: 60 },
  read: readNorm,
  json: (settings) => ({ type: "globalNorm", ...settings }),
  effects: ({ maxNorm, norm }) => ({ norm: { kind: norm, maxNorm, byGroup: false }, skips: true, step: normStage }),
});
