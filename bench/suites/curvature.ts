// Suite "curvature": sharpness of a network whose parameters have moved since the last measurement, next to a gradient over the
// same rows, whose time is the unit of its cost.
import { createCpuOptimizer, createOptimizer, sgd } from "../../src/index.ts";
import { createCpuObjective, createModel, createObjective, curvature, type Objective } from "../../src/training.ts";
import { benchDevice, passRunner, runnerOn, submitPass } from "../device.ts";
import { type Keep, keeping } from "../engines/keeping.ts";
import { createWork, datasetOf, startOf, tensorsOf, type Work } from "../network.ts";
import { type Answer, type Case, checkedSteps, once, type Tier } from "../suite.ts";

/** A small one, whose answers are checked against the CPU; and the large one, whose reference would take many minutes. */
const networks: readonly {
  readonly widths: readonly number[];
  readonly rows: number;
  readonly tier: Tier;
  readonly checked: boolean;
}[] = [
  { widths: [784, 1024, 256, 10], rows: 1000, tier: "full", checked: false },
  { widths: [64, 32, 10], rows: 256, tier: "quick", checked: true },
];

/** The meter's tolerance, relative to the eigenvalue. */
const tolerance = 0.01;

/** Steps of descent between two measurements, and their rate: far below 2 / sharpness. */
const between = { steps: 2, lr: 0.02 };

async function move(objective: Objective, rows: Uint32Array): Promise<void> {
  for (let i = 0; i < between.steps; i++) await objective.step(rows);
}

/** The answer of each of several measurements, with a meter that is cold at first. */
async function answerOf(
  objective: Objective,
  rows: Uint32Array,
  measure: () => Promise<number>,
  measurements = checkedSteps,
): Promise<Answer> {
  const numbers = [await measure()];
  while (numbers.length < measurements) {
    await move(objective, rows);
    numbers.push(await measure());
  }
  return { numbers, values: [] };
}

const rowsOf = ({ labels }: Work) => Uint32Array.from(labels.keys());

async function bound(keep: Keep, work: Work) {
  const device = await benchDevice();
  const optimizer = keep(await createOptimizer(device, tensorsOf(work), sgd({ lr: between.lr })));
  const model = createModel({ layers: work.widths });
  const objective = keep(await createObjective(optimizer, model, { data: datasetOf(work), batch: work.batch }));
  return { device, objective };
}

const fallline = keeping(async (keep, work: Work, checked: boolean) => {
  const { device, objective } = await bound(keep, work);
  const rows = rowsOf(work);
  const meter = keep(await curvature.createMeter(objective, { rows, tolerance }));
  const gradients: number[] = [];
  const measure = async () => {
    const found = await meter.measure();
    gradients.push(found.gradients);
    return found.value;
  };
  // At least one warm measurement, whose gradients the note gives.
  const answer = await answerOf(objective, rows, measure, checked ? checkedSteps : 2);
  const [cold, ...warm] = gradients;
  return {
    ...runnerOn(device),
    note: `${checked ? "" : "not checked: the reference would take minutes; "}${cold} gradients from a cold start, then ${warm.join(" and ")}`,
    prepare: () => move(objective, rows),
    async step() {
      await measure();
    },
    ...(checked && { answer: async () => answer }),
  };
});

const gradient = keeping(async (keep, work: Work) => {
  const { device, objective } = await bound(keep, work);
  objective.setRows(rowsOf(work));
  const encode = (pass: GPUComputePassEncoder) => objective.encode(pass);
  // The first may still compile.
  submitPass(device, encode);
  await device.queue.onSubmittedWorkDone();
  return {
    ...passRunner(device, encode),
    note: "one gradient over the same rows: the unit of the cost",
  };
});

export const curvatureCases: readonly Case[] = networks.map(({ widths, rows, tier, checked }): Case => {
  const work = once(() => createWork(widths, rows));
  const layers = widths.slice(1).map((outputs, i) => (widths[i]! + 1) * outputs);
  return {
    ...{ suite: "curvature", name: `sharpness ${widths.join("-")} ${rows} rows`, tier, number: "sharpness" },
    ...{ n: layers.reduce((sum, length) => sum + length, 0), tensors: 2 * layers.length },
    ...(checked && { expected: () => expectedOf(work()), start: () => startOf(work()) }),
    // The meter's tolerance, and a little for parameters in float32.
    tolerance: { number: 1.1 * tolerance, values: 0 },
    contenders: [
      { engine: "fallline", load: () => fallline(work(), checked) },
      { engine: "gradient", load: () => gradient(work()) },
    ],
    ours: "fallline",
    unit: "gradient",
    delay: true,
    brief: true,
    // On an emulated GPU, a gradient of the large one takes seconds.
    once: !checked,
  };
});

/** Without a warm start: Lanczos anew each time, to a hundredth of the tolerance, on the CPU in float64. */
async function expectedOf(work: Work): Promise<Answer> {
  const optimizer = createCpuOptimizer(tensorsOf(work), sgd({ lr: between.lr }));
  const model = createModel({ layers: work.widths });
  const objective = createCpuObjective(optimizer, model, { data: datasetOf(work), batch: work.batch });
  const rows = rowsOf(work);
  try {
    return await answerOf(objective, rows, async () => {
      const { largest } = await curvature.eigenvalues(objective, { rows, tolerance: tolerance / 100 });
      return largest[0]!.value;
    });
  } finally {
    objective.destroy();
    optimizer.destroy();
  }
}
