// Reading an optimizer's config from JSON: names of rules, schedules and modifiers become values. The only module that brings the
// registries of rules and modifiers along.

import { OptionError, refusal, showGiven } from "../base/errors.ts";
import { folded, meant } from "../base/names.ts";
import { isOptions } from "../base/options.ts";
import { safePattern } from "../base/pattern.ts";
import { didYouMean, readFields } from "../base/words.ts";
import { clipAliases, modifiers } from "../modifiers/index.ts";
import { type Modifier, type ModifierConfig, modifierConfig, withJson } from "../modifiers/modifier.ts";
import { ruleHints, rules, ruleWords } from "../rules/index.ts";
import { isRule, type Rule } from "../rules/rule.ts";
import { readSchedule } from "../schedules/read_schedule.ts";
import type { OptimizerConfig } from "./config.ts";
import { planOptions } from "./plan.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * A rule from its name (case, dashes and underscores do not matter) or the rule itself.
 *
 * @throws OptionError for anything else.
 */
export function readRule(owner: string, value: unknown): Rule {
  if (isRule(value)) return value;
  const names = rules.map(({ name }) => name);
  const rule = rules.find(({ name }) => name === meant(value, names, ruleWords));
  if (rule) return rule;
  const hint =
    typeof value === "string" && Object.hasOwn(ruleHints, folded(value)) ? ruleHints[folded(value)] : undefined;
  throw refusal(owner, value, `one of ${names.join(", ")}${didYouMean(value, names, hint)}`);
}

/**
 * An optimizer's config, from JSON: `{ "rule": "adamw", "lr": 0.001 }` becomes what `adamw(0.001)` returns, with schedules,
 * groups, fallbacks and replicas; `"ema": { "decay": 0.99 }` becomes `modifiers: [ema({ decay: 0.99 })]`. Values that already are
 * rules or modifiers stay; the other options are checked when an optimizer is made.
 *
 * @throws OptionError for unknown names of rules, schedules and clippings.
 */
export function readConfig(json: unknown): OptimizerConfig {
  const fields: Fields = isOptions(json) ? json : {};
  const rule = readRule("rule", fields.rule);
  const owner = rule.name;
  const listed = Array.isArray(fields.groups) ? (fields.groups as readonly unknown[]) : [];
  // Every rule whose hypers an entry may name.
  const mentioned = new Set([rule]);
  const ruleOf = (where: string, value: unknown) => {
    if (!isOptions(value) || value.rule === undefined) return;
    mentioned.add(readRule(`${where}.rule`, value.rule));
  };
  const fallbackOf = (where: string, value: unknown) => {
    if (isOptions(value)) mentioned.add(readRule(`${where}.fallback.rule`, value.rule));
  };
  fallbackOf(owner, fields.fallback);
  for (const [i, group] of listed.entries()) {
    ruleOf(`${owner}.groups[${i}]`, group);
    if (isOptions(group)) fallbackOf(owner, group.fallback);
  }
  const hypers = new Set([...mentioned].flatMap((each) => Object.keys(each.hypers)));
  /** One object of hypers, and everything inside it. */
  const read = (where: string, value: unknown): unknown => {
    if (!isOptions(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inside]) => {
        const path = `${where}.${key}`;
        if (key === "params") return [key, readParams(path, inside)];
        if (key === "rule") return [key, inside === undefined ? inside : readRule(path, inside)];
        if (key === "fallback") return [key, read(path, inside)];
        if (key === "groups" || key === "replicas") {
          return [key, Array.isArray(inside) ? inside.map((entry, i) => read(`${path}[${i}]`, entry)) : inside];
        }
        if (key === "ema" && isOptions(inside) && inside.decay !== undefined) {
          return [key, { ...inside, decay: readSchedule(inside.decay, `${path}.decay`) }];
        }
        return [key, hypers.has(key) ? readSchedule(inside, path) : inside];
      }),
    );
  };
  const config = { ...(read(owner, json) as Record<string, unknown>) };
  const its = takeModifiers(owner, config);
  // Here, where the keys of modifiers are known, so that errors can name them too.
  readFields(`rule ${owner}`, config, [...planOptions(rule), ...modifiers.map(({ key }) => key)]);
  const given = config.modifiers === undefined ? [] : config.modifiers;
  if (its.length > 0) config.modifiers = Array.isArray(given) ? [...given.map(named), ...its] : given;
  else if (Array.isArray(given) && given.length > 0) config.modifiers = given.map(named);
  return withJson(config) as OptimizerConfig;
}

/** A group's tensors. A config from elsewhere may hold an expression on which JavaScript's own matcher would hang. */
function readParams(path: string, value: unknown): unknown {
  return Array.isArray(value) ? value.map((entry) => safePattern(path, entry)) : safePattern(path, value);
}

/** A modifier of a list, whose `modifier` may be a name. */
function named(entry: unknown): unknown {
  const found = isOptions(entry) ? modifiers.find(({ name }) => name === entry.modifier) : undefined;
  return found ? { ...(entry as object), modifier: found } : entry;
}

/** Takes the modifiers out of a config's JSON keys, as values. */
function takeModifiers(owner: string, config: Record<string, unknown>): readonly ModifierConfig[] {
  return [...new Set(modifiers.map(({ key }) => key))].flatMap((key) => {
    const value = config[key];
    delete config[key];
    const modifier = value === undefined ? undefined : ofKey(key, value);
    if (!modifier) return [];
    // Options are checked where an optimizer is made; here only those that are no object.
    const owned = modifier.argument === undefined && !isOptions(value);
    if (owned) modifier.activate(key === "clip" ? key : `${owner}.${key}`, value);
    return owned ? [] : [modifierConfig(modifier, value)];
  });
}

/** The modifier of a key; among several, the one of the value's type. */
function ofKey(key: string, value: unknown): Modifier | undefined {
  const its = modifiers.filter((modifier) => modifier.key === key);
  if (its[0]!.type === undefined) return its[0];
  if (value === null) return undefined;
  if (typeof value !== "object") {
    throw refusal("clip", value, 'an object such as { type: "globalNorm", maxNorm: 1 }');
  }
  const { type } = value as { readonly type?: unknown };
  const types = its.map((modifier) => modifier.type!);
  const found = its.find((modifier) => modifier.type === meant(type, types, clipAliases));
  if (found) return found;
  throw new OptionError(
    `clip.type is ${showGiven(type)}, which is not a known clipping; the known ones are ${types.join(", ")}${didYouMean(type, types)}`,
  );
}
