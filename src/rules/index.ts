// The registry of rules, and what a config is.

import type { CommonOptions } from "../around.ts";
import type { Rule } from "../rule.ts";
import type { Scheduled } from "../schedule.ts";
import { type AdabeliefOptions, adabeliefRule } from "./adabelief.ts";
import { type AdadeltaOptions, adadeltaRule } from "./adadelta.ts";
import { type AdafactorOptions, adafactorRule } from "./adafactor.ts";
import { type AdagradOptions, adagradRule } from "./adagrad.ts";
import { type AdamOptions, adamRule, adamwRule } from "./adam.ts";
import { type AdamaxOptions, adamaxRule } from "./adamax.ts";
import { type AdanOptions, adanRule } from "./adan.ts";
import { type AdemamixOptions, ademamixRule } from "./ademamix.ts";
import { type AdoptOptions, adoptRule } from "./adopt.ts";
import { type AsgdOptions, asgdRule } from "./asgd.ts";
import { type DadaptAdamOptions, dadaptAdamRule } from "./dadapt_adam.ts";
import { type DogOptions, dogRule } from "./dog.ts";
import { type HypergradientAdamOptions, hypergradientAdamRule } from "./hypergradient_adam.ts";
import { type HypergradientSgdOptions, hypergradientSgdRule } from "./hypergradient_sgd.ts";
import { type LambOptions, lambRule } from "./lamb.ts";
import { type LarsOptions, larsRule } from "./lars.ts";
import { type LionOptions, lionRule } from "./lion.ts";
import { type MadgradOptions, madgradRule } from "./madgrad.ts";
import { type MuonOptions, muonRule } from "./muon.ts";
import { type NadamOptions, nadamRule } from "./nadam.ts";
import { type NovogradOptions, novogradRule } from "./novograd.ts";
import { type ProdigyOptions, prodigyRule } from "./prodigy.ts";
import { type RadamOptions, radamRule } from "./radam.ts";
import { type RmspropOptions, rmspropRule } from "./rmsprop.ts";
import { type RpropOptions, rpropRule } from "./rprop.ts";
import {
  type ScheduleFreeAdamwOptions,
  type ScheduleFreeSgdOptions,
  scheduleFreeAdamwRule,
  scheduleFreeSgdRule,
} from "./schedule_free.ts";
import { type SgdOptions, sgdRule } from "./sgd.ts";
import { type SignumOptions, signumRule } from "./signum.ts";
import { type YogiOptions, yogiRule } from "./yogi.ts";

/** Every rule that a config may name. Tests run their laws over this list. */
export const rules: readonly Rule[] = [
  sgdRule,
  adamRule,
  adamwRule,
  adamaxRule,
  nadamRule,
  radamRule,
  adagradRule,
  adadeltaRule,
  rmspropRule,
  rpropRule,
  asgdRule,
  lionRule,
  signumRule,
  adabeliefRule,
  yogiRule,
  adanRule,
  ademamixRule,
  adoptRule,
  madgradRule,
  scheduleFreeSgdRule,
  scheduleFreeAdamwRule,
  lambRule,
  larsRule,
  novogradRule,
  adafactorRule,
  muonRule,
  prodigyRule,
  dadaptAdamRule,
  dogRule,
  hypergradientSgdRule,
  hypergradientAdamRule,
];

/** A rule that is not in the registry, with its options by name. */
export interface CustomRuleConfig extends CommonOptions<Readonly<Record<string, Scheduled>>> {
  readonly rule: Rule;
  readonly [option: string]: unknown;
}

/** The options of each rule, by its name. */
export interface RuleOptions {
  sgd: SgdOptions;
  adam: AdamOptions;
  adamw: AdamOptions;
  adamax: AdamaxOptions;
  nadam: NadamOptions;
  radam: RadamOptions;
  adagrad: AdagradOptions;
  adadelta: AdadeltaOptions;
  rmsprop: RmspropOptions;
  rprop: RpropOptions;
  asgd: AsgdOptions;
  lion: LionOptions;
  signum: SignumOptions;
  adabelief: AdabeliefOptions;
  yogi: YogiOptions;
  adan: AdanOptions;
  ademamix: AdemamixOptions;
  adopt: AdoptOptions;
  madgrad: MadgradOptions;
  scheduleFreeSgd: ScheduleFreeSgdOptions;
  scheduleFreeAdamw: ScheduleFreeAdamwOptions;
  lamb: LambOptions;
  lars: LarsOptions;
  novograd: NovogradOptions;
  adafactor: AdafactorOptions;
  muon: MuonOptions;
  prodigy: ProdigyOptions;
  dadaptAdam: DadaptAdamOptions;
  dog: DogOptions;
  hypergradientSgd: HypergradientSgdOptions;
  hypergradientAdam: HypergradientAdamOptions;
}

/** An optimizer as plain JSON: the rule's name, its options, and what stands around the rule. */
export type OptimizerConfig =
  | { [Name in keyof RuleOptions]: RuleOptions[Name] & { readonly rule: Name } }[keyof RuleOptions]
  | CustomRuleConfig;
