// The registry of rules by name, for configs in JSON, the laws and the documentation.

import type { Aliases } from "../base/names.ts";
import { adabelief } from "./adabelief.ts";
import { adadelta } from "./adadelta.ts";
import { adafactor } from "./adafactor.ts";
import { adagrad } from "./adagrad.ts";
import { adam, adamw } from "./adam.ts";
import { adamax } from "./adamax.ts";
import { adan } from "./adan.ts";
import { ademamix } from "./ademamix.ts";
import { adopt } from "./adopt.ts";
import { asgd } from "./asgd.ts";
import { dadaptAdam } from "./dadapt_adam.ts";
import { dog } from "./dog.ts";
import { hypergradientAdam } from "./hypergradient_adam.ts";
import { hypergradientSgd } from "./hypergradient_sgd.ts";
import { lamb } from "./lamb.ts";
import { lars } from "./lars.ts";
import { lion } from "./lion.ts";
import { madgrad } from "./madgrad.ts";
import { muon } from "./muon.ts";
import { nadam } from "./nadam.ts";
import { novograd } from "./novograd.ts";
import { prodigy } from "./prodigy.ts";
import { radam } from "./radam.ts";
import { rmsprop } from "./rmsprop.ts";
import { rprop } from "./rprop.ts";
import type { Rule } from "./rule.ts";
import { scheduleFreeAdamw, scheduleFreeSgd } from "./schedule_free.ts";
import { sgd } from "./sgd.ts";
import { signum } from "./signum.ts";
import { yogi } from "./yogi.ts";

/** Aliases of rules. */
export const ruleWords: Aliases = {
  gd: "sgd",
  gradientdescent: "sgd",
  stochasticgradientdescent: "sgd",
  adamdecoupled: "adamw",
  decoupledadam: "adamw",
  schedulefree: "scheduleFreeAdamw",
  adamwschedulefree: "scheduleFreeAdamw",
  sgdschedulefree: "scheduleFreeSgd",
  dadapt: "dadaptAdam",
  dadaptation: "dadaptAdam",
  distanceovergradients: "dog",
};

/** Rules elsewhere that are options of a rule here, by folded word. */
export const ruleHints: Aliases = {
  momentum: "sgd with momentum",
  sgdm: "sgd with momentum",
  heavyball: "sgd with momentum",
  nesterov: "sgd with momentum and nesterov",
  nag: "sgd with momentum and nesterov",
  amsgrad: "adam with amsgrad",
  signsgd: "signum with momentum 0",
  lbfgs: "handover in a run, or lbfgs()",
};

/** Every rule that a config may name. Tests run their laws over this list. */
export const rules: readonly Rule[] = [
  sgd,
  adam,
  adamw,
  adamax,
  nadam,
  radam,
  adagrad,
  adadelta,
  rmsprop,
  rprop,
  asgd,
  lion,
  signum,
  adabelief,
  yogi,
  adan,
  ademamix,
  adopt,
  madgrad,
  scheduleFreeSgd,
  scheduleFreeAdamw,
  lamb,
  lars,
  novograd,
  adafactor,
  muon,
  prodigy,
  dadaptAdam,
  dog,
  hypergradientSgd,
  hypergradientAdam,
];
