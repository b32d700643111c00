// Reading configs from JSON: names of rules become the rules. The only module that brings the registries along.
import { OptionError, show } from "./errors.ts";
import { isRule, type Rule } from "./rule.ts";
import { rules } from "./rules/index.ts";

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
