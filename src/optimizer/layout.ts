// The layout of a rule set's state: slot after slot, each with the rule set's segments one after the other, then the scales of
// adaptive clipping; and the scalars of its reductions. The same for both engines. Pure arithmetic, in elements.

import { float32, type SlotFormat, wordsOf } from "../rules/slot_format.ts";
import { type Segment, segmentAlignment } from "./arena.ts";
import type { Plan, RuleSet } from "./plan.ts";

/** A matrix, or a stack of them, the view of a tensor in clipping by units and factored slots. */
export interface MatrixView {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
}

/** The lines of a tensor for each of which a modifier keeps one number: the columns of a matrix, or its rows. */
export interface Lines {
  readonly view: MatrixView;
  readonly alongRows?: boolean;
  /** Where the numbers are, from the start of the state. */
  readonly offset: number;
}

/** One segment's place in its rule set's state. */
export interface Place {
  readonly segment: Segment;
  /** The segment's place in the plan. */
  readonly index: number;
  /** Its own place in the rule set. */
  readonly at: number;
  /** Its group, by its place in the rule set. */
  readonly group: number;
  /** From the start of each slot except a factored one. */
  readonly offset: number;
  /** From the start of a factored slot. */
  readonly factoredOffset: number;
  /** The factored slot's view: that slot holds the means of its columns, then those of its rows. */
  readonly factored: MatrixView | undefined;
  /** By block name: the matrix whose columns are a modifier's lines, and the place in the state of its number for each of them. */
  readonly lines: Readonly<Record<string, Lines>>;
}

/** A number that a reduction keeps: one per tensor, or one for all. */
export interface ScalarField {
  readonly name: string;
  readonly scope: "tensor" | "all";
  /** Whether it is a modifier's, not the rule's own. */
  readonly modifier?: boolean;
}

export interface RuleSetLayout {
  readonly places: readonly Place[];
  /** The same for the rows in use; the other fields describe the full room. */
  readonly used: Place[];
  /** Elements of every slot except the factored one. */
  readonly slotStride: number;
  /** The start of each slot, in words. */
  readonly slotBases: ReadonlyMap<string, number>;
  /** The storage format of each slot. */
  readonly formats: ReadonlyMap<string, SlotFormat>;
  readonly factoredSlot: string | undefined;
  /** Words of one replica's state. */
  readonly stateLength: number;
  /** A record of these for all tensors together, then one for each place. */
  readonly scalars: readonly ScalarField[];
}

const aligned = (length: number) => Math.ceil(length / segmentAlignment) * segmentAlignment;

export function layoutRuleSet(plan: Plan, ruleSet: RuleSet, segments: readonly Segment[]): RuleSetLayout {
  const { rule } = ruleSet;
  const groupIndex = new Map(ruleSet.groups.map((group, index) => [group, index]));
  let [stride, factoredStride] = [0, 0];
  const members = ruleSet.segments.map((index, at) => ({ index, at, segment: segments[index]! }));
  const inOrder = rule.orthogonalises ? alike(members, ({ segment }) => segment).flat() : members;
  const inSlots = inOrder.map(({ index, at, segment }) => {
    const factored = rule.factored ? factoredView(segment.shape) : undefined;
    const place = { segment, index, at, factored, offset: stride, factoredOffset: factoredStride };
    stride += aligned(segment.length);
    factoredStride += aligned(factored ? meansOf(factored) : segment.length);
    return { ...place, group: groupIndex.get(plan.groupOf[index]!)! };
  });
  const placed = inSlots.sort((a, b) => a.at - b.at);
  let stateLength = 0;
  const slotBases = new Map<string, number>();
  const formats = new Map(ruleSet.slots.map((slot) => [slot, rule.formats?.[slot] ?? float32]));
  for (const slot of ruleSet.slots) {
    slotBases.set(slot, stateLength);
    stateLength += slot === rule.factored?.slot ? factoredStride : wordsOf(formats.get(slot)!, stride);
  }
  const places = placed.map((place): Place => {
    const lines: Record<string, Lines> = {};
    for (const { lines: block, linesOf } of plan.modifiers) {
      const found = linesOf?.(place.segment);
      if (!found || block === undefined) continue;
      lines[block] = { ...found, offset: stateLength };
      stateLength += aligned(found.alongRows ? found.view.rows : found.view.columns);
    }
    return { ...place, lines };
  });
  return {
    places,
    used: [...places],
    slotStride: stride,
    slotBases,
    formats,
    factoredSlot: rule.factored?.slot,
    stateLength,
    scalars: scalarFields(plan, ruleSet),
  };
}

/** Matrices grouped by shape and output side, in order of first occurrence, as they lie in slots to be multiplied together. */
export function alike<T>(all: readonly T[], segmentOf: (each: T) => Segment): T[][] {
  const groups = new Map<string, T[]>();
  for (const each of all) {
    const { shape, layout } = segmentOf(each);
    const key = `${shape} ${layout}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()];
}

/** A slot's range for a place: its first word from the start of the state, its elements and their format. */
export function slotRange(layout: RuleSetLayout, place: Place, slot: string) {
  const base = layout.slotBases.get(slot)!;
  const format = layout.formats.get(slot)!;
  if (slot !== layout.factoredSlot) {
    return { offset: base + wordsOf(format, place.offset), length: place.segment.length, format };
  }
  const length = place.factored ? meansOf(place.factored) : place.segment.length;
  return { offset: base + place.factoredOffset, length, format };
}

/** Columns first, then rows from the next multiple of 4. */
export const rowMeans = ({ batch, columns }: MatrixView) => Math.ceil((batch * columns) / 4) * 4;

const meansOf = (view: MatrixView) => rowMeans(view) + view.batch * view.rows;

/** The stored scalars; `factored` of a rule with a factored slot follows from the layout instead. */
function scalarFields(plan: Plan, { rule: { reduction, factored } }: RuleSet): ScalarField[] {
  const names = Object.keys(reduction?.scalars ?? {}).filter((name) => !(factored && name === "factored"));
  return [
    ...names.map((name) => ({ name, scope: reduction!.scope })),
    ...modifierScalars(plan).map((name) => ({ name, scope: "tensor" as const, modifier: true })),
  ];
}

/** The scalars that modifiers keep for each tensor. */
export function modifierScalars({ modifiers }: Plan): readonly string[] {
  return modifiers.flatMap(({ scalars = [] }) => scalars);
}

/** torch's Adafactor factors tensors with two dimensions or more, over the last two. */
export function factoredView(shape: readonly number[]): MatrixView | undefined {
  if (shape.length < 2) return undefined;
  const [rows, columns] = shape.slice(-2) as [number, number];
  return { batch: shape.slice(0, -2).reduce((product, size) => product * size, 1), rows, columns };
}
