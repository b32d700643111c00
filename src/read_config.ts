// Reading an optimizer's config from JSON: the names of rules and schedules become the values. The only module that brings
// the registry of rules along.
import type { OptimizerConfig } from "./config.ts";
import { OptionError, show } from "./errors.ts";
import { isOptions } from "./options.ts";
import { readSchedule } from "./read_schedule.ts";
import { isRule, type Rule } from "./rule.ts";
import { rules } from "./rules/index.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * A rule by its name, or the rule itself.
 *
 * @throws OptionError for what is neither.
 */
export function readRule(owner: string, value: unknown): Rule {
  if (isRule(value)) return value;
  const rule = rules.find(({ name }) => name === value);
  if (rule) return rule;
  const known = rules.map(({ name }) => name).join(", ");
  throw new OptionError(`${owner} is ${value === undefined ? "missing" : show(value)}; it must be one of ${known}`);
}

/**
 * An optimizer's config, from JSON: `{ "rule": "adamw", "lr": 0.001 }` becomes what `adamw(0.001)` returns, with schedules,
 * groups, fallbacks and replicas. Values that are there already stay; options are checked where an optimizer is made.
 *
 * @throws OptionError for unknown names of rules and schedules.
 */
export function readConfig(json: unknown): OptimizerConfig {
  const fields: Fields = isOptions(json) ? json : {};
  const rule = readRule("rule", fields.rule);
  const owner = rule.name;
  const listed = Array.isArray(fields.groups) ? (fields.groups as readonly unknown[]) : [];
  // Every rule whose hypers an entry may name.
  const named = new Set([rule]);
  const ruleOf = (where: string, value: unknown) => {
    if (!isOptions(value) || value.rule === undefined) return;
    named.add(readRule(`${where}.rule`, value.rule));
  };
  const fallbackOf = (where: string, value: unknown) => {
    if (isOptions(value)) named.add(readRule(`${where}.fallback.rule`, value.rule));
  };
  fallbackOf(owner, fields.fallback);
  for (const [i, group] of listed.entries()) {
    ruleOf(`${owner}.groups[${i}]`, group);
    if (isOptions(group)) fallbackOf(owner, group.fallback);
  }
  const hypers = new Set([...named].flatMap((each) => Object.keys(each.hypers)));
  /** One object of hypers, with what lies in it. */
  const read = (where: string, value: unknown): unknown => {
    if (!isOptions(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inside]) => {
        const path = `${where}.${key}`;
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
  return read(owner, json) as OptimizerConfig;
}
