// The objectives' laws on the CPU reference, and its gradient against finite differences.
import { describe, expect, it } from "vitest";
import { replicasThatFit } from "../../src/objectives/memory.ts";
import { activations, createModel, initialTensors, type ModelConfig } from "../../src/objectives/model.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { objectiveLaws } from "../objectives.ts";

objectiveLaws(cpuEngine());

describe.each(activations)("finite differences, %s", (activation) => {
  it("agree with the gradient", async () => {
    const model = createModel({ layers: [5, 6, 4, 3], activation });
    const tensors = initialTensors(model, { seed: 11 });
    const data = {
      name: "toy",
      count: 8,
      features: 5,
      classes: 3,
      inputs: Float32Array.from({ length: 40 }, (_, i) => Math.sin(3 * i)),
      scale: 1,
      labels: Uint8Array.from({ length: 8 }, (_, i) => i % 3),
    };
    const rows = Uint32Array.from({ length: 8 }, (_, i) => i);
    const { optimizer, objective } = await cpuEngine().trainee(model, tensors, { rule: "sgd" }, data, 8);
    await objective.gradient(rows);
    const gradients = await optimizer.read("gradients");
    const params = await optimizer.read();
    for (const [name, values] of Object.entries(params)) {
      for (let i = 0; i < values.length; i += 3) {
        const at = async (delta: number) => {
          const moved = Float32Array.from(values);
          moved[i]! += delta;
          optimizer.write("params", { [name]: moved });
          return { x: moved[i]!, loss: (await objective.gradient(rows))[0]! };
        };
        const [low, high] = [await at(-1e-3), await at(1e-3)];
        optimizer.write("params", { [name]: values });
        const slope = (high.loss - low.loss) / (high.x - low.x);
        expect(Math.abs(slope - gradients[name]![i]!), `${name}[${i}]`).toBeLessThan(2e-6);
      }
    }
  });
});

describe("how many replicas fit", () => {
  const limits = {
    maxBufferSize: 2 ** 28,
    maxStorageBufferBindingSize: 2 ** 27,
    maxComputeWorkgroupsPerDimension: 65_535,
  };
  const small = createModel({ layers: [784, 32, 10] });
  // 784·32, 32, 32·10 and 10 parameters, each tensor from a multiple of 64 on.
  const arena = 4 * (25_088 + 64 + 320 + 64);

  it.each([
    ["the parameters", small, 32, { rule: "sgd" }, Math.floor(2 ** 27 / arena)],
    ["two slots", small, 32, { rule: "adamw" }, Math.floor(2 ** 27 / (2 * arena))],
    ["the outputs of the widest layer", small, 1001, { rule: "adamw" }, Math.floor(2 ** 27 / (2 * arena))],
    ["the outputs of a large batch", small, 9999, { rule: "adamw" }, Math.floor(2 ** 27 / (10_000 * 32 * 4))],
    ["losses and hits", createModel({ layers: [2, 1] }), 9998, { rule: "sgd" }, Math.floor(2 ** 27 / (10_000 * 8))],
  ] as const)("is decided by %s", (_, model, batch, config, fit) => {
    expect(replicasThatFit(limits, model, batch, config)).toBe(fit);
  });

  it("is decided by the rows of the table where everything else is small, and by the device's workgroups", () => {
    const tiny = createModel({ layers: [1, 1] });
    const fit = replicasThatFit(limits, tiny, 1, { rule: "adamw" });
    expect(fit).toBeGreaterThan(1000);
    expect(fit).toBeLessThan(65_535);
    expect(replicasThatFit({ ...limits, maxComputeWorkgroupsPerDimension: 256 }, tiny, 1, { rule: "adamw" })).toBe(256);
    expect(replicasThatFit(limits, small, 2 ** 21, { rule: "sgd" })).toBe(0);
  });
});

describe("bad models", () => {
  it.each<[unknown, RegExp]>([
    [{ layers: [784] }, /^model\.layers is \[784\]; it must hold the input's and the output's width at least/],
    [{ layers: [784, 0, 10] }, /^model\.layers\[1\] is 0; it must be a whole number >= 1/],
    [{}, /^model\.layers is missing/],
    [{ layers: [4, 2], activation: "swish" }, /^model\.activation is "swish"; it must be one of linear, relu, tanh/],
    [{ layers: [4, 2], loss: "hinge" }, /^model\.loss is "hinge"; it must be one of softmaxCrossEntropy/],
    [{ layers: [4, 2], width: 3 }, /^model has an unknown option "width"/],
  ])("%j", (config, message) => {
    expect(() => createModel(config as ModelConfig)).toThrow(message);
  });

  it("refuse an unknown init", () => {
    const model = createModel({ layers: [2, 2] });
    expect(() => initialTensors(model, { type: "zeros" as never })).toThrow(
      'init.type is "zeros"; it must be one of heNormal, heUniform, glorotNormal, glorotUniform',
    );
  });
});
