// Vectors over an optimizer's parameters on the CPU, the reference of gpu/vectors.ts: float64 throughout, operation by operation.

import { DeviceError, OptionError } from "../../base/errors.ts";
import { inMemory } from "../../base/host_memory.ts";
import { type Optimizer, type Role, readOptimizer } from "../../optimizer/optimizer.ts";
import { insideOf } from "../../optimizer/shell.ts";
import {
  type At,
  alone,
  type Block,
  type Coefficients,
  checkApart,
  checkScalars,
  checkSpan,
  elementwise,
  perReplica,
  planVectors,
  type Span,
  type VectorOptions,
  type VectorPlan,
  type VectorSpace,
  type VectorTensor,
} from "../vectors.ts";
import type { CpuOptimizer } from "./optimizer.ts";

/**
 * Vectors over tensors of a CPU optimizer.
 *
 * @throws OptionError for unknown tensors or an unknown replica; DeviceError for an optimizer that is destroyed.
 */
export function createCpuVectors(optimizer: CpuOptimizer, options: VectorOptions = {}): CpuVectors {
  readOptimizer(optimizer, "cpu");
  if (insideOf(optimizer).store.destroyed) {
    throw new DeviceError("vectors were requested from a destroyed optimizer");
  }
  return new CpuVectors(optimizer, planVectors(optimizer, options));
}

export class CpuVectors implements VectorSpace {
  readonly backend: Optimizer["backend"] = "cpu";
  readonly length: number;
  readonly replicas: number;
  readonly firstReplica: number;
  readonly tensors: readonly VectorTensor[];
  readonly scalarCount: number;
  readonly #optimizer: CpuOptimizer;
  readonly #plan: VectorPlan;
  /** The vectors of each block, by index and replica. */
  readonly #blocks = new Map<Block, readonly (readonly Float64Array[])[]>();
  /** By replica. */
  readonly #scalars: readonly Float64Array[];
  #destroyed = false;

  constructor(optimizer: CpuOptimizer, plan: VectorPlan) {
    const { length, replicas, firstReplica, tensors, scalarCount } = plan;
    this.firstReplica = firstReplica;
    this.length = length;
    this.replicas = replicas;
    this.tensors = tensors;
    this.scalarCount = scalarCount;
    this.#optimizer = optimizer;
    this.#plan = plan;
    this.#scalars = Array.from({ length: replicas }, () => new Float64Array(scalarCount));
  }

  isOf(optimizer: Optimizer): boolean {
    return optimizer === this.#optimizer;
  }

  async create(count: number): Promise<Block> {
    this.#mustLive("create");
    const block: Block = { count };
    const { length, replicas } = this;
    const vectors = inMemory(`${count} vectors of ${length} float64, ${replicas} ×`, () =>
      Array.from({ length: count }, () => Array.from({ length: replicas }, () => new Float64Array(length))),
    );
    this.#blocks.set(block, vectors);
    return block;
  }

  free(block: Block): void {
    this.#blocks.delete(block);
  }

  load(role: Role, to: At): void {
    const into = this.vector(to);
    elementwise(this.#optimizer, role, this.#plan);
    into.forEach((values, r) => {
      const replica = this.#plan.firstReplica + r;
      const scale = role === "gradients" ? this.#optimizer.progress({ replica }).lossScale : 1;
      for (const { name, first } of this.tensors) {
        const from = this.#optimizer.view(role, name, { replica });
        for (let i = 0; i < from.length; i++) values[first + i] = from[i]! / scale;
      }
    });
  }

  store(from: At): void {
    this.vector(from).forEach((values, r) => {
      for (const { name, first, length } of this.tensors) {
        const into = this.#optimizer.view("params", name, { replica: this.#plan.firstReplica + r });
        into.set(values.subarray(first, first + length));
      }
    });
  }

  write(to: At, values: readonly ArrayLike<number>[]): void {
    const into = this.vector(to);
    perReplica(values, this.replicas).forEach((given, r) => {
      if (given.length !== this.length) {
        throw new OptionError(`values hold ${given.length} elements; a vector has ${this.length}`);
      }
      into[r]!.set(given);
    });
  }

  async read(at: At): Promise<readonly Float64Array[]> {
    return this.vector(at).map((values) => values.slice());
  }

  dots(x: Span, y: At, into: number): void {
    const [xs, ys] = [this.#span(x), this.vector(y)];
    checkScalars(this, into, x.count);
    xs.forEach((vector, i) => {
      vector.forEach((values, r) => {
        this.#scalars[r]![into + i] = dot(values, ys[r]!);
      });
    });
  }

  combine(y: At, keep: number, x: Span, coefficients: Coefficients, times = 1): void {
    const [xs, ys] = [this.#span(x), this.vector(y)];
    checkApart(y, x);
    if (typeof coefficients === "number") checkScalars(this, coefficients, x.count);
    ys.forEach((values, r) => {
      const of =
        typeof coefficients === "number"
          ? this.#scalars[r]!.subarray(coefficients, coefficients + x.count)
          : coefficients;
      if (keep === 0) values.fill(0);
      else if (keep !== 1) for (let e = 0; e < values.length; e++) values[e]! *= keep;
      xs.forEach((vector, i) => {
        const [factor, other] = [times * of[i]!, vector[r]!];
        if (factor === 0) return;
        for (let e = 0; e < values.length; e++) values[e]! += factor * other[e]!;
      });
    });
  }

  norm(x: At, into: number): void {
    checkScalars(this, into, 1);
    this.vector(x).forEach((values, r) => {
      // The squares of all parameters fit float64.
      this.#scalars[r]![into] = Math.sqrt(dot(values, values));
    });
  }

  extent(x: At, into: number): void {
    checkScalars(this, into, 2);
    this.vector(x).forEach((values, r) => {
      let [sum, largest] = [0, 0];
      for (const value of values) {
        const size = Math.abs(value);
        sum += size;
        // NaN stays.
        largest = Math.max(largest, size);
      }
      this.#scalars[r]!.set([sum, largest], into);
    });
  }

  multiply(y: At, x: At): void {
    const xs = this.vector(x);
    this.vector(y).forEach((values, r) => {
      for (let e = 0; e < values.length; e++) values[e]! *= xs[r]![e]!;
    });
  }

  invertRoots(x: At, scale: number, epsilon: number): void {
    for (const values of this.vector(x)) {
      for (let e = 0; e < values.length; e++) values[e] = 1 / Math.sqrt(Math.sqrt(scale * values[e]!) + epsilon);
    }
  }

  set(first: number, values: ArrayLike<number> | readonly ArrayLike<number>[]): void {
    this.#mustLive("set");
    const lists = perReplica(values, this.replicas);
    checkScalars(this, first, lists[0]!.length);
    lists.forEach((list, r) => {
      this.#scalars[r]!.set(list, first);
    });
  }

  async scalars(first: number, count: number): Promise<readonly Float64Array[]> {
    this.#mustLive("scalars");
    checkScalars(this, first, count);
    return this.#scalars.map((list) => list.slice(first, first + count));
  }

  flush(): void {
    // Operations run when they are called.
  }

  async submit(): Promise<void> {
    this.#mustLive("submit");
  }

  destroy(): void {
    this.#destroyed = true;
    this.#blocks.clear();
  }

  /** A vector's elements, as a live view; by replica. */
  vector(at: At): readonly Float64Array[] {
    return this.#span(alone(at))[0]!;
  }

  #span(x: Span): readonly (readonly Float64Array[])[] {
    this.#mustLive("an operation");
    const vectors = this.#blocks.get(x.block);
    if (!vectors) throw new OptionError("a vector is of a block that this space did not create or has freed");
    checkSpan(x);
    return vectors.slice(x.first, x.first + x.count);
  }

  #mustLive(call: string): void {
    if (this.#destroyed) throw new DeviceError(`${call} was called on destroyed vectors`);
    if (insideOf(this.#optimizer).store.destroyed) {
      throw new DeviceError(`${call} was called on vectors of a destroyed optimizer`);
    }
  }
}

/** Σ x·y. */
function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}

/** The 2-norm of a vector in pieces, such as the tensors of a model. */
export function norm(pieces: readonly (Float32Array | Float64Array)[]): number {
  let sum = 0;
  for (const piece of pieces) for (let i = 0; i < piece.length; i++) sum += piece[i]! * piece[i]!;
  return Math.sqrt(sum);
}
