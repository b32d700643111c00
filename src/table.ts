// The table: rows of scalars computed on the host in float64, one row per step and group, from which the GPU takes the
// row of its own step counter. Nothing that depends on the step alone is ever computed in a shader.
import { hyperAt, type Plan } from "./plan.ts";

/** The columns of a row, in order: the driver's own, then the rule's. */
export function tableColumns(plan: Plan): readonly string[] {
  return ["gradientSign", ...plan.rule.columns];
}

/** One row: the scalars that update number `step + 1` of `group` uses; errors name the hyper and the step. */
export function tableRow(plan: Plan, group: number, step: number): Record<string, number> {
  const hypers: Record<string, number> = {};
  for (const hyper of Object.keys(plan.rule.hypers)) hypers[hyper] = hyperAt(plan, group, hyper, step);
  return { gradientSign: plan.maximize ? -1 : 1, ...plan.rule.row(hypers, step + 1) };
}

/** Words before the first row: the step of that row and how many steps follow. */
export const tableHeaderWords = 2;

/**
 * A stretch of rows for the GPU, steps `from` to `to` (exclusive). Where a hyper leaves its range the stretch ends and
 * `error` says why: those steps may never come, so the error is thrown when one does.
 */
export function tableRows(
  plan: Plan,
  from: number,
  to: number,
): { rows: Float32Array<ArrayBuffer>; end: number; error: unknown } {
  const columns = tableColumns(plan);
  const rows = new Float32Array((to - from) * plan.groups.length * columns.length);
  let at = 0;
  for (let step = from; step < to; step++) {
    for (let group = 0; group < plan.groups.length; group++) {
      try {
        const row = tableRow(plan, group, step);
        for (const column of columns) rows[at++] = row[column]!;
      } catch (error) {
        const whole = (step - from) * plan.groups.length * columns.length;
        return { rows: rows.slice(0, whole), end: step, error };
      }
    }
  }
  return { rows, end: to, error: undefined };
}
