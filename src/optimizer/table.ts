// The table: rows of scalars computed on the host in float64, one row per step and group, from which the GPU takes the row at its
// own step counter. Nothing that depends only on the step is ever computed in a shader.
import { OptionError, show } from "../base/errors.ts";
import type { Carried } from "./carried.ts";
import type { Hypers } from "./hypers.ts";
import type { Plan, RuleSet } from "./plan.ts";

/** A rule's host memory at one step. */
export type CarryValues = Readonly<Record<string, number>>;

/** The columns at the start of every row. */
export const firstColumns = ["gradientScale", "first", "frozen"] as const;

/** The columns of a row, in order: the driver's own, then the modifiers', then the rule's. */
export function tableColumns(plan: Plan, ruleSet: RuleSet): readonly string[] {
  return [...firstColumns, ...plan.modifiers.flatMap(({ columns = [] }) => columns), ...ruleSet.rule.columns];
}

/** The scalars of a row by name. */
export function named({ columns }: RowSource, row: readonly number[]): Record<string, number> {
  return Object.fromEntries(columns.map((column, i) => [column, row[i]!]));
}

/** The last possible step: the GPU counts in 32 bits. */
const lastStep = 2 ** 32 - 2;

/** The smallest float32 that every GPU distinguishes from 0. */
export const leastSingle = 2 ** -126;

/**
 * A column in float32 arithmetic, the same for both engines: below {@link leastSingle} it is 0.
 *
 * @throws OptionError for a value beyond float32's range, and for one that is not a number.
 */
function asSingle(rule: string, step: number, column: string, value: number): number {
  if (Math.abs(value) < leastSingle) return 0;
  const isInfinite = Math.abs(value) === Number.POSITIVE_INFINITY;
  if (typeof value === "number" && (isInfinite || Number.isFinite(Math.fround(value)))) return value;
  throw new OptionError(
    `${rule}.${column} is ${show(value)} at step ${step}, from its hypers; it must be a number that float32 holds, up to 3.4e38`,
  );
}

/** A stretch of steps throughout which a group is frozen, or not. */
interface Span {
  from: number;
  /** Updates that the group made before it. */
  made: number;
  readonly frozen: boolean;
  readonly change: Change;
}

/** The time of a change, in updates that the caller had requested. */
export interface Change {
  /** How many of them had been made or skipped by then. */
  readonly updates: number;
  /** How many of them had been encoded by then, since creation or the last load. */
  readonly encoded: number;
}

const start: Change = { updates: 0, encoded: 0 };

/** Whether the rule set has a row for all of its groups together, after theirs, used for sums over all tensors. */
function hasCommonRow({ rule }: RuleSet): boolean {
  return rule.reduction?.scope === "all";
}

/** Rows per step. */
export function rowCount(ruleSet: RuleSet): number {
  return ruleSet.groups.length + (hasCommonRow(ruleSet) ? 1 : 0);
}

/**
 * The rows of one replica's groups of one rule set, step by step, with the values that the rule carries. Hypers depend on the
 * optimizer's step; a rule's `t`, its carry and its first update depend on the updates that the group took part in.
 */
export class RowSource {
  readonly #plan: Plan;
  readonly #live: Hypers;
  readonly #ruleSet: RuleSet;
  readonly #replica: number;
  readonly columns: readonly string[];
  /** The rule's hypers, and whether each guards a division. */
  readonly #names: readonly (readonly [hyper: string, guards: boolean])[];
  /** The values carried from row to row, if the rule carries any. */
  readonly #carried: Carried | undefined;
  /** For each group, its frozen and other stretches, from the earliest step that still matters. */
  readonly #spans: Span[][];

  constructor(plan: Plan, hypers: Hypers, ruleSet: RuleSet, replica: number) {
    this.#plan = plan;
    this.#live = hypers;
    this.#ruleSet = ruleSet;
    this.#replica = replica;
    this.columns = tableColumns(plan, ruleSet);
    this.#names = Object.keys(ruleSet.rule.hypers).map((hyper) => [hyper, hyper.startsWith("eps")]);
    const { carry } = ruleSet.rule;
    this.#carried =
      carry &&
      new carry.kept!(carry, {
        groups: ruleSet.groups.length,
        isFrozenAt: (group, step) => this.#spanAt(group, step).frozen,
        made: (group, step) => this.#made(group, step),
        hypers: (group, step) => this.#hypers(group, step),
        ahead: (group, step) => this.#ahead(group, step),
      });
    this.#spans = ruleSet.groups.map((group) => [{ from: 0, made: 0, frozen: hypers.isFrozen(group), change: start }]);
  }

  /**
   * Writes a stretch of rows for the GPU, of steps `from` to `to` (exclusive), a step every `stride` numbers from `at` on. If a
   * hyper leaves its range, the stretch ends there with `error`, which is thrown only when that step comes.
   */
  fill(from: number, to: number, into: Float32Array, at: number, stride: number): { end: number; error: unknown } {
    for (let step = from; step < to; step++) {
      let next = at + (step - from) * stride;
      try {
        for (const row of this.rowsAt(step)) for (const value of row) into[next++] = value;
      } catch (error) {
        return { end: step, error };
      }
    }
    return { end: to, error: undefined };
  }

  /**
   * The scalars that the next update of a group (by its place in the rule set) uses at a step, in the order of the columns; errors
   * name hyper and step.
   */
  row(group: number, step: number): readonly number[] {
    const { maximize, accumulate, modifiers } = this.#plan;
    if (step > lastStep) {
      throw new OptionError(`the step is ${step}; an optimizer counts its steps up to ${lastStep}, from 0`);
    }
    const { rule, flags } = this.#ruleSet;
    const hypers = this.#hypers(group, step);
    const made = this.#made(group, step);
    const frozen = this.#isFrozen(group);
    // Averages of frozen parameters exist from the first step on.
    const first = (frozen ? step : made) === 0;
    const row = [(maximize ? -1 : 1) / accumulate, Number(first), Number(frozen)];
    for (const { columns = [], row: rowOf } of modifiers) {
      const its = rowOf?.(step);
      for (const column of columns) row.push(its![column]!);
    }
    const its = rule.row(hypers, made + 1, this.#carried?.into(group, step) ?? {}, flags, () =>
      this.#ahead(group, step),
    );
    for (const column of rule.columns) row.push(its[column]!);
    for (let i = 0; i < row.length; i++) row[i] = asSingle(rule.name, step, this.columns[i]!, row[i]!);
    return row;
  }

  /** All rows of a step: the groups', then the common one if there is one. */
  rowsAt(step: number): readonly (readonly number[])[] {
    const rows = this.#ruleSet.groups.map((_, group) => this.row(group, step));
    if (!hasCommonRow(this.#ruleSet)) return rows;
    // Like the active group that has taken part longest.
    const made = rows.map((_, group) => this.#made(group, step));
    const active = [...rows.keys()].filter((group) => !this.#isFrozen(group));
    const [longest] = (active.length > 0 ? active : [0]).sort((a, b) => made[b]! - made[a]! || a - b);
    const common = rows[longest!]!.with(firstColumns.indexOf("first"), Number(made.every((count) => count === 0)));
    return [...rows, common];
  }

  /** Fixes the values carried up to `step` before hypers or freezing change: only later ones are computed again. */
  settle(step: number): void {
    this.#carried?.settle(step);
  }

  /**
   * After groups were frozen or thawed: applies the current freezing from `step` on.
   */
  refreeze(step: number, change: Change): void {
    this.#spans.forEach((spans, group) => {
      const frozen = this.#isFrozen(group);
      const made = this.#made(group, step);
      // Two changes before one step count as one, or none.
      while (spans.length > 1 && spans.at(-1)!.from >= step) spans.pop();
      if (spans[0]!.from >= step) spans[0] = { from: step, made, frozen, change };
      if (spans.at(-1)!.frozen !== frozen) spans.push({ from: step, made, frozen, change });
    });
  }

  /**
   * More updates were skipped or lost than was known: later freezing and thawing took effect `delay` steps earlier, though not
   * before `least`. Returns the first step whose rows change.
   */
  delay(isAfter: (change: Change) => boolean, delay: number, least: number): number | undefined {
    return this.#move(({ from, change }) => (isAfter(change) ? Math.max(least, from - delay) : from));
  }

  /** The next step is `step`, earlier than assumed; freezing and thawing since then take effect there. */
  fallBack(step: number): number | undefined {
    return this.#move(({ from }) => Math.min(from, step));
  }

  /** Forgets everything before `step`. */
  prune(step: number): void {
    for (const spans of this.#spans) while (spans.length > 1 && spans[1]!.from <= step) spans.shift();
    this.#carried?.prune(step);
  }

  /** Whether the values carried into `step`, and the number of updates before it, are still known. */
  knows(step: number): boolean {
    const counts = this.#spans.every((spans) => step >= spans[0]!.from);
    return counts && (this.#carried?.knows(step) ?? true);
  }

  /** The values that each group carries into `step`, empty if the rule carries nothing; null before it starts. */
  carried(step: number): readonly (CarryValues | null)[] {
    return this.#spans.map((_, group) => (this.#carried ? (this.#carried.at(group, step) ?? null) : {}));
  }

  /** How many updates each group has made before `step`. */
  made(step: number): readonly number[] {
    return this.#spans.map((_, group) => this.#made(group, step));
  }

  /** Continues from a step with the results of {@link carried} and {@link made}. */
  restore(step: number, carried: readonly (CarryValues | null)[], made: readonly number[]): void {
    this.#spans.forEach((spans, group) => {
      spans.splice(0, spans.length, { from: step, made: made[group]!, frozen: this.#isFrozen(group), change: start });
    });
    this.#carried?.restore(step, carried);
  }

  #isFrozen(group: number): boolean {
    return this.#live.isFrozen(this.#ruleSet.groups[group]!);
  }

  #spanAt(group: number, step: number): Span {
    const spans = this.#spans[group]!;
    let last = spans.length - 1;
    while (last > 0 && spans[last]!.from > step) last--;
    return spans[last]!;
  }

  #made(group: number, step: number): number {
    const { from, made, frozen } = this.#spanAt(group, step);
    return frozen ? made : made + Math.max(0, step - from);
  }

  /** Moves the starts of spans, and returns the earliest one that moved. */
  #move(to: (span: Span) => number): number | undefined {
    let earliest: number | undefined;
    this.#spans.forEach((spans, group) => {
      let first: number | undefined;
      spans.forEach((span, i) => {
        const before = spans[i - 1];
        if (!before) return;
        const from = Math.max(before.from, to(span));
        if (from !== span.from) first = Math.min(first ?? from, from);
        span.from = from;
        span.made = before.frozen ? before.made : before.made + from - before.from;
      });
      if (first === undefined) return;
      this.#carried?.cut(group, first);
      earliest = Math.min(earliest ?? first, first);
    });
    return earliest;
  }

  #hypers(group: number, step: number): Record<string, number> {
    const index = this.#ruleSet.groups[group]!;
    const hypers: Record<string, number> = {};
    for (const [hyper, guards] of this.#names) {
      const value = this.#live.at(index, hyper, step, this.#replica);
      // A hyper that guards a division must not become 0.
      hypers[hyper] = guards && value > 0 ? Math.max(value, leastSingle) : value;
    }
    return hypers;
  }

  /** The hypers of the step after `step`; if a schedule ends at this one, those of this one. */
  #ahead(group: number, step: number): Record<string, number> {
    try {
      return this.#hypers(group, step + 1);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      return this.#hypers(group, step);
    }
  }
}
