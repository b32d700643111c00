// f(x) = ½ Σ λᵢ uᵢ²: a bowl with a chosen spectrum of curvatures, a canyon where they differ much. u is x itself, or x seen
// in rotated axes, so that rules which scale each coordinate separately meet a canyon across the coordinates.

import wgsl from "../../../shaders/landscapes/quadratic.wgsl?raw";
import { OptionError, show } from "../../base/errors.ts";
import {
  choice,
  defineLandscape,
  dimensionOption,
  everywhere,
  type LandscapeFunction,
  number,
  numbers,
} from "./define.ts";

const spacings = ["geometric", "linear"] as const;

/** Options of {@link quadratic}. */
export interface QuadraticOptions {
  /** The curvatures λ along u1, u2 …, each >= 0, in place of the options from `dimension` to `scale`. */
  spectrum?: readonly number[] | undefined;
  /** How many coordinates; a whole number >= 1 and at most 2^22, default 2. */
  dimension?: number | undefined;
  /** The largest curvature divided by the smallest; >= 1, default 100. Curvatures rise from scale / condition to scale. */
  condition?: number | undefined;
  /** Whether the curvatures rise by equal factors or by equal steps; default "geometric". */
  spacing?: (typeof spacings)[number] | undefined;
  /** The largest curvature, so that gradient descent is stable below a rate of 2 / scale; > 0, default 1. */
  scale?: number | undefined;
  /**
   * How far the axes are rotated, in radians; default 0. The first coordinate is rotated against the last, the second against
   * the last but one, and so on, flat directions against steep ones.
   */
  angle?: number | undefined;
}

const inPlaceOfSpectrum = ["dimension", "condition", "spacing", "scale"];

/** A bowl or canyon of a chosen spectrum, least at the origin. */
export const quadratic: LandscapeFunction<QuadraticOptions> = defineLandscape({
  type: "quadratic",
  formula:
    "½ Σ λᵢ uᵢ², λ = spectrum, or from scale / condition to scale by equal factors (geometric) or steps (linear); with j = n + 1 - i, uᵢ = cos(angle) xᵢ ± sin(angle) xⱼ, + where i < j, and xᵢ where i = j",
  least: "0 at the origin",
  source: "definition",
  wgsl,
  options: {
    spectrum: numbers({ min: 0 }),
    dimension: dimensionOption(1, 2),
    condition: number({ min: 1 }, 100),
    spacing: choice(spacings, "geometric"),
    scale: number({ above: 0 }, 1),
    angle: number({}, 0),
  },
  create({ spectrum, dimension, condition, spacing, scale, angle }, name, given) {
    const beside = spectrum && inPlaceOfSpectrum.find((option) => given.has(option));
    if (beside) {
      throw new OptionError(`${name}.spectrum is ${show(spectrum)} beside ${name}.${beside}; give one or the other`);
    }
    const share = (i: number) => (dimension === 1 ? 1 : i / (dimension - 1));
    const shape = {
      geometric: (i: number) => condition ** (share(i) - 1),
      linear: (i: number) => (1 + (condition - 1) * share(i)) / condition,
    };
    const curvatures = Float64Array.from(
      spectrum ?? Array.from({ length: dimension }, (_, i) => scale * shape[spacing](i)),
    );
    const n = curvatures.length;
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    /** The share of its partner in the rotated coordinate i. */
    const across = (i: number) => (2 * i < n - 1 ? sine : -sine);
    const turned = (x: ArrayLike<number>, i: number) => {
      const j = n - 1 - i;
      return i === j ? x[i]! : cosine * x[i]! + across(i) * x[j]!;
    };
    return {
      dimension: n,
      ...(spectrum ? { kept: ["spectrum", "angle"] } : {}),
      constants: { cosine, sine },
      numbers: curvatures,
      term: (x, i) => (curvatures[i]! * turned(x, i) ** 2) / 2,
      slope(x, i) {
        const j = n - 1 - i;
        const here = curvatures[i]! * turned(x, i);
        return i === j ? here : cosine * here - across(i) * curvatures[j]! * turned(x, j);
      },
      curvature(_, i, k) {
        const j = n - 1 - i;
        const [here, other] = [curvatures[i]!, curvatures[j]!];
        if (i === j) return k === i ? here : 0;
        if (k === i) return cosine ** 2 * here + sine ** 2 * other;
        return k === j ? cosine * across(i) * (here - other) : 0;
      },
      minimum: 0,
      minima: () => [everywhere(n, 0)],
      start: () => everywhere(n, 1),
      domain: [
        [-1.5, 1.5],
        [-1.5, 1.5],
      ],
    };
  },
});
