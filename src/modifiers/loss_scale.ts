// Dynamic scaling of the loss, like torch's GradScaler.
import { OptionError } from "../base/errors.ts";
import { normStage } from "../engines/stages/norm.ts";
import {
  defineModifier,
  type LossScale,
  largestLossScale,
  type ModifierFunction,
  type ModifierNotes,
} from "./modifier.ts";
import { readNumbers } from "./read.ts";

/** The gradients are of a loss times a scale that the GPU adapts (`stats().lossScale`). The defaults are GradScaler's. */
export const lossScale = /* @__PURE__ */ defineModifier<
  LossScale,
  ModifierFunction<{
    /** The first scale; > 0, default 65,536. */
    readonly init?: number | undefined;
    /** Factor of the scale after `interval` updates in a row without a skip; >= 1, default 2. */
    readonly growth?: number | undefined;
    /** Factor of the scale when a gradient is not finite; in (0, 1), default 0.5. */
    readonly backoff?: number | undefined;
    /** Updates without a skip after which the scale grows; whole, >= 1, default 2,000. */
    readonly interval?: number | undefined;
    /** A scale that would fall below this is an underflow, which stops the replica; > 0, default 1. */
    readonly min?: number | undefined;
  }>
>({
  name: "lossScale",
  key: "lossScale",
  order: 10,
  read(owner, value) {
    const read = readNumbers(owner, value, {
      init: [65_536, { above: 0, max: largestLossScale }],
      growth: [2, { min: 1 }],
      backoff: [0.5, { above: 0, below: 1 }],
      interval: [2000, { min: 1, max: 2 ** 31, integer: true }],
      min: [1, { above: 0, max: largestLossScale }],
    });
    // Rounded as on the GPU.
    if (read) for (const field of Object.keys(read) as (keyof LossScale)[]) read[field] = Math.fround(read[field]);
    if (read && read.init < read.min) {
      throw new OptionError(`${owner}.init is ${read.init}; it must be >= ${owner}.min, which is ${read.min}`);
    }
    return read;
  },
  conflict: (_, { skips }) =>
    skips ? undefined : "skipNonFinite is false; with lossScale, which relies on skips, it must be true",
  effects: (settings) => ({
    lossScale: {
      ...settings,
      underflow: (step, scale) =>
        `lossScale underflowed after step ${step}: gradients were not finite at a scale of ${scale}, and a lower one would be below its min, ${settings.min}`,
    },
    skips: true,
    step: normStage,
  }),
});

/** Its entry in docs/rules.md. */
export const lossScaleNotes: ModifierNotes = {
  call: "lossScale({ init, growth, backoff, interval, min })",
  effect:
    'scales the loss as torch\'s GradScaler does, on the GPU: your kernel multiplies the loss by word `optimizer.controlIndex("lossScale")` of the control buffer',
  source: "torch.amp.GradScaler",
  costs: [{ option: "`lossScale`", examples: [{ lossScale: {} }], dispatches: 2, state: "0", moved: "4" }],
};
