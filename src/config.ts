// An optimizer's config: a rule, its options, and the options that every rule shares (groups, clipping, averages …). These
// are the types; src/plan.ts reads and checks them.
import type { ModifierConfig } from "./modifier.ts";
import type { Rule, RuleConfig } from "./rule.ts";
import type { Scheduled } from "./schedule.ts";

/** Clips by a norm over all tensors: g · min(1, maxNorm / (norm + 1e-6)), as torch's clip_grad_norm_. */
export interface GlobalNormClip {
  /** Clips by the norm over all tensors. */
  readonly type: "globalNorm";
  /** The largest norm that passes unchanged; > 0. */
  readonly maxNorm: number;
  /** 2 (Euclidean, the default), 1 (sum of magnitudes) or "inf" (largest magnitude). */
  readonly norm?: 1 | 2 | "inf" | undefined;
}

/** Clips each parameter group by its own norm. */
export interface GroupNormClip {
  /** Clips by the norm over each group. */
  readonly type: "groupNorm";
  /** The largest norm of a group that passes unchanged; > 0. */
  readonly maxNorm: number;
  /** 2 (Euclidean, the default), 1 (sum of magnitudes) or "inf" (largest magnitude). */
  readonly norm?: 1 | 2 | "inf" | undefined;
}

/** Clamps every element to [-maxValue, maxValue], as torch's clip_grad_value_. */
export interface ValueClip {
  /** Clamps each element. */
  readonly type: "value";
  /** > 0. */
  readonly maxValue: number;
}

/**
 * Clips each unit's gradient to a share of the unit's own norm (Brock et al. 2021), as optax.adaptive_grad_clip: a unit is
 * a column of a matrix `[in, out]`, a vector as a whole, an output channel (the last dimension) of a 4-dimensional kernel;
 * tensors of the layout "out-in" are refused.
 */
export interface AdaptiveClip {
  /** Clips each unit by its parameters' norm (Brock et al. 2021). */
  readonly type: "adaptive";
  /** The largest ‖gradient‖ / max(‖parameters‖, eps) of a unit that passes unchanged; > 0. */
  readonly clipping: number;
  /** What a unit's norm counts as at least; > 0, default 1e-3. */
  readonly eps?: number | undefined;
}

/** How gradients are clipped; by `type`. */
export type ClipConfig = GlobalNormClip | GroupNormClip | ValueClip | AdaptiveClip;

/** Dynamic scaling of the loss, as torch's GradScaler; the defaults are its. */
export interface LossScaleConfig {
  /** The first scale; > 0, default 65,536. */
  readonly init?: number | undefined;
  /** What the scale is multiplied by after `interval` updates in a row without a skip; >= 1, default 2. */
  readonly growth?: number | undefined;
  /** What it is multiplied by when a gradient is not finite; in (0, 1), default 0.5. */
  readonly backoff?: number | undefined;
  /** Updates; whole, >= 1, default 2,000. */
  readonly interval?: number | undefined;
  /** A scale that would fall below this is an underflow, which stops the replica; > 0, default 1. */
  readonly min?: number | undefined;
}

/** An exponential moving average of the parameters, readable as role `"ema"`. */
export interface EmaConfig {
  /** What is kept of the average in each update; in [0, 1), default 0.999. */
  readonly decay?: Scheduled | undefined;
  /** Whether update t (from 1) keeps at most t / (9 + t), so that early parameters do not linger; default true. */
  readonly warmup?: boolean | undefined;
}

/** Stochastic weight averaging (Izmailov et al. 2018): the plain mean of parameters, readable as role `"swa"`. */
export interface SwaConfig {
  /** Updates before the first that is averaged; whole, >= 0, default 0. */
  readonly start?: number | undefined;
  /** Updates from one averaged to the next; whole, >= 1, default 1. */
  readonly every?: number | undefined;
}

/** Lookahead (Zhang et al. 2019): each `every` updates the parameters return part of the way to where they were. */
export interface LookaheadConfig {
  /** Updates from one return to the next; whole, >= 1, default 5. */
  readonly every?: number | undefined;
  /** The share of the way that is kept; in [0, 1], default 0.5. */
  readonly share?: number | undefined;
}

/**
 * Which tensors: a name, a glob (`*` any characters, `?` one), or a regular expression that is found anywhere in the name.
 * `{ regex, flags }` is a regular expression as JSON.
 */
export type Pattern = string | RegExp | { readonly regex: string; readonly flags?: string | undefined };

/** What any group accepts besides hypers. */
export type GroupOptions = {
  /** Its tensors. Each pattern must match one, and a tensor belongs to one group. */
  readonly params: Pattern | readonly Pattern[];
  /** What the group's rate is multiplied by, whatever drives it; >= 0, default 1. */
  readonly lrScale?: number | undefined;
  /** Leave parameters and slots as they are, and the gradient out of the norm; default false. */
  readonly frozen?: boolean | undefined;
  /**
   * Where the rule takes a `fallback`: the group's own, in place of the optimizer's. What it names itself holds for its
   * tensors before what the group says.
   */
  readonly fallback?: RuleConfig | undefined;
};

/** What a replica may have of its own besides the optimizer's hypers. */
export type ReplicaOptions = {
  /** Hypers in place of those of each group of the config, in its order. */
  readonly groups?: readonly Readonly<Record<string, unknown>>[] | undefined;
  /** Hypers in place of those of the optimizer's `fallback`. */
  readonly fallback?: Readonly<Record<string, unknown>> | undefined;
};

/** What every rule accepts besides its own options; `Hypers` are the rule's schedulable scalars. */
export type CommonOptions<Hypers> = {
  /** Ascend instead of descend; default false. */
  readonly maximize?: boolean | undefined;
  /**
   * Tensors with hypers of their own; a hyper that a group does not name has the optimizer's value. A group with a `rule`
   * of its own has that rule's options and defaults instead. What a group without one says holds for all of its tensors,
   * also those that its rule leaves to its `fallback`, as far as that rule has the hyper.
   */
  readonly groups?:
    | readonly (
        | (Hypers & GroupOptions)
        | (GroupOptions & { readonly rule: Rule; readonly [option: string]: unknown })
      )[]
    | undefined;
  /** Clipping of the gradient before the update; default none. */
  readonly clip?: ClipConfig | null | undefined;
  /**
   * Leave parameters, slots and step unchanged when any gradient is not finite, and count it as skipped. Needs the norm
   * of the gradient, so the default is true with clipping or loss scaling, which report it anyway, and false without.
   */
  readonly skipNonFinite?: boolean | undefined;
  /** The gradients are of a loss times a scale that the GPU adapts (role of `stats().lossScale`); default none. */
  readonly lossScale?: LossScaleConfig | null | undefined;
  /** Gradients (micro-batches) whose mean makes one update; whole, >= 1, default 1. */
  readonly accumulate?: number | undefined;
  /**
   * Leave out what goes against the gradient, and scale the rest up by the share of it that is left, tensor by tensor
   * (Liang et al. 2024); default false.
   */
  readonly cautious?: boolean | undefined;
  /** Decay only where the update agrees with the parameter in sign (Chen et al. 2025); default false. */
  readonly cautiousDecay?: boolean | undefined;
  /** Take from each output's gradient its mean (Yong et al. 2020); default false. */
  readonly centralize?: boolean | undefined;
  /** Modifiers as values, `[ema({ decay: 0.99 }), accumulate(4)]`, in place of their keys here; in any order. */
  readonly modifiers?: readonly ModifierConfig[] | undefined;
  /** An exponential moving average of the parameters; default none. */
  readonly ema?: EmaConfig | null | undefined;
  /** A plain mean of parameters along the way; default none. */
  readonly swa?: SwaConfig | null | undefined;
  /** Default none. */
  readonly lookahead?: LookaheadConfig | null | undefined;
  /** Note in each update what it does to each tensor, for `layers()`; default false. Moves no more bytes per parameter. */
  readonly watch?: boolean | undefined;
  /**
   * One entry for each copy of all parameters that trains in the same dispatch, with hypers in place of the optimizer's;
   * default one copy. What a group or a fallback sets for itself is the same in all copies, unless an entry says otherwise
   * in `groups` (one entry of hypers for each group, which may hold a `fallback`) or `fallback`; `set(hypers, group, replica)`
   * changes it later.
   */
  readonly replicas?: readonly (Hypers & ReplicaOptions)[] | undefined;
};

/** What an optimizer is made of: a rule's config, as the rule makes it of its options. */
export type OptimizerConfig = Omit<CommonOptions<unknown>, "groups" | "replicas"> & {
  readonly rule: Rule;
  readonly lr?: Scheduled | undefined;
  readonly groups?: readonly (GroupOptions & { readonly [option: string]: unknown })[] | undefined;
  readonly replicas?: readonly { readonly [option: string]: unknown }[] | undefined;
  readonly [option: string]: unknown;
};

/** An optimizer's config as plain JSON, for {@link readConfig}: names in place of rules and schedules. */
export type OptimizerJson = { readonly rule: string; readonly [option: string]: unknown };
