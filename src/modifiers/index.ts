// Every modifier, in the order in which they come into effect: how many gradients make an update, what is skipped, what
// changes the gradient, what changes the update, averages of the parameters, what is reported.

import { accumulate } from "./accumulate.ts";
import { cautious } from "./cautious.ts";
import { cautiousDecay } from "./cautious_decay.ts";
import { centralize } from "./centralize.ts";
import { clipAdaptive } from "./clip_adaptive.ts";
import { clipGlobalNorm } from "./clip_global_norm.ts";
import { clipGroupNorm } from "./clip_group_norm.ts";
import { clipValue } from "./clip_value.ts";
import { ema } from "./ema.ts";
import { layerStats } from "./layer_stats.ts";
import { lookahead } from "./lookahead.ts";
import { lossScale } from "./loss_scale.ts";
import type { Modifier } from "./modifier.ts";
import { skipNonFinite } from "./skip_non_finite.ts";
import { swa } from "./swa.ts";

export const modifiers: readonly Modifier[] = [
  accumulate,
  lossScale,
  clipGlobalNorm,
  clipGroupNorm,
  clipValue,
  clipAdaptive,
  skipNonFinite,
  centralize,
  cautious,
  cautiousDecay,
  lookahead,
  ema,
  swa,
  layerStats,
];
