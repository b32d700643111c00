// Suite "sweep": several learning rates at once, as replicas of one optimizer, next to as many optimizers one after the other. A
// new case is a line in `networks` or in `sweepCases`.
import {
  adamw,
  createCpuOptimizer,
  createOptimizer,
  type GpuOptimizer,
  type Optimizer,
  type Tensor,
} from "../../src/index.ts";
import {
  createCpuObjective,
  createModel,
  createObjective,
  type GpuObjective,
  type Objective,
} from "../../src/training.ts";
import { benchDevice, passRunner } from "../device.ts";
import { type Keep, keeping } from "../engines/keeping.ts";
import { createWork, datasetOf, flopsOf, hypers, tensorsOf, type Work } from "../network.ts";
import { type Answer, type Case, type Contender, checkedSteps, once, type Tier } from "../suite.ts";
import { stepBytesOf, updateWork, valuesOf } from "../update.ts";

/** The subject of training; without a network, constant gradients. */
interface Sweep {
  readonly tensors: readonly Tensor[];
  readonly gradients?: Readonly<Record<string, Float32Array>>;
  readonly network?: Work;
  readonly rates: readonly number[];
}

/** One optimizer with a replica for each of some rates, and its gradients. */
interface Trainee<O extends Optimizer, G extends Objective> {
  readonly optimizer: O;
  readonly objective: G | undefined;
}

const configOf = (rates: readonly number[]) => adamw({ ...hypers, replicas: rates.map((lr) => ({ lr })) });

/** From a hundredth to ten times AdamW's usual rate. */
const ratesOf = (count: number) => Array.from({ length: count }, (_, i) => 1e-5 * 1000 ** (i / (count - 1)));

async function gpuTrainee(keep: Keep, { tensors, gradients, network }: Sweep, rates: readonly number[]) {
  const optimizer = keep(await createOptimizer(await benchDevice(), tensors, configOf(rates)));
  if (gradients) optimizer.write("gradients", gradients);
  const objective =
    network &&
    keep(
      await createObjective(optimizer, createModel({ layers: network.widths }), {
        data: datasetOf(network),
        batch: network.batch,
      }),
    );
  return { optimizer, objective };
}

function cpuTrainee({ tensors, gradients, network }: Sweep, rates: readonly number[]) {
  const optimizer = createCpuOptimizer(tensors, configOf(rates));
  if (gradients) optimizer.write("gradients", gradients);
  const objective =
    network &&
    createCpuObjective(optimizer, createModel({ layers: network.widths }), {
      data: datasetOf(network),
      batch: network.batch,
    });
  return { optimizer, objective };
}

const rowsOf = (network: Work) => Uint32Array.from(network.labels.keys());

/** The rates that are compared: the smallest, which moves little, and the largest. */
const compared = (rates: readonly number[]) => [rates[0]!, rates[rates.length - 1]!];

/** Losses: for each step, the sum over the compared rates. Values: their parameters. */
async function answerOf(
  { tensors, network, rates }: Sweep,
  trainees: readonly Trainee<Optimizer, Objective>[],
  cohorts: readonly (readonly number[])[],
): Promise<Answer> {
  const places = compared(rates).map((rate) => {
    const at = cohorts.findIndex((cohort) => cohort.includes(rate));
    return { at, replica: cohorts[at]!.indexOf(rate) };
  });
  const numbers: number[] = [];
  for (let i = 0; i < checkedSteps; i++) {
    const losses: (readonly number[])[] = [];
    for (const { optimizer, objective } of trainees) {
      if (objective && network) losses.push((await objective.step(rowsOf(network))).replicas.map(({ loss }) => loss));
      else optimizer.step();
    }
    if (network) numbers.push(places.reduce((sum, { at, replica }) => sum + losses[at]![replica]!, 0));
  }
  const values: Float32Array[] = [];
  for (const { at, replica } of places) {
    const read = await trainees[at]!.optimizer.read("params", { replica });
    for (const { name } of tensors) values.push(Float32Array.from(read[name]!));
  }
  return { numbers, values };
}

/** One optimizer for each cohort of rates; a step of all is one pass and one submission. */
const run = keeping(async (keep, work: Sweep, cohorts: readonly (readonly number[])[], bytes?: number) => {
  const device = await benchDevice();
  const trainees: Trainee<GpuOptimizer, GpuObjective>[] = [];
  for (const rates of cohorts) trainees.push(await gpuTrainee(keep, work, rates));
  const encode = (pass: GPUComputePassEncoder) => {
    for (const { optimizer, objective } of trainees) {
      objective?.encode(pass);
      optimizer.encode(pass);
    }
  };
  const rows = work.network && rowsOf(work.network);
  const runner = passRunner(device, encode);
  return {
    ...runner,
    ...(bytes !== undefined && { bytes }),
    step() {
      if (rows) for (const { objective } of trainees) objective?.setRows(rows);
      runner.step();
    },
    answer: () => answerOf(work, trainees, cohorts),
  };
});

async function expectedOf(work: Sweep): Promise<Answer> {
  const rates = compared(work.rates);
  const trainee = cpuTrainee(work, rates);
  try {
    return await answerOf(work, [trainee], [rates]);
  } finally {
    trainee.objective?.destroy();
    trainee.optimizer.destroy();
  }
}

interface SweepOptions {
  readonly name: string;
  readonly tier: Tier;
  readonly replicas: number;
  /** Parameters and tensors of one replica. */
  readonly n: number;
  readonly tensors: number;
  readonly flops?: number;
  /** Of one replica's step; default the bytes bound by its dispatches. */
  readonly bytes?: number;
  readonly make: () => Omit<Sweep, "rates">;
}

function sweepCase({ name, tier, replicas, n, tensors, flops, bytes, make }: SweepOptions): Case {
  const rates = ratesOf(replicas);
  const work = once((): Sweep => ({ ...make(), rates }));
  const moved = bytes === undefined ? undefined : bytes * replicas;
  const contenders: readonly Contender[] = [
    { engine: "fallline", load: () => run(work(), [rates], moved) },
    {
      engine: "alone",
      load: () =>
        run(
          work(),
          rates.map((rate) => [rate]),
          moved,
        ),
    },
  ];
  return {
    ...{ suite: "sweep", name: `${name} x${replicas}`, tier, n: n * replicas, tensors: tensors * replicas },
    ...(flops !== undefined && { flops: flops * replicas }),
    expected: () => expectedOf(work()),
    start: () => {
      const { tensors: given } = work();
      const values = given.map(({ data }) => Float32Array.from(data ?? []));
      return compared(rates).flatMap(() => values);
    },
    contenders,
    ours: "fallline",
  };
}

function networkSweep(widths: readonly number[], batch: number, replicas: number, tier: Tier): Case {
  const layers = widths.slice(1).map((outputs, i) => ({ inputs: widths[i]!, outputs }));
  return sweepCase({
    ...{ name: `sweep ${widths.join("-")} b${batch}`, tier, replicas, tensors: 2 * layers.length },
    n: layers.reduce((sum, { inputs, outputs }) => sum + inputs * outputs + outputs, 0),
    flops: flopsOf({ batch, layers }),
    make() {
      const network = createWork(widths, batch);
      return { tensors: tensorsOf(network), network };
    },
  });
}

function updateSweep(name: string, length: number, replicas: number, tier: Tier): Case {
  const work = updateWork("adamw", false, [[length]]);
  const bytes = stepBytesOf(work);
  return sweepCase({
    ...{ name: `adamw ${name}`, tier, replicas, n: length, tensors: 1 },
    ...(bytes !== undefined && { bytes }),
    make: () => ({
      tensors: work.tensors.map(({ name, shape }, t) => ({ name, shape, data: valuesOf(work, "params", t) })),
      gradients: Object.fromEntries(work.tensors.map(({ name }, t) => [name, valuesOf(work, "gradients", t)])),
    }),
  });
}

export const sweepCases: readonly Case[] = [
  networkSweep([784, 32, 10], 32, 16, "quick"),
  networkSweep([784, 32, 10], 32, 4, "full"),
  updateSweep("1x64k", 65_536, 16, "full"),
];
