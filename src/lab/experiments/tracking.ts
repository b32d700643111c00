// A learning rate is the pace of following a moving world. Where the minimum of a/2·(x - c)² moves by `drift` in
// each step, gradient descent follows it at a distance of drift/(lr·a), and noise of variance σ² in the gradients adds the
// variance lr·σ²/(a(2 - lr·a)): a small rate lags, a large one shakes, and the sum of squares is least in between (Widrow et
// al. 1976, Stationary and nonstationary learning characteristics of the LMS adaptive filter).
import { OptionError } from "../../base/errors.ts";
import { landscapeOf } from "../../objectives/landscapes/define.ts";
import { sgd } from "../../rules/sgd.ts";
import { labChart } from "../chart.ts";
import { spaced } from "../sweep.ts";
import { defineExperiment, mustNotDiverge, number, perCoordinate, relative, whole } from "./experiment.ts";
import { leastAt, mean, polynomial } from "./fit.ts";
import { noisyBowl } from "./noisy_bowl.ts";
import { makeSteps, trainee, using } from "./steps.ts";

/** The rates that are tried, as multiples of the best one. */
const around = [1 / 2, 2] as const;
/** Multiples of 1/(lr·a) until the start is forgotten. */
const settling = 7;
/** Independent samples for a mean squared error. */
const samples = 2 ** 17;

export const tracking = defineExperiment({
  name: "tracking",
  title: "Descent follows a drifting minimum at a distance of drift/(lr·a); one rate minimises lag and noise together",
  options: {
    lr: number("the rate at which the lag is measured", 0.2, { above: 0 }),
    curvature: number("a, the curvature of the bowl", 1, { min: 1e-6, max: 1e6 }),
    drift: number("how far the minimum moves in a step", 0.02, { above: 0, max: 1e6 }),
    noise: number("σ, standard deviation of the gradient noise", 0.5, { above: 0, max: 1e6 }),
    walkers: whole("walkers at each rate", 2 ** 12, { min: 1024, max: 2 ** 22 }),
    replicas: whole("rates among which the best is sought", 9, { min: 7, max: 64 }),
  },
  check({ lr, curvature, drift, noise }) {
    const product = lr * curvature;
    if (product < 0.02 || product > 1.5) {
      throw new OptionError(`lr is ${lr}; lr · curvature must be in [0.02, 1.5], and is ${product}`);
    }
    const best = curvature * bestRate(curvature, drift, noise);
    if (best < 0.02 || best > 0.6) {
      throw new OptionError(
        `drift is ${drift}; with this noise and curvature the best rate times the curvature must be in [0.02, 0.6], and is ${best.toPrecision(3)}`,
      );
    }
    const ratio = Math.sqrt(varianceOf(lr, curvature, noise)) / (drift / product);
    if (ratio > 20) {
      throw new OptionError(
        `lr is ${lr}, at which the lag is lost in noise ${ratio.toFixed(0)} times as large; at most 20 times`,
      );
    }
  },
  cost({ curvature, drift, noise, walkers, replicas }) {
    return (
      (perCoordinate * replicas * walkers * settling) / (around[0] * curvature * bestRate(curvature, drift, noise))
    );
  },
  async run({ lr, curvature, drift, noise, walkers, replicas, seed }, lab) {
    const bowl = landscapeOf(noisyBowl({ dimension: walkers, curvature, drift, noise, seed }));
    const start = new Float32Array(walkers);
    const predictedLag = drift / (lr * curvature);
    const spread = Math.sqrt(varianceOf(lr, curvature, noise));
    // Until the remains of the start, and the standard error of the mean, are a sixth of the allowance.
    const settle = Math.ceil(6 / (lr * curvature));
    const readings = Math.max(3, Math.ceil((spread / (0.005 * predictedLag)) ** 2 / walkers));
    const apart = Math.ceil(2 / (lr * curvature));
    const lag = await using(trainee(lab, bowl, sgd({ lr }), { start }), async (made) => {
      await makeSteps(made, settle, (step) => lab.progress((0.1 * step) / settle));
      let sum = 0;
      for (let reading = 1; reading <= readings; reading++) {
        await makeSteps(made, apart, () => lab.progress(0.1 + (0.2 * reading) / readings));
        sum += drift * (settle + apart * reading) - mean((await made.optimizer.read()).points!);
      }
      return mustNotDiverge("the walkers", sum / readings, settle + apart * readings);
    });
    const predictedBest = bestRate(curvature, drift, noise);
    const rates = spaced({ min: around[0] * predictedBest, max: around[1] * predictedBest }, replicas);
    const slowest = curvature * rates[0]!;
    const [rest, measure] = [Math.ceil(settling / slowest), Math.ceil(Math.max(10, samples / (walkers * slowest)))];
    const config = sgd({ replicas: rates.map((rate) => ({ lr: rate })) });
    const errors = await using(trainee(lab, bowl, config, { start }), async (made) => {
      await makeSteps(made, rest, (step) => lab.progress(0.3 + (0.7 * step) / (rest + measure)));
      const sums = rates.map(() => 0);
      for (let step = 0; step < measure; step++) {
        const report = await made.objective.step();
        report.replicas.forEach(({ loss }, i) => {
          sums[i]! += mustNotDiverge(`the walkers at a rate of ${rates[i]}`, loss, rest + step);
        });
        await lab.progress(0.3 + (0.7 * (rest + step)) / (rest + measure));
      }
      return sums.map((sum) => (2 * sum) / (curvature * measure * walkers));
    });
    const curve = polynomial(
      rates.map((rate, i) => [Math.log(rate), Math.log(errors[i]!)]),
      4,
    );
    const best = Math.exp(leastAt(curve, Math.log(rates[0]!), Math.log(rates[replicas - 1]!)));
    const error = (rate: number) => (drift / (rate * curvature)) ** 2 + varianceOf(rate, curvature, noise);
    return {
      claims: [
        relative(`lag at a rate of ${lr}`, lag, predictedLag, 0.03),
        relative("the rate with the least mean squared error", best, predictedBest, 0.03),
        relative("the mean squared error there", Math.exp(curve(Math.log(best))), error(predictedBest), 0.03),
      ],
      chart: labChart({
        title: `Mean squared distance to a minimum that moves by ${drift} a step`,
        panels: [
          {
            x: { name: "learning rate", log: true },
            y: { name: "mean squared error" },
            curves: [
              { name: "found", style: "dots", points: rates.map((rate, i) => [rate, errors[i]!]) },
              { name: "lag² + variance", style: "dashed", points: rates.map((rate) => [rate, error(rate)]) },
              { name: "lag²", points: rates.map((rate) => [rate, (drift / (rate * curvature)) ** 2]) },
              { name: "variance", points: rates.map((rate) => [rate, varianceOf(rate, curvature, noise)]) },
            ],
            marks: [{ name: `best ${best.toPrecision(3)}`, at: best }],
          },
        ],
      }),
    };
  },
});

function varianceOf(lr: number, a: number, sigma: number): number {
  return (lr * sigma ** 2) / (a * (2 - lr * a));
}

/** Where (drift/(lr·a))² + lr·σ²/(a(2 - lr·a)) is least, by bisection on its derivative, which rises with the rate. */
function bestRate(a: number, drift: number, sigma: number): number {
  let [low, high] = [0, 2 / a];
  for (let i = 0; i < 200; i++) {
    const lr = (low + high) / 2;
    const derivative = (-2 * drift ** 2) / (a ** 2 * lr ** 3) + (2 * sigma ** 2) / (a * (2 - lr * a) ** 2);
    if (derivative > 0) high = lr;
    else low = lr;
  }
  return (low + high) / 2;
}
