// The trace of an objective's Hessian and of its square, exact from one product for each parameter, else estimated with a
// standard error: the trace by Hutch++ (Meyer, Musco, Musco and Woodruff 2021), that of the square by Hutchinson's estimator.

import { readNumber } from "../../base/options.ts";
import { readFields } from "../../base/words.ts";
import { type At, alone, at, type Block, span, type VectorSpace } from "../../engines/vectors.ts";
import { firstAndEach, type Objective } from "../objective.ts";
import { breathe } from "../turns.ts";
import { normalise, readSeed, signs } from "./extremes.ts";
import { type CurvatureMethod, type CurvatureOptions, Operator } from "./operator.ts";

/** An estimate and its standard error, which is 0 if it is exact. */
export interface Estimate {
  /** The estimate. */
  readonly value: number;
  /** Its standard error. */
  readonly error: number;
}

/** The traces of one replica. */
export interface ReplicaTrace extends Estimate {
  /** The trace of the square of the Hessian, Σλ². */
  readonly square: Estimate;
}

/** The trace of the Hessian in the first replica, and in each. */
export interface Trace extends ReplicaTrace {
  /** By replica, if there are several. */
  readonly replicas: readonly ReplicaTrace[];
  /** Hessian-vector products that it took, of all replicas at once. */
  readonly products: number;
  /** Gradients that it took. */
  readonly gradients: number;
  /** How products are computed. */
  readonly method: CurvatureMethod;
}

/** Options of a trace. */
export interface TraceOptions extends CurvatureOptions {
  /** Products; the trace is exact if there are at least as many as parameters. A whole number in [6, 2^31]; default 60. */
  readonly products?: number | undefined;
}

/**
 * The trace of an objective's Hessian, and of its square.
 *
 * @throws OptionError for invalid options; DeviceError where its vectors do not fit.
 */
export async function trace(objective: Objective, options: TraceOptions = {}): Promise<Trace> {
  const names = ["rows", "tensors", "replica", "precondition", "seed", "products"];
  const read = readFields("options", options, names) as TraceOptions;
  const products = readNumber("products", read.products ?? 60, { min: 6, max: 2 ** 31, integer: true });
  const seed = readSeed(read.seed);
  const third = Math.floor(Math.min(products, 3000) / 3);
  const operator = await Operator.open(objective, read, Math.max(third, 2 * atOnce) + 8);
  const { space } = operator;
  try {
    const pair = await space.create(2);
    await operator.begin(read.precondition);
    space.write(at(pair), [signs(space, seed, 0)]);
    await normalise(space, at(pair), at(pair, 1));
    await operator.search(at(pair), at(pair, 1), 1e-4);
    const found = products >= space.length ? await exact(operator, pair) : await estimated(operator, pair, third, seed);
    const { products: formed, gradients } = operator;
    return { ...firstAndEach(found), products: formed, gradients, method: "differences" };
  } finally {
    operator.destroy();
  }
}

/** Products whose scalars are read together. */
const atOnce = 16;

/** The exact trace, from the product of every unit vector. */
async function exact(operator: Operator, pair: Block): Promise<readonly ReplicaTrace[]> {
  const { space } = operator;
  const [unit, product] = [at(pair, 0), at(pair, 1)];
  const sums = Array.from({ length: space.replicas }, () => [0, 0]);
  const values = new Float64Array(space.length);
  let waiting = 0;
  for (let i = 0; i < space.length; i++) {
    values[i] = 1;
    space.write(unit, [values]);
    values[i] = 0;
    await operator.product(unit, product);
    // The operator uses the first scalar.
    space.dots(alone(product), unit, 1 + 2 * waiting);
    space.dots(alone(product), product, 2 + 2 * waiting);
    waiting++;
    if (waiting < atOnce && i + 1 < space.length) continue;
    (await space.scalars(1, 2 * waiting)).forEach((found, r) => {
      found.forEach((value, k) => {
        sums[r]![k % 2]! += value;
      });
    });
    waiting = 0;
    await breathe();
  }
  return sums.map(([value, square]) => ({ value: value!, error: 0, square: { value: square!, error: 0 } }));
}

/** A third of the products finds where the Hessian is large, a third takes its trace there, and a third samples the rest. */
async function estimated(
  operator: Operator,
  pair: Block,
  third: number,
  seed: number,
): Promise<readonly ReplicaTrace[]> {
  const { space } = operator;
  const [probe, product] = [at(pair, 0), at(pair, 1)];
  const basis = await space.create(third);
  const root = Array.from({ length: space.replicas }, () => Math.sqrt(space.length));
  const each = <T>(): T[][] => Array.from({ length: space.replicas }, () => []);
  const [squares, samples] = [each<number>(), each<number>()];
  const large = Array.from({ length: space.replicas }, () => 0);
  for (let i = 0; i < third; i++) {
    const column = at(basis, i);
    space.write(probe, [signs(space, seed, 1 + i)]);
    await operator.product(probe, column, root);
    space.dots(alone(column), column, 0);
    put(await space.scalars(0, 1), squares);
    for (let again = 0; again < 2; again++) if (i > 0) apart(space, column, basis, i);
    await normalise(space, column, product);
  }
  for (let i = 0; i < third; i++) {
    await operator.product(at(basis, i), product);
    space.dots(alone(product), at(basis, i), 0);
    (await space.scalars(0, 1)).forEach(([value], r) => {
      large[r]! += value!;
    });
  }
  for (let i = 0; i < third; i++) {
    space.write(probe, [signs(space, seed, 1 + third + i)]);
    apart(space, probe, basis, third);
    space.norm(probe, 0);
    const norms = (await space.scalars(0, 1)).map(([norm]) => norm! || 1);
    await operator.product(probe, product, norms);
    space.dots(alone(product), probe, 0);
    put(await space.scalars(0, 1), samples);
  }
  return large.map((value, r) => {
    const rest = estimateOf(samples[r]!);
    return { value: value + rest.value, error: rest.error, square: estimateOf(squares[r]!) };
  });
}

/** Appends a scalar to each replica's list. */
function put(scalars: readonly Float64Array[], lists: readonly number[][]): void {
  scalars.forEach(([value], r) => {
    lists[r]!.push(value!);
  });
}

/** v := v less its components along the first vectors of a basis. */
function apart(space: VectorSpace, v: At, basis: Block, count: number): void {
  space.dots(span(basis, 0, count), v, 0);
  space.combine(v, 1, span(basis, 0, count), 0, -1);
}

/** The mean and its standard error. */
function estimateOf(samples: readonly number[]): Estimate {
  const { length } = samples;
  const mean = samples.reduce((sum, value) => sum + value, 0) / length;
  const variance = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (length - 1);
  return { value: mean, error: Math.sqrt(variance / length) };
}
