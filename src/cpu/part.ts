// One update of one part on the CPU: every stage that the GPU runs as a kernel, with the rule's twins, in float64.
import { sidesOf } from "../arena.ts";
import type { Averages } from "../around_plan.ts";
import { keptShare, type MatrixView, type PartLayout, type Place, rowMeans, slotRange } from "../layout.ts";
import type { LayerStats } from "../optimizer.ts";
import type { Part, Plan } from "../plan.ts";
import type { Rule } from "../rule.ts";
import { RowSource } from "../table.ts";
import { orthogonalised } from "./orthogonalise.ts";

export type Row = Readonly<Record<string, number>>;

type CellValues = { p: number } & Record<string, number>;

/** What one replica keeps of one part. */
export interface PartState {
  readonly part: Part;
  readonly layout: PartLayout;
  readonly state: Float32Array<ArrayBuffer>;
  readonly scalars: Float32Array<ArrayBuffer>;
  readonly rows: RowSource;
}

export function partState(plan: Plan, part: Part, layout: PartLayout, replica: number): PartState {
  return {
    part,
    layout,
    state: new Float32Array(layout.stateLength),
    scalars: new Float32Array(layout.scalars.length * (1 + layout.places.length)),
    rows: new RowSource(plan, part, replica),
  };
}

/** What the step as a whole gives a part. */
export interface Step {
  readonly params: Float32Array;
  /** The gradients as the caller wrote them, or their sum. */
  readonly raw: Float32Array;
  /** What they are multiplied by, by bin of clipping. */
  readonly scales: readonly number[];
  /** Hears what the update did to each tensor. */
  readonly note?: ((stats: LayerStats) => void) | undefined;
}

export function updatePart(plan: Plan, state: PartState, rows: readonly Row[], step: Step): void {
  const { part, layout } = state;
  const all = layout.places.map((place): Work => {
    const row = rows[place.group]!;
    return {
      place,
      row,
      cells: new Cells(state, place, step.params, row),
      gradient: gradientOf(plan, part, place, row, step),
    };
  });
  const works = all.filter(({ row }) => row.frozen !== 1);
  // What is frozen keeps all it has; but slots begin with the first step.
  for (const { place, row, cells } of all) {
    if (row.frozen !== 1 || row.first !== 1) continue;
    for (let i = 0; i < place.segment.length; i++) cells.store(i, cells.load(i));
  }
  for (const { place, row, gradient } of works) {
    if (place.factored) moveMeans(state, place, place.factored, row, gradient);
  }
  const scalars = new Scalars(state, rows);
  reduce(state, works, scalars, rows.at(-1)!);
  for (const work of works) orthogonalise(state, work, scalars.of(work.place));
  if (plan.cautious) measureCaution(part, works, scalars);
  for (const { place, row, cells, gradient } of works) {
    const r = scalars.of(place);
    let [g2, p2, d2] = [0, 0, 0];
    for (let i = 0; i < place.segment.length; i++) {
      const x = cells.load(i);
      const g = gradient(i);
      const before = x.p;
      updateCell(plan, part, x, g, row, r);
      cells.store(i, x);
      g2 += g * g;
      p2 += before * before;
      d2 += (Math.fround(x.p) - before) ** 2;
    }
    step.note?.({
      name: place.segment.name,
      gradientNorm: Math.sqrt(g2),
      weightNorm: Math.sqrt(p2),
      updateNorm: Math.sqrt(d2),
    });
  }
}

/** Makes the matrix of a rule that goes by an orthogonal one. */
function orthogonalise({ part, layout, state }: PartState, { place, row, cells, gradient }: Work, r: Row): void {
  const { orthogonalises } = part.rule;
  if (!orthogonalises) return;
  const { slot, prepare, scale } = orthogonalises;
  const shape = place.segment.shape as [number, number];
  const prepared = Float64Array.from({ length: place.segment.length }, (_, i) =>
    prepare(cells.load(i), gradient(i), row, r, part.flags),
  );
  const factor = scale(sidesOf(place.segment), part.flags);
  state.set(
    orthogonalised(prepared, shape).map((value) => factor * value),
    slotRange(layout, place, slot).offset,
  );
}

/** One tensor's share of the work. */
interface Work {
  readonly place: Place;
  readonly row: Row;
  readonly cells: Cells;
  /** The gradient of an element as the rule sees it: signed, unscaled, clipped. */
  readonly gradient: (i: number) => number;
}

/** The rule's own update, and what stands around it. */
function updateCell({ cautious, averages }: Plan, { rule, flags }: Part, x: CellValues, g: number, row: Row, r: Row) {
  const kept = x.p * (row.keep ?? 1);
  rule.update(x, g, row, flags, r);
  if (cautious) x.p = (kept - x.p) * g > 0 ? kept - r[keptShare]! * (kept - x.p) : kept;
  average(averages, x, row);
}

function average({ lookahead, ema, swa }: Averages, x: CellValues, row: Row): void {
  if (lookahead && row.lookahead! >= 0) {
    x.lookahead! += row.lookahead! * (x.p - x.lookahead!);
    x.p = x.lookahead!;
  }
  if (ema) x.ema! += row.ema! * (x.p - x.ema!);
  if (swa) x.swa! += row.swa! * (x.p - x.swa!);
}

/**
 * Sums what the rule's reduction measures, tensor by tensor or over all, and lets it conclude; over all by the last row,
 * which is that of all groups together then.
 */
function reduce(state: PartState, works: readonly Work[], scalars: Scalars, row: Row): void {
  const { rule, flags } = state.part;
  const { reduction } = rule;
  if (!reduction) return;
  const bins = reduction.scope === "all" ? [works] : works.map((work) => [work]);
  const conclusions = bins
    .filter((bin) => bin.length > 0)
    .map((bin) => {
      const sums: Record<string, number> = Object.fromEntries(["count", ...reduction.sums].map((name) => [name, 0]));
      for (const { place, row, cells, gradient } of bin) {
        const r = scalars.of(place);
        sums.count! += place.segment.length;
        for (let i = 0; i < place.segment.length; i++) {
          const terms = reduction.measure(cells.load(i), gradient(i), row, r, flags);
          for (const name of reduction.sums) sums[name]! += terms[name]!;
        }
      }
      return { sums, first: bin[0]! };
    });
  for (const { sums, first } of conclusions) {
    const all = reduction.scope === "all";
    const r = all ? scalars.of(state.layout.places[0]!) : scalars.of(first.place);
    reduction.conclude(sums, r, all ? row : first.row, flags);
    scalars.store(r, reduction.scope, first.place);
  }
}

/** Of each tensor the share of elements whose update does not go against the gradient (Liang et al. 2024). */
function measureCaution({ rule, flags }: Part, works: readonly Work[], scalars: Scalars): void {
  for (const { place, row, cells, gradient } of works) {
    const r = scalars.of(place);
    let kept = 0;
    for (let i = 0; i < place.segment.length; i++) {
      const x = cells.load(i);
      const before = x.p * (row.keep ?? 1);
      rule.update(x, gradient(i), row, flags, r);
      if ((before - x.p) * gradient(i) > 0) kept++;
    }
    r[keptShare] = 1 / Math.max(kept / place.segment.length, 1e-3);
    scalars.store(r, "tensor", place);
  }
}

function gradientOf(plan: Plan, { groups }: Part, place: Place, row: Row, { params, raw, scales }: Step) {
  const { clip } = plan;
  const { segment, group } = place;
  const units = place.lines.units?.view;
  const { gradientScale, clipValue } = row;
  const scale = gradientScale! * scales[scales.length === 1 ? 0 : groups[group]!]!;
  const at = segment.offset;
  if (clipValue !== undefined) return (i: number) => Math.max(-clipValue, Math.min(clipValue, scale * raw[at + i]!));
  if (clip?.type !== "adaptive" || !units) return (i: number) => scale * raw[at + i]!;
  const unitScales = Array.from({ length: units.columns }, (_, unit) => {
    let [p2, g2] = [0, 0];
    for (let i = unit; i < segment.length; i += units.columns) {
      p2 += params[at + i]! ** 2;
      g2 += (scale * raw[at + i]!) ** 2;
    }
    const most = clip.clipping * Math.max(Math.sqrt(p2), clip.eps);
    return Math.sqrt(g2) < most ? 1 : most / Math.max(Math.sqrt(g2), 1e-6);
  });
  return (i: number) => scale * unitScales[i % units.columns]! * raw[at + i]!;
}

/** The elements of one tensor with their slots. */
class Cells {
  readonly #params: Float32Array;
  readonly #offset: number;
  readonly #rule: Rule;
  /** The slots that are kept element by element, and where. */
  readonly #names: readonly string[];
  readonly #values: readonly Float32Array[];
  /** The rule's other slots, which its flags leave out. */
  readonly #absent: readonly string[];
  readonly #starts: readonly (readonly [string, number | "p"])[];
  readonly #factors: ((i: number) => number) | undefined;
  /** One for all elements: V8 takes longer to add slots to an object by name than to do an update. */
  readonly #cell: CellValues;

  constructor({ part, layout, state }: PartState, place: Place, params: Float32Array, row: Row) {
    this.#params = params;
    this.#offset = place.segment.offset;
    this.#rule = part.rule;
    const { factored } = part.rule;
    this.#names = part.slots.filter((slot) => !(place.factored && slot === factored?.slot));
    this.#values = this.#names.map((slot) => {
      const { offset, length } = slotRange(layout, place, slot);
      return state.subarray(offset, offset + length);
    });
    this.#absent = part.rule.slots.filter((slot) => !this.#names.includes(slot));
    this.#cell = { p: 0 };
    for (const slot of [...part.rule.slots, ...part.slots]) this.#cell[slot] = 0;
    this.#starts = part.slots.flatMap((slot) => {
      const start = part.rule.slots.includes(slot) ? part.rule.starts?.[slot] : "p";
      if (start === undefined || row.first !== 1) return [];
      return [[slot, start === "p" || typeof start === "number" ? start : row[start]!] as const];
    });
    if (place.factored && factored) {
      this.#factors = meansProduct(state, layout, place, place.factored, row[factored.least]!);
    }
  }

  /** The values of an element, which stand until the next is loaded. */
  load(i: number): CellValues {
    const x = this.#cell;
    x.p = this.#params[this.#offset + i]!;
    for (const slot of this.#absent) x[slot] = 0;
    for (let s = 0; s < this.#names.length; s++) x[this.#names[s]!] = this.#values[s]![i]!;
    for (const [slot, start] of this.#starts) x[slot] = start === "p" ? x.p : start;
    if (this.#factors) x[this.#rule.factored!.slot] = this.#factors(i);
    return x;
  }

  store(i: number, x: CellValues): void {
    this.#params[this.#offset + i] = x.p;
    for (let s = 0; s < this.#names.length; s++) this.#values[s]![i] = x[this.#names[s]!]!;
  }
}

/** The scalars of a part, as each tensor sees them: those of all tensors, and its own. */
class Scalars {
  readonly #state: PartState;
  readonly #rows: readonly Row[];
  readonly #records: Map<Place, number>;

  constructor(state: PartState, rows: readonly Row[]) {
    this.#state = state;
    this.#rows = rows;
    this.#records = new Map(state.layout.places.map((place, index) => [place, index + 1]));
    this.#begin();
  }

  of(place: Place): Record<string, number> {
    const { part, layout, scalars } = this.#state;
    const values: Record<string, number> = part.rule.factored ? { factored: place.factored ? 1 : 0 } : {};
    layout.scalars.forEach(({ name, scope }, field) => {
      values[name] = scalars[(scope === "all" ? 0 : this.#records.get(place)!) * layout.scalars.length + field]!;
    });
    return values;
  }

  store(values: Row, scope: "tensor" | "all", place: Place): void {
    const { layout, scalars } = this.#state;
    layout.scalars.forEach((field, index) => {
      if (field.scope !== scope) return;
      scalars[(scope === "all" ? 0 : this.#records.get(place)!) * layout.scalars.length + index] = values[field.name]!;
    });
  }

  #begin(): void {
    const { part, layout, scalars } = this.#state;
    const starts = part.rule.reduction?.scalars ?? {};
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

/** Moves the means of the squared gradient along columns and rows. */
function moveMeans(
  { part, layout, state }: PartState,
  place: Place,
  view: MatrixView,
  row: Row,
  gradient: (i: number) => number,
): void {
  const { rows, columns } = view;
  const { slot, weight } = part.rule.factored!;
  const { offset } = slotRange(layout, place, slot);
  const fresh = new Float64Array(slotRange(layout, place, slot).length);
  for (let i = 0; i < place.segment.length; i++) {
    const line = Math.floor(i / columns);
    const square = gradient(i) ** 2;
    fresh[Math.floor(line / rows) * columns + (i % columns)]! += square / rows;
    fresh[rowMeans(view) + line]! += square / columns;
  }
  fresh.forEach((mean, i) => {
    state[offset + i] = state[offset + i]! + row[weight]! * (mean - state[offset + i]!);
  });
}

/** What a factored slot is in each element: row · column / mean of the rows. */
function meansProduct(
  state: Float32Array,
  layout: PartLayout,
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
