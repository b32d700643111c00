// An objective as a function of a vector on the CPU: its program's losses and gradients at float64 points.

import type { CpuOptimizer } from "../engines/cpu/optimizer.ts";
import { type CpuVectors, createCpuVectors } from "../engines/cpu/vectors.ts";
import type { At } from "../engines/vectors.ts";
import type { Field, FieldPlan, Strides } from "./field.ts";
import type { Binding, CpuProgram } from "./program.ts";

export class CpuField implements Field {
  readonly space: CpuVectors;
  readonly strides: Strides;
  readonly draws: boolean;
  /** Points are float64, and the parameters do not move. */
  readonly moves = false;
  /** Whether the field made its space. */
  readonly #own: boolean;
  readonly #optimizer: CpuOptimizer;
  readonly #binding: Binding;
  readonly #bound: CpuProgram;
  readonly #rows: Uint32Array;
  readonly #firstReplica: number;

  constructor(
    optimizer: CpuOptimizer,
    binding: Binding,
    bound: CpuProgram,
    rows: Uint32Array,
    { space, tensors, replica, scalars }: FieldPlan,
    draws: boolean,
  ) {
    this.draws = draws;
    this.#own = space === undefined;
    this.space = (space as CpuVectors | undefined) ?? createCpuVectors(optimizer, { tensors, replica, scalars });
    this.strides = bound.strides;
    this.#optimizer = optimizer;
    this.#binding = binding;
    this.#bound = bound;
    this.#rows = rows;
    this.#firstReplica = replica ?? 0;
  }

  evaluate(at: At, gradient: At, loss?: number): void {
    const [points, gradients] = [this.space.vector(at), this.space.vector(gradient)];
    const losses = points.map((point, r) => {
      const replica = this.#firstReplica + r;
      const { step, halted } = this.#optimizer.progress({ replica });
      const into = gradients[r]!;
      if (halted) {
        into.fill(Number.NaN);
        return [Number.NaN];
      }
      const places = new Map(this.space.tensors.map((tensor) => [tensor.name, tensor]));
      const part = (values: Float64Array, name: string) => {
        const place = places.get(name);
        return place && values.subarray(place.first, place.first + place.length);
      };
      const found = new Float64Array(into.length);
      const others = new Map(
        this.#binding.segments
          .filter(({ name }) => !places.has(name))
          .map(({ name, length }) => [name, new Float64Array(length)]),
      );
      const value = this.#bound.gradient(
        (name) => part(point, name) ?? this.#optimizer.view("params", name, { replica }),
        this.#rows,
        step,
        (name) => part(found, name) ?? others.get(name)!,
      );
      into.set(found);
      return [value * this.#bound.examples];
    });
    if (loss !== undefined) this.space.set(loss, losses);
  }

  destroy(): void {
    if (this.#own) this.space.destroy();
  }
}
