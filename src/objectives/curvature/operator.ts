// The Hessian of an objective as a symmetric operator on vectors, plain or preconditioned by an adaptive rule's second moment:
// the operator of eigenvalues, traces and densities.

import { OptionError } from "../../base/errors.ts";
import { readMade } from "../../base/options.ts";
import { type At, at, copy, type VectorSpace } from "../../engines/vectors.ts";
import type { Pattern } from "../../optimizer/config.ts";
import { type Optimizer, readOptimizer } from "../../optimizer/optimizer.ts";
import { insideOf } from "../../optimizer/shell.ts";
import type { Field } from "../field.ts";
import { Hessian } from "../hessian.ts";
import type { Objective } from "../objective.ts";

/** The function whose curvature is measured. */
export interface CurvatureOptions {
  /** The rows whose mean loss is used; only with data. */
  readonly rows?: Uint32Array | undefined;
  /** The tensors that vary, by name, glob or regular expression: their block of the Hessian is used. Default all. */
  readonly tensors?: Pattern | readonly Pattern[] | undefined;
  /** The single replica to use; default all of them side by side. */
  readonly replica?: number | undefined;
  /**
   * The optimizer of an adaptive rule, whose step divides by P = √v̂ + eps: the curvature is then that of P^-½ H P^-½, which equals
   * that of P^-1 H (Cohen et al. 2022, Adaptive gradient methods at the edge of stability). Default: that of H itself.
   */
  readonly precondition?: Optimizer | undefined;
  /** Seed of the random vectors, a whole number in [0, 2^53); default 0. */
  readonly seed?: number | undefined;
}

/** How products are computed: from central differences of gradients. */
export type CurvatureMethod = "differences";

/** P^-½, and room for its product with a vector. */
interface Roots {
  readonly root: At;
  readonly scaled: At;
}

/** A symmetric operator over a space. */
export class Operator {
  readonly space: VectorSpace;
  /** Products computed so far. */
  products = 0;
  readonly #field: Field;
  readonly #hessian: Hessian;
  readonly #roots: Roots | undefined;
  private constructor(field: Field, hessian: Hessian, roots: Roots | undefined) {
    this.space = field.space;
    this.#field = field;
    this.#hessian = hessian;
    this.#roots = roots;
  }

  /** @param scalars How many scalars of its space the caller needs. */
  static async open(
    objective: Objective,
    { rows, tensors, replica, precondition }: CurvatureOptions,
    scalars: number,
  ): Promise<Operator> {
    if (precondition) readOptimizer(precondition);
    const its = readMade("objective", objective, "an objective, such as createObjective() makes", {
      field: "function",
    });
    const field = await its.field({ rows, tensors, replica, scalars });
    try {
      const hessian = await Hessian.open(field);
      let roots: Roots | undefined;
      if (precondition) {
        const block = await field.space.create(2);
        roots = { root: at(block, 0), scaled: at(block, 1) };
      }
      return new Operator(field, hessian, roots);
    } catch (error) {
      field.destroy();
      throw error;
    }
  }

  /** Gradients computed so far. */
  get gradients(): number {
    return this.#hessian.gradients;
  }

  /** The strides of products, by replica. */
  get strides(): readonly number[] {
    return this.#hessian.strides;
  }

  set strides(strides: readonly number[]) {
    this.#hessian.strides = strides;
  }

  /** Takes the current parameters as the point, and the current second moment. */
  async begin(precondition: Optimizer | undefined): Promise<void> {
    await this.#hessian.begin();
    if (!this.#roots || !precondition) return;
    const { root } = this.#roots;
    const { scale, epsilon } = await momentOf(precondition);
    this.space.load("v", root);
    this.space.invertRoots(root, scale, epsilon);
  }

  /** Finds the strides of later products, along a vector of norm 1. */
  async search(v: At, into: At, enough: number): Promise<void> {
    const [along, norms] = await this.#scaled(v);
    await this.#hessian.search(along, norms, into, enough);
  }

  /**
   * into := A·v.
   *
   * @param norms Of v, by replica; default 1.
   * @param wide Whether gradients are four times as far apart: the difference of both products estimates their error.
   */
  async product(v: At, into: At, norms?: readonly number[], wide = false): Promise<void> {
    this.products++;
    const [along, lengths] = await this.#scaled(v, norms);
    this.#hessian.product(along, lengths, into, wide);
    if (this.#roots) this.space.multiply(into, this.#roots.root);
  }

  async #scaled(
    v: At,
    norms: readonly number[] = Array.from({ length: this.space.replicas }, () => 1),
  ): Promise<readonly [At, readonly number[]]> {
    if (!this.#roots) return [v, norms];
    const { root, scaled } = this.#roots;
    copy(this.space, v, scaled);
    this.space.multiply(scaled, root);
    this.space.norm(scaled, 0);
    const found = await this.space.scalars(0, 1);
    return [scaled, found.map(([norm]) => norm! || 1)];
  }

  destroy(): void {
    this.#field.destroy();
  }
}

/** The factor of a second moment, and the term added to its root, where a step divides by it. */
async function momentOf(optimizer: Optimizer): Promise<{ readonly scale: number; readonly epsilon: number }> {
  const { rule } = insideOf(optimizer).plan;
  const name = rule.name;
  if (!optimizer.slots.includes("v") || !("beta2" in rule.hypers) || !("eps" in rule.hypers)) {
    throw new OptionError(
      `precondition is an optimizer with rule "${name}"; its rule must keep a second moment "v" with beta2 and eps, as adam does`,
    );
  }
  const { step } = await optimizer.stats();
  if (step === 0) throw new OptionError("precondition has made no update yet, so there is no second moment");
  const beta2 = optimizer.hyper("beta2", step - 1);
  return { scale: 1 / (1 - beta2 ** step), epsilon: Math.max(optimizer.hyper("eps", step - 1), 1e-30) };
}
