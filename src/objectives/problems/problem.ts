// A differential equation with its boundary, from which a physics-informed model learns. The left-hand side is written in
// TypeScript and in WGSL; right-hand side and exact solution are computed on the host, in float64.

import { OptionError, refusal } from "../../base/errors.ts";
import { readArray, readNumber, readString } from "../../base/options.ts";
import { readFields } from "../../base/words.ts";

/** A solution at one point with its derivatives, or the derivatives of a function by each of these numbers. */
export interface Jet {
  /** The solution. */
  readonly u: number;
  /** Its first derivatives, by the first input and by the second; in one dimension the second is 0. */
  readonly d: readonly [number, number];
  /** Its second derivatives, by the first input twice and by the second twice; in one dimension the second is 0. */
  readonly dd: readonly [number, number];
}

/** The inputs at a point, as many as the problem has dimensions. */
export type Coordinates = readonly number[] | Float64Array;

/** A point at which the solution is known. */
export interface BoundaryPoint {
  /** As many numbers as the problem has dimensions. */
  readonly at: readonly number[];
  /** The solution there; default 0. */
  readonly value?: number | undefined;
  /** Its weight among the points, > 0: the length of boundary that it represents; default 1. */
  readonly weight?: number | undefined;
}

/** A problem's config: `type` is the problem's function, or in plain JSON its name; the other fields are its options. */
export interface ProblemConfig {
  /** The kind of problem. */
  readonly type: string | ProblemKind;
  readonly [option: string]: unknown;
}

/** An entry of the registry in problems/index.ts. */
export interface ProblemKind {
  /** Its name. */
  readonly type: string;
  /** Checks `config`; errors name `name`. */
  read(name: string, config: ProblemConfig): Problem;
  /** Its name. */
  toJSON(): string;
}

/** An equation of second order, left(u) = right, with points at which u is known; what {@link defineProblem} takes. */
export interface ProblemDefinition {
  /** Its name in errors. */
  readonly name: string;
  /** How many inputs the solution has, 1 or 2. */
  readonly dimensions: 1 | 2;
  /** Where the solution is known; at least one point. */
  readonly boundary: readonly BoundaryPoint[];
  /** The right-hand side at a point, in float64; default 0. */
  right?(x: Coordinates): number;
  /** The exact solution at a point, if it is known: evaluations then have an error. */
  exact?(x: Coordinates): number;
  /** The left-hand side at a point, in float64. */
  left(x: Coordinates, u: Jet): number;
  /** Its derivatives by each number of the jet. */
  slopes(x: Coordinates, u: Jet): Jet;
  /**
   * Both in WGSL: `fn left(x: vec2f, u: Jet) -> f32` and `fn slopes(x: vec2f, u: Jet) -> Jet`, where `Jet` has the fields `u:
   * f32`, `d: vec2f` and `dd: vec2f`. In one dimension everything about the second input is 0.
   */
  readonly wgsl: string;
}

/** {@link BoundaryPoint} with every default filled in. */
export interface CompleteBoundaryPoint extends BoundaryPoint {
  readonly value: number;
  readonly weight: number;
}

/** A problem with every default filled in. */
export interface Problem extends ProblemDefinition {
  readonly boundary: readonly CompleteBoundaryPoint[];
  right(x: Coordinates): number;
  /** The complete config, which rebuilds the same problem; undefined for a custom problem. */
  readonly config: ProblemConfig | undefined;
  /** The complete config; for a custom problem its name, from which it cannot be rebuilt. */
  toJSON(): unknown;
}

const fields = ["name", "dimensions", "boundary", "right", "exact", "left", "slopes", "wgsl"];

/**
 * A custom problem for `pinn`.
 *
 * @throws OptionError for a missing or invalid field.
 */
export function defineProblem(definition: ProblemDefinition): Problem {
  const { name, dimensions, boundary, right, exact, left, slopes, wgsl } = readFields(
    "problem",
    definition,
    fields,
  ) as unknown as ProblemDefinition;
  const title = `problem ${readString("problem.name", name)}`;
  if (dimensions !== 1 && dimensions !== 2) {
    throw refusal(`dimensions of ${title}`, dimensions, "1 or 2");
  }
  for (const [part, value] of Object.entries({ left, slopes, right: right ?? zero, exact: exact ?? zero })) {
    if (typeof value !== "function") throw refusal(`the ${part} of ${title}`, value, "a function");
  }
  const code = readString(`the wgsl of ${title}`, wgsl).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, " ");
  for (const [pattern, signature] of signatures) {
    if (!pattern.test(code)) throw new OptionError(`the wgsl of ${title} has no "${signature}"`);
  }
  const points = readArray(`the boundary of ${title}`, boundary, "points");
  if (points.length === 0) throw new OptionError(`the boundary of ${title} is []; it must hold at least one point`);
  // A definition may have methods of a class, which a spread would lose.
  return {
    ...{ name, dimensions, wgsl },
    boundary: points.map((point, i) => readPoint(`point ${i} of the boundary of ${title}`, point, dimensions)),
    right: right?.bind(definition) ?? zero,
    ...(exact ? { exact: exact.bind(definition) } : {}),
    left: left.bind(definition),
    slopes: slopes.bind(definition),
    toJSON: () => ({ type: name }),
    config: undefined,
  };
}

const zero = () => 0;

const signatures = [
  [/\bfn\s+left\s*\(\s*\w+\s*:\s*vec2f\s*,\s*\w+\s*:\s*Jet\s*,?\s*\)\s*->\s*f32\b/, "fn left(x: vec2f, u: Jet) -> f32"],
  [
    /\bfn\s+slopes\s*\(\s*\w+\s*:\s*vec2f\s*,\s*\w+\s*:\s*Jet\s*,?\s*\)\s*->\s*Jet\b/,
    "fn slopes(x: vec2f, u: Jet) -> Jet",
  ],
] as const;

function readPoint(name: string, point: unknown, dimensions: number): CompleteBoundaryPoint {
  const { at, value = 0, weight = 1 } = readFields(name, point, ["at", "value", "weight"]);
  const numbers = readArray(`at of ${name}`, at, "numbers").map((x) => readNumber(`at of ${name}`, x, {}));
  if (numbers.length !== dimensions) {
    throw new OptionError(`at of ${name} has ${numbers.length} numbers; it must have ${dimensions}`);
  }
  return {
    at: numbers,
    value: readNumber(`value of ${name}`, value, {}),
    weight: readNumber(`weight of ${name}`, weight, { above: 0 }),
  };
}
