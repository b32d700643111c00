// One replica's rows on the GPU (shaders/table.wgsl): a ring of slots that the host fills ahead of the steps, and a short ring
// near the last step known to have run, for dropped encoders.
import type { Hypers } from "../../optimizer/hypers.ts";
import type { Plan, RuleSet } from "../../optimizer/plan.ts";
import { RowSource, rowCount, tableColumns } from "../../optimizer/table.ts";

/** Numbers of one step's rows of a rule set. */
function rowNumbers(plan: Plan, ruleSet: RuleSet): number {
  return tableColumns(plan, ruleSet).length * rowCount(ruleSet);
}

/** Words of a slot: the number of its step, then the rows of every rule set's groups. */
export function slotWords(plan: Plan): number {
  return 1 + plan.ruleSets.reduce((sum, ruleSet) => sum + rowNumbers(plan, ruleSet), 0);
}

/** The start of a rule set's rows in a slot, in words. */
export function rowOffset(plan: Plan, index: number): number {
  return 1 + plan.ruleSets.slice(0, index).reduce((sum, ruleSet) => sum + rowNumbers(plan, ruleSet), 0);
}

/** The most slots of the ring ahead. */
export const mostSlots = 5120;

/** Slots of the ring ahead: 5,120, or fewer (at least 512) where many groups and replicas would make the table exceed 2 MiB. */
export function ringSlots(plan: Plan): number {
  return Math.min(mostSlots, 2 * Math.max(256, Math.floor(2 ** 20 / (4 * slotWords(plan) * plan.replicas))));
}

/** Slots of the ring near the last known step. */
export const nearSlots = 128;

/** Bytes of the table: each replica's two rings. */
export function tableBytes(plan: Plan): number {
  return 4 * plan.replicas * (ringSlots(plan) + nearSlots) * slotWords(plan);
}

/** A ring of slots, and the steps whose rows it holds for the current hypers: `begin` to `end` (exclusive). */
interface Ring {
  /** Its first slot. */
  readonly at: number;
  readonly size: number;
  begin: number;
  end: number;
}

/** How long the values that rules carry are kept for steps that the GPU may still be at, in steps before those of the ring. */
const memory = 2 ** 16;

/** Steps whose rows are made together, at first. */
const firstStretch = 32;

/** The same after a change of hypers: the next step, and one more where gradients add up. */
const leastStretch = ({ accumulate }: Plan) => (accumulate > 1 ? 2 : 1);

/**
 * Stretches double while nothing is set, so that setting a hyper at every step stays cheap and a fixed schedule needs a refill
 * only every 2,048 steps.
 */
export class RowRing {
  /** By rule set. */
  readonly sources: readonly RowSource[];
  readonly #queue: GPUQueue;
  readonly #buffer: GPUBuffer;
  /** By rule set: the start of its rows in a slot, in words. */
  readonly #offsets: readonly number[];
  readonly #words: number;
  readonly #leastStretch: number;
  /** Slots of the shortest stretch, for repeated use. */
  readonly #few: Slots;
  readonly #ahead: Ring;
  readonly #near: Ring;
  #stretch = firstStretch;

  constructor(queue: GPUQueue, buffer: GPUBuffer, plan: Plan, hypers: Hypers, replica: number) {
    this.sources = plan.ruleSets.map((ruleSet) => new RowSource(plan, hypers, ruleSet, replica));
    this.#queue = queue;
    this.#buffer = buffer;
    this.#offsets = plan.ruleSets.map((_, index) => rowOffset(plan, index));
    this.#words = slotWords(plan);
    this.#leastStretch = leastStretch(plan);
    this.#few = slotsOf(this.#leastStretch * this.#words);
    const size = ringSlots(plan);
    const first = replica * (size + nearSlots);
    this.#ahead = { at: first, size, begin: 0, end: 0 };
    this.#near = { at: first + size, size: nearSlots, begin: 0, end: 0 };
  }

  /** Rows from `step` on must be remade, and no row before it matches the current hypers. */
  expire(step: number): void {
    const ring = this.#ahead;
    ring.begin = Math.min(step, ring.end);
    ring.end = ring.begin;
    this.#stretch = this.#leastStretch;
    this.#clear(this.#near, this.#near.begin, this.#near.end);
    this.#near.end = this.#near.begin;
  }

  /** Forgets everything: the next step is this one, and no row on the GPU is valid. */
  restart(step: number): void {
    for (const ring of [this.#ahead, this.#near]) {
      this.#clear(ring, 0, ring.size);
      ring.begin = step;
      ring.end = step;
    }
    this.#stretch = firstStretch;
  }

  /** Moves the ring back to a step before its first; returns whether it had to. */
  fallBack(step: number): boolean {
    const ring = this.#ahead;
    if (step >= ring.begin) return false;
    ring.begin = step;
    ring.end = step;
    // Steps may be under way beyond this one.
    this.#stretch = ring.size / 2;
    return true;
  }

  /**
   * Makes sure that the rows of the next update are there when the next submission runs. The GPU may be anywhere from `floor` to
   * `step`: the ring ahead holds the rows of both if it can; else the one near `floor` holds those of `floor` to `floor + reach`.
   *
   * @param spare Whether to include the step after `step`, if there is one.
   */
  provide(step: number, floor: number, reach: number, spare: boolean): void {
    const ring = this.#ahead;
    if (step + Number(spare) >= ring.end) this.#fill(step, floor);
    if (floor < ring.begin) this.#fillNear(floor, Math.min(reach, nearSlots / 2));
  }

  #fill(step: number, floor: number): void {
    const ring = this.#ahead;
    const most = Math.min(this.#stretch, 2048, ring.size / 2);
    // While there is room, no row that may still be needed is overwritten.
    const room = floor + ring.size - step;
    const to = step + (room > 1 ? Math.min(most, room) : most);
    let from = Math.max(ring.end, to - ring.size);
    let stretch = this.#rows(from, to);
    // Hypers set since then need not be in range for past steps.
    while (stretch.end < step) {
      from = stretch.end + 1;
      stretch = this.#rows(from, to);
    }
    const { rows, end, error } = stretch;
    if (end === step) throw error;
    if (end === ring.end) return;
    this.#write(ring, from, end, rows);
    ring.begin = Math.max(from === ring.end ? ring.begin : from, end - ring.size);
    ring.end = end;
    const oldest = Math.max(Math.min(floor, ring.begin - 2 * ring.size), ring.begin - memory);
    for (const source of this.sources) source.prune(oldest);
    this.#stretch = Math.min(2 * this.#stretch, 2048);
  }

  #fillNear(floor: number, reach: number): void {
    const ring = this.#near;
    if (floor < ring.begin || floor > ring.end) {
      // The GPU prefers a row of this ring to one of the other: none may remain that a later change would miss.
      this.#clear(ring, ring.begin, ring.end);
      ring.begin = floor;
      ring.end = floor;
    }
    if (floor + reach < ring.end || !this.sources.every((source) => source.knows(floor))) return;
    const { rows, end } = this.#rows(ring.end, floor + Math.max(2 * reach, 32));
    this.#write(ring, ring.end, end, rows);
    ring.begin = Math.max(ring.begin, end - ring.size);
    ring.end = end;
  }

  /** Slots of steps `from` to `to` (exclusive), or as far as every hyper stays in its range. */
  #rows(from: number, to: number): { rows: ArrayBuffer; end: number; error: unknown } {
    const words = this.#words;
    const length = (to - from) * words;
    const { tags, numbers } = length <= this.#few.tags.length ? this.#few : slotsOf(length);
    let end = to;
    let error: unknown;
    this.sources.forEach((source, ruleSet) => {
      const stretch = source.fill(from, end, numbers, this.#offsets[ruleSet]!, words);
      if (stretch.end < end) ({ end, error } = stretch);
    });
    for (let step = from; step < end; step++) tags[(step - from) * words] = step + 1;
    return { rows: tags.buffer, end, error };
  }

  #clear(ring: Ring, from: number, to: number): void {
    if (to > from) this.#write(ring, from, to, new ArrayBuffer(4 * (to - from) * this.#words));
  }

  #write({ at, size }: Ring, from: number, to: number, rows: ArrayBuffer): void {
    const bytes = 4 * this.#words;
    for (let step = from; step < to; ) {
      const slot = step % size;
      const slots = Math.min(to - step, size - slot);
      this.#queue.writeBuffer(this.#buffer, bytes * (at + slot), rows, bytes * (step - from), bytes * slots);
      step += slots;
    }
  }
}

/** Slots on the host: step numbers as whole numbers, and rows as float32, over the same bytes. */
interface Slots {
  readonly tags: Uint32Array<ArrayBuffer>;
  readonly numbers: Float32Array<ArrayBuffer>;
}

function slotsOf(words: number): Slots {
  const tags = new Uint32Array(words);
  return { tags, numbers: new Float32Array(tags.buffer) };
}
