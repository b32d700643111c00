// Code shared by clipping by a norm, of all tensors or group by group.
import { OptionError, show } from "../base/errors.ts";
import { readObject } from "../base/options.ts";
import type { ModifierCost } from "./modifier.ts";
import { readSingle } from "./read.ts";

export function readNorm(owner: string, value: unknown): { readonly maxNorm: number; readonly norm: 1 | 2 | "inf" } {
  const { maxNorm, norm = 2 } = readObject(owner, value, ["type", "maxNorm", "norm"]);
  if (norm !== 1 && norm !== 2 && norm !== "inf") {
    throw new OptionError(`${owner}.norm is ${show(norm)}; it must be 1, 2 or "inf"`);
  }
  return { maxNorm: readSingle(`${owner}.maxNorm`, maxNorm, { above: 0 }), norm };
}

export function normCosts(type: string): readonly ModifierCost[] {
  const examples = [{ clip: { type, maxNorm: 1 } }];
  return [{ option: `\`clip\` of type \`"${type}"\``, examples, dispatches: 2, state: "0", moved: "4" }];
}
