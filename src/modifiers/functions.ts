// `modifiers.*`: the function of every modifier.
export { accumulate } from "./accumulate.ts";
export { cautious } from "./cautious.ts";
export { cautiousDecay } from "./cautious_decay.ts";
export { centralize } from "./centralize.ts";
export { clipAdaptive } from "./clip_adaptive.ts";
export { clipGlobalNorm } from "./clip_global_norm.ts";
export { clipGroupNorm } from "./clip_group_norm.ts";
export { clipValue } from "./clip_value.ts";
export { ema } from "./ema.ts";
export { layerStats } from "./layer_stats.ts";
export { lookahead } from "./lookahead.ts";
export { lossScale } from "./loss_scale.ts";
export { skipNonFinite } from "./skip_non_finite.ts";
export { swa } from "./swa.ts";
