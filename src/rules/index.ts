// The registry of rules, and the function forms: sugar over the JSON config that the engine reads.

import type { CommonOptions, Rule } from "../rule.ts";
import type { Scheduled } from "../schedule.ts";
import { type AdamOptions, adamRule, adamwRule } from "./adam.ts";
import { type SgdOptions, sgdRule } from "./sgd.ts";

/** Every rule that a config may name. Tests run their laws over this list. */
export const rules: readonly Rule[] = [sgdRule, adamRule, adamwRule];

/** Stochastic gradient descent with momentum, as torch.optim.SGD. */
export function sgd(options: SgdOptions = {}): SgdOptions & { rule: "sgd" } {
  return { rule: "sgd", ...options };
}

/** Adam with L2 decay, as torch.optim.Adam. */
export function adam(options: AdamOptions = {}): AdamOptions & { rule: "adam" } {
  return { rule: "adam", ...options };
}

/** Adam with decoupled weight decay, as torch.optim.AdamW. */
export function adamw(options: AdamOptions = {}): AdamOptions & { rule: "adamw" } {
  return { rule: "adamw", ...options };
}

/** A rule that is not in the registry, with its options by name. */
export interface CustomRuleConfig extends CommonOptions<Readonly<Record<string, Scheduled | readonly string[]>>> {
  readonly rule: Rule;
  readonly [option: string]: unknown;
}

/** An optimizer as plain JSON: the rule's name, its options, and what stands around the rule. */
export type OptimizerConfig =
  | ReturnType<typeof sgd>
  | ReturnType<typeof adam>
  | ReturnType<typeof adamw>
  | CustomRuleConfig;
