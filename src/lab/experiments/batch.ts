// The critical batch size. A step along the mean gradient of B rows is best at the rate ε(B) = ε∞ / (1 + N/B), where N is
// tr(HΣ) / GᵀHG, G being the gradient, H the Hessian and Σ the covariance of the rows' gradients: it grows as B, about N as √B,
// and then no more. Where H is a multiple of the identity, N is the simple noise scale tr Σ / |G|², which follows from the mean
// squares of gradients at two batch sizes (McCandlish, Kaplan, Amodei et al. 2018, An Empirical Model of Large-Batch Training).
// Rows drawn from a normal distribution make linear regression such a case.

import { Random } from "../../base/random.ts";
import { norm } from "../../engines/cpu/vectors.ts";
import { skipNonFinite } from "../../modifiers/skip_non_finite.ts";
import { arrayDataset } from "../../objectives/data/arrays.ts";
import { everyRow } from "../../objectives/data/dataset.ts";
import { createModel } from "../../objectives/models/index.ts";
import { mlp } from "../../objectives/models/mlp.ts";
import { sgd } from "../../rules/sgd.ts";
import { labChart } from "../chart.ts";
import { absolute, defineExperiment, number, whole } from "./experiment.ts";
import { trainee, using } from "./steps.ts";

const batches = [1, 4, 16, 64, 256] as const;
const count = 512;
/** Rates, as multiples of the best one for the whole data set. */
const shares = [1 / 256, 1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2] as const;

export const batch = defineExperiment({
  name: "batch",
  title:
    "The best rate grows as the batch size at first, and as its square root near the gradient noise scale, where it bends",
  options: {
    dimension: whole("inputs per row", 16, { min: 8, max: 24 }),
    noise: number("standard deviation of the noise in the targets", 1.5, { min: 0.5, max: 2 }),
    trials: whole("steps tried at each batch size; four times as many at the two smallest", 40, {
      min: 24,
      max: 1000,
    }),
  },
  async run({ dimension, noise, trials, seed }, lab) {
    const random = new Random(seed);
    const slope = 1 / Math.sqrt(dimension);
    const inputs = Array.from({ length: count }, () => Array.from({ length: dimension }, () => random.normal()));
    const targets = inputs.map((row) => [row.reduce((sum, x) => sum + slope * x, noise * random.normal())]);
    const data = arrayDataset({ name: "lines", inputs, targets });
    const model = createModel(mlp([dimension, 1], { loss: "meanSquaredError", bias: false }));
    const rows = everyRow(data);
    const weight = "layer1.weight";
    const start = { [weight]: new Float32Array(dimension) };
    const options = { data, batch: count };
    const best = await using(trainee(lab, model, sgd({ lr: 0 }), options), async ({ optimizer, objective }) => {
      optimizer.write("params", start);
      await objective.gradient(rows);
      const gradient = (await optimizer.read("gradients"))[weight]!;
      const curved = (await objective.hessianVector({ [weight]: gradient }, { rows }))[weight]!;
      return norm([gradient]) ** 2 / gradient.reduce((sum, g, i) => sum + g * curved[i]!, 0);
    });
    const rates = shares.map((share) => share * best);
    const config = sgd({ modifiers: [skipNonFinite()], replicas: rates.map((lr) => ({ lr })) });
    const seen = await using(trainee(lab, model, config, options), async ({ optimizer, objective }) => {
      const found: { readonly size: number; readonly rate: number; readonly square: number }[] = [];
      for (const size of batches) {
        const losses = rates.map(() => 0);
        let square = 0;
        const tried = size < 16 ? 4 * trials : trials;
        for (let trial = 0; trial < tried; trial++) {
          optimizer.write("params", start);
          const report = await objective.step(Uint32Array.from({ length: size }, () => random.below(count)));
          square += report.gradientNorm ** 2 / tried;
          (await objective.evaluate(data)).replicas.forEach(({ loss }, i) => {
            losses[i]! += loss / tried;
          });
          await lab.progress((found.length + trial / tried) / batches.length);
        }
        found.push({ size, rate: leastOf(rates, losses), square });
      }
      return found;
    });
    const [small, large] = [seen[0]!, seen[seen.length - 1]!] as const;
    // E|g|² of B rows is |G|² + tr Σ / B.
    const trace = (small.square - large.square) / (1 / small.size - 1 / large.size);
    const scale = trace / (large.square - trace / large.size);
    const bend = bendOf(seen);
    const steepness = (i: number) =>
      Math.log(seen[i + 1]!.rate / seen[i]!.rate) / Math.log(seen[i + 1]!.size / seen[i]!.size);
    const expected = (i: number) =>
      Math.log((1 + scale / seen[i]!.size) / (1 + scale / seen[i + 1]!.size)) / Math.log(4);
    // The two batch sizes around it.
    const across = Math.max(0, Math.min(seen.length - 2, seen.findIndex(({ size }) => size > scale) - 1));
    return {
      claims: [
        absolute(
          "log₂ of the batch size at which the best rate bends; predicted: noise scale",
          Math.log2(bend),
          Math.log2(scale),
          1,
        ),
        absolute("exponent of the best rate from batch 1 to 4, about 1", steepness(0), expected(0), 0.25),
        absolute(
          `exponent of the best rate from batch ${seen[across]!.size} to ${seen[across + 1]!.size}, about 1/2`,
          steepness(across),
          expected(across),
          0.25,
        ),
      ],
      notes: [
        `the gradient noise scale is ${scale.toPrecision(3)} rows, and the best rate bends at ${bend.toPrecision(3)}`,
      ],
      chart: labChart({
        title: "Best rate of a step, by batch size",
        panels: [
          {
            x: { name: "batch size", log: true },
            y: { name: "best rate", log: true },
            curves: [
              { name: "found", style: "dots", points: seen.map(({ size, rate }) => [size, rate]) },
              {
                name: "predicted from the noise scale",
                style: "dashed",
                points: seen.map(({ size }) => [size, best / (1 + scale / size)]),
              },
            ],
            marks: [{ name: `noise scale ${scale.toPrecision(3)}`, at: scale }],
          },
        ],
      }),
    };
  },
});

/** The vertex of the parabola through the smallest loss and its neighbours, which is exact for a loss quadratic in the rate. */
function leastOf(rates: readonly number[], losses: readonly number[]): number {
  const least = losses.indexOf(Math.min(...losses));
  const i = Math.max(1, Math.min(rates.length - 2, least));
  const [a, b, c] = [rates[i - 1]!, rates[i]!, rates[i + 1]!];
  const left = (losses[i]! - losses[i - 1]!) / (b - a);
  const right = (losses[i + 1]! - losses[i]!) / (c - b);
  return (a + b) / 2 - (left * (c - a)) / (2 * (right - left));
}

/** N of rate = ε∞ / (1 + N/B), by least squares of rate · (1 + N/B) / ε∞ - 1. */
function bendOf(seen: readonly { readonly size: number; readonly rate: number }[]): number {
  let [xx, xy, yy, x, y] = [0, 0, 0, 0, 0];
  for (const { size, rate } of seen) {
    xx += rate * rate;
    xy += (rate * rate) / size;
    yy += (rate / size) ** 2;
    x += rate;
    y += rate / size;
  }
  return (y * xx - x * xy) / (x * yy - y * xy);
}
