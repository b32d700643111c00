// The table: rows of scalars computed on the host in float64, one row per step and group, from which the GPU takes the
// row of its own step counter. Nothing that depends on the step alone is ever computed in a shader.
import { averageColumns } from "./around_plan.ts";
import { OptionError } from "./errors.ts";
import { hyperAt, type Part, type Plan } from "./plan.ts";

/** A rule's host memory at one step. */
export type CarryValues = Readonly<Record<string, number>>;

/** The columns that every row begins with. */
export const firstColumns = ["gradientScale", "first", "frozen"] as const;

/** The columns of a row, in order: the driver's own, then the averages', then the rule's. */
export function tableColumns(plan: Plan, part: Part): readonly string[] {
  const { averages, clip } = plan;
  return [
    ...firstColumns,
    ...(clip?.type === "value" ? ["clipValue"] : []),
    ...(averages.lookahead ? ["lookahead"] : []),
    ...(averages.ema ? ["ema"] : []),
    ...(averages.swa ? ["swa"] : []),
    ...part.rule.columns,
  ];
}

/** The rows of one replica's groups of one part, step by step, with what the rule carries from one to the next. */
export class RowSource {
  readonly #plan: Plan;
  readonly #part: Part;
  readonly #replica: number;
  /** For each group the carries of steps `#from` and on, as far as they were needed. */
  readonly #carries: CarryValues[][];
  #from = 0;

  constructor(plan: Plan, part: Part, replica: number) {
    this.#plan = plan;
    this.#part = part;
    this.#replica = replica;
    this.#carries = part.groups.map(() => []);
  }

  /** The scalars that update number `step + 1` of a group (by its place in the part) uses; errors name hyper and step. */
  row(group: number, step: number): Record<string, number> {
    const { maximize, accumulate, clip, averages, groups } = this.#plan;
    const hypers = this.#hypers(group, step);
    return {
      gradientScale: (maximize ? -1 : 1) / accumulate,
      first: step === 0 ? 1 : 0,
      frozen: groups[this.#part.groups[group]!]!.frozen ? 1 : 0,
      ...(clip?.type === "value" ? { clipValue: clip.maxValue } : {}),
      ...averageColumns(averages, step),
      ...this.#part.rule.row(hypers, step + 1, this.#carry(group, step), this.#part.flags, () =>
        this.#ahead(group, step),
      ),
    };
  }

  /**
   * A stretch of rows for the GPU, steps `from` to `to` (exclusive). Where a hyper leaves its range the stretch ends and
   * `error` says why: those steps may never come, so the error is thrown when one does.
   */
  rows(from: number, to: number): { rows: Float32Array<ArrayBuffer>; end: number; error: unknown } {
    const columns = tableColumns(this.#plan, this.#part);
    const groups = this.#part.groups.length;
    const rows = new Float32Array((to - from) * groups * columns.length);
    let at = 0;
    for (let step = from; step < to; step++) {
      for (let group = 0; group < groups; group++) {
        try {
          const row = this.row(group, step);
          for (const column of columns) rows[at++] = row[column]!;
        } catch (error) {
          return { rows: rows.slice(0, (step - from) * groups * columns.length), end: step, error };
        }
      }
    }
    return { rows, end: to, error: undefined };
  }

  /** Fixes what was carried up to `step` before hypers change: only what comes after is computed anew. */
  settle(step: number): void {
    if (!this.#part.rule.carry) return;
    this.#carries.forEach((trail, group) => {
      this.#carry(group, step);
      trail.length = Math.min(trail.length, step + 1 - this.#from);
    });
  }

  /** Forgets what was carried before `step`. */
  prune(step: number): void {
    if (!this.#part.rule.carry || step <= this.#from) return;
    this.#carries.forEach((trail, group) => {
      this.#carry(group, step);
      trail.splice(0, step - this.#from);
    });
    this.#from = step;
  }

  /** Whether what is carried into `step` can still be told. */
  knows(step: number): boolean {
    return !this.#part.rule.carry || step >= this.#from;
  }

  /** What each group carries into `step`; nothing where the rule carries nothing. */
  carried(step: number): readonly CarryValues[] {
    return this.#carries.map((_, group) => this.#carry(group, step));
  }

  /** Goes on from a step with what was carried into it, as {@link carried} gave it. */
  restore(step: number, carried: readonly CarryValues[]): void {
    if (!this.#part.rule.carry) return;
    this.#from = step;
    this.#carries.forEach((trail, group) => {
      trail.splice(0, trail.length, carried[group]!);
    });
  }

  #hypers(group: number, step: number): Record<string, number> {
    const index = this.#part.groups[group]!;
    const hypers: Record<string, number> = {};
    for (const hyper of Object.keys(this.#part.rule.hypers)) {
      hypers[hyper] = hyperAt(this.#plan, index, hyper, step, this.#replica);
    }
    return hypers;
  }

  /** The hypers of the step after `step`; where a schedule ends with this one, those of this one. */
  #ahead(group: number, step: number): Record<string, number> {
    try {
      return this.#hypers(group, step + 1);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      return this.#hypers(group, step);
    }
  }

  #carry(group: number, step: number): CarryValues {
    const { carry } = this.#part.rule;
    if (!carry) return {};
    const trail = this.#carries[group]!;
    if (trail.length === 0) trail.push(carry.start(this.#hypers(group, this.#from)));
    while (trail.length <= step - this.#from) {
      const last = this.#from + trail.length - 1;
      trail.push(
        carry.next(trail[trail.length - 1]!, this.#hypers(group, last), last + 1, () => this.#ahead(group, last)),
      );
    }
    return trail[Math.max(0, step - this.#from)]!;
  }
}
