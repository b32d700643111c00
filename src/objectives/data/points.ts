// Points in a box as a data set, without labels or targets, at which an equation must hold: evenly spaced, drawn, or given.
import { OptionError, show } from "../../base/errors.ts";
import { readNumber, readString } from "../../base/options.ts";
import { Random } from "../../base/random.ts";
import { readFields } from "../../base/words.ts";
import { type Rows, readRows, rowsOf } from "./arrays.ts";
import { checkDataset, type TargetDataset } from "./dataset.ts";

/** Options of {@link pointsDataset}; one of `grid`, `count` and `values` chooses the points. */
export interface PointsOptions {
  /** The data set's name in errors; default "points". */
  readonly name?: string | undefined;
  /** Coordinates of a point, a whole number >= 1; default 1. */
  readonly dimensions?: number | undefined;
  /** How many points along each dimension, evenly spaced, both ends included; a whole number >= 2. */
  readonly grid?: number | undefined;
  /** How many points to draw uniformly from the box; a whole number >= 1. */
  readonly count?: number | undefined;
  /** Seed of the drawn points; a whole number in [0, 2^53), default 0. */
  readonly seed?: number | undefined;
  /** The points themselves, each of `dimensions` numbers: point after point, or an array for each. */
  readonly values?: Rows | undefined;
  /** Where the box starts in every dimension; default 0. */
  readonly low?: number | undefined;
  /** Where it ends, > `low`; default 1. */
  readonly high?: number | undefined;
}

/** The options that a run config has too. */
export interface CompletePoints {
  /** Numbers of a point. */
  readonly dimensions: number;
  /** Points along each dimension of a grid; null for points drawn at random. */
  readonly grid: number | null;
  /** Points drawn at random; null for a grid. */
  readonly count: number | null;
  /** Seed of the points drawn at random. */
  readonly seed: number;
  /** The least value of each number. */
  readonly low: number;
  /** The largest value of each number. */
  readonly high: number;
}

/** A stream of the seeded generator; dataset.ts has the others. */
const pointStream = 2 ** 32 - 2;

/** The most numbers that there may be: those of a Float32Array of 1 GiB. */
const mostNumbers = 2 ** 28;

/**
 * Points without labels or targets, for a physics-informed network: `datasets.points({ grid: 40 })`.
 *
 * @throws OptionError for options out of range or that contradict each other; DataError for values that do not make whole points
 * or are not finite.
 */
export function pointsDataset(options: PointsOptions): TargetDataset {
  const { name = "points", values, ...box } = readFields("points", options, ["name", ...boxFields, "values"]);
  readString("name", name);
  if (values === undefined) return boxPoints(readPoints("", box, "grid, count or values"), name as string);
  const unused = ["grid", "count", "seed", "low", "high"].find((field) => box[field] !== undefined);
  if (unused !== undefined)
    throw new OptionError(`${unused} is ${show(box[unused])} beside values; give one or the other`);
  const dimensions = readNumber("dimensions", box.dimensions ?? 1, { min: 1, integer: true });
  return points(name as string, dimensions, rowsOf(name as string, readRows("values", values as Rows), dimensions));
}

const boxFields = ["dimensions", "grid", "count", "seed", "low", "high"];

/** @param prefix The prefix of an option's name in errors: "" or "data.". */
export function readPoints(
  prefix: string,
  { dimensions = 1, grid, count, seed = 0, low = 0, high = 1 }: Record<string, unknown>,
  allowed = "grid or count",
): CompletePoints {
  const given = (value: unknown) => value !== undefined && value !== null;
  if (given(grid) === given(count)) {
    throw new OptionError(
      given(grid)
        ? `${prefix}grid is ${show(grid)} beside ${prefix}count; give one or the other`
        : `${prefix}grid is missing; ${allowed} must say which points there are`,
    );
  }
  const columns = readNumber(`${prefix}dimensions`, dimensions, { min: 1, integer: true });
  const most = Math.floor(mostNumbers / columns);
  const from = readNumber(`${prefix}low`, low, {});
  return {
    dimensions: columns,
    grid: given(grid) ? readGrid(`${prefix}grid`, grid, columns) : null,
    count: given(count) ? readNumber(`${prefix}count`, count, { min: 1, max: most, integer: true }) : null,
    seed: readNumber(`${prefix}seed`, seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }),
    low: from,
    high: readNumber(`${prefix}high`, high, { above: from }),
  };
}

/** How many points a grid has along each dimension. */
export function readGrid(name: string, value: unknown, dimensions: number): number {
  const max = Math.floor((mostNumbers / dimensions) ** (1 / dimensions) + 1e-9);
  return readNumber(name, value, { min: 2, max, integer: true });
}

/** How many points there are. */
export function countPoints({
  dimensions,
  grid,
  count,
}: Pick<CompletePoints, "dimensions" | "grid" | "count">): number {
  return count ?? grid! ** dimensions;
}

/** The points for options that were read. */
export function boxPoints(read: CompletePoints, name: string): TargetDataset {
  const { dimensions, grid, seed, low, high } = read;
  const random = new Random(seed, pointStream);
  const at = (share: number) => low + (high - low) * share;
  const number = (i: number): number => {
    if (grid === null) return at(random.uniform());
    // The last dimension varies fastest.
    const [point, dimension] = [Math.floor(i / dimensions), i % dimensions];
    return at((Math.floor(point / grid ** (dimensions - 1 - dimension)) % grid) / (grid - 1));
  };
  return points(
    name,
    dimensions,
    Float32Array.from({ length: countPoints(read) * dimensions }, (_, i) => number(i)),
  );
}

function points(name: string, dimensions: number, inputs: Float32Array): TargetDataset {
  const count = inputs.length / dimensions;
  const data = { name, count, features: dimensions, inputs, scale: 1, outputs: 0, targets: new Float32Array() };
  checkDataset(data);
  return data;
}
