// PyTorch's gradients and training runs and the objectives' laws on the GPU, and its products against the CPU reference in odd sizes.

import { describe, expect, it, vi } from "vitest";
import { Random } from "../../src/base/random.ts";
import { createOptimizer } from "../../src/engines/gpu/optimizer.ts";
import { activations } from "../../src/engines/products/activation.ts";
import { gradientCase, readGradients, trainingRun } from "../../src/lab/gradients.ts";
import { createModel, type ModelConfig } from "../../src/objectives/models/index.ts";
import { createObjective } from "../../src/objectives/objective_gpu.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine, createTrainee, webgpuEngine } from "../../src/train/engine.ts";
import { goldenText } from "../golden.ts";
import { digits, objectiveLaws, training } from "../objectives.ts";
import { device, freshDevice } from "./setup.ts";

const engine = webgpuEngine(device);
objectiveLaws(engine);

it.each(readGradients(goldenText("gradients.json")).cases)("gradients.json: $id", async (recorded) => {
  expect(await gradientCase(recorded, engine)).toMatchObject({ ok: true, maxAbs: expect.any(Number) });
});

it.each(training.runs)("training.json: $id", async (run) => {
  const result = await trainingRun(training, run, digits, engine);
  expect(result).toMatchObject({ ok: true, maxAbs: expect.any(Number), testAccuracy: expect.any(Number) });
});

describe("the GPU's gradients are the reference's", () => {
  const shapes = [
    [1, 1],
    [1, 7, 2],
    [5, 3, 7, 2],
    [17, 33, 10],
    [20, 12, 36, 4],
    [64, 129, 12],
    [100, 68, 1],
  ];
  const losses = ["softmaxCrossEntropy", "sigmoidBinaryCrossEntropy", "meanSquaredError", "huber"] as const;
  const perceptrons = shapes.flatMap((layers, i) =>
    [1, 34].map((batch, j): [ModelConfig, number] => [
      { layers, activation: activations[(i + j) % activations.length], loss: losses[(i + 2 * j) % 4] },
      batch,
    ]),
  );
  it.each<[ModelConfig, number]>([
    ...perceptrons,
    [{ layers: [12, 20, 8], activation: "gelu", bias: false, l2: 0.3, dropout: 0.25 }, 9],
    [{ layers: [12, 21, 7, 3], activation: "silu", dropout: { rate: 0.5, seed: 2 ** 40 }, l2: 1e-3 }, 9],
    [{ layers: [12, 5], loss: { type: "softmaxCrossEntropy", labelSmoothing: 0.2 } }, 9],
    [{ layers: [12, 5], loss: { type: "sigmoidBinaryCrossEntropy", labelSmoothing: 0.2 } }, 9],
    [{ layers: [12, 5], loss: { type: "huber", delta: 0.3 } }, 9],
    [{ type: "rnn", inputs: 3, steps: 4, hidden: 5, outputs: 2, l2: 0.1 }, 9],
    [{ type: "rnn", inputs: 12, steps: 1, hidden: 8, outputs: 4, bias: false, loss: "meanSquaredError" }, 70],
  ])("%j with a batch of %i", async (config, batch) => {
    const model = createModel(config);
    const random = new Random(model.outputs * 100 + batch);
    const labelled = model.criterion.name === "softmaxCrossEntropy";
    const data = {
      name: "random",
      count: batch,
      features: model.features,
      inputs: Float32Array.from({ length: batch * model.features }, () => random.normal()),
      scale: 0.5,
      weights: Float32Array.from({ length: batch }, () => 0.5 + random.uniform()),
      ...(labelled
        ? { classes: model.outputs, labels: Uint32Array.from({ length: batch }, () => random.below(model.outputs)) }
        : {
            outputs: model.outputs,
            targets: Float32Array.from({ length: batch * model.outputs }, () => random.uniform()),
          }),
    };
    const rows = random.permutation(batch);
    const results = [];
    for (const engine of [webgpuEngine(device), cpuEngine()]) {
      const trainee = await createTrainee(
        engine,
        model,
        initialTensors(model, { seed: 5 }),
        { rule: sgd },
        { data, batch },
      );
      const [loss] = await trainee.objective.gradient(rows);
      const evaluation = await trainee.objective.evaluate(data);
      results.push({ loss: loss!, evaluation, gradients: await trainee.optimizer.read("gradients") });
      trainee.destroy();
    }
    const [gpu, cpu] = results as [(typeof results)[0], (typeof results)[0]];
    expect(Math.abs(gpu.loss - cpu.loss)).toBeLessThan(2e-6 * (1 + cpu.loss));
    expect(Math.abs(gpu.evaluation.loss - cpu.evaluation.loss)).toBeLessThan(2e-6 * (1 + cpu.evaluation.loss));
    if (model.criterion.hasAccuracy) expect(gpu.evaluation.accuracy).toBeCloseTo(cpu.evaluation.accuracy, 6);
    else expect([gpu.evaluation.accuracy, cpu.evaluation.accuracy]).toEqual([Number.NaN, Number.NaN]);
    for (const [name, want] of Object.entries(cpu.gradients)) {
      const scale = Math.max(...want.map(Math.abs));
      const worst = Math.max(...want.map((g, i) => Math.abs(g - gpu.gradients[name]![i]!)));
      expect(worst, name).toBeLessThanOrEqual(2e-6 * scale + 1e-9);
    }
  });
});

describe("an output that is no number", () => {
  it.each([
    ["softmaxCrossEntropy", Number.NaN],
    ["softmaxCrossEntropy", Number.POSITIVE_INFINITY],
    ["sigmoidBinaryCrossEntropy", Number.NaN],
    ["meanSquaredError", Number.NaN],
    ["huber", Number.NaN],
  ] as const)("makes the same losses and gradients NaN as in the reference (%s, %d)", async (loss, weight) => {
    const model = createModel({ layers: [1, 3], loss });
    const tensors = [
      { name: "layer1.weight", shape: [1, 3], data: [0.5, weight, -0.5] },
      { name: "layer1.bias", shape: [3] },
    ];
    const inputs = { name: "toy", count: 2, features: 1, inputs: Float32Array.of(1, -1), scale: 1 };
    const labelled = { ...inputs, classes: 3, labels: Uint8Array.of(0, 1) };
    const aimed = { ...inputs, outputs: 3, targets: Float32Array.of(1, 0, 0, 0, 1, 0) };
    const data = loss === "softmaxCrossEntropy" ? labelled : aimed;
    const missing: boolean[][] = [];
    for (const engine of [webgpuEngine(device), cpuEngine()]) {
      const trainee = await createTrainee(engine, model, tensors, { rule: sgd }, { data, batch: 2 });
      expect((await trainee.objective.gradient(Uint32Array.of(0, 1)))[0]).toBeNaN();
      const gradients = Object.values(await trainee.optimizer.read("gradients"));
      missing.push(gradients.flatMap((values) => Array.from(values, Number.isNaN)));
      trainee.destroy();
    }
    expect(missing[0]).toEqual(missing[1]);
    expect(missing[0]).toContain(true);
  });
});

describe("an example without weight", () => {
  it.each([1e25, 3e38])("does not count, even if its loss is infinite (an input of %d)", async (input) => {
    const model = createModel({ layers: [1, 1], loss: "meanSquaredError", bias: false });
    const tensors = [{ name: "layer1.weight", shape: [1, 1], data: [1] }];
    const inputs = { name: "toy", count: 2, features: 1, inputs: Float32Array.of(input, 2), scale: 1 };
    const data = { ...inputs, outputs: 1, targets: Float32Array.of(0, 1), weights: Float32Array.of(0, 1) };
    for (const engine of [webgpuEngine(device), cpuEngine()]) {
      const trainee = await createTrainee(engine, model, tensors, { rule: sgd }, { data, batch: 2 });
      expect(await trainee.objective.gradient(Uint32Array.of(0, 1))).toEqual([1]);
      expect(await trainee.optimizer.read("gradients")).toEqual({ "layer1.weight": Float32Array.of(4) });
      trainee.destroy();
    }
  });
});

describe("logits that are large", () => {
  it("of other classes leave the loss of a right answer 0, however far below they are", async () => {
    const model = createModel({ layers: [1, 3], bias: false });
    const inputs = { name: "toy", count: 1, features: 1, inputs: Float32Array.of(1), scale: 1 };
    const data = { ...inputs, classes: 3, labels: Uint8Array.of(1) };
    for (const low of [-3e38, Number.NEGATIVE_INFINITY]) {
      const tensors = [{ name: "layer1.weight", shape: [1, 3], data: [low, 3e38, 0] }];
      for (const engine of [webgpuEngine(device), cpuEngine()]) {
        const trainee = await createTrainee(engine, model, tensors, { rule: sgd }, { data, batch: 1 });
        expect(await trainee.objective.gradient(Uint32Array.of(0))).toEqual([0]);
        expect((await trainee.objective.evaluate(data)).accuracy).toBe(1);
        trainee.destroy();
      }
    }
  });

  it("give a finite loss and gradient", async () => {
    const model = createModel({ layers: [1, 3] });
    const tensors = [
      { name: "layer1.weight", shape: [1, 3], data: [1e4, -1e4, 0] },
      { name: "layer1.bias", shape: [3] },
    ];
    const data = {
      name: "toy",
      count: 2,
      features: 1,
      classes: 3,
      inputs: Float32Array.of(1, -1),
      scale: 1,
      labels: Uint8Array.of(0, 0),
    };
    for (const engine of [webgpuEngine(device), cpuEngine()]) {
      const trainee = await createTrainee(engine, model, tensors, { rule: sgd }, { data, batch: 2 });
      expect((await trainee.objective.gradient(Uint32Array.of(0, 1)))[0]).toBeCloseTo(1e4, 2);
      const gradients = await trainee.optimizer.read("gradients");
      expect([...gradients["layer1.weight"]!]).toEqual([0.5, -0.5, 0]);
      trainee.destroy();
    }
  });
});

describe("an objective that is destroyed", () => {
  it("says so, and does nothing", async () => {
    const model = createModel({ layers: [1, 2] });
    const data = {
      name: "toy",
      count: 1,
      features: 1,
      classes: 2,
      inputs: Uint8Array.of(1),
      scale: 1,
      labels: Uint8Array.of(0),
    };
    const optimizer = await createOptimizer(device, initialTensors(model), { rule: sgd });
    const objective = await createObjective(optimizer, model, { data, batch: 1 });
    objective.destroy();
    const rows = Uint32Array.of(0);
    const message = (call: string) => `${call}() was called on a destroyed objective`;
    await expect(objective.step(rows)).rejects.toThrow(message("step"));
    await expect(objective.gradient(rows)).rejects.toThrow(message("gradient"));
    await expect(objective.evaluate(data)).rejects.toThrow(message("evaluate"));
    await expect(objective.hessianVector({}, { rows })).rejects.toThrow(message("hessianVector"));
    expect(() => objective.setRows(rows)).toThrow(message("setRows"));
    optimizer.destroy();
  });

  it("leaves nothing behind, nor an error unreported, where a kernel is refused", async () => {
    const small = await freshDevice();
    const model = createModel({ layers: [4, 8, 3] });
    const data = {
      name: "toy",
      count: 1,
      features: 4,
      classes: 3,
      inputs: new Uint8Array(4),
      scale: 1,
      labels: Uint8Array.of(0),
    };
    const optimizer = await createOptimizer(small, initialTensors(model), { rule: sgd });
    const alive = new Set<GPUBuffer>();
    const create = small.createBuffer.bind(small);
    small.createBuffer = (descriptor) => {
      const buffer = create(descriptor);
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        alive.delete(buffer);
        destroy();
      };
      alive.add(buffer);
      return buffer;
    };
    const compile = small.createComputePipelineAsync.bind(small);
    small.createComputePipelineAsync = (descriptor) =>
      descriptor.label?.includes("delta") ? Promise.reject(new Error("refused")) : compile(descriptor);
    await expect(createObjective(optimizer, model, { data, batch: 1 })).rejects.toThrow(
      "delta makes no valid pipeline: refused",
    );
    expect(alive.size).toBe(0);
    optimizer.destroy();
  });
});

describe("replicas", () => {
  const model = createModel({ layers: [1, 32] });
  const data = {
    name: "toy",
    count: 1,
    features: 1,
    classes: 32,
    inputs: Uint8Array.of(1),
    scale: 1,
    labels: Uint8Array.of(0),
  };
  const create = (replicas: number) =>
    createOptimizer(device, initialTensors(model), {
      rule: sgd,
      replicas: Array.from({ length: replicas }, () => ({})),
    });

  it("take no more dispatches than one", async () => {
    const workgroupsOf = async (replicas: number) => {
      const optimizer = await create(replicas);
      const objective = await createObjective(optimizer, model, { data, batch: 1 });
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      const spy = vi.spyOn(pass, "dispatchWorkgroups");
      objective.setRows(Uint32Array.of(0));
      objective.encode(pass);
      optimizer.encode(pass);
      pass.end();
      device.queue.submit([encoder.finish()]);
      objective.destroy();
      optimizer.destroy();
      return spy.mock.calls;
    };
    // The rows are gathered once for all.
    const [gather, ...others] = await workgroupsOf(1);
    expect(await workgroupsOf(16)).toEqual([gather, ...others.map(([x, y]) => [x, y, 16])]);
  });

  it("that do not fit in the smallest micro-batch are refused, with how many do", async () => {
    const small = await freshDevice();
    const optimizer = await createOptimizer(small, initialTensors(model), {
      rule: sgd,
      replicas: Array.from({ length: 100 }, () => ({})),
    });
    const bound = 2 ** 15;
    Object.defineProperty(small, "limits", {
      value: { maxBufferSize: bound, maxStorageBufferBindingSize: bound, maxComputeWorkgroupsPerDimension: 65_535 },
    });
    // 4 rows of 32 numbers each; sgd's table takes most of such a buffer already for one.
    await expect(createObjective(optimizer, model, { data, batch: 64 })).rejects.toThrow(
      /^a batch of 1 for 100 replicas needs 51200 bytes in one buffer; the device binds at most 32768 bytes: 1 replica fits$/,
    );
    optimizer.destroy();
  });
});
