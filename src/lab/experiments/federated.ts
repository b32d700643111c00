// Training apart. k workers make h steps each on data of their own, then their parameters are averaged (local SGD: Stich 2019).
// On a bowl of curvature 1, noise of variance 1 in the minimum that a worker sees leaves a single run at rate lr
// at a variance of lr / (2 - lr), and the average of k workers at 1/k of it, whatever h; so k times the rate costs about
// what a single run does, and √k times the rate about 1/√k of that. On the way there a round shrinks the distance to (1 - lr)^h,
// which is why communication buys less than steps do. An outer Nesterov momentum over the rounds' differences (DiLoCo: Douillard
// et al. 2023) makes more of each.
import wgsl from "../../../shaders/lab/worker_bowl.wgsl?raw";
import { Random } from "../../base/random.ts";
import { defineObjective } from "../../objectives/custom.ts";
import { arrayDataset } from "../../objectives/data/arrays.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import type { TensorValues } from "../../optimizer/optimizer.ts";
import { sgd } from "../../rules/sgd.ts";
import { labChart } from "../chart.ts";
import { absolute, atMost, defineExperiment, type Findings, type Lab, number, relative, whole } from "./experiment.ts";
import { rowSteps } from "./model_steps.ts";
import { trainee, using } from "./steps.ts";

const dimension = 16;
/** The initial distance to the minimum along each axis. */
const away = 10;
/** The outer optimizer, DiLoCo's with a momentum that overshoots less. */
const nesterov = { lr: 0.7, momentum: 0.5 };
/** Rounds after which every run only fluctuates about the minimum. */
const settled = 100;
/** Rounds are counted until the loss is this share of the first. */
const goal = 0.01;

export const federated = defineExperiment({
  name: "federated",
  title:
    "Workers that average their parameters now and then do as well as at every step, with 1/k of a single run's noise; k times the rate uses up that gain",
  options: {
    workers: whole("k, number of workers", 4, { min: 3, max: 12 }),
    local: whole("h, steps between averages", 8, { min: 6, max: 32 }),
    lr: number("the rate of a single run", 0.02, { min: 0.02, max: 0.04 }),
    rounds: whole("rounds of averaging", 350, { min: 350, max: 5000 }),
  },
  async run(options, lab) {
    const { workers, lr } = options;
    const arms: Arms = [
      { name: "single run", k: 1, lr, outer: undefined },
      { name: `${workers} workers`, k: workers, lr, outer: undefined },
      { name: "√k times the rate", k: workers, lr: Math.sqrt(workers) * lr, outer: undefined },
      { name: "k times the rate", k: workers, lr: workers * lr, outer: undefined },
      { name: "outer Nesterov", k: workers, lr, outer: nesterov },
    ];
    return findingsOf(arms, await descend(arms, options, lab), options);
  },
});

/** Some workers at a rate; `outer` treats what a round moved as the gradient of another optimizer. */
interface Arm {
  readonly name: string;
  readonly k: number;
  readonly lr: number;
  readonly outer: typeof nesterov | undefined;
}

type Arms = readonly [Arm, Arm, Arm, Arm, Arm];

interface Size {
  readonly workers: number;
  readonly local: number;
  readonly rounds: number;
  readonly seed: number;
}

/** Points whose mean is exactly 0. */
function centred(random: Random, width: number): Dataset {
  const count = 1024;
  const inputs = Float32Array.from({ length: count * width }, () => random.normal());
  for (let i = 0; i < width; i++) {
    let mean = 0;
    for (let row = 0; row < count; row++) mean += inputs[row * width + i]! / count;
    for (let row = 0; row < count; row++) inputs[row * width + i]! -= mean;
  }
  return arrayDataset({ name: "points", inputs, targets: new Float32Array(count), count });
}

/** The losses of each arm, round by round. */
async function descend(arms: Arms, { workers, local, rounds, seed }: Size, lab: Lab): Promise<readonly number[][]> {
  const random = new Random(seed);
  const data = centred(random, workers * dimension);
  const bowl = defineBowl(workers);
  const start = { at: new Float32Array(dimension).fill(away) };
  const replicas = arms.flatMap((arm) => Array.from({ length: arm.k }, (_, worker) => ({ arm, worker })));
  const outer = await lab.engine.optimizer(
    [{ name: "at", shape: [dimension], data: start.at }],
    sgd({ ...nesterov, nesterov: true }),
  );
  const losses = arms.map((): number[] => []);
  const config = sgd({ replicas: replicas.map(({ arm }) => ({ lr: arm.lr })) });
  try {
    await using(trainee(lab, bowl, config, { data, batch: 1 }), async (made) => {
      const { optimizer } = made;
      replicas.forEach(({ worker }, replica) => {
        optimizer.write("params", { ...start, worker: [worker] }, { replica });
      });
      let before: readonly Float32Array[] = arms.map(() => start.at);
      for (let round = 0; round < rounds; round++) {
        const rows = Array.from({ length: local }, () => Uint32Array.of(random.below(data.count)));
        await rowSteps(made, rows, async () => {});
        const ends = await Promise.all(replicas.map((_, replica) => optimizer.read("params", { replica })));
        const after: Float32Array[] = [];
        for (const [a, arm] of arms.entries()) {
          let mean = meanOf(ends.filter((_, r) => replicas[r]!.arm === arm));
          if (arm.outer) {
            outer.write("gradients", { at: before[a]!.map((x, i) => x - mean[i]!) });
            outer.step();
            mean = (await outer.read()).at!;
          }
          after.push(mean);
          losses[a]!.push(mean.reduce((sum, x) => sum + 0.5 * x * x, 0));
        }
        replicas.forEach(({ arm }, replica) => {
          optimizer.write("params", { at: after[arms.indexOf(arm)]! }, { replica });
        });
        before = after;
        await lab.progress(round / rounds);
      }
    });
  } finally {
    outer.destroy();
  }
  return losses;
}

function findingsOf(arms: Arms, losses: readonly number[][], { workers, local, rounds }: Size): Findings {
  const first = 0.5 * dimension * away ** 2;
  const floors = losses.map((each) => each.slice(settled).reduce((sum, x) => sum + x, 0) / (rounds - settled));
  const floorOf = ({ k, lr: rate }: Arm) => rate / (2 - rate) / k;
  const roundsOf = losses.map((each) => 1 + each.findIndex((loss) => loss <= goal * first));
  return {
    claims: [
      ...([1, 2, 3] as const).map((a) =>
        relative(
          `remaining loss over a single run's, ${arms[a].name}`,
          floors[a]! / floors[0]!,
          floorOf(arms[a]) / floorOf(arms[0]),
          0.3,
        ),
      ),
      ...arms.map((arm, a) =>
        absolute(
          `rounds to a hundredth of the first loss, ${arm.name}`,
          roundsOf[a]!,
          roundsTo(arm.lr, local, arm.outer),
          1,
        ),
      ),
      atMost(`rounds at ${arms[2].name}, against the rate alone`, roundsOf[2]!, roundsOf[1]!),
      atMost(`rounds at ${arms[3].name}, against √k times`, roundsOf[3]!, roundsOf[2]!),
    ],
    notes: [`a round is ${local} steps of each worker; averaging every step takes ${local} times as many messages`],
    chart: labChart({
      title: `Loss by rounds of communication, ${workers} workers with ${local} steps each`,
      panels: [
        {
          x: { name: "rounds" },
          y: { name: "loss", log: true },
          curves: arms.map(({ name }, a) => ({
            name,
            points: losses[a]!.slice(0, 2 * settled).map((loss, round) => [round + 1, loss] as const),
          })),
        },
      ],
    }),
  };
}

function meanOf(params: readonly TensorValues[]): Float32Array {
  return Float32Array.from(
    { length: dimension },
    (_, i) => params.reduce((sum, { at }) => sum + at![i]!, 0) / params.length,
  );
}

/** Rounds to the goal without noise: each shrinks the distance to (1 - lr)^local, or moves by the outer momentum's step. */
function roundsTo(lr: number, local: number, outer: typeof nesterov | undefined): number {
  let [x, velocity, rounds] = [1, 0, 0];
  while (x * x > goal) {
    const difference = x * (1 - (1 - lr) ** local);
    velocity = outer ? outer.momentum * velocity + difference : 0;
    x -= outer ? outer.lr * (difference + outer.momentum * velocity) : difference;
    rounds++;
  }
  return rounds;
}

/** Half the squared distance to the point that a row holds for the worker whose number is the last parameter. */
function defineBowl(workers: number) {
  const offOf = (params: Float64Array, inputs: Float64Array, i: number) =>
    params[i]! - inputs[params[dimension]! * dimension + i]!;
  return defineObjective({
    name: "worker bowl",
    tensors: [
      { name: "at", shape: [dimension], data: new Float32Array(dimension) },
      { name: "worker", shape: [1], data: new Float32Array(1) },
    ],
    features: workers * dimension,
    wgsl,
    loss(params, { inputs }) {
      let sum = 0;
      for (let i = 0; i < dimension; i++) sum += 0.5 * offOf(params, inputs, i) ** 2;
      return sum;
    },
    gradient(params, { inputs }, out) {
      for (let i = 0; i < dimension; i++) out[i] = offOf(params, inputs, i);
    },
  });
}
