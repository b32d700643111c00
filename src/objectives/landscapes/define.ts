// How a landscape of the registry is defined: each option once, with its range and default; the terms of the sum, their slopes
// and curvatures in float64; and the same terms and slopes in WGSL. Reading, the complete config, value, gradient and Hessian,
// the kernels and docs/landscapes.md follow from that.
import { OptionError, refusal } from "../../base/errors.ts";
import {
  describeRange,
  number,
  type Option,
  type Range,
  readArray,
  readMade,
  readNothing,
  readNumber,
  readTyped,
  type Values,
} from "../../base/options.ts";
import { readFields } from "../../base/words.ts";
import { type Points, programOfLandscape } from "../landscape.ts";
import type { Program, Trainable } from "../program.ts";

export { choice, number } from "../../base/options.ts";

/** A landscape's config: `type` is the landscape, or in plain JSON its name; the other fields are its options. */
export interface LandscapeConfig {
  /** The kind of landscape. */
  readonly type: string | LandscapeDefinition;
  readonly [option: string]: unknown;
}

/** Two ends, the lower first. */
export type Interval = readonly [low: number, high: number];

/** A landscape with known options, in float64. */
interface Surface {
  /** How many coordinates a point has. */
  readonly dimension: number;
  /**
   * The i-th of the terms whose sum is the landscape; there are as many as coordinates. A landscape that changes or is random
   * depends on `step`, the updates made so far; default 0.
   */
  term(x: ArrayLike<number>, i: number, step?: number): number;
  /** The derivative of the whole sum by the i-th coordinate; `step` as for {@link Surface.term}. */
  slope(x: ArrayLike<number>, i: number, step?: number): number;
  /** The second derivative of the whole sum by the i-th and the j-th coordinate. */
  curvature(x: ArrayLike<number>, i: number, j: number): number;
  /** The value at the {@link Surface.minima}; null if none is known, or there is none. */
  readonly minimum: number | null;
  /** The minima that docs/landscapes.md lists; empty if none is known. */
  minima(): readonly Float64Array[];
  /** A point that optimizers customarily start from. */
  start(): Float64Array;
  /** The ranges of the first two coordinates that a picture should show. */
  readonly domain: readonly [Interval, Interval];
}

/** A function with known gradient and minimum: a sum of one term for each coordinate. */
export interface Landscape extends Surface, Trainable<Points> {
  /** The kind of landscape. */
  readonly type: string;
  /** The complete config, which rebuilds the same landscape. */
  readonly config: LandscapeConfig & { readonly type: string };
  /** The height at a point. @throws OptionError for a point that has not `dimension` coordinates; so do gradient and hessian. */
  value(x: ArrayLike<number>): number;
  /** The slope at a point, coordinate by coordinate. */
  gradient(x: ArrayLike<number>): Float64Array;
  /**
   * The value of each point of a list, whose coordinates follow each other.
   *
   * @throws OptionError for coordinates that do not make whole points.
   */
  values(points: ArrayLike<number>): Float64Array;
  /** Row after row, `dimension` of them. */
  hessian(x: ArrayLike<number>): readonly Float64Array[];
  /** Its part of the kernels. */
  readonly kernel: LandscapeKernel;
}

/** A landscape as the GPU computes it. */
export interface LandscapeKernel {
  /** Functions `term(i)` and `slope(i)` of the coordinates `x(i)`, with constants and numbers in `setting`. */
  readonly wgsl: string;
  /** Numbers by name, in their order in `setting`. */
  readonly constants: Readonly<Record<string, number>>;
  /** Further numbers without names: `setting.numbers`. */
  readonly numbers: ArrayLike<number>;
  /** Whether it draws random numbers, by `philox` and the number `step` of updates made so far; default false. */
  readonly random?: boolean;
}

type Options = Readonly<Record<string, Option<unknown>>>;

/** At least one number; undefined if left out. */
export function numbers(range: Range): Option<readonly number[] | undefined> {
  return {
    allowed: `numbers, each ${describeRange(range)}`,
    read(name, value) {
      if (value === undefined) return undefined;
      const read = readArray(name, value, "numbers").map((one, i) => readNumber(`${name}[${i}]`, one, range));
      if (read.length === 0) throw new OptionError(`${name} is []; it must hold at least one number`);
      return read;
    },
  };
}

/** One entry of the registry in landscapes/index.ts. */
export interface LandscapeDefinition {
  /** Its name. */
  readonly type: string;
  /** The function, in terms of the options; x is a point, n its dimension, sums run from 1. */
  readonly formula: string;
  /** Where it is least. */
  readonly least: string;
  /** Where the function comes from: paper and year. */
  readonly source: string;
  /** Its options: the range of each, in words, and its default. */
  readonly options: readonly { readonly name: string; readonly allowed: string; readonly default: unknown }[];
  /** Checks `config`; errors name `name`. */
  read(name: string, config: LandscapeConfig): Landscape;
  /** Its name. */
  toJSON(): string;
}

/** A landscape of the registry: its definition, and the function that makes its config from options. */
export interface LandscapeFunction<Options extends object> extends LandscapeDefinition {
  (options?: Options): LandscapeConfig & { readonly type: LandscapeDefinition };
}

interface Written<O extends Options> extends Pick<LandscapeDefinition, "type" | "formula" | "least" | "source"> {
  readonly options: O;
  readonly wgsl: string;
  /** `name` is the config's name in errors, `given` the options that it has. */
  create(values: Values<O>, name: string, given: ReadonlySet<string>): Created;
}

interface Created extends Surface, Partial<Omit<LandscapeKernel, "wgsl">> {
  /** The options that the complete config keeps; default all. */
  readonly kept?: readonly string[];
}

/**
 * A landscape from its definition.
 *
 * @throws OptionError, when called, for anything but an object of its options.
 */
export function defineLandscape<O extends Options>(
  written: Written<O>,
): LandscapeFunction<{ [Name in keyof O]?: Values<O>[Name] | undefined }> {
  const { type, formula, least, source, wgsl } = written;
  const options: readonly (readonly [string, Option<unknown>])[] = Object.entries(written.options);
  const takes = options.length > 0;
  const make = (...given: readonly unknown[]) => {
    if (!takes) readNothing(type, given);
    return { ...readTyped(type, whole, given[0]), type: whole };
  };
  const definition: LandscapeDefinition = {
    type,
    formula,
    least,
    source,
    toJSON: () => type,
    options: options.map(([name, { allowed, default: standard }]) => ({ name, allowed, default: standard })),
    read(name, config) {
      const fields = readFields(name, config, ["type", ...options.map(([option]) => option)]);
      const given = new Set(Object.keys(fields).filter((key) => fields[key] !== undefined));
      const values = Object.fromEntries(
        options.map(([key, option]) => {
          return [key, option.read(`${name}.${key}`, given.has(key) ? fields[key] : option.default)];
        }),
      ) as Values<O>; // each option was read by its own reader
      const {
        kept = options.map(([key]) => key),
        constants = {},
        numbers = [],
        random = false,
        ...surface
      } = written.create(values, name, given);
      const complete = kept.filter((key) => values[key] !== undefined).map((key) => [key, values[key]] as const);
      const landscape = {
        ...surface,
        ...wholeOf(surface),
        type,
        config: { type, ...Object.fromEntries(complete) },
        kernel: { wgsl, constants, numbers, random },
        program: undefined as unknown as Program<Points>,
      };
      landscape.program = programOfLandscape(landscape);
      return landscape;
    },
  };
  const whole = Object.assign(make, definition) as unknown as LandscapeFunction<object>;
  return whole as ReturnType<typeof defineLandscape<O>>;
}

/** Coordinates of a point: no more than memory can hold, whatever a file asks for. */
export function dimensionOption(min: number, standard: number): Option<number> {
  return number({ min, max: 2 ** 22, integer: true }, standard);
}

/** Value, gradient and Hessian from single terms and coordinates. */
function wholeOf({
  dimension,
  term,
  slope,
  curvature,
}: Surface): Pick<Landscape, "value" | "values" | "gradient" | "hessian"> {
  const check = (x: ArrayLike<number>) => {
    if (!Array.isArray(x) && !ArrayBuffer.isView(x)) {
      throw refusal("a point", x, "an array of numbers");
    }
    if (x.length !== dimension) {
      throw new OptionError(`a point has ${x.length} coordinates; this landscape's have ${dimension}`);
    }
  };
  const each = (value: (i: number) => number) => Float64Array.from({ length: dimension }, (_, i) => value(i));
  const value = (x: ArrayLike<number>) => {
    check(x);
    let sum = 0;
    for (let i = 0; i < dimension; i++) sum += term(x, i);
    return sum;
  };
  return {
    value,
    values(points) {
      if (!Array.isArray(points) && !ArrayBuffer.isView(points)) {
        throw refusal("points", points, "an array of numbers, point after point");
      }
      const count = points.length / dimension;
      if (!Number.isInteger(count)) {
        throw new OptionError(`points holds ${points.length} numbers; it must hold ${dimension} for each point`);
      }
      const all = Float64Array.from(points);
      return Float64Array.from({ length: count }, (_, i) => value(all.subarray(i * dimension, (i + 1) * dimension)));
    },
    gradient(x) {
      check(x);
      return each((i) => slope(x, i));
    },
    hessian(x) {
      check(x);
      return Array.from({ length: dimension }, (_, i) => each((j) => curvature(x, i, j)));
    },
  };
}

/** The point whose coordinates are all the same. */
export function everywhere(dimension: number, value: number): Float64Array {
  return new Float64Array(dimension).fill(value);
}

/**
 * The landscape of a config whose `type` is the landscape itself, as its function makes it.
 *
 * @throws OptionError for plain JSON, which `createLandscape` reads, and for values out of range.
 */
export function landscapeOf(config: LandscapeConfig): Landscape {
  const { type, ...options } = readMade("landscape", config, "a landscape's config", {});
  if (typeof type === "string") {
    throw refusal("landscape.type", type, "a landscape's function, or a name that landscapes.create() reads");
  }
  const definition = readMade("landscape.type", type, "a landscape", { read: "function" });
  return definition.read("landscape", { ...options, type: type.type });
}
