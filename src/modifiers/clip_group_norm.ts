// Clips the gradient of each group by the group's own norm.

import { normStage } from "../engines/stages/norm.ts";
import { normCosts, readNorm } from "./clip_norm.ts";
import { defineModifier, type ModifierFunction } from "./modifier.ts";

/** Scales each group's gradient so that its norm is at most `maxNorm`. */
export const clipGroupNorm = /* @__PURE__ */ defineModifier<
  ReturnType<typeof readNorm>,
  ModifierFunction<{
    /** The largest norm that passes unchanged; > 0. */
    readonly maxNorm: number;
    /** 2 (Euclidean, the default), 1 (sum of magnitudes) or "inf" (largest magnitude). */
    readonly norm?: 1 | 2 | "inf" | undefined;
  }>
>({
  name: "clipGroupNorm",
  key: "clip",
  order: 21,
  type: "groupNorm",
  source: "torch.nn.utils.clip_grad_norm_",
  costs: normCosts("groupNorm"),
  law: { maxNorm: 60 },
  read: readNorm,
  json: (settings) => ({ type: "groupNorm", ...settings }),
  effects: ({ maxNorm, norm }) => ({ norm: { kind: norm, maxNorm, byGroup: true }, skips: true, step: normStage }),
});
