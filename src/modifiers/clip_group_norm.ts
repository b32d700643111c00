// Clips the gradient of each group by the group's own norm.

import { normStage } from "../engines/stages/norm.ts";
import { normCosts, readNorm } from "./clip_norm.ts";
import { defineModifier, type ModifierFunction, type ModifierNotes } from "./modifier.ts";

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
  law: { maxNorm: 60 },
  read: readNorm,
  json: (settings) => ({ type: "groupNorm", ...settings }),
  effects: ({ maxNorm, norm }) => ({ norm: { kind: norm, maxNorm, byGroup: true }, skips: true, step: normStage }),
});

/** Its entry in docs/rules.md. */
export const clipGroupNormNotes: ModifierNotes = {
  call: "clipGroupNorm({ maxNorm, norm })",
  effect: "scales the gradient of each group down to a norm of at most `maxNorm`",
  source: "torch.nn.utils.clip_grad_norm_",
  costs: /* @__PURE__ */ normCosts("groupNorm"),
};
