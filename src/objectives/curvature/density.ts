// The density of the eigenvalues of an objective's Hessian: stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017).

import { readNumber } from "../../base/options.ts";
import { readFields } from "../../base/words.ts";
import { at } from "../../engines/vectors.ts";
import { firstAndEach, type Objective } from "../objective.ts";
import { normalise, readSeed, signs } from "./extremes.ts";
import { Lanczos, lanczosScalars } from "./lanczos.ts";
import { type CurvatureMethod, type CurvatureOptions, Operator } from "./operator.ts";

/** An eigenvalue, and its share of all eigenvalues. */
export interface DensityPoint {
  /** The eigenvalue. */
  readonly value: number;
  /** The share of eigenvalues near it; they add up to 1. */
  readonly weight: number;
}

/** The density of one replica. */
export interface ReplicaDensity {
  /** From the smallest eigenvalue to the largest. */
  readonly points: readonly DensityPoint[];
  /** The same as a curve: a normal density of width `width` at every point. */
  readonly curve: { readonly x: readonly number[]; readonly y: readonly number[] };
  /** The standard deviation of the curve's normals. */
  readonly width: number;
}

/** The density of eigenvalues in the first replica, and in each. */
export interface Density extends ReplicaDensity {
  /** By replica, if there are several. */
  readonly replicas: readonly ReplicaDensity[];
  /** Hessian-vector products that it took, of all replicas at once. */
  readonly products: number;
  /** Gradients that it took. */
  readonly gradients: number;
  /** How products are computed. */
  readonly method: CurvatureMethod;
}

/** Options of a density. */
export interface DensityOptions extends CurvatureOptions {
  /** Random vectors, a whole number in [1, 100]; default 4. */
  readonly probes?: number | undefined;
  /** Steps of Lanczos' method from each, a whole number in [2, 500]; default 40. */
  readonly steps?: number | undefined;
  /** Points of the curve, a whole number in [2, 10000]; default 200. */
  readonly points?: number | undefined;
}

/**
 * The density of the eigenvalues of an objective's Hessian.
 *
 * @throws OptionError for invalid options; DeviceError where its vectors do not fit.
 */
export async function density(objective: Objective, options: DensityOptions = {}): Promise<Density> {
  const names = ["rows", "tensors", "replica", "precondition", "seed", "probes", "steps", "points"];
  const read = readFields("options", options, names) as DensityOptions;
  const probes = readNumber("probes", read.probes ?? 4, { min: 1, max: 100, integer: true });
  const steps = readNumber("steps", read.steps ?? 40, { min: 2, max: 500, integer: true });
  const points = readNumber("points", read.points ?? 200, { min: 2, max: 10_000, integer: true });
  const seed = readSeed(read.seed);
  const operator = await Operator.open(objective, read, lanczosScalars(steps));
  const { space } = operator;
  try {
    const block = await space.create(2);
    const vector = at(block);
    await operator.begin(read.precondition);
    const lanczos = await Lanczos.open(operator, Math.min(steps, space.length));
    const found = Array.from({ length: space.replicas }, (): DensityPoint[] => []);
    for (let probe = 0; probe < probes; probe++) {
      space.write(vector, [signs(space, seed, probe)]);
      if (probe === 0) {
        await normalise(space, vector, at(block, 1));
        await operator.search(vector, at(block, 1), 1e-4);
      }
      await lanczos.start(vector);
      while (lanczos.canGoOn) await lanczos.step();
      lanczos.ritz().forEach(({ values, vectors }, r) => {
        values.forEach((value, i) => {
          found[r]!.push({ value, weight: vectors[i]![0]! ** 2 / probes });
        });
      });
    }
    const replicas = found.map((list) => curveOf(list, points));
    const { products, gradients } = operator;
    return { ...firstAndEach(replicas), products, gradients, method: "differences" };
  } finally {
    operator.destroy();
  }
}

function curveOf(list: readonly DensityPoint[], count: number): ReplicaDensity {
  const points = [...list].sort((a, b) => a.value - b.value);
  const [low, high] = [points[0]!.value, points.at(-1)!.value];
  const width = (high - low) / 100 || Math.abs(high) / 100 || 1;
  const x = Array.from({ length: count }, (_, i) => low - 4 * width + ((high - low + 8 * width) * i) / (count - 1));
  const y = x.map((where) =>
    points.reduce((sum, { value, weight }) => {
      const z = (where - value) / width;
      return sum + (weight * Math.exp(-0.5 * z * z)) / (width * Math.sqrt(2 * Math.PI));
    }, 0),
  );
  return { points, curve: { x, y }, width };
}
