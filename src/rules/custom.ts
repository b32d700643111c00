// Custom rules: their definitions are checked before they become rules.

import { OptionError, show } from "../base/errors.ts";
import { isOptions, readRecord } from "../base/options.ts";
import { boundsSnippet, signsSnippet } from "../engines/stages/snippets.ts";
import { Carried } from "../optimizer/carried.ts";
import { evaluationValues } from "../optimizer/evaluation.ts";
import { fallbacks } from "../optimizer/fallback.ts";
import { defaultsOf, type Rule, ruleFrom } from "./rule.ts";

/** Names that the optimizer uses itself. */
const reserved = ["p", "step", "decay", "ema", "swa", "lookahead", "params", "gradients", "evaluation", "accumulated"];

/**
 * A rule from its definition: a function that makes the rule's config, which carries the definition. In JSON it is its
 * name.
 *
 * @throws OptionError for a definition that lacks a field, slots and scalars with names that the optimizer uses itself, fixed
 * slots without a start, slots with one that `measure` advances, and columns that are not numbers under the defaults; the
 * function, for arguments of any other kind than it takes. WGSL is checked when it is compiled.
 */
export const defineRule: typeof ruleFrom = (definition) => {
  checkDefinition(definition as unknown as Rule);
  const { only, evaluation, carry } = definition;
  return ruleFrom({
    ...definition,
    helpers: [signsSnippet, boundsSnippet],
    ...(only ? { only: { ...only, fallbacks } } : {}),
    ...(evaluation ? { evaluationValues } : {}),
    ...(carry ? { carry: { ...carry, kept: Carried } } : {}),
  });
};

function checkDefinition(definition: Rule): void {
  const { name, hypers, flags, slots, row, wgsl, update, carry, reduction } = (definition ?? {}) as Rule;
  const needed = [isOptions(hypers) && isOptions(hypers.lr), isOptions(flags), Array.isArray(slots)];
  const functions = typeof row === "function" && typeof update === "function";
  if (typeof name !== "string" || typeof wgsl !== "string" || needed.includes(false) || !functions) {
    throw new OptionError(
      `defineRule was given ${show(definition)}; it must have name, hypers with lr, flags, slots, row, wgsl and update`,
    );
  }
  if (carry !== undefined && typeof carry?.start !== "function") {
    throw new OptionError(`the carry of the rule ${name} is ${show(carry)}; it must have names, start and next`);
  }
  for (const field of ["reduction", "factored", "orthogonalises"] as const) {
    const its = definition[field];
    if (its === undefined || isOptions(its?.stage)) continue;
    throw new OptionError(
      `${field}.stage of the rule ${name} is ${show(Object(its).stage)}; it must be a stage, such as reductionStage`,
    );
  }
  for (const [what, names] of [
    ["slot", slots],
    ["scalar", Object.keys(Object(reduction?.scalars))],
  ] as const) {
    const taken = names.find((each) => reserved.includes(each));
    if (!taken) continue;
    throw new OptionError(`the rule ${name} has a ${what} "${taken}", a name that the optimizer reserves`);
  }
  for (const [field, named, started, which] of [
    ["fixed", definition.fixed, true, "have an entry in starts"],
    ["reduction.advances", reduction?.advances, false, "start with 0"],
  ] as const) {
    const unfit = named?.find((slot) => !slots.includes(slot) || (definition.starts?.[slot] !== undefined) !== started);
    if (unfit === undefined) continue;
    throw new OptionError(`${field} of the rule ${name} has ${show(unfit)}; it must name slots that ${which}`);
  }
  for (const slot of [definition.factored?.slot, definition.orthogonalises?.slot]) {
    const format = slot === undefined ? undefined : definition.formats?.[slot];
    if (!format?.encode) continue;
    throw new OptionError(
      `rule "${name}" stores slot "${slot}" as ${format.name}; factored and orthogonal slots must be float32`,
    );
  }
  const defaults = defaultsOf(hypers);
  const filled = readRecord(
    `the row of the rule ${name}`,
    row(defaults, 1, carry?.start(defaults) ?? {}, flags, () => defaults),
    "numbers",
  );
  const missing = Object.keys(filled).find((column) => typeof filled[column] !== "number");
  if (missing !== undefined) {
    throw new OptionError(
      `the row of the rule ${name} is ${show(filled[missing])} in its column "${missing}"; it must be a number`,
    );
  }
}
