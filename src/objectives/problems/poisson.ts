// Poisson's equation with a sine as its solution: -u'' = (kπ)²·sin(kπx) between 0 and 1, -Δu = 2(kπ)²·sin(kπx)·sin(kπy) on the
// unit square, and u = 0 on the boundary (the usual first problem of Raissi, Perdikaris and Karniadakis 2019).

import wgsl from "../../../shaders/objectives/pinn/poisson.wgsl?raw";
import { OptionError } from "../../base/errors.ts";
import { readNumber, readTyped } from "../../base/options.ts";
import { readFields } from "../../base/words.ts";
import type { CompleteBoundaryPoint, Coordinates, Problem, ProblemConfig, ProblemKind } from "./problem.ts";

/** Options of {@link poisson}. */
export interface PoissonOptions {
  /** Half waves along each side, > 0: the solution is sin(kπx), or sin(kπx)·sin(kπy); a whole number; default 1. */
  k?: number | undefined;
  /** 1 for the line from 0 to 1, 2 for the unit square; default 1. */
  dimensions?: 1 | 2 | undefined;
  /** In two dimensions, how many points each side of the boundary has; a whole number >= 1, default 16. */
  sidePoints?: number | undefined;
}

/** The type of `poisson`: the function that makes its config, and the kind of problem. */
export interface PoissonFunction extends ProblemKind {
  /** The config of Poisson's equation: `poisson({ k: 3 })`. */
  (options?: PoissonOptions): ProblemConfig & { readonly type: ProblemKind };
}

/**
 * Poisson's equation, -u'' = (kπ)²·sin(kπx) or -Δu = 2(kπ)²·sin(kπx)·sin(kπy), with u = 0 at both ends or on the four sides.
 * In one dimension an end counts 1; in two a point of the boundary counts as the length between two of them.
 */
export const poisson: PoissonFunction = Object.assign(
  (options?: PoissonOptions) => ({ ...readTyped("poisson", poisson, options), type: poisson as ProblemKind }),
  { type: "poisson", read, toJSON: () => "poisson" },
);

function read(name: string, config: ProblemConfig): Problem {
  const fields = readFields(name, config, ["type", "k", "dimensions", "sidePoints"]);
  const k = readNumber(`${name}.k`, fields.k ?? 1, { min: 1, integer: true });
  const dimensions = readNumber(`${name}.dimensions`, fields.dimensions ?? 1, { min: 1, max: 2, integer: true });
  if (dimensions === 1 && fields.sidePoints !== undefined) {
    throw new OptionError(
      `${name}.sidePoints was given in one dimension, where the boundary is two points; leave it out`,
    );
  }
  const sidePoints = readNumber(`${name}.sidePoints`, fields.sidePoints ?? 16, { min: 1, max: 2 ** 16, integer: true });
  const rate = k * Math.PI;
  const wave = (x: Coordinates) => {
    let product = 1;
    for (let i = 0; i < dimensions; i++) product *= Math.sin(rate * x[i]!);
    return product;
  };
  const complete = { type: "poisson", k, dimensions, ...(dimensions === 2 ? { sidePoints } : {}) };
  return {
    name: "poisson",
    dimensions: dimensions as 1 | 2,
    boundary: dimensions === 1 ? ends : aroundSquare(sidePoints),
    right: (x) => dimensions * rate * rate * wave(x),
    exact: wave,
    left: (_, { dd: [xx, yy] }) => -(xx + yy),
    slopes: () => ({ u: 0, d: [0, 0], dd: [-1, -1] }),
    wgsl,
    config: complete,
    toJSON: () => complete,
  };
}

const ends = [0, 1].map((x) => ({ at: [x], value: 0, weight: 1 }));

/** Points on the sides of the square, evenly spaced, corners included. */
function aroundSquare(sidePoints: number): readonly CompleteBoundaryPoint[] {
  return Array.from({ length: 4 * sidePoints }, (_, i) => {
    const along = (i % sidePoints) / sidePoints;
    const corner = Math.floor(i / sidePoints);
    const at = [
      [along, 0],
      [1, along],
      [1 - along, 1],
      [0, 1 - along],
    ][corner]!;
    return { at, value: 0, weight: 1 / sidePoints };
  });
}
