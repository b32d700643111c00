// Values at given steps; between two of them the first one, a straight line or half a cosine; before the first point
// its value, and after the last point the last value.
import { OptionError, refusal, show } from "../base/errors.ts";
import { readArray, readNumber } from "../base/options.ts";
import { choice, countUpTo, defineSchedule, type NestedOption, rises } from "./define.ts";

const interpolations = ["constant", "linear", "cosine"] as const;

const points: NestedOption<readonly (readonly [step: number, value: number])[]> = {
  allowed: "at least one [step, value] with rising whole steps >= 0",
  read(name, value) {
    const pairs = readArray(name, value, "[step, value]").map((pair, i): readonly [number, number] => {
      const [step, there, ...rest] = readArray(`${name}[${i}]`, pair, "a step and its value");
      if (rest.length > 0) throw refusal(`${name}[${i}]`, pair, "[step, value]");
      return [
        readNumber(`${name}[${i}][0]`, step, { min: 0, integer: true }),
        readNumber(`${name}[${i}][1]`, there, {}),
      ];
    });
    if (pairs.length === 0) throw new OptionError(`${name} is []; it must hold at least one [step, value]`);
    if (!rises(pairs.map(([step]) => step))) {
      throw new OptionError(`${name} is ${show(value)}; the steps must rise`);
    }
    return pairs;
  },
};

/** Goes through `points`. */
export const piecewise = defineSchedule({
  type: "piecewise",
  formula:
    "a + (b - a) · f(x) between two points of values a and b, x being the share of the steps between them; f is 0, x or (1 - cos(π · x)) / 2",
  source: "definition",
  options: {
    /** At least one pair of a step (a whole number >= 0) and the value there; the steps rise. */
    points,
    /** How values between two points are found; default "linear". */
    interpolate: choice(interpolations, "linear"),
  },
  create({ points, interpolate }) {
    const share = {
      constant: () => 0,
      linear: (x: number) => x,
      cosine: (x: number) => (1 - Math.cos(Math.PI * x)) / 2,
    }[interpolate];
    const steps = points.map(([at]) => at);
    return {
      at(step) {
        const next = countUpTo(steps, step);
        if (next === points.length) return points[points.length - 1]![1];
        const [end, b] = points[next]!;
        const [start, a] = points[next - 1] ?? [0, b];
        return a + (b - a) * share((step - start) / (end - start));
      },
    };
  },
});
