// Run configs: every default filled in, the same when read again, refused in a sentence when they do not hold together.

import { describe, expect, it } from "vitest";
import { jobConfig } from "../../src/lab/defaults.ts";
import { layerStats } from "../../src/modifiers/layer_stats.ts";
import { batches } from "../../src/objectives/data/dataset.ts";
import { rules } from "../../src/rules/index.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { step } from "../../src/schedules/step.ts";
import { takeRows } from "../../src/train/data.ts";
import { diffCurves, diffFields } from "../../src/train/diff.ts";
import { batchSizes, type RunConfig, readRunConfig } from "../../src/train/run_config.ts";

const small = { model: { layers: [784, 8, 10] }, optimizer: { rule: "sgd" }, batch: 16, steps: 20 };
const plateau = { type: "plateau", base: 0.1 };
const every = { type: "loss", every: 5 };

describe("readRunConfig", () => {
  it("fills in every default", () => {
    expect(readRunConfig(small)).toEqual({
      format: "fallline-run/1",
      model: {
        type: "mlp",
        layers: [784, 8, 10],
        activation: "relu",
        dropout: { rate: 0, seed: 0 },
        loss: { type: "softmaxCrossEntropy", labelSmoothing: 0 },
        l2: 0,
        bias: true,
      },
      data: null,
      init: { type: "heNormal", seed: 0 },
      optimizer: expect.objectContaining({ rule: sgd, momentum: 0, nesterov: false, maximize: false }),
      batch: 16,
      steps: 20,
      seed: 0,
      metric: null,
      stop: null,
      handover: null,
      curvature: null,
      watch: null,
    });
    const full = readRunConfig({
      ...small,
      data: { type: "mnist", testRows: 100 },
      metric: { type: "testAccuracy", every: 5 },
      stop: { patience: 2 },
      watch: true,
    });
    expect(full).toMatchObject({
      data: { type: "mnist", rows: 60_000, testRows: 100 },
      metric: { type: "testAccuracy", every: 5 },
      stop: { patience: 2, minDelta: 0, restoreBest: true },
      watch: { every: 10, window: expect.any(Number) },
      optimizer: { modifiers: [layerStats()] },
    });
    expect(readRunConfig(small, { type: "mnist" }).data).toEqual({ type: "mnist", rows: 60_000, testRows: 10_000 });
  });

  it.each<[string, unknown]>([
    ["the smallest", small],
    ["one that says what is to be left out", { ...small, data: null, metric: null, stop: null, watch: false }],
    [
      "one with everything",
      {
        ...small,
        init: { type: "glorotUniform", seed: 5 },
        optimizer: {
          rule: "adamw",
          lr: { type: "product", schedules: [plateau, { type: "cosine", base: 1, steps: 20 }] },
          weightDecay: { type: "linear", start: 0, end: 0.1, steps: 20 },
          groups: [{ params: "*.bias", weightDecay: 0, lrScale: 2 }, { params: { regex: "^layer1.w" } }],
          clip: { type: "groupNorm", maxNorm: 1 },
          ema: {},
          lossScale: {},
          lookahead: { every: 3 },
        },
        batch: { type: "step", base: 4, every: 7, gamma: 2 },
        metric: every,
        stop: { patience: 3, minDelta: 1e-3, restoreBest: false },
        watch: { every: 4, window: 20 },
      },
    ],
    ...rules.map(
      ({ name }) => [`the main job with ${name}`, jobConfig({ rule: name, steps: 20 })] as [string, unknown],
    ),
  ])("gives of %s a complete config that JSON keeps and that is read as it is", (_, config) => {
    const complete = readRunConfig(config);
    const again = JSON.parse(JSON.stringify(complete)) as unknown;
    expect(readRunConfig(again)).toEqual(complete);
  });

  it("keeps functions of the step", () => {
    const rate = (step: number) => 1 / (1 + step);
    const size = (step: number) => 4 + step;
    const { optimizer, batch } = readRunConfig({ ...small, optimizer: { rule: "sgd", lr: rate }, batch: size });
    expect(optimizer).toMatchObject({ lr: rate });
    expect(batch).toBe(size);
  });

  it.each<[string, object, string]>([
    ["an unknown field", { epochs: 3 }, 'the run config has an unknown option "epochs"; the options are format, model'],
    [
      "an unknown version",
      { format: "fallline-run/2" },
      'format is "fallline-run/2"; it must be one of fallline-run/1',
    ],
    ["no model", { model: undefined }, "model is missing; a run needs a model, a landscape or an objective"],
    [
      "an unknown activation",
      { model: { layers: [784, 10], activation: "softsign" } },
      'model.activation is "softsign"',
    ],
    ["a bad initialisation", { init: { type: "zeros" } }, 'init.type is "zeros"; it must be one of heNormal'],
    ["no optimizer", { optimizer: undefined }, "optimizer is missing; it must be an object such as"],
    ["an unknown rule", { optimizer: { rule: "adamz" } }, 'optimizer: rule is "adamz"'],
    ["an unknown hyper", { optimizer: { rule: "sgd", rate: 1 } }, 'optimizer: rule sgd has an unknown option "rate"'],
    [
      "a rate that leaves its range late",
      { optimizer: { rule: "sgd", lr: { type: "linear", start: 1, end: -1, steps: 20 } } },
      "optimizer: sgd.lr is -0.1",
    ],
    ["a group without tensors", { optimizer: { rule: "sgd", groups: [{ params: "head.*" }] } }, "matches no tensor"],
    [
      "replicas",
      { optimizer: { rule: "sgd", replicas: [{ lr: 1 }, { lr: 2 }] } },
      "optimizer: replicas holds 2 entries",
    ],
    ["half a batch", { batch: 1.5 }, "batch is 1.5; it must be a whole number >= 1"],
    ["no batch", { batch: undefined }, "batch is missing; it must be a whole number >= 1"],
    ["an unknown batch schedule", { batch: { type: "wavy" } }, 'batch.type is "wavy", which is not a known schedule'],
    [
      "a batch that shrinks to nothing",
      { batch: { type: "linear", start: 4, end: 0, steps: 8 } },
      "batch is 0 at step 8; it must round to a whole number >= 1",
    ],
    ["a batch by a metric", { batch: plateau, metric: every }, "batch holds a schedule that observes"],
    [
      "a batch larger than the data",
      { batch: { type: "linear", start: 16, end: 32, steps: 16 }, data: { type: "mnist", rows: 20 } },
      "batch is 21 at step 5; it must be at most 20, the rows of MNIST train to train on",
    ],
    ["a model for other data", { model: { layers: [5, 10] }, data: { type: "mnist" } }, "model.layers[0] is 5"],
    ["unknown data", { data: { type: "cifar" } }, 'data.type is "cifar"; it must be one of mnist'],
    ["no rows", { data: { type: "mnist", rows: 0 } }, "data.rows is 0; it must be a whole number in [1, 60000]"],
    ["no steps", { steps: 0 }, "steps is 0; it must be a whole number >= 1"],
    ["a seed below 0", { seed: -1 }, "seed is -1"],
    [
      "a watch of an ascent",
      { optimizer: { rule: "sgd", maximize: true }, watch: true },
      "watch is true; with maximize: true it must be left out, since it looks for a loss that falls",
    ],
    [
      "an unknown metric",
      { metric: { type: "f1", every: 5 } },
      'metric.type is "f1"; it must be one of loss, testLoss',
    ],
    [
      "an accuracy of a loss that has none",
      { model: { layers: [784, 10], loss: "huber" }, metric: { type: "testAccuracy", every: 5 } },
      'metric.type is "testAccuracy", which huber does not have; it must be loss or testLoss',
    ],
    ["a metric that never comes", { metric: { type: "loss", every: 0 } }, "metric.every is 0"],
    ["stopping without a metric", { stop: { patience: 2 } }, 'stop is {"patience":2}, which needs metric'],
    ["stopping without patience", { stop: {}, metric: every }, "stop.patience is missing"],
    [
      "a plateau without a metric",
      { optimizer: { rule: "sgd", lr: plateau } },
      "sgd.lr holds a plateau, which needs metric",
    ],
    [
      "a plateau without a metric, deep in a group",
      {
        optimizer: {
          rule: "sgd",
          groups: [{ params: "*.bias", lr: { type: "scale", by: 2, schedule: plateau } }],
        },
      },
      "sgd.lr holds a plateau, which needs metric",
    ],
    [
      "a plateau that wants a loss and gets an accuracy",
      { optimizer: { rule: "sgd", lr: plateau }, metric: { type: "testAccuracy", every: 5 } },
      'sgd.lr holds a plateau whose mode is not "max", as the metric testAccuracy needs',
    ],
    ["a watch that is a word", { watch: "yes" }, 'watch is "yes"; it must be true, false or an object of options'],
    ["an unknown option of the watch", { watch: { windw: 3 } }, 'watch has an unknown option "windw"'],
  ])("refuses %s", (_, wrong, message) => {
    expect(() => readRunConfig({ ...small, ...wrong })).toThrow(message);
  });

  it.each([undefined, null, 3, "run", []])("refuses %j, which is no config", (value) => {
    expect(() => readRunConfig(value)).toThrow("the run config is ");
  });
});

describe("batch schedules", () => {
  const grow: Pick<RunConfig, "batch"> = { batch: step({ base: 3, every: 2, gamma: 1.5 }) };

  it("are rounded to whole numbers", () => {
    expect([0, 1, 2, 3, 4].map(batchSizes(grow))).toEqual([3, 3, 5, 5, 7]);
    expect(batchSizes({ batch: 8 })(100)).toBe(8);
  });

  it("draw from the permutations that a constant batch draws from", () => {
    const order = batches(16, batchSizes(grow), 4);
    const sizes = Array.from({ length: 5 }, () => order.next().value);
    expect(sizes.map((rows) => rows.length)).toEqual([3, 3, 5, 5, 7]);
    // 3 + 3 + 5 + 5 are the first epoch, in the order in which batches of one would come.
    const ones = batches(16, 1, 4);
    const rows = Array.from({ length: 23 }, () => ones.next().value[0]);
    expect(sizes.flatMap((batch) => [...batch])).toEqual(rows);
  });

  it("drop what is left of an epoch where the next batch is larger", () => {
    const order = batches(10, (step) => [4, 4, 3][step]!, 1);
    const fixed = batches(10, 4, 1);
    expect(order.next().value).toEqual(fixed.next().value);
    expect(order.next().value).toEqual(fixed.next().value);
    expect(order.next().value).toEqual(fixed.next().value.subarray(0, 3));
  });

  it("are refused where they are no whole number or larger than the data set", () => {
    const first = (batch: Parameters<typeof batches>[1]) => batches(10, batch, 1).next();
    expect(() => first(() => 2.5)).toThrow("batch at step 0 is 2.5; it must be a whole number >= 1");
    expect(() => first(() => 11)).toThrow("batch at step 0 is 11; the data set has 10 rows");
    expect(() => first(0)).toThrow("batch is 0; it must be a whole number >= 1");
  });
});

it("takes the first rows of the data", () => {
  const data = {
    name: "toy",
    count: 3,
    features: 2,
    classes: 2,
    inputs: Float32Array.of(1, 2, 3, 4, 5, 6),
    scale: 1,
    labels: Uint8Array.of(0, 1, 1),
  };
  const { train, test } = takeRows({ type: "mnist", rows: 2, testRows: 10_000 }, { train: data, test: data });
  expect(train).toEqual({ ...data, count: 2, inputs: Float32Array.of(1, 2, 3, 4), labels: Uint8Array.of(0, 1) });
  expect(test).toBe(data);
});

describe("differences of runs", () => {
  it("are named by the path of each field, with defaults filled in", () => {
    const a = readRunConfig(small);
    const b = readRunConfig({
      ...small,
      seed: 0,
      model: { layers: [784, 9, 10] },
      optimizer: { rule: "sgd", momentum: 0.9, lr: { type: "cosine", base: 0.1, steps: 20 } },
      metric: every,
    });
    expect(diffFields(a, a)).toEqual([]);
    expect(diffFields(a, b)).toEqual([
      { path: "model.layers", a: [784, 8, 10], b: [784, 9, 10] },
      { path: "optimizer.lr", a: expect.any(Number), b: { type: cosine, base: 0.1, min: 0, steps: 20 } },
      { path: "optimizer.momentum", a: 0, b: 0.9 },
      { path: "metric", a: null, b: every },
    ]);
    const nested = (end: number) => ({ lr: { type: "sequential", schedules: [{ type: "linear", end }, 0.1] } });
    expect(diffFields(nested(1), nested(2))).toEqual([{ path: "lr.schedules[0].end", a: 1, b: 2 }]);
    expect(diffFields({ groups: [{ lr: 1 }] }, { groups: [{ lr: 1 }, { lr: 2 }] })).toEqual([
      { path: "groups[1]", a: undefined, b: { lr: 2 } },
    ]);
  });

  it("are found in the losses step by step", () => {
    const run = (losses: number[], testAccuracy: number | null = null) => ({ losses, testAccuracy, environment: {} });
    expect(diffCurves(run([3, 2, 1]), run([3, 2, 1, 0.5], 0.9))).toEqual({
      steps: [3, 4],
      identical: true,
      firstDifference: null,
      largestDifference: null,
      final: [1, 0.5],
      minimum: [
        { step: 3, loss: 1 },
        { step: 4, loss: 0.5 },
      ],
      testLoss: [null, null],
      testAccuracy: [null, 0.9],
      testError: [null, null],
    });
    const [old, tested] = [run([1]), { ...run([1]), testLoss: 4.5 }];
    expect(diffCurves(old, tested).testLoss).toEqual([null, 4.5]);
    const tiny = 2 + 2 ** -50;
    expect(diffCurves(run([3, 2, Number.NaN]), run([3, tiny, Number.NaN]))).toMatchObject({
      identical: false,
      firstDifference: 2,
      largestDifference: { step: 2, difference: tiny - 2 },
      final: [null, null],
    });
    expect(diffCurves(run([Number.NaN]), run([1]))).toMatchObject({
      firstDifference: 1,
      largestDifference: null,
      minimum: [
        { step: null, loss: null },
        { step: 1, loss: 1 },
      ],
    });
  });
});
