// A learning rate is a temperature. With noise of variance σ² in each gradient of a bowl a/2·x², gradient descent is the
// autoregression x ← (1 - lr·a)x - lr·σ·ξ, whose variance settles to lr·σ²/(a(2 - lr·a)); heavy ball is one of second order,
// whose variance is lr·σ²(1 + μ)/(a(1 - μ)(2(1 + μ) - lr·a)) (Yule 1927; for SGD Liu, Ziyin and Ueda 2021). A displaced cloud
// returns as (1 - lr·a)^t, for small rates within 1/(lr·a) steps.
import { OptionError } from "../../base/errors.ts";
import { landscapeOf } from "../../objectives/landscapes/define.ts";
import { sgd } from "../../rules/sgd.ts";
import { labChart } from "../chart.ts";
import { defineExperiment, type Lab, mustNotDiverge, number, relative, whole } from "./experiment.ts";
import { mean, slope } from "./fit.ts";
import { noisyBowl } from "./noisy_bowl.ts";
import { makeSteps, trainee, using } from "./steps.ts";

/** Independent samples for a variance: its standard error is then a seventh of the allowance. */
const samples = 250_000;

export const temperature = defineExperiment({
  name: "temperature",
  title: "Noisy gradients at a constant rate settle to a variance of lr·σ²/(a(2 - lr·a)), within 1/(lr·a) steps",
  options: {
    lr: number("largest rate; half and a quarter of it are also run", 0.8, { above: 0 }),
    momentum: number("μ of the heavy ball, at a rate of lr·(1 - μ)", 0.5, { above: 0, max: 0.98 }),
    curvature: number("a, the curvature of the bowl", 1, { min: 1e-6, max: 1e6 }),
    noise: number("σ, standard deviation of the gradient noise", 1, { above: 0, max: 1e6 }),
    walkers: whole("walkers at each of the four rates", 2 ** 18, { min: 1024, max: 2 ** 22 }),
  },
  check({ lr, curvature }) {
    const product = lr * curvature;
    if (product >= 0.04 && product <= 1.8) return;
    throw new OptionError(`lr is ${lr}; lr · curvature must be in [0.04, 1.8], and is ${product}`);
  },
  async run({ lr, momentum: mu, curvature, noise, walkers, seed }, lab) {
    const bowl = landscapeOf(noisyBowl({ dimension: walkers, curvature, noise, seed }));
    const clouds = [
      ...[lr / 4, lr / 2, lr].map((rate) => ({ lr: rate, momentum: 0 })),
      { lr: lr * (1 - mu), momentum: mu },
    ];
    const decays = clouds.map((cloud) => decay(cloud, curvature));
    const settle = Math.max(...decays.map((rho) => Math.ceil(Math.log(1e-3) / (2 * Math.log(rho)))));
    // How far apart two samples of x² must be depends on how fast they decorrelate.
    const measure = Math.max(
      ...decays.map((rho) => Math.ceil((samples / walkers) * ((1 + rho ** 2) / (1 - rho ** 2)))),
      5,
    );
    const start = new Float32Array(walkers);
    const found = await using(trainee(lab, bowl, sgd({ replicas: clouds }), { start }), async (made) => {
      await makeSteps(made, settle, (step) => lab.progress((0.6 * step) / (settle + measure)));
      const sums = clouds.map(() => 0);
      for (let step = 0; step < measure; step++) {
        const { replicas } = await made.objective.step();
        replicas.forEach(({ loss }, i) => {
          sums[i]! += mustNotDiverge(`the cloud at a rate of ${clouds[i]!.lr}`, loss, settle + step);
        });
        await lab.progress((0.6 * (settle + step)) / (settle + measure));
      }
      return sums.map((sum) => (2 * sum) / (curvature * measure * walkers));
    });
    const predicted = clouds.map((cloud) => varianceOf(cloud, curvature, noise));
    const slow = lr / 4;
    const factor = 1 - slow * curvature;
    const away = 20 * Math.sqrt(predicted[0]!);
    const means = await returning(lab, bowl, slow, away, Math.ceil(Math.log(1 / 7) / Math.log(factor)));
    const time = -1 / slope(means.map(([step, value]) => [step, Math.log(value)]));
    const rates = Array.from({ length: 60 }, (_, i) => (1.1 * lr * (i + 1)) / 60);
    return {
      claims: [
        ...clouds.map(({ lr: rate, momentum }, i) => {
          const what =
            momentum > 0
              ? `variance at a rate of ${+rate.toPrecision(6)}, μ = ${momentum}`
              : `variance at a rate of ${rate}`;
          return relative(what, found[i]!, predicted[i]!, 0.02);
        }),
        relative(
          "slope of the variance in lr, from lr/4 to lr/2",
          (found[1]! - found[0]!) / (lr / 4),
          (predicted[1]! - predicted[0]!) / (lr / 4),
          0.02,
        ),
        relative(`relaxation time in steps at a rate of ${slow}, -1/ln(1 - lr·a)`, time, -1 / Math.log(factor), 0.02),
      ],
      notes: [`${(4 * walkers).toLocaleString("en")} walkers, ${settle} steps to settle and ${measure} to measure`],
      chart: labChart({
        title: `Variance of ${walkers.toLocaleString("en")} walkers, and a cloud's return`,
        panels: [
          {
            x: { name: "learning rate" },
            y: { name: "variance" },
            curves: [
              { name: "found", style: "dots", points: [0, 1, 2].map((i) => [clouds[i]!.lr, found[i]!]) },
              {
                name: "lr·σ²/(a(2 - lr·a))",
                style: "dashed",
                points: rates.map((rate) => [rate, varianceOf({ lr: rate, momentum: 0 }, curvature, noise)]),
              },
            ],
          },
          {
            x: { name: "step" },
            y: { name: "mean", log: true },
            curves: [
              { name: "mean found", style: "dots", points: means },
              {
                name: "(1 - lr·a)^t",
                style: "dashed",
                points: means.map(([step]) => [step, away * factor ** step]),
              },
            ],
          },
        ],
      }),
    };
  },
});

interface Cloud {
  readonly lr: number;
  readonly momentum: number;
}

function varianceOf({ lr, momentum: mu }: Cloud, a: number, sigma: number): number {
  return (lr * sigma ** 2 * (1 + mu)) / (a * (1 - mu) * (2 * (1 + mu) - lr * a));
}

/** The size of the larger root of z² - (1 + μ - lr·a)z + μ, by which a cloud's memory falls in each step. */
function decay({ lr, momentum: mu }: Cloud, a: number): number {
  const half = (1 + mu - lr * a) / 2;
  const rest = half ** 2 - mu;
  return Math.max(0.1, rest < 0 ? Math.sqrt(mu) : Math.abs(half) + Math.sqrt(rest));
}

/** The mean of a cloud that starts `away` from the minimum, at some steps. */
function returning(
  lab: Lab,
  bowl: ReturnType<typeof landscapeOf>,
  lr: number,
  away: number,
  steps: number,
): Promise<readonly (readonly [step: number, mean: number])[]> {
  const stride = Math.ceil(steps / 6);
  const start = new Float32Array(bowl.dimension).fill(away);
  return using(trainee(lab, bowl, sgd({ lr }), { start }), async (made) => {
    const means: (readonly [number, number])[] = [[0, away]];
    for (let step = stride; step <= steps; step += stride) {
      await makeSteps(made, stride, () => lab.progress(0.6 + (0.4 * step) / steps));
      means.push([step, mean((await made.optimizer.read()).points!)]);
    }
    return means;
  });
}
