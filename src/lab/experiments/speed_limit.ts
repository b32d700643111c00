// The speed limit of descent. Along an eigenvector of curvature λ a step of gradient descent multiplies the distance to the
// minimum by 1 - lr·λ, which is a contraction below lr = 2/λ; heavy ball has z² - (1 + μ - lr·λ)z + μ = 0 instead, whose
// roots leave the unit circle at lr = 2(1 + μ)/λ (Polyak 1964). Where λ is negative the factor exceeds 1 at every rate.
import { Random } from "../../base/random.ts";
import { landscapeOf } from "../../objectives/landscapes/define.ts";
import { quadratic } from "../../objectives/landscapes/quadratic.ts";
import { saddle } from "../../objectives/landscapes/saddle.ts";
import { sgd } from "../../rules/sgd.ts";
import { labChart } from "../chart.ts";
import { spaced } from "../sweep.ts";
import { absolute, defineExperiment, type Lab, number, perCoordinate, relative, whole } from "./experiment.ts";
import { makeSteps, trainee, using } from "./steps.ts";

/** The limit is between these, for any curvature that the options allow. */
const widest = [0.03, 300] as const;
/** The bracket of the limit is divided, with a replica at each cut, until it is as narrow as this. */
const narrow = 6e-4;
/** Of so many consecutive steps, at least one loss is not a passage through the minimum. */
const swing = 3;

export const speedLimit = defineExperiment({
  name: "speed-limit",
  title: "Gradient descent diverges above a rate of 2/λ, heavy ball above 2(1 + μ)/λ; at a saddle every rate diverges",
  options: {
    curvature: number("λ, the largest curvature of the quadratic", 1, { min: 0.05, max: 20 }),
    condition: number("condition number of the quadratic", 100, { min: 1, max: 1000 }),
    dimension: whole("dimension of the quadratic", 64, { min: 2, max: 65536 }),
    momentum: number("μ of the heavy ball", 0.9, { above: 0, max: 0.98 }),
    replicas: whole("rates tried side by side", 32, { min: 2, max: 1024 }),
  },
  cost({ dimension, momentum, replicas }) {
    // Each round of the search divides the bracket by one more than the number of rates.
    const rounds = 1 + Math.log(1e4) / Math.log(1 + replicas);
    return perCoordinate * dimension * Math.max(24, replicas) * (rounds * (stepsOf(0) + stepsOf(momentum)) + 400);
  },
  async run({ curvature, condition, dimension, momentum, replicas, seed }, lab) {
    const landscape = landscapeOf(quadratic({ dimension, condition, scale: curvature }));
    const start = startOf(dimension, seed);
    const limit = async (mu: number, done: number) => {
      const steps = stepsOf(mu);
      let [low, high]: readonly [number, number] = widest;
      for (let round = 0; high / low > 1 + narrow; round++) {
        const rates =
          round === 0 ? spaced({ min: low, max: high }, Math.max(8, replicas)) : between(low, high, replicas);
        const grown = await growths(lab, { landscape, rates, momentum: mu, start, steps }, done + 0.03 * round);
        const found = grown.findIndex((growth) => growth > 0);
        const first = found < 0 ? rates.length : found;
        [low, high] = [rates[first - 1] ?? low, rates[first] ?? high];
      }
      return (low + high) / 2;
    };
    const plain = await limit(0, 0);
    const heavy = await limit(momentum, 0.4);
    const trials = spaced({ min: 0.01, max: 100 }, Math.max(8, replicas));
    const hill = landscapeOf(saddle({ bound: 0, dimension }));
    const at = startOf(dimension, seed);
    const escaped = await growths(lab, { landscape: hill, rates: trials, momentum: 0, start: at, steps: 400 }, 0.8);
    const curves = [];
    for (const [name, mu, around] of [
      ["gradient descent", 0, plain],
      [`heavy ball, μ = ${momentum}`, momentum, heavy],
    ] as const) {
      const rates = between(0.1 * around, 1.3 * around, Math.max(24, replicas));
      const grown = await growths(lab, { landscape, rates, momentum: mu, start, steps: 40 }, 0.95);
      curves.push({ name, points: rates.map((rate, i) => [rate, grown[i]!] as const) });
    }
    const limits = [2 / curvature, (2 * (1 + momentum)) / curvature] as const;
    return {
      claims: [
        relative("rate above which gradient descent diverges", plain, limits[0], 1e-3),
        relative(`rate above which heavy ball diverges, μ = ${momentum}`, heavy, limits[1], 1e-3),
        absolute(
          "share of rates from 0.01 to 100 that diverge at a saddle",
          escaped.filter((growth) => growth > 0).length / trials.length,
          1,
          0,
        ),
      ],
      chart: labChart({
        title: "Growth of the loss per step, against the rate",
        panels: [
          {
            x: { name: "learning rate" },
            y: { name: "ln growth" },
            curves,
            marks: [
              { name: `2/λ = ${limits[0].toPrecision(4)}`, at: limits[0] },
              { name: `2(1 + μ)/λ = ${limits[1].toPrecision(4)}`, at: limits[1] },
            ],
          },
        ],
      }),
    };
  },
});

/** Long enough for oscillations from momentum to fade. */
const stepsOf = (mu: number) => 2 * Math.ceil(Math.max(200, 10 / (1 - mu)));

/** Values between two ends, which are known and left out. */
function between(low: number, high: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => low + ((high - low) * (i + 1)) / (count + 1));
}

/** Of either sign; the last coordinate, the steepest, is as large as all the others together, so that they fade beside it. */
function startOf(dimension: number, seed: number): Float64Array {
  const random = new Random(seed);
  const start = Float64Array.from({ length: dimension }, () => random.normal() / Math.sqrt(dimension));
  start[dimension - 1] = random.uniform() < 0.5 ? -1 : 1;
  return start;
}

interface Trials {
  readonly landscape: ReturnType<typeof landscapeOf>;
  readonly rates: readonly number[];
  readonly momentum: number;
  readonly start: Float64Array;
  readonly steps: number;
}

/**
 * The growth per step of the logarithm of each rate's loss, of either sign, in the second half; infinite after an overflow.
 * The loss of heavy ball oscillates, so that each of the two losses is the largest of several consecutive steps.
 */
function growths(lab: Lab, { landscape, rates, momentum, start, steps }: Trials, done: number) {
  const config = sgd({ momentum, replicas: rates.map((lr) => ({ lr })) });
  return using(trainee(lab, landscape, config, { start }), async (made) => {
    const progress = () => lab.progress(done);
    const largest = async () => {
      let found = await made.objective.gradient();
      for (let step = 1; step < swing; step++) {
        await makeSteps(made, 1, progress);
        const next = await made.objective.gradient();
        found = next.map((loss, i) => (Math.abs(loss) > Math.abs(found[i]!) ? loss : found[i]!));
      }
      return found;
    };
    const half = steps / 2;
    await makeSteps(made, half, progress);
    const before = await largest();
    await makeSteps(made, half - swing + 1, progress);
    const after = await largest();
    return after.map((loss, i) => {
      const growth = Math.log(Math.abs(loss) / Math.abs(before[i]!)) / half;
      // Both have overflowed, or both have vanished.
      return Number.isNaN(growth) ? (loss === 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY) : growth;
    });
  });
}
