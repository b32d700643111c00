// The rows of one replica and part that are on the GPU: steps `first` to `filled`, at most a window of them.
import type { Part, Plan } from "../plan.ts";
import { RowSource, tableColumns } from "../table.ts";

/** Bytes of one step's rows of one replica. */
function rowBytes(plan: Plan, part: Part): number {
  return tableColumns(plan, part).length * part.groups.length * 4;
}

/**
 * Steps that the table holds: 4,096, or fewer (but 512) where many groups and replicas would make it larger than 1 MiB.
 */
export function windowSteps(plan: Plan, part: Part): number {
  return 2 * Math.min(2048, Math.max(256, Math.floor(2 ** 19 / (rowBytes(plan, part) * plan.replicas))));
}

/** Bytes of the table of a part: a head for each replica, then each replica's window. */
export function tableBytes(plan: Plan, part: Part): number {
  return plan.replicas * (8 + windowSteps(plan, part) * rowBytes(plan, part));
}

/**
 * Stretches grow as long as nothing is set, so that setting a hyper at every step stays cheap and a fixed schedule needs a
 * refill every 2,048 steps. Half a window of history is kept for steps that are encoded but not submitted, and for steps
 * delayed by skips.
 */
export class TableWindow {
  readonly rows: RowSource;
  readonly #queue: GPUQueue;
  readonly #buffer: GPUBuffer;
  readonly #replica: number;
  readonly #window: number;
  readonly #rowBytes: number;
  /** Where the replica's rows begin. */
  readonly #offset: number;
  #first = 0;
  #filled = 0;
  #stretch = 32;

  constructor(queue: GPUQueue, buffer: GPUBuffer, plan: Plan, part: Part, replica: number) {
    this.rows = new RowSource(plan, part, replica);
    this.#queue = queue;
    this.#buffer = buffer;
    this.#replica = replica;
    this.#window = windowSteps(plan, part);
    this.#rowBytes = rowBytes(plan, part);
    this.#offset = 8 * plan.replicas + replica * this.#window * this.#rowBytes;
  }

  /** Rows from `step` on must be computed anew; those before it stay. */
  expire(step: number): void {
    this.#filled = Math.min(this.#filled, Math.max(step, this.#first));
    this.#stretch = 32;
  }

  /** Nothing before `step` matters any more. */
  restart(step: number): void {
    this.#first = step;
    this.#filled = step;
    this.#stretch = 32;
  }

  /** Moves the window back to a step that it has left behind, and says whether it had. */
  fallBack(step: number): boolean {
    if (step >= this.#first) return false;
    this.restart(step);
    // Steps may be under way beyond this one.
    this.#stretch = this.#window / 2;
    return true;
  }

  /** Makes sure that the row of `step` is there when the next submission runs. */
  provide(step: number): void {
    if (step < this.#filled) return;
    const half = this.#window / 2;
    const to = step + Math.min(this.#stretch, half);
    const moves = to > this.#first + this.#window;
    let first = moves ? Math.max(this.#first, step - half) : this.#first;
    let from = moves ? first : this.#filled;
    let stretch = this.rows.rows(from, to);
    // Hypers set since need not be in range in the past.
    while (stretch.end < step) {
      first = stretch.end + 1;
      from = first;
      stretch = this.rows.rows(from, to);
    }
    const { rows, end, error } = stretch;
    if (end === step) throw error;
    this.#queue.writeBuffer(this.#buffer, this.#offset + (from - first) * this.#rowBytes, rows);
    this.#queue.writeBuffer(this.#buffer, 8 * this.#replica, Uint32Array.of(first, end - first));
    this.#first = first;
    this.#filled = end;
    this.rows.prune(first - 2 * this.#window);
    this.#stretch = Math.min(2 * this.#stretch, half);
  }
}
