// The multilayer perceptron's gradients against PyTorch's, and whole training runs against PyTorch's, on both engines.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { activations, createModel, losses, type ModelConfig } from "../../src/objectives/model.ts";
import { cpuEngine, webgpuEngine } from "../../src/train/engine.ts";
import { device } from "./setup.ts";

const golden = (file: string) => JSON.parse(readFileSync(new URL(`../golden/${file}`, import.meta.url), "utf8"));

interface GradientCase {
  id: string;
  model: { layers: number[]; activation: string; loss: string; l2: number };
  batch: number;
  x: number[];
  y: number[];
  params: Record<string, number[]>;
  loss: number;
  gradients: Record<string, number[]>;
  tolerance: { rtol: number; atol: number };
}

const engines = [webgpuEngine(device), cpuEngine()];

function tensorsOf(config: ModelConfig, params: Record<string, number[]>) {
  return createModel(config).layers.flatMap(({ inputs, outputs, weight, bias }) => [
    { name: weight, shape: [inputs, outputs], data: params[weight]! },
    { name: bias, shape: [outputs], data: params[bias]! },
  ]);
}

const gradientCases = (golden("gradients.json").cases as GradientCase[]).filter(
  ({ model }) =>
    (losses as readonly string[]).includes(model.loss) &&
    (activations as readonly string[]).includes(model.activation) &&
    model.l2 === 0,
);

describe.each(engines)("gradients.json on $backend", (engine) => {
  it.each(gradientCases)("$id", async ({ model: { layers, activation }, batch, x, y, params, ...expected }) => {
    const config = { layers, activation } as ModelConfig;
    const data: Dataset = {
      name: "digits",
      count: batch,
      features: layers[0]!,
      classes: layers[layers.length - 1]!,
      inputs: Float32Array.from(x),
      scale: 1,
      labels: Uint32Array.from(y),
    };
    const model = createModel(config);
    const trainee = await engine.trainee(model, tensorsOf(config, params), { rule: "sgd" }, data, batch);
    const loss = await trainee.objective.gradient(Uint32Array.from({ length: batch }, (_, i) => i));
    const gradients = await trainee.optimizer.read("gradients");
    trainee.destroy();
    const { rtol, atol } = expected.tolerance;
    expect(Math.abs(loss - expected.loss)).toBeLessThanOrEqual(atol + rtol * expected.loss);
    for (const [name, values] of Object.entries(expected.gradients)) {
      const excess = values.map((want, i) => Math.abs(gradients[name]![i]! - want) - atol - rtol * Math.abs(want));
      expect(Math.max(...excess), name).toBeLessThanOrEqual(0);
    }
  });
});
