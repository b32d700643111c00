// Hessian-vector products as differences of gradients along the vector: at strides that shrink until two of them agree or
// rounding drives them apart, extrapolated from these two to a stride of 0 (Richardson 1911). Written once for both engines; only
// scalars leave them.

import { readFields } from "../base/words.ts";
import { type At, alone, at, type Block, copy } from "../engines/vectors.ts";
import type { Segment } from "../optimizer/arena.ts";
import type { TensorValues } from "../optimizer/optimizer.ts";
import { type Field, ownScalars } from "./field.ts";
import { type HessianOptions, type Objective, vectorNorm } from "./objective.ts";
import { breathe } from "./turns.ts";

/** The ratio of one stride to the next. */
const factor = 4;

/** The most strides that are tried. */
const most = 10;

/** The `hessianVector` of an objective, from the field of an objective over all its tensors. */
export async function hessianVector(
  objective: Pick<Objective, "field">,
  segments: readonly Segment[],
  vector: TensorValues,
  options: HessianOptions,
): Promise<TensorValues> {
  const { rows, replica = 0 } = readFields("options", options, ["rows", "replica"]) as HessianOptions;
  const norm = vectorNorm(segments, vector);
  // Before anything is awaited, since the caller may fill these arrays anew.
  const given = new Map(segments.map(({ name }) => [name, Float64Array.from(vector[name]!)]));
  const field = await objective.field({ rows, replica, scalars: 1 });
  try {
    const { space } = field;
    const [v, product] = (await space.create(2).then((block) => [at(block, 0), at(block, 1)])) as [At, At];
    const values = new Float64Array(space.length);
    for (const { name, first } of space.tensors) values.set(given.get(name)!, first);
    space.write(v, [values]);
    const hessian = await Hessian.open(field);
    await hessian.begin();
    await hessian.search(v, [norm], product);
    const [found] = await space.read(product);
    return Object.fromEntries(
      space.tensors.map(({ name, first, length }) => [name, Float32Array.from(found!.subarray(first, first + length))]),
    );
  } finally {
    field.destroy();
  }
}

/** Differences that agree this closely, relative to the product, have no bends between them. */
const settled = 0.02;

/** Products of vectors with the Hessian of a field at one point. */
export class Hessian {
  /** Gradients computed so far. */
  gradients = 0;
  readonly #field: Field;
  readonly #point: At;
  readonly #moved: At;
  readonly #below: At;
  readonly #wide: At;
  readonly #first: number;
  /** 1 + ‖point‖, by replica. */
  #sizes: readonly number[];
  /** The longer of the two strides between which products are extrapolated, relative to the sizes; by replica. */
  strides: readonly number[];

  private constructor(field: Field, block: Block) {
    this.#field = field;
    [this.#point, this.#moved, this.#below, this.#wide] = [0, 1, 2, 3].map((index) => at(block, index)) as [
      At,
      At,
      At,
      At,
    ];
    this.#first = field.space.scalarCount - ownScalars;
    const { replicas } = field.space;
    this.#sizes = Array.from({ length: replicas }, () => 1);
    this.strides = Array.from({ length: replicas }, () => field.strides.longest);
  }

  /** @throws DeviceError where its vectors do not fit. */
  static async open(field: Field): Promise<Hessian> {
    return new Hessian(field, await field.space.create(4));
  }

  /** Takes the optimizer's current parameters as the point. */
  async begin(): Promise<void> {
    const { space } = this.#field;
    space.load("params", this.#point);
    space.norm(this.#point, this.#first);
    const norms = await space.scalars(this.#first, 1);
    this.#sizes = norms.map(([norm]) => 1 + norm!);
  }

  /**
   * Finds the strides for later products, and the product of the vector used to find them.
   *
   * @param norms Of v, by replica.
   * @param enough How closely two differences must agree, relative to the product; default what the engine can achieve.
   */
  async search(v: At, norms: readonly number[], into: At, enough = this.#field.strides.enough): Promise<void> {
    const { space, strides } = this.#field;
    const best = this.#sizes.map(() => ({ stride: strides.longest, off: Number.POSITIVE_INFINITY, done: false }));
    let stride = strides.longest;
    const scratch = await space.create(1);
    const narrow = at(scratch);
    try {
      this.#difference(
        v,
        this.#lengths(norms, () => stride),
        this.#wide,
      );
      for (let tried = 1; tried < most && best.some(({ done }) => !done); tried++) {
        await breathe();
        const from = stride;
        stride /= factor;
        this.#difference(
          v,
          this.#lengths(norms, () => stride),
          narrow,
        );
        space.combine(this.#wide, -1, alone(narrow), [1]);
        space.norm(this.#wide, this.#first);
        space.norm(narrow, this.#first + 1);
        const found = await space.scalars(this.#first, 2);
        // narrow + (narrow - wide) / (factor² - 1), if it is the best so far.
        const better = found.map(([difference, size], r) => {
          const its = best[r]!;
          if (its.done) return 0;
          const off = difference === 0 ? 0 : difference! / size!;
          if (off < its.off) {
            Object.assign(its, { stride: from, off, done: off <= enough });
            return 1;
          }
          // Once the truncation error is gone, rounding remains, which grows as the stride shrinks. Before that it may be bends of
          // a relu, which count until none is left between the strides.
          its.done = its.off < settled && off > (factor - 1) * its.off;
          return Number(tried === 1);
        });
        const sixteenth = 1 / (factor * factor - 1);
        space.combine(this.#wide, sixteenth, alone(narrow), [1]);
        space.set(
          this.#first + 2,
          better.map((one) => [1 - one]),
        );
        space.set(
          this.#first + 3,
          better.map((one) => [one]),
        );
        copy(space, into, this.#below);
        space.combine(into, 0, alone(this.#below), this.#first + 2);
        space.combine(into, 1, alone(this.#wide), this.#first + 3);
        copy(space, narrow, this.#wide);
      }
    } finally {
      space.free(scratch);
    }
    this.strides = best.map(({ stride: found }) => found);
  }

  /**
   * into := H·v, from two gradients; v must not be in a block of this.
   *
   * @param wide Whether to use four times the stride: the difference of both products estimates their error.
   */
  product(v: At, norms: readonly number[], into: At, wide = false): void {
    this.#difference(
      v,
      this.#lengths(norms, (r) => this.strides[r]! / (wide ? 1 : factor)),
      into,
    );
  }

  #lengths(norms: readonly number[], stride: (replica: number) => number): readonly number[] {
    return norms.map((norm, r) => (stride(r) * this.#sizes[r]!) / norm);
  }

  /** into := (∇f(point + h·v) - ∇f(point - h·v)) / 2h, with h by replica. */
  #difference(v: At, lengths: readonly number[], into: At): void {
    const { space } = this.#field;
    const first = this.#first + 4;
    space.set(
      first,
      lengths.map((h) => [h, 1 / (2 * h)]),
    );
    for (const [sign, gradient] of [
      [1, into],
      [-1, this.#below],
    ] as const) {
      copy(space, this.#point, this.#moved);
      space.combine(this.#moved, 1, alone(v), first, sign);
      this.#field.evaluate(this.#moved, gradient);
    }
    space.combine(this.#below, -1, alone(into), [1]);
    space.combine(into, 0, alone(this.#below), first + 1);
    this.gradients += 2;
  }
}
