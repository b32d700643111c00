// The largest and smallest eigenvalues of an objective's Hessian, with error bounds: sharpness, measured once or repeatedly
// during a run, and several eigenvalues at either end.

import { readNumber } from "../../base/options.ts";
import { Random } from "../../base/random.ts";
import { readFields } from "../../base/words.ts";
import { type At, alone, at, copy, type VectorSpace } from "../../engines/vectors.ts";
import { firstAndEach, type Objective } from "../objective.ts";
import { Lanczos, lanczosScalars, type Ritz } from "./lanczos.ts";
import { type CurvatureMethod, type CurvatureOptions, Operator } from "./operator.ts";

/** An estimated eigenvalue and its error bound. */
export interface Eigenvalue {
  /** The estimate. */
  readonly value: number;
  /** An eigenvalue is within this of it, as far as residuals and the agreement of differences show. */
  readonly bound: number;
}

/** The largest eigenvalue of one replica. */
export interface ReplicaSharpness extends Eigenvalue {
  /** Whether the bound is within the requested tolerance. */
  readonly converged: boolean;
}

/** The largest eigenvalue of the Hessian in the first replica, and in each. */
export interface Sharpness extends ReplicaSharpness {
  /** By replica, if there are several. */
  readonly replicas: readonly ReplicaSharpness[];
  /** Hessian-vector products that it took, of all replicas at once. */
  readonly products: number;
  /** Gradients that it took, those that found the strides included. */
  readonly gradients: number;
  /** How products are computed. */
  readonly method: CurvatureMethod;
}

/** Options of sharpness. */
export interface SharpnessOptions extends CurvatureOptions {
  /** How far the value may be from an eigenvalue, relative to it, in (0, 1); default 0.01. */
  readonly tolerance?: number | undefined;
  /** The most products of one measurement, a whole number in [2, 1000]; default 60. */
  readonly products?: number | undefined;
}

/** The state from which a meter continues. */
export interface MeterState {
  /** The eigenvector, by replica. */
  readonly vector: readonly Float64Array[];
  /** The distance of gradients along it, relative to 1 + ‖parameters‖, by replica. */
  readonly strides: readonly number[];
}

/** Measures sharpness repeatedly, each time from the last eigenvector: far cheaper than from a random one. */
export interface SharpnessMeter {
  /** At the current parameters, and with the current second moment. */
  measure(): Promise<Sharpness>;
  /** Elements of the eigenvector in one replica. */
  readonly length: number;
  /** The state from which the next measurement continues; null if it starts afresh. */
  state(): Promise<MeterState | null>;
  /** Continues from the state of a meter with the same options, to the bit. */
  restore(state: MeterState): void;
  /** Forgets the eigenvector, so that the next measurement starts afresh. */
  reset(): void;
  /** Frees its memory. */
  destroy(): void;
}

const sharedOptions = ["rows", "tensors", "replica", "precondition", "seed", "tolerance", "products"] as const;

/** Products before strides are chosen along the vector that they found. */
const rough = 4;

/** The default limit on products for several eigenvalues. */
const usual = 300;

/** How closely two strides must agree for a tolerance. */
const enoughFor = (tolerance: number) => Math.min(1e-3, tolerance / 10);

/**
 * A meter of the largest eigenvalue of an objective's Hessian.
 *
 * @throws OptionError for invalid options; DeviceError where its vectors do not fit.
 */
export async function createMeter(objective: Objective, options: SharpnessOptions = {}): Promise<SharpnessMeter> {
  const read = readFields("options", options, sharedOptions) as SharpnessOptions;
  const tolerance = readNumber("tolerance", read.tolerance ?? 0.01, { above: 0, below: 1 });
  const most = readNumber("products", read.products ?? 60, { min: 2, max: 1000, integer: true });
  const seed = readSeed(read.seed);
  const operator = await Operator.open(objective, read, lanczosScalars(most));
  const { space } = operator;
  try {
    const block = await space.create(2);
    const [vector, product] = [at(block, 0), at(block, 1)];
    const lanczos = await Lanczos.open(operator, most);
    let warm = false;
    return {
      async measure() {
        const [products, gradients] = [operator.products, operator.gradients];
        await operator.begin(read.precondition);
        if (!warm) {
          space.write(vector, [signs(space, seed, 0)]);
          await lanczos.start(vector);
          while (lanczos.steps < rough && lanczos.canGoOn) await lanczos.step();
          toTop(lanczos, vector);
          await normalise(space, vector, product);
          await operator.search(vector, product, enoughFor(tolerance));
        }
        let found = await climb(operator, lanczos, vector, product, tolerance);
        if (found.some(({ apart }) => apart > tolerance / 2) && operator.products - products < most) {
          // The strides no longer suit these parameters.
          await operator.search(vector, product, enoughFor(tolerance));
          found = await climb(operator, lanczos, vector, product, tolerance);
        }
        warm = found.every(({ value }) => Number.isFinite(value));
        return {
          ...firstAndEach(found.map(({ value, bound, converged }) => ({ value, bound, converged }))),
          products: operator.products - products,
          gradients: operator.gradients - gradients,
          method: "differences",
        };
      },
      length: space.length,
      async state() {
        return warm ? { vector: await space.read(vector), strides: operator.strides } : null;
      },
      restore(state) {
        space.write(vector, state.vector);
        operator.strides = state.strides;
        warm = true;
      },
      reset() {
        warm = false;
      },
      destroy: () => operator.destroy(),
    };
  } catch (error) {
    operator.destroy();
    throw error;
  }
}

/**
 * The largest eigenvalue of an objective's Hessian, at the current parameters.
 *
 * @throws OptionError for invalid options; DeviceError where its vectors do not fit.
 */
export async function sharpness(objective: Objective, options: SharpnessOptions = {}): Promise<Sharpness> {
  const meter = await createMeter(objective, options);
  try {
    return await meter.measure();
  } finally {
    meter.destroy();
  }
}

/** The eigenvalues at both ends in one replica. */
export interface ReplicaEigenvalues {
  /** From the largest down. */
  readonly largest: readonly Eigenvalue[];
  /** From the smallest up. */
  readonly smallest: readonly Eigenvalue[];
  /** Whether every bound is within the requested tolerance. */
  readonly converged: boolean;
}

/** The eigenvalues at both ends in the first replica, and in each. */
export interface Eigenvalues extends ReplicaEigenvalues {
  /** By replica, if there are several. */
  readonly replicas: readonly ReplicaEigenvalues[];
  /** Hessian-vector products that it took, of all replicas at once. */
  readonly products: number;
  /** Gradients that it took. */
  readonly gradients: number;
  /** How products are computed. */
  readonly method: CurvatureMethod;
}

/** Which eigenvalues are wanted. */
export interface EigenvalueOptions extends SharpnessOptions {
  /** How many of the largest, a whole number in [0, 100]; default 1. */
  readonly largest?: number | undefined;
  /** How many of the smallest, a whole number in [0, 100]; default 0. */
  readonly smallest?: number | undefined;
}

/**
 * The largest and the smallest eigenvalues of an objective's Hessian. Lanczos' method finds an eigenvalue that occurs several times
 * once, and the next one after it. Each is the
 * Rayleigh quotient of its vector, whose product is computed again from four gradients; bounds follow from its residual.
 *
 * @throws OptionError for invalid options; DeviceError where its vectors do not fit.
 */
export async function eigenvalues(objective: Objective, options: EigenvalueOptions = {}): Promise<Eigenvalues> {
  const read = readFields("options", options, [...sharedOptions, "largest", "smallest"]) as EigenvalueOptions;
  const tolerance = readNumber("tolerance", read.tolerance ?? 1e-3, { above: 0, below: 1 });
  const products = readNumber("products", read.products ?? usual, { min: 2, max: 1000, integer: true });
  const count = { min: 0, max: 100, integer: true };
  const wanted = {
    largest: readNumber("largest", read.largest ?? 1, count),
    smallest: readNumber("smallest", read.smallest ?? 0, count),
  };
  const seed = readSeed(read.seed);
  const operator = await Operator.open(objective, read, lanczosScalars(products));
  const { space } = operator;
  try {
    const [vector, product, spare] = await space
      .create(3)
      .then((block) => [0, 1, 2].map((i) => at(block, i)) as [At, At, At]);
    await operator.begin(read.precondition);
    const lanczos = await Lanczos.open(operator, Math.min(products, space.length));
    const start = signs(space, seed, 0);
    space.write(vector, [start]);
    await lanczos.start(vector);
    while (lanczos.steps < rough && lanczos.canGoOn) await lanczos.step();
    toTop(lanczos, vector);
    await normalise(space, vector, spare);
    await operator.search(vector, product, enoughFor(tolerance));
    space.write(vector, [start]);
    await lanczos.start(vector);
    const ends = (ritz: Ritz) => {
      const { length } = ritz.values;
      const largest = Array.from({ length: Math.min(wanted.largest, length) }, (_, i) => i);
      const smallest = Array.from({ length: Math.min(wanted.smallest, length) }, (_, i) => length - 1 - i);
      return { largest, smallest };
    };
    const done = (ritz: Ritz) => {
      const { largest, smallest } = ends(ritz);
      if (ritz.values.length < Math.min(space.length, wanted.largest + wanted.smallest)) return false;
      return [...largest, ...smallest].every((i) => errorOf(ritz, i) <= (tolerance / 2) * Math.abs(ritz.values[i]!));
    };
    do {
      await lanczos.step();
    } while (lanczos.canGoOn && (lanczos.steps % 5 > 0 || !lanczos.ritz().every(done)));
    const ritz = lanczos.ritz();
    /** Refines the eigenvalue at one place of an end, in all replicas. */
    const refined = async (indices: readonly (number | undefined)[]): Promise<readonly (Eigenvalue | undefined)[]> => {
      lanczos.combine(
        ritz.map(({ vectors }, r) => (indices[r] === undefined ? undefined : vectors[indices[r]])),
        vector,
      );
      await normalise(space, vector, spare);
      await operator.product(vector, product);
      await operator.product(vector, spare, undefined, true);
      space.dots(alone(product), vector, 0);
      space.dots(alone(spare), vector, 1);
      // The error of a difference is proportional to the square of its stride (Richardson 1911).
      space.combine(product, 16 / 15, alone(spare), [-1 / 15]);
      const pairs = await space.scalars(0, 2);
      const quotients = pairs.map(([narrow, wide]) => narrow! + (narrow! - wide!) / 15);
      space.set(
        2,
        quotients.map((quotient) => [-quotient]),
      );
      space.combine(product, 1, alone(vector), 2);
      space.norm(product, 3);
      const left = await space.scalars(3, 1);
      return indices.map((index, r) => {
        if (index === undefined) return undefined;
        const apart = Math.abs(pairs[r]![0]! - pairs[r]![1]!) / 15;
        return { value: quotients[r]!, bound: sharper(left[r]![0]!, gapOf(ritz[r]!, index)) + apart };
      });
    };
    const found = ritz.map((): { largest: Eigenvalue[]; smallest: Eigenvalue[] } => ({ largest: [], smallest: [] }));
    for (const end of ["largest", "smallest"] as const) {
      for (let i = 0; i < wanted[end]; i++) {
        const each = await refined(ritz.map((one) => ends(one)[end][i]));
        each.forEach((one, r) => {
          if (one) found[r]![end].push(one);
        });
      }
    }
    const replicas = found.map(({ largest, smallest }): ReplicaEigenvalues => {
      const all = [...largest, ...smallest];
      return { largest, smallest, converged: all.every(({ value, bound }) => bound <= tolerance * Math.abs(value)) };
    });
    const { products: formed, gradients } = operator;
    return { ...firstAndEach(replicas), products: formed, gradients, method: "differences" };
  } finally {
    operator.destroy();
  }
}

/** @throws OptionError for an invalid seed. */
export function readSeed(seed: unknown): number {
  return readNumber("seed", seed ?? 0, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
}

/** A vector of 1 and -1, drawn at random. */
export function signs({ length }: VectorSpace, seed: number, stream: number): Float64Array {
  const random = new Random(seed, stream);
  let bits = 0;
  return Float64Array.from({ length }, (_, i) => {
    if (i % 32 === 0) bits = random.bits();
    return (bits >>> (i % 32)) & 1 ? 1 : -1;
  });
}

/** v := v / ‖v‖, in each replica; `spare` has room for one vector. Returns the norms. */
export async function normalise(space: VectorSpace, v: At, spare: At): Promise<readonly number[]> {
  space.norm(v, 0);
  const norms = (await space.scalars(0, 1)).map(([norm]) => norm!);
  space.set(
    0,
    norms.map((norm) => [norm > 0 ? 1 / norm : 0]),
  );
  copy(space, v, spare);
  space.combine(v, 0, alone(spare), 0);
  return norms;
}

/** vector := the Ritz vector of the largest value, in each replica. */
function toTop(lanczos: Lanczos, vector: At): void {
  lanczos.combine(
    lanczos.ritz().map(({ vectors }) => vectors[0]),
    vector,
  );
}

/**
 * Lanczos' method from a vector until the largest value's residual is small; the vector becomes that of the value. The residual
 * alone bounds the error: a bound divided by the distance to other eigenvalues takes two that lie close together for one that has
 * converged. Finally the value is compared with that at another stride.
 */
async function climb(operator: Operator, lanczos: Lanczos, vector: At, product: At, tolerance: number) {
  const { space } = operator;
  await lanczos.start(vector);
  const isLeft = ({ values, residuals }: Ritz) => !(residuals[0]! <= (tolerance / 2) * Math.abs(values[0]!));
  do {
    await lanczos.step();
  } while (lanczos.canGoOn && lanczos.ritz().some(isLeft));
  const ritz = lanczos.ritz();
  toTop(lanczos, vector);
  await normalise(space, vector, product);
  await operator.product(vector, product, undefined, true);
  space.dots(alone(product), vector, 0);
  const others = await space.scalars(0, 1);
  return ritz.map(({ values, residuals }, r) => {
    const [value, residual] = [values[0] ?? Number.NaN, residuals[0] ?? Number.NaN];
    const apart = Math.abs(others[r]![0]! - value);
    const bound = residual + apart;
    return { value, bound, converged: bound <= tolerance * Math.abs(value), apart: apart / Math.abs(value) };
  });
}

/** The error bound of a Ritz value. */
function errorOf(ritz: Ritz, index: number): number {
  return sharper(ritz.residuals[index] ?? Number.POSITIVE_INFINITY, gapOf(ritz, index));
}

/** A residual bounds the error, and so does its square divided by the distance to other eigenvalues (Parlett 1980, 11.7). */
function sharper(residual: number, gap: number): number {
  return Math.min(residual, residual ** 2 / gap);
}

/** The distance to the nearest other Ritz value, less the latter's residual. */
function gapOf({ values, residuals }: Ritz, index: number): number {
  let gap = Number.POSITIVE_INFINITY;
  for (const other of [index - 1, index + 1]) {
    if (values[other] === undefined) continue;
    gap = Math.min(gap, Math.abs(values[other] - values[index]!) - residuals[other]!);
  }
  return Math.max(gap, Number.MIN_VALUE);
}
