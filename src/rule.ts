// A rule: one optimizer's update, written twice. The WGSL fragment (shaders/rules/NAME.wgsl) is what the GPU runs, the
// twin is what it is held to. Both see the same cell, the same table row and the same scalars; everything that depends on
// the step alone is computed by `row`, on the host, in float64.
import type { Range } from "./options.ts";

/** One scalar of a rule: its default and what it may be at every step. */
export interface Hyper {
  readonly default: number;
  readonly range: Range;
}

/** One parameter and its slots, as the twin sees them; the WGSL struct `Cell` has the same fields as vec4f. */
export type Cell<Slot extends string> = { p: number } & Record<Slot, number>;

/** What a slot or scalar holds before the first update: a number, or a column of the first row. */
export type Start<C extends string> = number | C;

/**
 * Host memory of a rule, for scalars that depend on the hypers of earlier steps (a product of momenta, a sum of weights).
 * It advances with completed updates only, in float64, and is saved with the state.
 */
export interface Carry<H extends string, K extends string> {
  readonly names: readonly K[];
  /** Before the first update, from the hypers of that update. */
  start(hypers: Readonly<Record<H, number>>): Record<K, number>;
  /** After update number `t` (from 1), from what it was before it and the hypers of that update and the next. */
  next(
    carry: Readonly<Record<K, number>>,
    hypers: Readonly<Record<H, number>>,
    t: number,
    ahead: () => Readonly<Record<H, number>>,
  ): Record<K, number>;
}

/**
 * Sums over a tensor, or over all tensors, that the update needs, and the scalars made of them. A step then takes three
 * dispatches: `measure` over all elements, `conclude` for each tensor (or once), and the update.
 */
export interface Reduction<S extends string, C extends string, N extends string, A extends string> {
  readonly scope: "tensor" | "all";
  /** The terms that are added up, fields of the WGSL structs `Sums` (vec4f) and `Totals` (f32, and `count`). */
  readonly sums: readonly N[];
  /** What is kept from step to step, saved with the state, and read by all three functions: WGSL struct `Scalars`. */
  readonly scalars: Readonly<Record<A, Start<C>>>;
  /** `fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums`: the terms of one element. */
  measure(
    x: Readonly<Cell<S>>,
    g: number,
    h: Readonly<Record<C, number>>,
    r: Readonly<Record<A, number>>,
    flags: Readonly<Record<string, boolean>>,
  ): Record<N, number>;
  /** `fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars`; `s.count` is the number of elements. Changes `r`. */
  conclude(
    s: Readonly<Record<N | "count", number>>,
    r: Record<A, number>,
    h: Readonly<Record<C, number>>,
    flags: Readonly<Record<string, boolean>>,
  ): void;
}

/**
 * A second moment that is kept as its means along rows and along columns (Shazeer and Stern 2018). Before `measure`, the
 * means of the squared gradient move by `weight` towards the new ones; in the cell the slot then is row · column / mean. A scalar of the
 * reduction called `factored` is 1 for such tensors; the slot of the others is the rule's own to update.
 */
export interface Factored<S extends string, C extends string> {
  readonly slot: S;
  /** The column that says how far the means move. */
  readonly weight: C;
  /** The column of the least mean that a division meets. */
  readonly least: C;
}

/** A rule's definition. Names are camelCase here and snake_case in WGSL. */
export interface RuleDefinition<
  H extends string,
  F extends string,
  S extends string,
  C extends string,
  K extends string = never,
  N extends string = never,
  A extends string = never,
> {
  readonly name: string;
  /** The paper, and the library that fixes what the paper leaves open. */
  readonly source: string;
  /** Every schedulable scalar. */
  readonly hypers: Readonly<Record<H, Hyper>>;
  /** Booleans that choose between forms of the update, with their defaults; `override` constants in WGSL. */
  readonly flags: Readonly<Record<F, boolean>>;
  /** Every per-parameter state array the rule may keep. */
  readonly slots: readonly S[];
  /** Those it keeps under these options; `used(hyper)` says whether a hyper is ever anything but 0. */
  activeSlots?(flags: Readonly<Record<F, boolean>>, used: (hyper: H) => boolean): readonly S[];
  /** What a slot holds before the first update, where that is not 0: also "p", the parameter as it is then. */
  readonly starts?: Readonly<Partial<Record<S, Start<C | "p">>>>;
  /** What else must hold between options: a sentence about what is wrong, or nothing. */
  conflict?(flags: Readonly<Record<F, boolean>>, used: (hyper: H) => boolean): string | undefined;
  /** Where the rule does not take every tensor: a sentence's "matrices", and which shapes it takes. */
  readonly only?: { readonly what: string; takes(shape: readonly number[]): boolean };
  /**
   * A slot of tensors with two dimensions or more of which only means along the last two are kept.
   */
  readonly factored?: Factored<S, C>;
  /**
   * A slot that is made anew in each update between `conclude` and the update: `prepare` of every element, as a matrix
   * brought close to the nearest orthogonal one by five Newton–Schulz steps. Not saved.
   */
  readonly orthogonalises?: {
    readonly slot: S;
    /** `fn prepare(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> vec4f`. */
    prepare(
      x: Readonly<Cell<S>>,
      g: number,
      h: Readonly<Record<C, number>>,
      r: Readonly<Record<A, number>>,
      flags: Readonly<Record<F, boolean>>,
    ): number;
    /** What the orthogonal matrix is multiplied by, whichever way round its tensor lies. */
    scale(sides: readonly [outputs: number, inputs: number], flags: Readonly<Record<F, boolean>>): number;
  };
  readonly carry?: Carry<H, K>;
  /**
   * The scalars that the update reads, in the order of the WGSL struct `Row`. Where decay multiplies the parameter apart
   * from the gradient, a column `keep` says by what, so that others can tell the two.
   */
  readonly columns: readonly C[];
  /** Those scalars for update number `t` (from 1), from the values that the hypers have at it; `ahead` at the next. */
  row(
    hypers: Readonly<Record<H, number>>,
    t: number,
    carry: Readonly<Record<K, number>>,
    flags: Readonly<Record<F, boolean>>,
    ahead: () => Readonly<Record<H, number>>,
  ): Record<C, number>;
  readonly reduction?: Reduction<S, C, N, A>;
  /** `fn update(x: Cell, gradient: vec4f, h: Row) -> Cell`; with a reduction also `r: Scalars`, `measure`, `conclude`. */
  readonly wgsl: string;
  /** The twin: changes `x` by gradient `g`, in float64. */
  update(
    x: Cell<S>,
    g: number,
    h: Readonly<Record<C, number>>,
    flags: Readonly<Record<F, boolean>>,
    r: Readonly<Record<A, number>>,
  ): void;
  /** The parameter to evaluate a model with, where it is not the one that is trained; `carry` is the last update's. */
  evaluation?(x: Readonly<Cell<S>>, carry: Readonly<Record<K, number>>): number;
  /** Whether the update goes by a sign, which rounding may turn in single elements. */
  readonly goesBySign?: boolean;
  /** What torch's state_dict calls the slots, where torch has this rule. */
  readonly torch?: Readonly<Partial<Record<S, string>>>;
  /**
   * What stands for a carried value there, once the slots hold something: the key of a scalar that torch keeps of each
   * tensor, or a number.
   */
  readonly torchCarry?: Readonly<Partial<Record<K, string | number>>>;
  /** Whether torch counts the steps of this rule, as a `step` of each tensor; default true. */
  readonly torchSteps?: boolean;
}

/** A rule of whatever hypers, flags, slots and columns. */
export type Rule = RuleDefinition<string, string, string, string, string, string, string>;

/** Checks a definition's types against each other and forgets them, so that rules can stand in one registry. */
export function defineRule<
  H extends string,
  F extends string,
  S extends string,
  C extends string,
  K extends string = never,
  N extends string = never,
  A extends string = never,
>(definition: RuleDefinition<H, F, S, C, K, N, A>): Rule {
  return definition as unknown as Rule;
}
