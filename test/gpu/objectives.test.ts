// The objectives' laws on the GPU, and its products against the CPU reference in odd sizes.
import { describe, expect, it, vi } from "vitest";
import { createOptimizer } from "../../src/gpu/optimizer.ts";
import { createGpuObjective } from "../../src/objectives/mlp_gpu.ts";
import { activations, createModel, initialTensors } from "../../src/objectives/model.ts";
import { Random } from "../../src/random.ts";
import { cpuEngine, webgpuEngine } from "../../src/train/engine.ts";
import { objectiveLaws } from "../objectives.ts";
import { device } from "./setup.ts";

objectiveLaws(webgpuEngine(device));

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
  it.each(shapes.flatMap((layers) => [1, 34].map((batch) => ({ layers, batch }))))(
    "$layers with a batch of $batch",
    async ({ layers, batch }) => {
      const random = new Random(layers.length * 100 + batch);
      const classes = layers[layers.length - 1]!;
      const model = createModel({ layers, activation: activations[(layers.length + batch) % activations.length]! });
      const data = {
        name: "random",
        count: batch,
        features: layers[0]!,
        classes,
        inputs: Float32Array.from({ length: batch * layers[0]! }, () => random.normal()),
        scale: 1,
        labels: Uint32Array.from({ length: batch }, () => random.below(classes)),
      };
      const rows = random.permutation(batch);
      const results = [];
      for (const engine of [webgpuEngine(device), cpuEngine()]) {
        const trainee = await engine.trainee(model, initialTensors(model, { seed: 5 }), { rule: "sgd" }, data, batch);
        const [loss] = await trainee.objective.gradient(rows);
        results.push({ loss: loss!, gradients: await trainee.optimizer.read("gradients") });
        trainee.destroy();
      }
      const [gpu, cpu] = results as [(typeof results)[0], (typeof results)[0]];
      expect(Math.abs(gpu.loss - cpu.loss)).toBeLessThan(2e-6 * (1 + cpu.loss));
      for (const [name, want] of Object.entries(cpu.gradients)) {
        const scale = Math.max(...want.map(Math.abs));
        const worst = Math.max(...want.map((g, i) => Math.abs(g - gpu.gradients[name]![i]!)));
        expect(worst, name).toBeLessThanOrEqual(2e-6 * scale + 1e-9);
      }
    },
  );
});

describe("logits that are large", () => {
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
      const trainee = await engine.trainee(model, tensors, { rule: "sgd" }, data, 2);
      expect((await trainee.objective.gradient(Uint32Array.of(0, 1)))[0]).toBeCloseTo(1e4, 2);
      const gradients = await trainee.optimizer.read("gradients");
      expect([...gradients["layer1.weight"]!]).toEqual([0.5, -0.5, 0]);
      trainee.destroy();
    }
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
      rule: "sgd",
      replicas: Array.from({ length: replicas }, () => ({})),
    });

  it("take no more dispatches than one", async () => {
    const workgroupsOf = async (replicas: number) => {
      const optimizer = await create(replicas);
      const objective = await createGpuObjective(optimizer, model, data, 1);
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

  it("that do not fit are refused, and it is said how many do", async () => {
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    const bound = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    const fit = Math.floor(bound / 2 ** 23);
    const optimizer = await create(fit + 1);
    const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20).toLocaleString("en")} MiB`;
    await expect(createGpuObjective(optimizer, model, data, 2 ** 16)).rejects.toThrow(
      `a batch of 65536 for ${fit + 1} replicas needs ${mebibytes((fit + 1) * 2 ** 23)} in one buffer; the device binds at most ${mebibytes(bound)}: ${fit} replicas fit`,
    );
    optimizer.destroy();
  });
});
