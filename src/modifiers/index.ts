// Every modifier, in the order in which they come into effect: how many gradients make an update, what is skipped, what
// changes the gradient, what changes the update, averages of the parameters, what is reported.

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

/** What docs/rules.md says of them, in their order; beside the values, so that a bundle has none of it. */
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
