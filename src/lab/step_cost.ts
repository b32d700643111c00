// The cost of a rule's step: state and memory traffic per parameter, and dispatches, for the page of rules and the benchmark.
import type { Rule } from "../rules/rule.ts";

/** The cost of one step; bytes are per parameter. */
export interface Cost {
  /** Bytes kept from step to step. */
  readonly state: number;
  /** Bytes read and written according to the kernels' text: compilers may leave out loads that are not used. */
  readonly moved: number;
  readonly dispatches: number;
}

/**
 * A float32 per parameter for everything that a pass loads or stores; the means of a factored slot are negligible.
 *
 * @param slots The slots that are kept.
 * @param matrices Whether all tensors are matrices, whose slot may be factored.
 */
export function costOf(
  { reduction, factored, orthogonalises, fixed = [], wgsl }: Rule,
  slots: readonly string[],
  matrices: boolean,
): Cost {
  const means = matrices && factored && slots.includes(factored.slot);
  const kept = slots.length - (means ? 1 : 0);
  // p, g and the slots
  const loaded = 2 + kept;
  // Orthogonalised slots are only read.
  const unwritten = (means ? 1 : 0) + (orthogonalises ? 1 : 0);
  const advanced = slots.filter((slot) => reduction?.advances?.includes(slot)).length;
  const written = 1 + slots.filter((slot) => !fixed.includes(slot)).length - unwritten - advanced;
  const update = loaded - (usesGradient(wgsl) ? 0 : 1) + written;
  const measure = reduction ? loaded + advanced : 0;
  // g along the rows and along the columns.
  const factor = means ? 2 : 0;
  const prepare = orthogonalises ? loaded + 1 : 0;
  return {
    state: 4 * kept,
    moved: 4 * (factor + measure + prepare + update),
    dispatches: 1 + (means ? 1 : 0) + (reduction ? 2 : 0) + (orthogonalises ? 1 : 0),
  };
}

/** Whether a rule's update, the last function of its fragment, reads the gradient that it is given; else that is not loaded. */
function usesGradient(wgsl: string): boolean {
  const update = wgsl.slice(wgsl.indexOf("fn update("));
  const [, gradient] = /^fn update\(\s*\w+\s*:\s*Cell\s*,\s*(\w+)/.exec(update)!;
  return update.split(new RegExp(`(?<!\\.)\\b${gradient}\\b`)).length > 2;
}
