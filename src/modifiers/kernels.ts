// The kernels of the modifiers that a plan has, in the order in which they come into effect: what clips the gradient, what is
// done with the rule's update, averages of the parameters, what is reported.
import type { Plan } from "../plan.ts";
import type { ModifierKernel } from "../stages/stage.ts";
import { cautiousKernel } from "./cautious.ts";
import { clipAdaptiveKernel } from "./clip_adaptive.ts";
import { clipValueKernel } from "./clip_value.ts";
import { emaKernel } from "./ema.ts";
import { layerStatsKernel } from "./layer_stats.ts";
import { lookaheadKernel } from "./lookahead.ts";
import { swaKernel } from "./swa.ts";

export function modifierKernels({ clip, cautious, averages, watch }: Plan): readonly ModifierKernel[] {
  return [
    ...(clip?.type === "value" ? [clipValueKernel] : []),
    ...(clip?.type === "adaptive" ? [clipAdaptiveKernel] : []),
    ...(cautious ? [cautiousKernel] : []),
    ...(averages.lookahead ? [lookaheadKernel] : []),
    ...(averages.ema ? [emaKernel] : []),
    ...(averages.swa ? [swaKernel] : []),
    ...(watch ? [layerStatsKernel] : []),
  ];
}
