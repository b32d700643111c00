// Lanczos' method with full reorthogonalisation (Paige 1976; Golub and Van Loan, Matrix Computations, 10.3), on all replicas of an
// operator's space at once: the basis stays on the engine, only the small tridiagonal matrices come to the host.

import { type At, alone, at, type Block, copy, span } from "../../engines/vectors.ts";
import type { Operator } from "./operator.ts";
import { type Eigen, tridiagonalEigen } from "./symmetric.ts";

/** Vectors of the basis that are allocated, and summed over, together. */
const together = 32;

/** A product outside the basis counts as rounding error up to this, relative to the largest element of the matrix. */
const nothing = { cpu: 1e-12, webgpu: 1e-6 } as const;

/** The Ritz values and vectors of one replica. */
export interface Ritz extends Eigen {
  /** The residual norm of each value: some eigenvalue is no further from it. */
  readonly residuals: readonly number[];
}

/** Scalars of a space that this many steps need. */
export const lanczosScalars = (steps: number) => 2 * steps + 8;

export class Lanczos {
  /** Steps made. */
  steps = 0;
  readonly #operator: Operator;
  readonly #basis: Block[] = [];
  readonly #work: Block;
  readonly #most: number;
  /** By replica, the elements on the diagonal and beside it; those of a replica that has ended stay as they are. */
  readonly #diagonals: number[][];
  readonly #besides: number[][];
  /** The replicas whose basis is complete: further products stay in it. */
  readonly #ended: boolean[];

  private constructor(operator: Operator, work: Block, most: number) {
    this.#operator = operator;
    this.#work = work;
    this.#most = most;
    const { replicas } = operator.space;
    const lists = () => Array.from({ length: replicas }, (): number[] => []);
    [this.#diagonals, this.#besides] = [lists(), lists()];
    this.#ended = Array.from({ length: replicas }, () => false);
  }

  /** @param most The most steps that will be made; memory is allocated as they come. */
  static async open(operator: Operator, most: number): Promise<Lanczos> {
    return new Lanczos(operator, await operator.space.create(1), most);
  }

  /** Starts with a vector of any norm but 0. */
  async start(from: At): Promise<void> {
    const { space } = this.#operator;
    this.steps = 0;
    for (const list of [...this.#diagonals, ...this.#besides]) list.length = 0;
    this.#ended.fill(false);
    await this.#room(0);
    const first = this.#vector(0);
    copy(space, from, first);
    space.norm(first, 0);
    const norms = await space.scalars(0, 1);
    space.set(
      0,
      norms.map(([norm]) => [1 / norm!]),
    );
    copy(space, first, at(this.#work));
    space.combine(first, 0, alone(at(this.#work)), 0);
  }

  /** Whether another step leads anywhere. */
  get canGoOn(): boolean {
    return this.steps < this.#most && this.#ended.some((ended) => !ended);
  }

  async step(): Promise<void> {
    const { space } = this.#operator;
    const [nth, count] = [this.steps, this.steps + 1];
    const w = at(this.#work);
    await this.#room(count);
    await this.#operator.product(this.#vector(nth), w);
    // Twice, to remove what rounding left the first time.
    for (const first of [0, count]) {
      for (const { part, offset } of this.#parts(count)) space.dots(part, w, first + offset);
      for (const { part, offset } of this.#parts(count)) space.combine(w, 1, part, first + offset, -1);
    }
    space.norm(w, 2 * count);
    const found = await space.scalars(0, 2 * count + 1);
    const scales = found.map((scalars, r) => {
      if (this.#ended[r]) return [0];
      const alpha = scalars[nth]! + scalars[count + nth]!;
      const beta = scalars[2 * count]!;
      this.#diagonals[r]!.push(alpha);
      this.#besides[r]!.push(beta);
      const size = Math.max(...this.#diagonals[r]!.map(Math.abs), ...this.#besides[r]!.slice(0, -1));
      if (beta > nothing[space.backend] * size && count < space.length) return [1 / beta];
      this.#besides[r]![nth] = 0;
      this.#ended[r] = true;
      return [0];
    });
    this.steps++;
    space.set(0, scales);
    space.combine(this.#vector(count), 0, alone(w), 0);
  }

  /** The Ritz values and vectors so far, by replica. */
  ritz(): readonly Ritz[] {
    return this.#diagonals.map((diagonal, r) => {
      const beside = this.#besides[r]!;
      const { values, vectors } = tridiagonalEigen(diagonal, beside);
      const last = beside.at(-1) ?? 0;
      return { values, vectors, residuals: vectors.map((vector) => last * Math.abs(vector.at(-1) ?? 0)) };
    });
  }

  /** into := the Ritz vector with each replica's elements; zeros where there are none. */
  combine(elements: readonly (Float64Array | undefined)[], into: At): void {
    const { space } = this.#operator;
    const lists = elements.map((list) => Float64Array.from({ length: this.steps }, (_, i) => list?.[i] ?? 0));
    space.set(0, lists);
    let keep = 0;
    for (const { part, offset } of this.#parts(this.steps)) {
      space.combine(into, keep, part, offset);
      keep = 1;
    }
  }

  /** Makes sure that the basis has room for vector `index`. */
  async #room(index: number): Promise<void> {
    while (this.#basis.length * together <= index) {
      const left = this.#most + 1 - this.#basis.length * together;
      this.#basis.push(await this.#operator.space.create(Math.min(together, Math.max(1, left))));
    }
  }

  #vector(index: number): At {
    return at(this.#basis[Math.floor(index / together)]!, index % together);
  }

  /** The first vectors of the basis, block by block. */
  #parts(count: number) {
    const blocks = this.#basis.slice(0, Math.ceil(count / together));
    return blocks.map((block, b) => {
      const offset = b * together;
      return { part: span(block, 0, Math.min(together, count - offset)), offset };
    });
  }
}
