// The objectives' laws on the CPU reference, and its gradient against finite differences.
import { describe, expect, it } from "vitest";
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
          return { x: moved[i]!, loss: await objective.gradient(rows) };
        };
        const [low, high] = [await at(-1e-3), await at(1e-3)];
        optimizer.write("params", { [name]: values });
        const slope = (high.loss - low.loss) / (high.x - low.x);
        expect(Math.abs(slope - gradients[name]![i]!), `${name}[${i}]`).toBeLessThan(2e-6);
      }
    }
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
