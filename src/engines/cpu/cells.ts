// The iteration of twins on the CPU: the elements of a tensor with their slots, and the scalars of a rule set.
import { type MatrixView, type Place, type RuleSetLayout, rowMeans, slotRange } from "../../optimizer/layout.ts";
import type { Rule } from "../../rules/rule.ts";
import { normalOrZero } from "../../rules/sign.ts";
import { decoded, encoded, wordsOf } from "../../rules/slot_format.ts";
import type { CellValues, Row, RuleSetState } from "../stages/twin.ts";

/** The places of a cell's own fields; its slots follow. */
export const cellAt = { p: 0, step: 1, decay: 2 } as const;

const firstSlot = 3;

/**
 * The element that is loaded, of whatever tensor: {@link cellAt}, then its slots. V8 is slow at properties of objects that are named
 * at run time, and at those of objects of many kinds, so the fields of cells are accessors into this array, and the engine itself
 * reads and writes the array.
 */
export let loaded = new Float64Array(16);
const accessors: PropertyDescriptor[] = [];

function accessor(at: number): PropertyDescriptor {
  accessors[at] ??= {
    enumerable: true,
    get: () => loaded[at],
    set(value: number) {
      loaded[at] = value;
    },
  };
  return accessors[at];
}

const cellsBySlots = new Map<string, CellValues>();

/** The cell with these slots, the same for all tensors. */
function cellOf(slots: readonly string[]): CellValues {
  const key = slots.join();
  const known = cellsBySlots.get(key);
  if (known) return known;
  const names = [...Object.keys(cellAt), ...slots];
  if (names.length > loaded.length) loaded = new Float64Array(2 * names.length);
  const cell = {} as CellValues;
  for (const [at, name] of names.entries()) Object.defineProperty(cell, name, accessor(at));
  cellsBySlots.set(key, cell);
  return cell;
}

/** The elements of one tensor with their slots. */
export class Cells {
  readonly #params: Float32Array;
  readonly #offset: number;
  readonly #rule: Rule;
  readonly #goesBySign: boolean;
  /** The slots kept element by element, and their places. */
  readonly #names: readonly string[];
  readonly #values: readonly Float32Array[];
  /** Puts back the slots that are stored in other formats. */
  readonly #encoded: (() => void)[] = [];
  readonly #starts: readonly (readonly [string, number | "p"])[];
  /** The places of the slots that the rule's `measure` advances. */
  readonly #advanced: readonly number[];
  readonly #factors: ((i: number) => number) | undefined;
  readonly #cell: CellValues;
  /** The end of its slots in {@link loaded}: those kept, then the rule's others, which its flags leave out or which are factored. */
  readonly #end: number;
  /** Whether slots have values that are not stored: in the first update, or factored. */
  readonly #isSpecial: boolean;

  constructor(
    { ruleSet, layout, state }: Pick<RuleSetState, "ruleSet" | "layout" | "state">,
    place: Place,
    params: Float32Array,
    row: Row,
  ) {
    this.#params = params;
    this.#offset = place.segment.offset;
    this.#rule = ruleSet.rule;
    this.#goesBySign = ruleSet.rule.goesBySign === true;
    const { factored } = ruleSet.rule;
    this.#names = ruleSet.slots.filter((slot) => !(place.factored && slot === factored?.slot));
    this.#values = this.#names.map((slot) => {
      const { offset, length, format } = slotRange(layout, place, slot);
      const stored = state.subarray(offset, offset + wordsOf(format, length));
      if (!format.encode) return stored;
      const values = decoded(format, stored, length);
      this.#encoded.push(() => {
        stored.set(encoded(format, values));
        // An element may be loaded again after that.
        values.set(decoded(format, stored, length));
      });
      return values;
    });
    this.#advanced = (ruleSet.rule.reduction?.advances ?? [])
      .map((slot) => this.#names.indexOf(slot))
      .filter((at) => at >= 0);
    const slots = [...new Set([...this.#names, ...ruleSet.rule.slots, ...ruleSet.slots])];
    this.#cell = cellOf(slots);
    this.#end = firstSlot + slots.length;
    this.#starts = ruleSet.slots.flatMap((slot) => {
      const start = ruleSet.rule.slots.includes(slot) ? ruleSet.rule.starts?.[slot] : "p";
      if (start === undefined || row.first !== 1) return [];
      return [[slot, start === "p" || typeof start === "number" ? start : row[start]!] as const];
    });
    if (place.factored && factored) {
      this.#factors = meansProduct(state, layout, place, place.factored, row[factored.least]!);
    }
    this.#isSpecial = this.#starts.length > 0 || this.#factors !== undefined;
  }

  /** The values of an element, valid until another is loaded, of this tensor or another. */
  load(i: number): CellValues {
    const values = this.#values;
    loaded[cellAt.p] = this.#params[this.#offset + i]!;
    loaded[cellAt.step] = 0;
    loaded[cellAt.decay] = 0;
    let at = firstSlot;
    for (let s = 0; s < values.length; s++) loaded[at++] = values[s]![i]!;
    for (; at < this.#end; at++) loaded[at] = 0;
    if (this.#isSpecial) this.#complete(i);
    return this.#cell;
  }

  #complete(i: number): void {
    const x = this.#cell;
    for (const [slot, start] of this.#starts) x[slot] = start === "p" ? x.p : start;
    if (this.#factors) x[this.#rule.factored!.slot] = this.#factors(i);
  }

  /** Stores the element that was loaded last. */
  store(i: number): void {
    const values = this.#values;
    this.#params[this.#offset + i] = loaded[cellAt.p]!;
    for (let s = 0; s < values.length; s++) this.#put(s, i);
  }

  /** Of the element that was loaded last, stores the slots that the rule's `measure` advances. */
  storeAdvanced(i: number): void {
    for (const s of this.#advanced) this.#put(s, i);
  }

  #put(s: number, i: number): void {
    const value = loaded[firstSlot + s]!;
    this.#values[s]![i] = this.#goesBySign ? normalOrZero(value) : value;
  }

  /** After the last stored element. */
  finish(): void {
    for (const put of this.#encoded) put();
  }
}

/** The scalars of a rule set, as each tensor sees them: those of all tensors, and its own. */
export class Scalars {
  readonly #state: RuleSetState;
  readonly #rows: readonly Row[];

  constructor(state: RuleSetState, rows: readonly Row[]) {
    this.#state = state;
    this.#rows = rows;
    this.#begin();
  }

  of(place: Place): Record<string, number> {
    const { ruleSet, layout, scalars } = this.#state;
    const values: Record<string, number> = ruleSet.rule.factored ? { factored: place.factored ? 1 : 0 } : {};
    layout.scalars.forEach(({ name, scope }, field) => {
      values[name] = scalars[(scope === "all" ? 0 : place.at + 1) * layout.scalars.length + field]!;
    });
    return values;
  }

  store(values: Row, scope: "tensor" | "all", place: Place): void {
    const { layout, scalars } = this.#state;
    layout.scalars.forEach((field, index) => {
      if (field.scope !== scope) return;
      scalars[(scope === "all" ? 0 : place.at + 1) * layout.scalars.length + index] = values[field.name]!;
    });
  }

  #begin(): void {
    const { ruleSet, layout, scalars } = this.#state;
    const starts = ruleSet.rule.reduction?.scalars ?? {};
    layout.scalars.forEach(({ name, scope }, field) => {
      const start = starts[name] ?? 0;
      const begin = (row: Row, at: number) => {
        if (row.first === 1) scalars[at] = typeof start === "number" ? start : row[start]!;
      };
      if (scope === "all") begin(this.#rows.at(-1)!, field);
      else
        layout.places.forEach((place, index) => {
          begin(this.#rows[place.group]!, (1 + index) * layout.scalars.length + field);
        });
    });
  }
}

/** A factored slot's value in each element: row · column / mean of the rows. */
function meansProduct(
  state: Float32Array,
  layout: RuleSetLayout,
  place: Place,
  view: MatrixView,
  least: number,
): (i: number) => number {
  const { rows, columns } = view;
  const { offset } = slotRange(layout, place, layout.factoredSlot!);
  const byRow = offset + rowMeans(view);
  const means: (number | undefined)[] = [];
  const meanOf = (b: number) => {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += state[byRow + b * rows + r]!;
    return Math.max(sum / rows, least);
  };
  return (i) => {
    const line = Math.floor(i / columns);
    const b = Math.floor(line / rows);
    means[b] ??= meanOf(b);
    return (state[byRow + line]! * state[offset + b * columns + (i % columns)]!) / means[b];
  };
}
