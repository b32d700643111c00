// Objectives as functions of a vector on the GPU against the CPU: losses and gradients at points, in replicas, of some tensors,
// in micro-batches, of landscapes; and that the optimizer stays as it was.
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/random.ts";
import { at } from "../../src/engines/vectors.ts";
import { lossScale } from "../../src/modifiers/loss_scale.ts";
import { type Dataset, sliceRows } from "../../src/objectives/data/dataset.ts";
import { digitsDataset } from "../../src/objectives/data/digits.ts";
import type { FieldOptions } from "../../src/objectives/field.ts";
import { createLandscape } from "../../src/objectives/landscapes/index.ts";
import { rosenbrock } from "../../src/objectives/landscapes/rosenbrock.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { initialTensors, type Trainable } from "../../src/objectives/program.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine, createTrainee, type Engine, type Trainee, webgpuEngine } from "../../src/train/engine.ts";
import { goldenText } from "../golden.ts";
import { device, uncapturedErrors } from "./setup.ts";

const data = sliceRows(digitsDataset(goldenText("digits.json"), "digits"), 0, 20);
const config = { rule: sgd, lr: 0.1, modifiers: [lossScale({ init: 64 })], replicas: [{}, {}, {}] } as const;
const rows = Uint32Array.from({ length: 13 }, (_, i) => (7 * i) % 20);

interface Setting {
  readonly program: Trainable;
  readonly data?: Dataset;
  readonly batch?: number;
  readonly microBatch?: number;
  readonly start?: number[];
}

async function made(engine: Engine, { program, start, ...options }: Setting): Promise<Trainee> {
  const trainee = await createTrainee(engine, program, initialTensors(program, start), config, options);
  for (let replica = 0; replica < 3; replica++) {
    const random = new Random(3, replica);
    const values = trainee.optimizer.segments.map(({ name, length }) => {
      return [name, Float32Array.from({ length }, () => 0.3 * random.normal())] as const;
    });
    trainee.optimizer.write("params", Object.fromEntries(values), { replica });
  }
  return trainee;
}

/** Losses and gradients at two points: the parameters, and half of them. */
async function found(engine: Engine, setting: Setting, options: FieldOptions) {
  const trainee = await made(engine, setting);
  const { optimizer, objective } = trainee;
  await objective.gradient(options.rows && rows.subarray(0, 4));
  const state = async () =>
    Promise.all(
      [0, 1, 2].flatMap((replica) => ["params", "gradients"].map((role) => optimizer.read(role, { replica }))),
    );
  const before = await state();
  const field = await objective.field(options);
  const { space } = field;
  const block = await space.create(3);
  space.load("params", at(block));
  field.evaluate(at(block), at(block, 1), 0);
  // In between parameters and gradients are as they were, for whoever asks.
  space.load("gradients", at(block, 2));
  space.combine(at(block), 0.5, { block, first: 2, count: 1 }, [0]);
  field.evaluate(at(block), at(block, 2), 1);
  const losses = await space.scalars(0, 2);
  const gradients = await Promise.all([1, 2].map((i) => space.read(at(block, i))));
  expect(await state()).toEqual(before);
  field.destroy();
  const { loss } = await objective.step(options.rows && rows);
  expect(Number.isFinite(loss)).toBe(true);
  trainee.destroy();
  return { losses, gradients };
}

const model = createModel({ layers: [64, 9, 10], activation: "tanh", loss: "softmaxCrossEntropy", l2: 0.01 });
const learning = { program: model, data, batch: 16 };
const landscape = createLandscape(rosenbrock({ dimension: 4 }));

describe("a field", () => {
  it.each<[string, Setting, FieldOptions]>([
    ["all of it", learning, { rows }],
    ["one replica, some tensors", learning, { rows, replica: 1, tensors: ["layer2.*", "layer1.bias"] }],
    ["micro-batches", { ...learning, microBatch: 4 }, { rows }],
    ["points on a landscape", { program: landscape, start: [1, 2, 3, 4, 5, 6, 7, 8] }, {}],
  ])("is what it is on the CPU: %s", async (_, setting, options) => {
    const wanted = await found(cpuEngine(), setting, options);
    const ours = await found(webgpuEngine(device), setting, options);
    wanted.losses.forEach((losses, r) => {
      losses.forEach((loss, i) => {
        expect(Math.abs(ours.losses[r]![i]! / loss - 1)).toBeLessThan(3e-6);
      });
    });
    wanted.gradients.forEach((gradients, i) => {
      gradients.forEach((gradient, r) => {
        const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const off = gradient.reduce(
          (most, value, e) => Math.max(most, Math.abs(ours.gradients[i]![r]![e]! - value)),
          0,
        );
        expect(off / largest).toBeLessThan(1e-5);
      });
    });
    expect(await uncapturedErrors()).toEqual([]);
  });

  it.each([["cpu"], ["webgpu"]])("is not a number where a replica is halted, on %s", async (backend) => {
    const trainee = await made(backend === "cpu" ? cpuEngine() : webgpuEngine(device), learning);
    trainee.optimizer.halt(1);
    await expect(trainee.objective.field({ rows, replica: 1 })).rejects.toThrow("replica 1 is halted");
    const field = await trainee.objective.field({ rows });
    const block = await field.space.create(1);
    field.space.load("params", at(block));
    field.evaluate(at(block), at(block), 3);
    const losses = await field.space.scalars(3, 1);
    expect(losses.map(([loss]) => Number.isFinite(loss))).toEqual([true, false, true]);
    const gradients = await field.space.read(at(block));
    expect(gradients.map((values) => values.every(Number.isFinite))).toEqual([true, false, true]);
    field.destroy();
    trainee.destroy();
  });
});
