// The registry's rules by name, for titles of tests: Vitest finds no names in rules, which are functions.
import { rules } from "../src/rules/index.ts";

export const namedRules = rules.map((rule) => [rule.name, rule] as const);
