// Vectors over the parameters of an optimizer on either engine: the interface for which curvature, L-BFGS and noise scales are
// written once, in float64 on the CPU (cpu/vectors.ts) and in float32 on the GPU (gpu/vectors.ts).

import { OptionError } from "../base/errors.ts";
import { readNumber, readNumbers, readObject } from "../base/options.ts";
import type { Segment } from "../optimizer/arena.ts";
import type { Pattern } from "../optimizer/config.ts";
import { readPatterns } from "../optimizer/groups.ts";
import { type Location, rangeWords } from "../optimizer/locations.ts";
import type { Optimizer, Role } from "../optimizer/optimizer.ts";
import { insideOf } from "../optimizer/shell.ts";

/** Vectors made together: each has an element for every parameter of its space, in every replica. */
export interface Block {
  /** The number of vectors. */
  readonly count: number;
}

/** One vector of a block. */
export interface At {
  /** The block that holds it. */
  readonly block: Block;
  /** The vector's index, from 0. */
  readonly index: number;
}

/** Consecutive vectors of a block. */
export interface Span {
  /** The block that holds them. */
  readonly block: Block;
  /** The first of them, from 0. */
  readonly first: number;
  /** The number of vectors, at least 1. */
  readonly count: number;
}

/** A tensor's place in the arrays of `read` and `write`. */
export interface VectorTensor {
  /** The tensor's name. */
  readonly name: string;
  /** Its first element. */
  readonly first: number;
  /** The number of its elements. */
  readonly length: number;
}

/** Coefficients of a linear combination: the first of consecutive scalars of the space, or numbers, the same for all replicas. */
export type Coefficients = number | readonly number[];

/**
 * Vectors over some tensors of an optimizer, all replicas at once, and scalars that never need to leave the engine. Operations
 * are recorded and run in the order of the calls; `scalars`, `read` and `submit` make them run. On the GPU vectors and scalars
 * are float32 and sums have a fixed order, the same in every run and with any number of replicas; on the CPU all is float64.
 *
 * Every operation throws an OptionError for vectors and scalars that the space does not have, and a DeviceError once the space or
 * its optimizer is destroyed.
 */
export interface VectorSpace {
  /** The engine. */
  readonly backend: Optimizer["backend"];
  /** Elements of one vector in one replica. */
  readonly length: number;
  /** Replicas that each operation works on. */
  readonly replicas: number;
  /** The first of them among the optimizer's replicas. */
  readonly firstReplica: number;
  /** The tensors, in the order of their elements in `read`. */
  readonly tensors: readonly VectorTensor[];
  /** The number of scalars of each replica. */
  readonly scalarCount: number;
  /** Whether its vectors are over tensors of this optimizer. */
  isOf(optimizer: Optimizer): boolean;
  /**
   * Makes `count` vectors of zeros.
   *
   * @throws DeviceError if they do not fit; nothing is left behind then.
   */
  create(count: number): Promise<Block>;
  /** Frees a block's memory. Recorded operations on it still run. */
  free(block: Block): void;
  /**
   * to := the optimizer's array of a role: `"params"`, `"gradients"` (with a loss scale undone), or a slot such as `"v"`.
   *
   * @throws OptionError for a role that does not hold a float32 for every element.
   */
  load(role: Role, to: At): void;
  /** Parameters := from. */
  store(from: At): void;
  /** to := values, tensor after tensor; one array for all replicas, or one for each. */
  write(to: At, values: readonly ArrayLike<number>[]): void;
  /** A vector's elements, tensor after tensor; by replica. */
  read(at: At): Promise<readonly Float64Array[]>;
  /**
   * scalars[into + i] := x_i · y. In float32, products of elements above 1.8e19 are infinite, and those of elements below 1e-23
   * zero; for the norm of such vectors use {@link VectorSpace.norm}.
   */
  dots(x: Span, y: At, into: number): void;
  /**
   * y := keep·y + times·Σ c_i·x_i, added up in the order of i. A vector multiplied by 0 does not count, even if it is infinite.
   * `y` may be in the block of `x`, but not among its vectors.
   *
   * @param coefficients The c_i.
   * @param times Default 1.
   */
  combine(y: At, keep: number, x: Span, coefficients: Coefficients, times?: number): void;
  /**
   * scalars[into] := ‖x‖, the root of the sum of squares, correct to rounding where float32 can hold it, and infinite where it is
   * larger (Blue 1978, A portable Fortran program to find the Euclidean norm of a vector).
   */
  norm(x: At, into: number): void;
  /** scalars[into] := Σ |x|, and scalars[into + 1] := the largest |x|; NaN if an element is. */
  extent(x: At, into: number): void;
  /** y := y∘x, element by element. */
  multiply(y: At, x: At): void;
  /** x := 1/√(√(scale·x) + epsilon), element by element: from Adam's second moment, the root of its preconditioner's inverse. */
  invertRoots(x: At, scale: number, epsilon: number): void;
  /** scalars[first + i] := values[i], the same in all replicas or, from one list for each, by replica. */
  set(first: number, values: ArrayLike<number> | readonly ArrayLike<number>[]): void;
  /** Runs the recorded operations and returns scalars[first … first + count - 1], by replica. */
  scalars(first: number, count: number): Promise<readonly Float64Array[]>;
  /** Runs the recorded operations; resolves when they have run. */
  submit(): Promise<void>;
  /** Runs the recorded operations without waiting for them; the next call that waits throws their errors. */
  flush(): void;
  /** Frees all blocks. */
  destroy(): void;
}

/** The vectors that a space holds. */
export interface VectorOptions {
  /** The tensors: names, globs or regular expressions; default all. */
  readonly tensors?: Pattern | readonly Pattern[] | undefined;
  /** The single replica to cover; default all. */
  readonly replica?: number | undefined;
  /** The number of scalars of each replica, a whole number in [1, 65536]; default 1024. */
  readonly scalars?: number | undefined;
}

/** {@link VectorOptions} read against an optimizer. */
export interface VectorPlan {
  /** In the optimizer's order. */
  readonly segments: readonly Segment[];
  readonly tensors: readonly VectorTensor[];
  readonly length: number;
  /** The first of the optimizer's replicas in the space, and their number. */
  readonly firstReplica: number;
  readonly replicas: number;
  readonly scalarCount: number;
}

/** @throws OptionError for bad options, and for unknown tensors or an unknown replica. */
export function planVectors(optimizer: Optimizer, options: VectorOptions): VectorPlan {
  const {
    tensors,
    replica,
    scalars = 1024,
  } = readObject("options", options, ["tensors", "replica", "scalars"]) as VectorOptions;
  const scalarCount = readNumber("scalars", scalars, { min: 1, max: 65_536, integer: true });
  if (replica !== undefined) readNumber("replica", replica, { min: 0, max: optimizer.replicas - 1, integer: true });
  const names = optimizer.segments.map(({ name }) => name);
  const wanted = new Set(tensors === undefined ? names : readPatterns("tensors", tensors, names).matched);
  const segments = optimizer.segments.filter(({ name }) => wanted.has(name));
  let length = 0;
  const placed = segments.map((segment): VectorTensor => {
    const first = length;
    length += segment.length;
    return { name: segment.name, first, length: segment.length };
  });
  const [firstReplica, replicas] = replica === undefined ? [0, optimizer.replicas] : [replica, 1];
  return { segments, tensors: placed, length, firstReplica, replicas, scalarCount };
}

/**
 * The places of a role's numbers, tensor by tensor of a plan.
 *
 * @throws OptionError for a role that does not hold a float32 for every element.
 */
export function elementwise(optimizer: Optimizer, role: Role, { segments }: VectorPlan): readonly Location[] {
  const found = new Map(
    insideOf(optimizer)
      .locate(role)
      .map((location) => [location.segment, location]),
  );
  return segments.map((segment) => {
    const location = found.get(segment);
    if (location?.length === segment.length && rangeWords(location) === segment.length) return location;
    throw new OptionError(`role is "${role}", which does not hold a float32 for every element of "${segment.name}"`);
  });
}

/** A vector of a block. */
export const at = (block: Block, index = 0): At => ({ block, index });

/** Vectors of a block; by default all of them. */
export const span = (block: Block, first = 0, count = block.count - first): Span => ({ block, first, count });

/** A vector alone, as a span. */
export const alone = ({ block, index }: At): Span => ({ block, first: index, count: 1 });

/** to := from. */
export function copy(space: VectorSpace, from: At, to: At): void {
  space.combine(to, 0, alone(from), [1]);
}

/** @throws OptionError for vectors that a block does not have. */
export function checkSpan({ block, first, count }: Span): void {
  if (Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count >= 1 && first + count <= block.count) {
    return;
  }
  throw new OptionError(`vectors ${first} to ${first + count - 1} were requested; the block has ${block.count}`);
}

/** @throws OptionError if y is among x. */
export function checkApart(y: At, x: Span): void {
  if (y.block !== x.block || y.index < x.first || y.index >= x.first + x.count) return;
  throw new OptionError(`vector ${y.index} is both the result and an operand; they must differ`);
}

/** @throws OptionError for scalars that a space does not have. */
export function checkScalars({ scalarCount }: Pick<VectorSpace, "scalarCount">, first: number, count: number): void {
  const whole = Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count >= 0;
  if (whole && first + count <= scalarCount) return;
  throw new OptionError(`scalars ${first} to ${first + count - 1} were requested; the space has ${scalarCount}`);
}

/**
 * Values by replica.
 *
 * @throws OptionError unless there is one list for all, or one for each replica.
 */
export function perReplica(
  values: ArrayLike<number> | readonly ArrayLike<number>[],
  replicas: number,
): readonly ArrayLike<number>[] {
  const isOne = !Array.isArray(values) || typeof values[0] === "number" || values.length === 0;
  const given = isOne ? [values as ArrayLike<number>] : (values as readonly ArrayLike<number>[]);
  for (const list of given) readNumbers("values", list);
  if (given.length === 1) return Array.from({ length: replicas }, () => given[0]!);
  if (given.length === replicas && given.every(({ length }) => length === given[0]!.length)) return given;
  throw new OptionError(
    `values hold ${given.length} lists; there must be ${replicas} of equal length, one per replica`,
  );
}
