// An objective as a function of a vector: loss and gradient at any point, without moving the optimizer's parameters. Curvature,
// line searches and comparisons of gradients use it, on either engine.

import { OptionError, show } from "../base/errors.ts";
import { readBoolean, readNumber } from "../base/options.ts";
import { readFields } from "../base/words.ts";
import type { At, VectorSpace } from "../engines/vectors.ts";
import type { Segment } from "../optimizer/arena.ts";
import type { Pattern } from "../optimizer/config.ts";
import { readPatterns } from "../optimizer/groups.ts";
import { readReplica } from "../optimizer/hypers.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import { insideOf } from "../optimizer/shell.ts";

/** Options of a field: the function that an objective becomes. */
export interface FieldOptions {
  /** The rows whose mean loss it is; only with data. */
  readonly rows?: Uint32Array | undefined;
  /**
   * The space to work in, which belongs to the objective's optimizer and to no other field; default a new one, with these
   * tensors, replica and scalars.
   */
  readonly space?: VectorSpace | undefined;
  /**
   * The tensors that vary, as names, globs or regular expressions; default all of the objective's. The others stay as they are.
   */
  readonly tensors?: Pattern | readonly Pattern[] | undefined;
  /** The single replica to use; default all of them side by side. */
  readonly replica?: number | undefined;
  /**
   * Whether the optimizer's parameters and gradients may stay at the last evaluated point, which saves restoring them; default
   * false.
   */
  readonly moves?: boolean | undefined;
  /** How many scalars its space has in each replica besides the field's own, which come last; in [1, 65528]; default 1024. */
  readonly scalars?: number | undefined;
}

/**
 * An objective as a function of a vector, in each replica at once. Between a call and the submission of its recorded work, the
 * optimizer must not change.
 */
export interface Field {
  /** Vectors over the tensors that vary. */
  readonly space: VectorSpace;
  /** The strides of Hessian-vector products: see {@link Strides}. */
  readonly strides: Strides;
  /**
   * gradient := ∇f(at), and if `loss` is given scalars[loss] := f(at). `gradient` may be `at`. For points on a landscape f is
   * the sum of their values. Dropout drops the same outputs as the optimizer's step would. In a halted replica both are NaN.
   */
  evaluate(at: At, gradient: At, loss?: number): void;
  /** Whether the optimizer's parameters and gradients are those of the last evaluated point. */
  readonly moves: boolean;
  /** Whether training is random, as with dropout. */
  readonly draws: boolean;
  /** Frees its own space and everything else it made. */
  destroy(): void;
}

/** The distances at which gradients are compared, relative to 1 + ‖parameters‖, along a vector of norm 1. */
export interface Strides {
  /** The longest. */
  readonly longest: number;
  /** How closely two differences must agree, relative to the product, for the search to end. */
  readonly enough: number;
}

/** {@link FieldOptions} read against the tensors of an objective. */
export interface FieldPlan {
  readonly rows: Uint32Array | undefined;
  /** The space that was given. */
  readonly space: VectorSpace | undefined;
  /** The tensors that vary, by name. */
  readonly tensors: readonly string[];
  readonly replica: number | undefined;
  readonly moves: boolean;
  readonly scalars: number;
}

/** Scalars at the end of a field's space that Hessian-vector products need. */
export const ownScalars = 8;

/** @throws OptionError for bad options, for tensors that the objective does not have, and for a space of another optimizer. */
export function readFieldOptions(optimizer: Optimizer, segments: readonly Segment[], options: FieldOptions): FieldPlan {
  const {
    rows,
    space,
    tensors,
    replica,
    moves = false,
    scalars = 1024,
  } = readFields("options", options, ["rows", "space", "tensors", "replica", "moves", "scalars"]) as FieldOptions;
  readBoolean("moves", moves);
  if (space) {
    if (!space.isOf(optimizer))
      throw new OptionError("space belongs to another optimizer; it must belong to the objective's");
    for (const [name, value] of Object.entries({ tensors, replica, scalars: options.scalars })) {
      if (value === undefined) continue;
      throw new OptionError(`${name} is ${show(value)}; with space, which has its own, it must be left out`);
    }
    const one = space.replicas < optimizer.replicas ? space.firstReplica : undefined;
    return {
      ...{ rows, space, moves, replica: one },
      tensors: space.tensors.map(({ name }) => name),
      scalars: space.scalarCount,
    };
  }
  const names = segments.map(({ name }) => name);
  const matched = tensors === undefined ? names : readPatterns("tensors", tensors, names).matched;
  if (replica !== undefined) readReplica(optimizer, "replica", replica);
  readNumber("scalars", scalars, { min: 1, max: 65_536 - ownScalars, integer: true });
  return { rows, space, moves, tensors: matched, replica, scalars: scalars + ownScalars };
}

/** @throws OptionError for a halted replica, whose losses and gradients are not computed. */
export function mustRun(optimizer: Optimizer, { replica }: FieldPlan): void {
  if (replica === undefined || !insideOf(optimizer).store.isHalted(replica)) return;
  throw new OptionError(`replica ${replica} is halted; its losses and gradients are not computed until it resumes`);
}
