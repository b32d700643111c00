// One update of one rule set on the CPU: the twins of every stage that the GPU runs as kernels, in their order, in float64.

import type { Hypers } from "../../optimizer/hypers.ts";
import type { Place, RuleSetLayout } from "../../optimizer/layout.ts";
import type { Plan, RuleSet } from "../../optimizer/plan.ts";
import { RowSource } from "../../optimizer/table.ts";
import { ruleStages } from "../stages/list.ts";
import type { ModifierKernel } from "../stages/stage.ts";
import type { Row, RuleSetState, Step, TwinContext, Work } from "../stages/twin.ts";
import { Cells, cellAt, loaded, Scalars } from "./cells.ts";

export function ruleSetState(
  plan: Plan,
  hypers: Hypers,
  ruleSet: RuleSet,
  layout: RuleSetLayout,
  replica: number,
): RuleSetState {
  return {
    ruleSet,
    layout,
    state: new Float32Array(layout.stateLength),
    scalars: new Float32Array(layout.scalars.length * (1 + layout.places.length)),
    rows: new RowSource(plan, hypers, ruleSet, replica),
  };
}

export function updateRuleSet(plan: Plan, state: RuleSetState, rows: readonly Row[], step: Step): void {
  const { ruleSet, layout } = state;
  const modifiers = plan.modifiers;
  const all = layout.used.map((place) => workOf(state, place, rows[place.group]!, step, modifiers));
  const works = all.filter(({ row }) => row.frozen !== 1);
  // Frozen tensors keep everything they have, but their slots start with the first step.
  for (const { place, row, cells } of all) {
    if (row.frozen !== 1 || row.first !== 1) continue;
    for (let i = 0; i < place.segment.length; i++) {
      cells.load(i);
      cells.store(i);
    }
    cells.finish();
  }
  const scalars = new Scalars(state, rows);
  const context: TwinContext = { state, modifiers, works, scalars, rows, params: step.params };
  for (const stage of ruleStages(plan, ruleSet)) stage.twin?.(context);
  for (const work of works) update(context, work, step);
}

function workOf(
  { ruleSet, layout, state }: RuleSetState,
  place: Place,
  row: Row,
  { params, raw, scales }: Step,
  modifiers: readonly ModifierKernel[],
): Work {
  const scale = row.gradientScale! * scales[scales.length === 1 ? 0 : ruleSet.groups[place.group]!]!;
  const { page, offset: at } = place.segment;
  const gradients = raw[page]!;
  const hooks = modifiers.filter(({ twin }) => twin?.gradient);
  const chained = (before: readonly ModifierKernel[]) =>
    before.reduce<(i: number) => number>(
      (gradient, { twin }) =>
        (i) =>
          twin!.gradient!(gradient(i), i, work),
      (i) => scale * gradients[at + i]!,
    );
  const work: Work = {
    place,
    row,
    cells: new Cells({ ruleSet, layout, state }, place, params[page]!, row),
    lines: {},
    gradient: chained(hooks),
    gradientBefore: (modifier) =>
      chained(
        hooks.slice(
          0,
          hooks.findIndex(({ name }) => name === modifier),
        ),
      ),
  };
  return work;
}

/** The rule's update of a tensor, and the modifiers after it. */
function update({ state: { ruleSet }, modifiers, scalars }: TwinContext, work: Work, { note }: Step): void {
  const { place, row, cells, gradient } = work;
  const { rule, flags } = ruleSet;
  const r = scalars.of(place);
  const steps = modifiers.flatMap(({ twin }) => twin?.step ?? []);
  const updates = modifiers.flatMap(({ twin }) => twin?.update ?? []);
  const { p, step, decay } = cellAt;
  let [g2, p2, d2] = [0, 0, 0];
  for (let i = 0; i < place.segment.length; i++) {
    const x = cells.load(i);
    const g = gradient(i);
    const before = loaded[p]!;
    rule.update(x, g, row, flags, r);
    for (const modify of steps) modify(x, before, g, row, r);
    const kept = loaded[p]!;
    const moved = kept - (loaded[decay]! + loaded[step]!);
    loaded[p] = moved;
    for (const modify of updates) modify(x, before, g, row, r);
    cells.store(i);
    if (!note) continue;
    const change = loaded[step]! + loaded[decay]! + (before - kept) + (moved - loaded[p]!);
    g2 += g * g;
    p2 += before * before;
    d2 += change * change;
  }
  cells.finish();
  note?.({
    name: place.segment.name,
    gradientNorm: Math.sqrt(g2),
    weightNorm: Math.sqrt(p2),
    updateNorm: Math.sqrt(d2),
  });
}
