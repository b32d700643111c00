// Physics-informed networks on the GPU: their laws, and losses and gradients against the CPU reference's in odd sizes.
import { describe, expect, it } from "vitest";
import { smoothActivations } from "../../src/engines/products/activation.ts";
import { pointsDataset } from "../../src/objectives/data/points.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { type PinnConfig, pinn } from "../../src/objectives/models/pinn.ts";
import { poisson } from "../../src/objectives/problems/poisson.ts";
import { defineProblem } from "../../src/objectives/problems/problem.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine, createTrainee, webgpuEngine } from "../../src/train/engine.ts";
import { pinnLaws, tangled, unevenTensors } from "../pinns.ts";
import { device } from "./setup.ts";

pinnLaws(webgpuEngine(device));

describe("the GPU's gradients are the reference's", () => {
  it.each<[PinnConfig, number]>([
    ...smoothActivations.map((activation, i): [PinnConfig, number] => [
      pinn([2, 7, 4 + i, 1], { problem: tangled, activation, l2: 0.1 }),
      9 + i,
    ]),
    [pinn([1, 1], { problem: poisson() }), 1],
    [pinn([1, 12, 8, 1], { problem: poisson({ k: 2 }), bias: false }), 34],
    [pinn([2, 20, 1], { problem: poisson({ dimensions: 2, sidePoints: 5 }), boundaryWeight: 2 }), 6],
  ])("%j with a batch of %i", async (config, batch) => {
    const model = createModel(config);
    const data = {
      ...pointsDataset({ dimensions: model.features, count: batch, seed: batch }),
      weights: Float32Array.from({ length: batch }, (_, i) => 1 + (i % 2)),
    };
    const results = [];
    for (const engine of [webgpuEngine(device), cpuEngine()]) {
      const trainee = await createTrainee(engine, model, unevenTensors(model, 3), { rule: sgd }, { data, batch });
      const [loss] = await trainee.objective.gradient(Uint32Array.from({ length: batch }, (_, i) => batch - 1 - i));
      const { loss: tested, error } = await trainee.objective.evaluate(data);
      results.push({ loss: loss!, tested, error, gradients: await trainee.optimizer.read("gradients") });
      trainee.destroy();
    }
    const [gpu, cpu] = results as [(typeof results)[0], (typeof results)[0]];
    expect(Math.abs(gpu.loss - cpu.loss)).toBeLessThan(3e-6 * (1 + cpu.loss));
    expect(Math.abs(gpu.tested - cpu.tested)).toBeLessThan(3e-6 * (1 + cpu.tested));
    expect(Math.abs(gpu.error - cpu.error)).toBeLessThan(3e-6);
    for (const [name, wanted] of Object.entries(cpu.gradients)) {
      const scale = Math.max(...wanted.map(Math.abs));
      const worst = Math.max(...wanted.map((value, i) => Math.abs(value - gpu.gradients[name]![i]!)));
      expect(worst, name).toBeLessThanOrEqual(1e-5 * scale + 1e-9);
    }
  });
});

describe("a problem whose WGSL does not compile", () => {
  it("is named, with the line its author wrote", async () => {
    const { left, slopes, boundary } = tangled;
    const wgsl = `fn left(x: vec2f, u: Jet) -> f32 { return u.v; }
fn slopes(x: vec2f, u: Jet) -> Jet { return u; }`;
    const problem = defineProblem({ name: "broken", dimensions: 2, boundary, left, slopes, wgsl });
    const model = createModel(pinn([2, 3, 1], { problem }));
    const data = pointsDataset({ dimensions: 2, grid: 2 });
    const making = createTrainee(
      webgpuEngine(device),
      model,
      unevenTensors(model, 0),
      { rule: sgd },
      { data, batch: 4 },
    );
    await expect(making).rejects.toThrow(/^problem broken does not compile: its wgsl, line 1: /);
  });
});
