// The input of a stage's twin on the CPU: one update of one rule set, in float64.

import type { Place, RuleSetLayout } from "../../optimizer/layout.ts";
import type { LayerStats } from "../../optimizer/optimizer.ts";
import type { RuleSet } from "../../optimizer/plan.ts";
import type { RowSource } from "../../optimizer/table.ts";
import type { Cells, Scalars } from "../cpu/cells.ts";
import type { ModifierKernel } from "./stage.ts";

export type Row = Readonly<Record<string, number>>;

export type CellValues = { p: number; step: number; decay: number } & Record<string, number>;

/** One replica's state of one rule set. */
export interface RuleSetState {
  readonly ruleSet: RuleSet;
  readonly layout: RuleSetLayout;
  readonly state: Float32Array<ArrayBuffer>;
  readonly scalars: Float32Array<ArrayBuffer>;
  readonly rows: RowSource;
}

/** The part of the whole step that a rule set needs. */
export interface Step {
  /** By page, like the gradients. */
  readonly params: readonly Float32Array[];
  /** The gradients as the caller wrote them, or their sum. */
  readonly raw: readonly Float32Array[];
  /** Their factors, by bin of clipping. */
  readonly scales: readonly number[];
  /** Receives the update's effect on each tensor. */
  readonly note?: ((stats: LayerStats) => void) | undefined;
}

/** One tensor's share of the work. */
export interface Work {
  readonly place: Place;
  readonly row: Row;
  readonly cells: Cells;
  /** A modifier's numbers for each line, by the block's name. */
  readonly lines: Record<string, Float64Array>;
  /** The gradient of an element as the rule sees it: signed, unscaled, clipped. */
  readonly gradient: (i: number) => number;
  /** The gradient before a given modifier. */
  gradientBefore(modifier: string): (i: number) => number;
}

/** The input of a twin. */
export interface TwinContext {
  readonly state: RuleSetState;
  readonly modifiers: readonly ModifierKernel[];
  /** The work of the tensors that are not frozen. */
  readonly works: readonly Work[];
  readonly scalars: Scalars;
  /** The rows of the groups, then that of all groups together if there is one. */
  readonly rows: readonly Row[];
  /** By page. */
  readonly params: readonly Float32Array[];
}
