// The lab on the GPU: its own landscapes against their twins, noise to the draw, and experiments at small options.
import { describe, expect, it } from "vitest";
import { logisticLadder } from "../../src/lab/experiments/logistic_ladder.ts";
import { noisyBowl } from "../../src/lab/experiments/noisy_bowl.ts";
import { roughBowl } from "../../src/lab/experiments/rough_bowl.ts";
import { runExperiment } from "../../src/lab/experiments/run.ts";
import { type LandscapeConfig, landscapeOf } from "../../src/objectives/landscapes/define.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine, createTrainee, webgpuEngine } from "../../src/train/engine.ts";
import { smallLab } from "../lab.ts";
import { device } from "./setup.ts";

const engines = [webgpuEngine(device), cpuEngine()];

it.each<[string, LandscapeConfig, number]>([
  [
    "noise and drift",
    noisyBowl({ dimension: 1003, curvature: 0.5, drift: 0.25, noise: 2, seed: 2 ** 50 + 12345 }),
    0.3,
  ],
  ["noise on rough ground", roughBowl({ dimension: 1003, amplitude: 1e-3, second: 0.3, noise: 0.5, seed: 77 }), 0.3],
  ["logistic maps", logisticLadder({ rates: Array.from({ length: 101 }, (_, i) => 1.9 + i / 500) }), 1],
])("%s match the twin, in every replica", async (_, config, lr) => {
  const landscape = landscapeOf(config);
  const start = Float32Array.from({ length: landscape.dimension }, (_, i) => 0.2 + (0.6 * i) / landscape.dimension);
  const found = [];
  for (const engine of engines) {
    const trainee = await createTrainee(
      engine,
      landscape,
      initialTensors(landscape, start),
      sgd({ replicas: [{ lr: lr / 2 }, { lr }] }),
    );
    const losses = [];
    for (let step = 0; step < 6; step++)
      losses.push(...(await trainee.objective.step()).replicas.map(({ loss }) => loss));
    const points = (await trainee.optimizer.read("params", { replica: 1 })).points!;
    found.push({ losses, points });
    trainee.destroy();
  }
  const [gpu, cpu] = found;
  gpu!.losses.forEach((loss, i) => {
    expect(Math.abs(loss - cpu!.losses[i]!)).toBeLessThan(1e-5 * (1 + Math.abs(cpu!.losses[i]!)));
  });
  gpu!.points.forEach((point, i) => {
    expect(Math.abs(point - cpu!.points[i]!)).toBeLessThan(2e-5 * (1 + Math.abs(cpu!.points[i]!)));
  });
});

describe("experiments hold", () => {
  it.each(["euler", "temperature"])("%s", async (name) => {
    const { claims, backend } = await runExperiment(name, smallLab[name]!, { engine: engines[0]! });
    expect(backend).toBe("webgpu");
    expect(claims.filter(({ ok }) => !ok)).toEqual([]);
  });
});
