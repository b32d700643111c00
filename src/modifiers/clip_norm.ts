// Clipping by a norm of the gradient, of all tensors or group by group.
import { refusal } from "../base/errors.ts";
import { readObject } from "../base/options.ts";
import { normStage } from "../engines/stages/norm.ts";
import { defineModifier, type ModifierCost, type ModifierFunction } from "./modifier.ts";
import { readSingle } from "./read.ts";

/** The modifier of a `type` of clipping under the key `clip`. */
export const defineNormClip = (name: string, type: string, order: number, byGroup: boolean) =>
  defineModifier<
    ReturnType<typeof readNorm>,
    ModifierFunction<{
      /** The largest norm that passes unchanged; > 0. */
      readonly maxNorm: number;
      /** 2 (Euclidean, the default), 1 (sum of magnitudes) or "inf" (largest magnitude). */
      readonly norm?: 1 | 2 | "inf" | undefined;
    }>
  >({
    ...{ name, key: "clip", order, type },
    law: { maxNorm: 60 },
    read: readNorm,
    json: (settings) => ({ type, ...settings }),
    effects: ({ maxNorm, norm }) => ({ norm: { kind: norm, maxNorm, byGroup }, skips: true, step: normStage }),
  });

function readNorm(owner: string, value: unknown): { readonly maxNorm: number; readonly norm: 1 | 2 | "inf" } {
  const { maxNorm, norm = 2 } = readObject(owner, value, ["type", "maxNorm", "norm"]);
  if (norm !== 1 && norm !== 2 && norm !== "inf") {
    throw refusal(`${owner}.norm`, norm, '1, 2 or "inf"');
  }
  return { maxNorm: readSingle(`${owner}.maxNorm`, maxNorm, { above: 0 }), norm };
}

export function normCosts(type: string): readonly ModifierCost[] {
  const examples = [{ clip: { type, maxNorm: 1 } }];
  return [{ option: `\`clip\` of type \`"${type}"\``, examples, dispatches: 2, state: "0", moved: "4" }];
}
