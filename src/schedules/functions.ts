// `schedules.*`: the function of every schedule, and `create`, which makes a schedule from its config.

export type { Defaulted, Option, OptionsOf } from "../base/options.ts";
export { batchGrowth } from "./batch_growth.ts";
export { batchScaled } from "./batch_scaled.ts";
export { constant } from "./constant.ts";
export { cosine } from "./cosine.ts";
export { cosineRestarts } from "./cosine_restarts.ts";
export { curvature } from "./curvature.ts";
export { cyclic } from "./cyclic.ts";
export type { NestedOption, ScheduleFunctionOf } from "./define.ts";
export { exponential } from "./exponential.ts";
export { inverseSqrt } from "./inverse_sqrt.ts";
export { inverseTime } from "./inverse_time.ts";
export { linear } from "./linear.ts";
export { multiStep } from "./multi_step.ts";
export { type OneCycleMomentumOptions, oneCycle, oneCycleMomentum } from "./one_cycle.ts";
export { piecewise } from "./piecewise.ts";
export { plateau } from "./plateau.ts";
export { polynomial } from "./polynomial.ts";
export { product } from "./product.ts";
export { scale } from "./scale.ts";
export { createSchedule as create } from "./schedule.ts";
export { sequential } from "./sequential.ts";
export { halveEvery, step } from "./step.ts";
export { stochastic } from "./stochastic.ts";
export { tanh } from "./tanh.ts";
export { warmupStableDecay } from "./warmup_stable_decay.ts";
