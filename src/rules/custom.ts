// Custom rules: their definitions are checked before they become rules.

import { OptionError, refusal, show } from "../base/errors.ts";
import { isOptions, readRecord } from "../base/options.ts";
import { boundsSnippet, signsSnippet } from "../engines/stages/snippets.ts";
import { Carried } from "../optimizer/carried.ts";
import { evaluationValues } from "../optimizer/evaluation.ts";
import { fallbacks } from "../optimizer/fallback.ts";
import { defaultsOf, type Rule, ruleFrom } from "./rule.ts";

/** Names that the optimizer uses itself: of values of an element or a tensor, of columns, and of options. */
const reserved = {
  values: ["p", "step", "decay", "ema", "swa", "lookahead", "params", "gradients", "evaluation", "accumulated"],
  columns: [
    ...["gradientScale", "first", "frozen"],
    ...["ema", "swa", "lookahead", "clipValue", "clipping", "leastNorm"],
  ],
  options: [
    ...["rule", "type", "groups", "params", "lrScale", "frozen", "fallback", "replicas", "maximize", "modifiers"],
    ...["clip", "skipNonFinite", "lossScale", "accumulate", "cautious", "cautiousDecay", "centralize", "watch"],
    ...["ema", "swa", "lookahead", ...Object.getOwnPropertyNames(Object.prototype)],
  ],
};

/**
 * A rule from its definition: a function that makes the rule's config, which carries the definition. In JSON it is its
 * name.
 *
 * @throws OptionError for a definition that lacks a field, names that the optimizer uses itself or that occur twice, starts of
 * unknown slots or that are neither numbers nor columns, fixed slots without a start, slots with one that `measure` advances, and
 * columns and carried values that are not numbers under the defaults; the function, for arguments of any other kind than it
 * takes. WGSL is checked when it is compiled.
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
  if (typeof name !== "string" || name === "" || typeof wgsl !== "string" || needed.includes(false) || !functions) {
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
    throw refusal(`${field}.stage of the rule ${name}`, Object(its).stage, "a stage, such as reductionStage");
  }
  for (const [hyper, its] of Object.entries(hypers)) {
    if (isOptions(its) && typeof its.default === "number" && isOptions(its.range)) continue;
    throw new OptionError(`the hyper "${hyper}" of the rule ${name} is ${show(its)}; it must be { default, range }`);
  }
  const options = [...Object.keys(hypers), ...Object.keys(flags)];
  mustBeNames(name, "an option", options, reserved.options);
  const scalars = Object.keys(Object(reduction?.scalars));
  mustBeNames(name, "a slot", slots, reserved.values);
  mustBeNames(name, "a scalar", scalars, reserved.values);
  mustBeNames(name, "a slot or scalar", [...slots, ...scalars], []);
  mustBeNames(name, "a sum", [...(reduction?.sums ?? [])], ["count"]);
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
  const begun = carry?.start(defaults) ?? {};
  if (carry) {
    mustBeNumbers(name, "carry", begun, carry.names);
    mustBeNumbers(
      name,
      "carry",
      carry.next(begun, defaults, 1, () => defaults),
      carry.names,
    );
  }
  const filled = row(defaults, 1, begun, flags, () => defaults);
  mustBeNumbers(name, "row", filled);
  const columns = Object.keys(filled);
  mustBeNames(name, "a column", columns, reserved.columns);
  for (const [slot, start] of Object.entries(Object(definition.starts))) {
    const isKnown = start === "p" || columns.includes(start as string) || Number.isFinite(start);
    if (slots.includes(slot) && isKnown) continue;
    throw new OptionError(
      `starts of the rule ${name} has ${show(start)} for "${slot}"; it must have a number, "p" or a column for slots`,
    );
  }
}

/** @throws OptionError for names that are reserved, and for one that occurs twice. */
function mustBeNames(rule: string, what: string, names: readonly string[], taken: readonly string[]): void {
  names.forEach((each, i) => {
    if (taken.includes(each)) {
      throw new OptionError(`the rule ${rule} has ${what} "${each}", a name that the optimizer reserves`);
    }
    if (names.indexOf(each) < i) {
      throw new OptionError(`the rule ${rule} has ${what} "${each}" twice; names must differ`);
    }
  });
}

/** @param names Those that there must be, if others would be missed. */
function mustBeNumbers(rule: string, what: "row" | "carry", given: object, names?: readonly string[]): void {
  const values = readRecord(`the ${what} of the rule ${rule}`, given as Record<string, unknown>, "numbers");
  const wrong = (names ?? Object.keys(values)).find((each) => typeof values[each] !== "number");
  if (wrong === undefined) return;
  const part = what === "row" ? "column" : "value";
  throw new OptionError(
    `the ${what} of the rule ${rule} is ${show(values[wrong])} in its ${part} "${wrong}"; it must be a number`,
  );
}
