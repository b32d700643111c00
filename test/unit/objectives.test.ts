// The objectives' laws on the CPU reference, and its gradient against finite differences.

import { describe, expect, it } from "vitest";
import { activations } from "../../src/engines/products/activation.ts";
import { replicasThatFit } from "../../src/objectives/memory.ts";
import { createModel, type ModelConfig } from "../../src/objectives/models/index.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import { adamw } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine, createTrainee } from "../../src/train/engine.ts";
import { objectiveLaws } from "../objectives.ts";

objectiveLaws(cpuEngine());

const descent = sgd();

/** Central differences of the loss in float64 are what the gradient must be. */
describe("finite differences", () => {
  const layers = [5, 6, 4, 3];
  const losses = ["softmaxCrossEntropy", "sigmoidBinaryCrossEntropy", "meanSquaredError", "huber"] as const;
  const models: ModelConfig[] = [
    ...activations.map((activation, i): ModelConfig => ({ layers, activation, loss: losses[i % 4] })),
    { layers, bias: false, l2: 0.3, dropout: 0.5, activation: "gelu" },
    { layers: [5, 3], loss: { type: "softmaxCrossEntropy", labelSmoothing: 0.2 }, dropout: { rate: 0.2, seed: 3 } },
    { layers, loss: { type: "sigmoidBinaryCrossEntropy", labelSmoothing: 0.3 } },
    { layers, loss: { type: "huber", delta: 0.1 }, activation: "silu" },
    { type: "rnn", inputs: 1, steps: 5, hidden: 4, outputs: 3, l2: 0.1 },
    { type: "rnn", inputs: 5, steps: 1, hidden: 2, outputs: 3, bias: false, loss: "meanSquaredError" },
  ];
  it.each(models)("agree with the gradient, %j", async (config) => {
    const model = createModel(config);
    const data = {
      name: "toy",
      count: 8,
      features: 5,
      inputs: Float32Array.from({ length: 40 }, (_, i) => Math.sin(3 * i)),
      scale: 1,
      weights: Float32Array.from({ length: 8 }, (_, i) => 1 + (i % 2)),
      ...(model.criterion.name === "softmaxCrossEntropy"
        ? { classes: 3, labels: Uint8Array.from({ length: 8 }, (_, i) => i % 3) }
        : { outputs: 3, targets: Float32Array.from({ length: 24 }, (_, i) => Math.cos(5 * i) ** 2) }),
    };
    const rows = Uint32Array.from({ length: 8 }, (_, i) => i);
    const { optimizer, objective } = await createTrainee(
      cpuEngine(),
      model,
      initialTensors(model, { seed: 11 }),
      descent,
      {
        data,
        batch: 8,
      },
    );
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
        expect(Math.abs(slope - gradients[name]![i]!), `${name}[${i}]`).toBeLessThan(3e-6);
      }
    }
  });
});

describe("Hessian-vector products", () => {
  it("are the Hessian's, column by column", async () => {
    // Of a linear least-squares fit the Hessian is 2/n·XᵀX, with a column of ones for the bias.
    const model = createModel({ layers: [3, 1], loss: "meanSquaredError", l2: 0.5 });
    const inputs = Float32Array.from({ length: 12 }, (_, i) => Math.sin(2 * i));
    const data = { name: "toy", count: 4, features: 3, inputs, scale: 1, outputs: 1, targets: new Float32Array(4) };
    const { objective } = await createTrainee(cpuEngine(), model, initialTensors(model), descent, { data, batch: 4 });
    const x = (row: number, j: number) => (j < 3 ? inputs[row * 3 + j]! : 1);
    for (let j = 0; j < 4; j++) {
      const one = Float32Array.from({ length: 4 }, (_, i) => Number(i === j));
      const vector = { "layer1.weight": one.slice(0, 3), "layer1.bias": one.slice(3) };
      const product = await objective.hessianVector(vector, { rows: Uint32Array.of(0, 1, 2, 3) });
      const column = [...product["layer1.weight"]!, ...product["layer1.bias"]!];
      column.forEach((value, i) => {
        const rows = [0, 1, 2, 3].reduce((sum, row) => sum + x(row, i) * x(row, j), 0) / 2;
        expect(Math.abs(value - rows - (i === j && i < 3 ? 0.5 : 0))).toBeLessThan(3e-7);
      });
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
    ["the parameters", small, 32, { rule: sgd }, Math.floor(2 ** 27 / arena)],
    ["two slots", small, 32, { rule: adamw }, Math.floor(2 ** 27 / (2 * arena))],
    ["the outputs of the widest layer", small, 1001, { rule: adamw }, Math.floor(2 ** 27 / (2 * arena))],
    ["the outputs of a large batch", small, 9999, { rule: adamw }, Math.floor(2 ** 27 / (10_000 * 32 * 4))],
    ["losses and hits", createModel({ layers: [2, 1] }), 9998, { rule: sgd }, Math.floor(2 ** 27 / (10_000 * 8))],
  ] as const)("is decided by %s", (_, model, batch, config, fit) => {
    expect(replicasThatFit(limits, model.program, batch, config)).toBe(fit);
  });

  it("is decided by the rows of the table where everything else is small, and by the device's workgroups", () => {
    const tiny = createModel({ layers: [1, 1] });
    const fit = replicasThatFit(limits, tiny.program, 1, { rule: adamw });
    expect(fit).toBeGreaterThan(1000);
    expect(fit).toBeLessThan(65_535);
    expect(
      replicasThatFit({ ...limits, maxComputeWorkgroupsPerDimension: 256 }, tiny.program, 1, { rule: adamw }),
    ).toBe(256);
    // Of a batch that does not fit at once so many rows as do: 42,796 of 784 numbers.
    expect(replicasThatFit(limits, small.program, 2 ** 21, { rule: sgd })).toBe(
      Math.floor(2 ** 27 / (42_796 * 32 * 4)),
    );
    expect(replicasThatFit(limits, createModel({ layers: [2 ** 24, 1] }).program, 1, { rule: sgd })).toBe(0);
  });
});

describe("bad models", () => {
  it.each<[unknown, RegExp]>([
    [{ layers: [784] }, /^model\.layers is \[784\]; it must hold at least the widths of input and output/],
    [{ layers: [784, 0, 10] }, /^model\.layers\[1\] is 0; it must be a whole number >= 1/],
    [{}, /^model\.layers is missing/],
    [
      { layers: [4, 2], activation: "softsign" },
      /^model\.activation is "softsign"; it must be one of linear, relu, tanh, sigmoid, gelu, silu/,
    ],
    [{ layers: [4, 2], loss: "hinge" }, /^model\.loss is "hinge"; it must be one of softmaxCrossEntropy, sigmoid/],
    [{ layers: [4, 2], loss: { type: "huber", delta: 0 } }, /^model\.loss\.delta is 0; it must be a finite number > 0/],
    [{ layers: [4, 2], loss: { type: "huber", labelSmoothing: 0.1 } }, /^model\.loss has an unknown option "label/],
    [{ layers: [4, 2], loss: { type: "softmaxCrossEntropy", labelSmoothing: 1 } }, /in \[0, 1\)/],
    [{ layers: [4, 2], dropout: 1 }, /^model\.dropout is 1; it must be a finite number in \[0, 1\)/],
    [{ layers: [4, 2], dropout: { rate: 0.5, seed: -1 } }, /^model\.dropout\.seed is -1/],
    [{ layers: [4, 2], l2: -1 }, /^model\.l2 is -1; it must be a finite number >= 0/],
    [{ layers: [4, 2], bias: 1 }, /^model\.bias is 1; it must be true or false/],
    [{ type: "cnn", layers: [4, 2] }, /^model\.type is "cnn"; it must be one of mlp, rnn/],
    [{ type: "rnn", inputs: 4, hidden: 3, outputs: 2 }, /^model\.steps is missing; it must be a whole number >= 1/],
    [{ type: "rnn", layers: [4, 2] }, /^model has an unknown option "layers"/],
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
