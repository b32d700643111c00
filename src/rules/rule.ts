// A rule: one optimizer's update, written twice. The GPU runs the WGSL fragment (shaders/rules/NAME.wgsl), which is tested
// against the twin. Both see the same cell, table row and scalars; everything that depends only on the step is computed by `row`,
// on the host, in float64. A rule is one value: its definition, and the function that makes its config.

import type { Snippet } from "../base/assemble.ts";
import { OptionError, refusal, show } from "../base/errors.ts";
import { defineFields, isOptions, type Range, readNumber } from "../base/options.ts";
import type { Quintic } from "../engines/stages/newton_schulz.ts";
import type { Stage } from "../engines/stages/stage.ts";
import { withJson } from "../modifiers/modifier.ts";
import type { Carried } from "../optimizer/carried.ts";
import type { CommonOptions } from "../optimizer/config.ts";
import type { evaluationValues } from "../optimizer/evaluation.ts";
import type { fallbacks } from "../optimizer/fallback.ts";
import type { Scheduled } from "../schedules/schedule.ts";
import type { SlotFormat } from "./slot_format.ts";

/** One scalar of a rule: its default, and its range at every step. */
export interface Hyper {
  /** The default value. */
  readonly default: number;
  /** The allowed values. */
  readonly range: Range;
}

/**
 * One parameter `p` with its slots, as the twin sees them, and the results of an update: `step`, and `decay` if that is
 * subtracted apart from it. The parameter becomes `p - (decay + step)`. The WGSL struct `Cell` has the same fields as vec4f.
 */
export type Cell<Slot extends string> = { p: number; step: number; decay: number } & Record<Slot, number>;

/** The value of a slot or scalar before the first update: a number, or a column of the first row. */
export type Start<C extends string> = number | C;

/** Named numbers. */
export type Numbers<Names extends string> = Readonly<Record<Names, number>>;

/** The names of a record's fields. */
export type Names<T> = keyof T & string;

/**
 * Host memory of a rule, for scalars that depend on the hypers of earlier steps (a product of momenta, a sum of weights). It
 * advances only with completed updates, in float64, and is saved with the state.
 */
export interface Carry<H extends string, K extends string> {
  /** The values carried from row to row. */
  readonly names: readonly K[];
  /** Before the first update, from the hypers of that update. */
  start(hypers: Numbers<H>): Record<NoInfer<K>, number>;
  /** After update number `t` (from 1), from the values before it and the hypers of that update and the next. */
  next(carry: Numbers<K>, hypers: Numbers<H>, t: number, ahead: () => Numbers<H>): Record<NoInfer<K>, number>;
  /** Keeps them for a rule set; custom rules need not set it. @internal */
  readonly kept?: typeof Carried;
}

/**
 * Sums over a tensor, or over all tensors, that the update needs, and the scalars made from them. A step then takes three
 * dispatches: `measure` over all elements, `conclude` for each tensor (or once), and the update.
 */
export interface Reduction<F extends string, S extends string, C extends string, N extends string, A extends string> {
  /** The stage that takes the sums: `reductionStage`. */
  readonly stage: Stage;
  /** Whether sums are taken over each tensor or over all together. */
  readonly scope: "tensor" | "all";
  /** The terms that are added up, fields of the WGSL structs `Sums` (vec4f) and `Totals` (f32, and `count`). */
  readonly sums: readonly N[];
  /** Scalars kept from step to step, saved with the state, and read by all three functions: WGSL struct `Scalars`. */
  readonly scalars: Readonly<Record<A, Start<NoInfer<C>>>>;
  /**
   * Slots that `measure` advances, of those that start with 0: they are stored with the sums, and the update finds them advanced.
   * Without any, changes to `x` in `measure` are dropped.
   */
  readonly advances?: readonly NoInfer<S>[];
  /**
   * `fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums`: the terms of one element; where it advances slots, it
   * returns `Measured(x, sums)` with the advanced cell.
   */
  measure(
    x: Cell<S>,
    g: number,
    h: Numbers<C>,
    r: Numbers<A>,
    flags: Readonly<Record<F, boolean>>,
  ): Record<NoInfer<N>, number>;
  /** `fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars`; `s.count` is the number of elements. Changes `r`. */
  conclude(s: Numbers<N | "count">, r: Record<A, number>, h: Numbers<C>, flags: Readonly<Record<F, boolean>>): void;
}

/**
 * A second moment kept as its means along rows and along columns (Shazeer and Stern 2018). Before `measure`, the means of the
 * squared gradient move by `weight` towards the new ones; in the cell the slot is then row · column / mean. A scalar of the
 * reduction named `factored` is 1 for such tensors; for the others the rule updates the slot itself.
 */
export interface Factored<S extends string, C extends string> {
  /** The stage that moves the means and computes elements from them: `factoredStage`. */
  readonly stage: Stage;
  /** The slot that is factored. */
  readonly slot: S;
  /** The column with the share by which the means move. */
  readonly weight: C;
  /** The column with the lower bound of means in divisions. */
  readonly least: C;
}

/** The tensors that a rule accepts: a word for sentences ("matrices"), and their shapes. */
export interface Only<W extends string = string> {
  /** The tensors' description, in words. */
  readonly what: W;
  /** Whether the rule accepts a tensor of this shape. */
  takes(shape: readonly number[]): boolean;
  /** Reads the fallback rule; custom rules need not set it. @internal */
  readonly fallbacks?: typeof fallbacks;
}

/**
 * The argument of {@link defineRule}. Names are camelCase here and snake_case in WGSL. All are inferred: hypers from `hypers`,
 * columns from the result of `row`, so `row` must come before the functions that read columns.
 */
export interface RuleDefinition<
  Hs extends Readonly<Record<string, Hyper>>,
  Fs extends Readonly<Record<string, boolean>>,
  S extends string,
  C extends string,
  K extends string = never,
  N extends string = never,
  A extends string = never,
  W extends string = string,
> {
  /** Its name in JSON configs and checkpoints. */
  readonly name: string;
  /** The paper, and the library that fixes what the paper leaves open. */
  readonly source: string;
  /** Every schedulable scalar; `lr` is one. The comment of each documents the rule's option. */
  readonly hypers: Hs;
  /** Booleans that choose between forms of the update, with their defaults; `override` constants in WGSL. */
  readonly flags: Fs;
  /**
   * Flags that came after checkpoints of the rule had been written, false by default: configs and checkpoints leave them out
   * while they are false, so that older ones still fit.
   */
  readonly laterFlags?: readonly NoInfer<Names<Fs>>[];
  /** Every per-parameter state array the rule may keep. */
  readonly slots: readonly S[];
  /** The slots it keeps under these options; `used(hyper)` tells whether a hyper is ever nonzero. */
  activeSlots?(flags: Readonly<Record<Names<Fs>, boolean>>, used: (hyper: Names<Hs>) => boolean): readonly NoInfer<S>[];
  /** The formats of slots that are not stored as float32. */
  readonly formats?: Readonly<Partial<Record<NoInfer<S>, SlotFormat>>>;
  /** The values of slots before the first update, if not 0: also "p", the parameter at that moment. */
  readonly starts?: Readonly<Partial<Record<NoInfer<S>, Start<NoInfer<C> | "p">>>>;
  /** Slots that keep their initial value: only the first update stores them. */
  readonly fixed?: readonly NoInfer<S>[];
  /** Checks options against each other: returns a sentence about the conflict, or nothing. */
  conflict?(flags: Readonly<Record<Names<Fs>, boolean>>, used: (hyper: Names<Hs>) => boolean): string | undefined;
  /** Set if the rule does not accept every tensor; its options then have a `fallback`. */
  readonly only?: Only<W>;
  /** Values carried from row to row on the host. */
  readonly carry?: Carry<Names<Hs>, K>;
  /**
   * The scalars that the update reads, for update number `t` (from 1), from the hypers' values at it; `ahead` gives those at the
   * next. Its fields, the same and in the same order for every step, are the columns of the table and the WGSL struct `Row`. If
   * decay multiplies the parameter apart from the gradient, a column `keep` holds the factor, as `cautiousDecay` requires.
   */
  row(
    hypers: Numbers<Names<Hs>>,
    t: number,
    carry: Numbers<K>,
    flags: Readonly<Record<Names<Fs>, boolean>>,
    ahead: () => Numbers<Names<Hs>>,
  ): Record<C, number>;
  /** A slot kept only as means along the last two dimensions, in tensors with two dimensions or more. */
  readonly factored?: Factored<NoInfer<S>, NoInfer<C>>;
  /** Sums that the update reads. */
  readonly reduction?: Reduction<Names<Fs>, S, C, N, A>;
  /**
   * A slot that every update recomputes, between `conclude` and the update itself: `prepare` of every element, as a matrix
   * brought close to the nearest orthogonal one by steps of Newton–Schulz. Not saved.
   */
  readonly orthogonalises?: {
    /** The stage that computes it: `orthogonaliseStage`. */
    readonly stage: Stage;
    readonly slot: NoInfer<S>;
    /** `fn prepare(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> vec4f`. */
    prepare(
      x: Readonly<Cell<S>>,
      g: number,
      h: Numbers<C>,
      r: Numbers<A>,
      flags: Readonly<Record<Names<Fs>, boolean>>,
    ): number;
    /**
     * The steps: for each the coefficients a, b and c of a·s + b·s³ + c·s⁵, its image of a singular value s; default five times
     * 3.4445, -4.775, 2.0315 (Jordan et al. 2024).
     */
    quintics?(flags: Readonly<Record<Names<Fs>, boolean>>): readonly Quintic[];
    /** The factor of the orthogonal matrix, whichever way round its tensor is stored. */
    scale(sides: readonly [outputs: number, inputs: number], flags: Readonly<Record<Names<Fs>, boolean>>): number;
  };
  /**
   * `fn update(x: Cell, gradient: vec4f, h: Row) -> Cell`; with a reduction also `r: Scalars`, `measure`, `conclude`. It sets the
   * cell's slots and its `step`, which is subtracted from the parameter afterwards: modifiers see the step before it is rounded
   * into the parameter. Decoupled decay is separate: it multiplies `p` by `keep`, or is `decay`, which is added to the step and
   * so rounds less.
   */
  readonly wgsl: string;
  /** Functions of the library that its WGSL calls; custom rules, which may call all of them, need not set it. @internal */
  readonly helpers?: readonly Snippet[];
  /** The twin: changes `x` by gradient `g` like `update` in WGSL, in float64. */
  update(x: Cell<S>, g: number, h: Numbers<C>, flags: Readonly<Record<Names<Fs>, boolean>>, r: Numbers<A>): void;
  /** The parameter to evaluate a model with, if it is not the trained one; `carry` is the last update's. */
  evaluation?(x: Numbers<"p" | S>, carry: Numbers<K>): number;
  /** The same for whole tensors, where there is such a parameter; custom rules need not set it. @internal */
  readonly evaluationValues?: typeof evaluationValues;
  /** Whether the update depends on a sign, which rounding may flip in single elements. */
  readonly goesBySign?: boolean;
  /**
   * The highest rate that suits the rule on a small classifier, for tools that get none (docs/performance.md); default 2e-3,
   * which suits Adam's family.
   */
  readonly usualRate?: number;
  /** Whether the rule determines its own rate, which `lr` multiplies. */
  readonly findsRate?: boolean;
  /** The names of the slots in torch's state_dict, if torch has this rule. */
  readonly torch?: Readonly<Partial<Record<NoInfer<S>, string>>>;
  /**
   * The source of a carried value in torch, once the slots hold something: the key of a scalar that torch keeps for each tensor,
   * or a number.
   */
  readonly torchCarry?: Readonly<Partial<Record<NoInfer<K>, string | number>>>;
  /** Whether torch counts the steps of this rule, as a `step` of each tensor; default true. */
  readonly torchSteps?: boolean;
}

/** A rule with any hypers, flags, slots and columns. */
export interface Rule
  extends RuleDefinition<
    Readonly<Record<string, Hyper>>,
    Readonly<Record<string, boolean>>,
    string,
    string,
    string,
    string,
    string
  > {
  /** The scalars of a row, in order. */
  readonly columns: readonly string[];
  /** The rule's name, as in JSON and in text. */
  toJSON(): string;
  toString(): string;
}

/** Hypers as options: each a number, a schedule or a function of the step. */
export type HyperOptions<Hs> = { readonly [H in keyof Hs]?: Scheduled | undefined };

/** The options of a rule: its hypers and flags, and those of every rule. */
export type RuleOptions<Hs, Fs, W = never> = HyperOptions<Hs> & {
  readonly [F in keyof Fs]?: boolean | undefined;
} & CommonOptions<HyperOptions<Hs>> &
  ([W] extends [never] ? unknown : FallbackOption);

/** The option of a rule that does not accept every tensor. */
export type FallbackOption = {
  /** The config of the tensors that the rule does not accept; required if there are any. */
  readonly fallback?: RuleConfig | undefined;
};

/** A config made by a rule: the rule and its options. */
export type RuleConfig = {
  /** The rule that updates all tensors without their own. */
  readonly rule: Rule;
};

/** The function that makes a rule's config: from its options, or from a rate and the other options. */
export interface RuleFunction<Options> {
  (options?: Options): Options & RuleConfig;
  /**
   * @param lr The rate: a number, a schedule or a function of the step.
   * @param options The other options, without `lr`.
   */
  (lr: Scheduled, options?: Omit<Options, "lr">): Options & RuleConfig;
}

/**
 * A rule from its definition: a function that makes the rule's config, which carries the definition. In JSON it is its name. The
 * library's own definitions are checked by the compiler and the laws; `defineRule` checks custom ones first (custom.ts).
 */
export function ruleFrom<
  Hs extends Readonly<Record<string, Hyper>>,
  Fs extends Readonly<Record<string, boolean>>,
  S extends string,
  C extends string,
  K extends string = never,
  N extends string = never,
  A extends string = never,
  W extends string = never,
>(definition: RuleDefinition<Hs, Fs, S, C, K, N, A, W>): Rule & RuleFunction<RuleOptions<Hs, Fs, W>> {
  const given = definition as unknown as Omit<Rule, "columns" | "toJSON" | "toString">;
  const { name, hypers, flags, row, carry } = given;
  const defaults = defaultsOf(hypers);
  const columns = Object.keys(row(defaults, 1, carry?.start(defaults) ?? {}, flags, () => defaults));
  const rule = (...values: readonly unknown[]) => withJson({ ...readForm(name, rule, hypers.lr!.range, values), rule });
  const fields = { ...given, columns, toJSON: () => name, toString: () => name };
  return defineFields(rule, name, fields) as unknown as Rule & RuleFunction<RuleOptions<Hs, Fs, W>>;
}

/** The default of every hyper. */
export function defaultsOf(hypers: Rule["hypers"]): Record<string, number> {
  return Object.fromEntries(Object.entries(hypers).map(([hyper, { default: value }]) => [hyper, value]));
}

/** Whether a value is what {@link defineRule} returns. */
export function isRule(value: unknown): value is Rule {
  return typeof value === "function" && "hypers" in value && "columns" in value && "wgsl" in value;
}

/** The options passed to a rule's function. */
function readForm(name: string, rule: unknown, range: Range, values: readonly unknown[]): Record<string, unknown> {
  const [first, second, ...rest] = values;
  const usage = `${name}(options) or ${name}(lr, options)`;
  const extra = rest.find((value) => value !== undefined);
  if (extra !== undefined) {
    throw new OptionError(`${name} was given ${show(extra)} as a third argument; it takes ${usage}`);
  }
  const read = (value: unknown, what: string): Record<string, unknown> => {
    if (value === undefined) return {};
    if (!isOptions(value)) throw new OptionError(`${name} was given ${show(value)}; it must be an object of ${what}`);
    if (value.rule !== undefined && value.rule !== rule) {
      throw refusal(`${name} was given options whose rule`, value.rule, `${name} or left out`);
    }
    return value;
  };
  if (!isRate(first)) {
    const options = read(first, "options, or a rate (a number, a schedule or a function of the step)");
    if (second === undefined) return options;
    if (first !== undefined) {
      throw new OptionError(`${name} was given ${show(second)} after its options; it takes ${usage}`);
    }
    return read(second, "the options beside the rate");
  }
  if (typeof first === "number") readNumber(`${name}.lr`, first, range);
  const options = read(second, "the options beside the rate");
  if (options.lr !== undefined) {
    throw new OptionError(`${name} was given the rate ${show(first)} and lr ${show(options.lr)}; give one of them`);
  }
  return { ...options, lr: first };
}

function isRate(value: unknown): boolean {
  if (typeof value === "number" || typeof value === "function") return true;
  return isOptions(value) && value.type !== undefined;
}
