// The registry of schedules by name, for configs in JSON, the command line and the documentation.

import type { Aliases } from "../base/names.ts";
import { batchGrowth } from "./batch_growth.ts";
import { batchScaled } from "./batch_scaled.ts";
import { constant } from "./constant.ts";
import { cosine } from "./cosine.ts";
import { cosineRestarts } from "./cosine_restarts.ts";
import { curvature } from "./curvature.ts";
import { cyclic } from "./cyclic.ts";
import { exponential } from "./exponential.ts";
import { inverseSqrt } from "./inverse_sqrt.ts";
import { inverseTime } from "./inverse_time.ts";
import { linear } from "./linear.ts";
import { multiStep } from "./multi_step.ts";
import { oneCycle } from "./one_cycle.ts";
import { piecewise } from "./piecewise.ts";
import { plateau } from "./plateau.ts";
import { polynomial } from "./polynomial.ts";
import { product } from "./product.ts";
import { scale } from "./scale.ts";
import type { ScheduleDefinition } from "./schedule.ts";
import { sequential } from "./sequential.ts";
import { step } from "./step.ts";
import { stochastic } from "./stochastic.ts";
import { tanh } from "./tanh.ts";
import { warmupStableDecay } from "./warmup_stable_decay.ts";

/** Other words for schedules, most of them torch's. */
export const scheduleAliases: Aliases = {
  steplr: "step",
  stepdecay: "step",
  multisteplr: "multiStep",
  exponentiallr: "exponential",
  exponentialdecay: "exponential",
  polynomiallr: "polynomial",
  polynomialdecay: "polynomial",
  poly: "polynomial",
  linearlr: "linear",
  lineardecay: "linear",
  cosineannealing: "cosine",
  cosineannealinglr: "cosine",
  cosinedecay: "cosine",
  cosineannealingwarmrestarts: "cosineRestarts",
  cosinewarmrestarts: "cosineRestarts",
  warmrestarts: "cosineRestarts",
  sgdr: "cosineRestarts",
  cycliclr: "cyclic",
  onecyclelr: "oneCycle",
  inversesquareroot: "inverseSqrt",
  reducelronplateau: "plateau",
  reduceonplateau: "plateau",
  sequentiallr: "sequential",
  wsd: "warmupStableDecay",
  trapezoidal: "warmupStableDecay",
};

/** In the order of docs/schedules.md. */
export const scheduleDefinitions: readonly ScheduleDefinition[] = [
  constant,
  step,
  multiStep,
  exponential,
  polynomial,
  linear,
  cosine,
  cosineRestarts,
  cyclic,
  oneCycle,
  inverseTime,
  inverseSqrt,
  tanh,
  warmupStableDecay,
  piecewise,
  plateau,
  curvature,
  sequential,
  product,
  scale,
  stochastic,
  batchScaled,
  batchGrowth,
];

/** The types of schedule that a config may name. */
export const scheduleTypes: readonly string[] = scheduleDefinitions.map((definition) => definition.type);
