// A canyon, which is steep across and flat along. One rate must be small enough for the steep walls: gradient descent at its best
// rate, 2/(λmax + λmin), shrinks distances by (κ - 1)/(κ + 1) a step, κ being λmax/λmin. Heavy ball at its best rate and
// momentum has a double root ρ = (√κ - 1)/(√κ + 1), so that from rest the steep distance is (1 + n(1 + ρ))ρⁿ and the flat one
// (1 + n(1 - ρ))ρⁿ (Polyak 1964). Rules with a rate for each parameter do not see a canyon along the axes at all: if every
// coordinate starts at the same value, their steps are the same whatever its curvature.
import { landscapeOf } from "../../objectives/landscapes/define.ts";
import { quadratic } from "../../objectives/landscapes/quadratic.ts";
import { createLbfgs } from "../../objectives/lbfgs/lbfgs.ts";
import type { OptimizerConfig } from "../../optimizer/config.ts";
import { adagrad } from "../../rules/adagrad.ts";
import { adam } from "../../rules/adam.ts";
import { sgd } from "../../rules/sgd.ts";
import { labChart } from "../chart.ts";
import { spaced } from "../sweep.ts";
import { atMost, defineExperiment, number, relative, whole } from "./experiment.ts";
import { makeSteps, trainee, using } from "./steps.ts";

/** Losses are followed to this share of the first. */
const goal = 1e-6;

export const canyon = defineExperiment({
  name: "canyon",
  title:
    "In a canyon, steps grow as the condition number with one rate, as its square root with momentum, and not at all with a rate for each parameter",
  options: {
    condition: number("κ, the condition number", 1e4, { min: 100, max: 1e4 }),
    replicas: whole("rates tried for Adam and Adagrad", 12, { min: 4, max: 256 }),
  },
  async run({ condition, replicas, seed }, lab) {
    // The seed decides only on which side of the canyon it starts.
    const sign = seed % 2 === 0 ? 1 : -1;
    const root = Math.sqrt(condition);
    const create = (ratio: number) =>
      landscapeOf(quadratic({ dimension: 2, condition: ratio, scale: Math.sqrt(ratio) }));
    /** Steps until the loss is at the goal, for the replica that gets there first; and the losses of that replica. */
    const follow = (
      ratio: number,
      config: OptimizerConfig,
      start: readonly number[],
      bursts: readonly [number, number],
    ) =>
      using(trainee(lab, create(ratio), config, { start: Float32Array.from(start) }), async (made) => {
        const [burst, most] = bursts;
        const first = await made.objective.gradient();
        const points: (readonly [number, number])[] = [[0, 1]];
        for (let steps = 0; steps < most; ) {
          await makeSteps(made, burst, () => lab.progress(0.1));
          steps += burst;
          const shares = (await made.objective.gradient()).map((loss, i) => loss / first[i]!);
          const share = Math.min(...shares.filter((each) => !Number.isNaN(each)));
          points.push([steps, share]);
          if (share <= goal) break;
        }
        const [[before, high], [after, low]] = points.slice(-2) as [[number, number], [number, number]];
        // Between two readings the logarithm of the loss is nearly straight.
        const part = low < high ? Math.log(goal / high) / Math.log(low / high) : 1;
        return { steps: before + (after - before) * Math.min(1, part), points, reached: low <= goal };
      });
    // λmin and λmax are 1/√κ and √κ; both walls have the same loss at first.
    const walls = [sign * root ** 0.5, root ** -0.5];
    const rate = 2 / (root + 1 / root);
    const plainSteps = Math.log(goal) / (2 * Math.log((condition - 1) / (condition + 1)));
    const bursts = (steps: number) => [Math.max(1, Math.round(steps / 100)), 2 * steps] as const;
    const plain = await follow(condition, sgd({ lr: rate }), walls, bursts(plainSteps));
    const shrink = (root - 1) / (root + 1);
    const heavySteps = firstBelow(
      (n) => (((1 + n * (1 + shrink)) ** 2 + (1 + n * (1 - shrink)) ** 2) / 2) * shrink ** (2 * n),
    );
    const heavyRate = 4 / (root ** 0.5 + root ** -0.5) ** 2;
    const heavy = await follow(condition, sgd({ lr: heavyRate, momentum: shrink ** 2 }), walls, bursts(heavySteps));
    const rates = (low: number, high: number) => spaced({ min: low, max: high }, replicas).map((lr) => ({ lr }));
    const rules = [
      { name: "Adam", config: adam({ eps: 1e-12, replicas: rates(0.02, 0.5) }) },
      { name: "Adagrad", config: adagrad({ eps: 1e-12, replicas: rates(0.1, 0.6) }) },
    ];
    const adaptive = [];
    for (const { name, config } of rules) {
      const inBowl = await follow(1, config, [sign, 1], [1, 2000]);
      adaptive.push({ name, inBowl, found: await follow(condition, config, [sign, 1], [1, 2000]) });
    }
    const bent = await using(
      trainee(lab, create(condition), sgd({ lr: 1 }), { start: Float32Array.from(walls) }),
      async ({ optimizer, objective }) => {
        const lbfgs = await createLbfgs(optimizer, { maxIterations: 1 });
        try {
          const [first] = await objective.gradient();
          const points: (readonly [number, number])[] = [[0, 1]];
          let evaluations = 0;
          while (evaluations < 1000 && points[points.length - 1]![1] > goal) {
            evaluations += (await lbfgs.step(objective)).evaluations;
            const [loss] = await objective.gradient();
            points.push([evaluations, loss! / first!]);
            await lab.progress(0.95);
          }
          return { steps: evaluations, points };
        } finally {
          lbfgs.destroy();
        }
      },
    );
    return {
      claims: [
        relative("steps of gradient descent to 1e-6 of the first loss", plain.steps, plainSteps, 0.05),
        relative("steps of heavy ball", heavy.steps, heavySteps, 0.05),
        ...adaptive.map(({ name, found, inBowl }) =>
          relative(`steps of ${name}, as in a bowl`, found.steps, inBowl.steps, 0.05),
        ),
        ...adaptive.map(({ name, found }) =>
          atMost(`steps of ${name}, half of gradient descent's`, found.steps, plain.steps / 2),
        ),
        atMost("evaluations of L-BFGS, half of gradient descent's steps", bent.steps, plain.steps / 2),
      ],
      chart: labChart({
        title: `Loss in a canyon of condition ${condition}`,
        panels: [
          {
            x: { name: "steps", log: true },
            y: { name: "loss / first loss", log: true },
            curves: [
              { name: "gradient descent", points: plain.points },
              { name: "heavy ball", points: heavy.points },
              ...adaptive.map(({ name, found }) => ({ name, points: found.points })),
              { name: "L-BFGS, by evaluations", points: bent.points },
            ],
            marks: [{ name: "predicted", at: plainSteps }],
          },
        ],
      }),
    };
  },
});

/** The least n at which a function that rises at most once and then falls is at the goal. */
function firstBelow(f: (n: number) => number): number {
  let [low, high] = [1, 2];
  while (f(high) > goal) [low, high] = [high, 2 * high];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (f(middle) > goal) low = middle;
    else high = middle;
  }
  return high;
}
