// Every modifier, in the order in which they apply: accumulation, skipping, changes of the gradient, changes of the update,
// averages of the parameters, reports.

import type { Aliases } from "../base/names.ts";
import { accumulate, accumulateNotes } from "./accumulate.ts";
import { cautious, cautiousNotes } from "./cautious.ts";
import { cautiousDecay, cautiousDecayNotes } from "./cautious_decay.ts";
import { centralize, centralizeNotes } from "./centralize.ts";
import { clipAdaptive, clipAdaptiveNotes } from "./clip_adaptive.ts";
import { clipGlobalNorm, clipGlobalNormNotes } from "./clip_global_norm.ts";
import { clipGroupNorm, clipGroupNormNotes } from "./clip_group_norm.ts";
import { clipValue, clipValueNotes } from "./clip_value.ts";
import { ema, emaNotes } from "./ema.ts";
import { layerStats, layerStatsNotes } from "./layer_stats.ts";
import { lookahead, lookaheadNotes } from "./lookahead.ts";
import { lossScale, lossScaleNotes } from "./loss_scale.ts";
import type { Modifier, ModifierNotes } from "./modifier.ts";
import { skipNonFinite, skipNonFiniteNotes } from "./skip_non_finite.ts";
import { swa, swaNotes } from "./swa.ts";

/** Aliases of the types of clipping. */
export const clipAliases: Aliases = {
  norm: "globalNorm",
  l2norm: "globalNorm",
  clipnorm: "globalNorm",
  agc: "adaptive",
};

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

/** Their entries in docs/rules.md, in order; separate values, so that a bundle leaves them out. */
export const modifierNotes: readonly ModifierNotes[] = [
  accumulateNotes,
  lossScaleNotes,
  clipGlobalNormNotes,
  clipGroupNormNotes,
  clipValueNotes,
  clipAdaptiveNotes,
  skipNonFiniteNotes,
  centralizeNotes,
  cautiousNotes,
  cautiousDecayNotes,
  lookaheadNotes,
  emaNotes,
  swaNotes,
  layerStatsNotes,
];
