// A rule: one optimizer's update, written twice. The WGSL fragment (shaders/rules/NAME.wgsl) is what the GPU runs, the
// twin (`update`) what it is held to. Both see the same cell and the same table row; everything that depends on the step
// alone is computed by `row`, on the host, in float64.
import type { Range } from "./options.ts";

/** Clips the gradient by its norm over all tensors: g · min(1, maxNorm / (norm + 1e-6)), as torch's clip_grad_norm_. */
export interface GlobalNormClip {
  readonly type: "globalNorm";
  /** The largest norm that passes unchanged; > 0. */
  readonly maxNorm: number;
  /** Which norm; 2 (Euclidean) is the default and the only one so far. */
  readonly norm?: 2 | undefined;
}

export type ClipConfig = GlobalNormClip;

/** What every rule accepts besides its own options; `Hypers` are the rule's schedulable scalars. */
export interface CommonOptions<Hypers> {
  /** Ascend instead of descend; default false. */
  readonly maximize?: boolean | undefined;
  /** Tensors with hypers of their own; a hyper that a group does not name has the optimizer's value. */
  readonly groups?: readonly (Hypers & { readonly params: readonly string[] })[] | undefined;
  /** Clipping of the gradient before the update; default none. */
  readonly clip?: ClipConfig | null | undefined;
  /**
   * Leave parameters, slots and step unchanged when any gradient is not finite, and count it as skipped. Needs the norm
   * of the gradient, so the default is true with clipping, which computes it anyway, and false without.
   */
  readonly skipNonFinite?: boolean | undefined;
}

/** One scalar of a rule: its default and what it may be at every step. */
export interface Hyper {
  readonly default: number;
  readonly range: Range;
}

/** One parameter and its slots, as the twin sees them; the WGSL struct `Cell` has the same fields as vec4f. */
export type Cell<Slot extends string> = { p: number } & Record<Slot, number>;

/** A rule's definition. Names are camelCase here and snake_case in WGSL. */
export interface RuleDefinition<H extends string, F extends string, S extends string, C extends string> {
  readonly name: string;
  /** Every schedulable scalar. */
  readonly hypers: Readonly<Record<H, Hyper>>;
  /** Booleans that choose between forms of the update, with their defaults; `override` constants in WGSL. */
  readonly flags: Readonly<Record<F, boolean>>;
  /** Every per-parameter state array the rule may keep. */
  readonly slots: readonly S[];
  /** Those it keeps under these options; `used(hyper)` says whether a hyper is ever anything but 0. */
  activeSlots?(flags: Readonly<Record<F, boolean>>, used: (hyper: H) => boolean): readonly S[];
  /** What else must hold between options: a sentence about what is wrong, or nothing. */
  conflict?(flags: Readonly<Record<F, boolean>>, used: (hyper: H) => boolean): string | undefined;
  /** The scalars that the update reads, in the order of the WGSL struct `Row`. */
  readonly columns: readonly C[];
  /** Those scalars for update number `t` (from 1), from the values that the hypers have at it. */
  row(hypers: Readonly<Record<H, number>>, t: number): Record<C, number>;
  /** `fn update(x: Cell, g: vec4f, h: Row) -> Cell`. */
  readonly wgsl: string;
  /** The twin: changes `x` by gradient `g`, in float64. */
  update(x: Cell<S>, g: number, h: Readonly<Record<C, number>>, flags: Readonly<Record<F, boolean>>): void;
}

/** A rule of whatever hypers, flags, slots and columns. */
export type Rule = RuleDefinition<string, string, string, string>;

/** Checks a definition's types against each other and forgets them, so that rules can stand in one registry. */
export function defineRule<H extends string, F extends string, S extends string, C extends string>(
  definition: RuleDefinition<H, F, S, C>,
): Rule {
  return definition as unknown as Rule;
}
