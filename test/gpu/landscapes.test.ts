// Landscapes on the GPU: every kernel against its twin, sums over many points and over many coordinates, replicas, and points
// in a caller's own buffer.

import { expect, it, vi } from "vitest";
import { external } from "../../src/engines/gpu/external.ts";
import type { Landscape } from "../../src/objectives/landscapes/define.ts";
import { createLandscape } from "../../src/objectives/landscapes/index.ts";
import { quadratic } from "../../src/objectives/landscapes/quadratic.ts";
import { rosenbrock } from "../../src/objectives/landscapes/rosenbrock.ts";
import { createCpuObjective } from "../../src/objectives/objective_cpu.ts";
import { createObjective } from "../../src/objectives/objective_gpu.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { landscapes, pointsIn } from "../landscapes.ts";
import { createCpuOptimizer, createOptimizer } from "../optimizers.ts";
import { device, freshDevice } from "./setup.ts";

async function both(landscape: Landscape, points: Float32Array, config: OptimizerConfig, on = device) {
  const tensors = initialTensors(landscape, points);
  const [onGpu, onCpu] = [await createOptimizer(on, tensors, config), createCpuOptimizer(tensors, config)];
  return {
    gpu: { optimizer: onGpu, objective: await createObjective(onGpu, landscape) },
    cpu: { optimizer: onCpu, objective: createCpuObjective(onCpu, landscape) },
  };
}

/** Compares to so many times float32's rounding of the largest magnitude. */
function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, roundings: number, size = 0): void {
  expect(got.length).toBe(want.length);
  const [g, w] = [Array.from(got), Array.from(want)];
  const largest = w.reduce((most, value) => Math.max(most, Math.abs(value)), size);
  const worst = w.reduce((most, value, i) => Math.max(most, Math.abs(value - g[i]!)), 0);
  expect(worst / largest).toBeLessThan(roundings * 2 ** -24);
}

// The first quadratic stands for itself further down.
it.each(landscapes.slice(1))("$config matches its twin", async (landscape) => {
  // Of more than one chunk in the larger dimensions, of a prime number of points.
  const points = pointsIn(landscape, 1409);
  // A loss scale comes with kernels of the optimizer's own; one type stands for all.
  const lossScale = landscape.type === "himmelblau" ? { init: 4 } : undefined;
  const { gpu, cpu } = await both(landscape, points, { rule: sgd, lossScale });
  const [[gotLoss], [wantLoss]] = [await gpu.objective.gradient(), await cpu.objective.gradient()];
  const [got, want] = [await gpu.optimizer.read("gradients"), await cpu.optimizer.read("gradients")];
  expectClose(got.points!, want.points!, 8);
  const losses = landscape.values(points);
  expectClose(
    [(await gpu.objective.evaluate()).loss],
    [losses.reduce((sum, loss) => sum + loss) / 1409],
    40,
    Math.abs(wantLoss!),
  );
  expectClose([gotLoss!], [wantLoss!], 40, Math.abs(wantLoss!));
  gpu.objective.destroy();
  gpu.optimizer.destroy();
});

it("one point may have as many coordinates as there could be points, in rows of workgroups and with barriers", async () => {
  const made = await freshDevice();
  const limits = Object.getOwnPropertyNames(Object.getPrototypeOf(made.limits)) as (keyof GPUSupportedLimits)[];
  Object.defineProperty(made, "limits", {
    value: {
      ...Object.fromEntries(limits.map((name) => [name, made.limits[name]])),
      maxComputeWorkgroupsPerDimension: 8,
    },
  });
  // What a device that is no emulation says of itself.
  Object.defineProperty(made, "adapterInfo", {
    value: { vendor: "test", architecture: "test", device: "", description: "a GPU", isFallbackAdapter: false },
  });
  const landscape = createLandscape(quadratic({ dimension: 100_003, condition: 1e3, angle: 0.3 }));
  const { gpu, cpu } = await both(landscape, pointsIn(landscape, 1), { rule: sgd, lr: 0.5 }, made);
  const [got, want] = [await gpu.objective.step(), await cpu.objective.step()];
  expectClose([got.loss], [want.loss], 40);
  expectClose((await gpu.optimizer.read()).points!, (await cpu.optimizer.read()).points!, 8);
  expectClose([(await gpu.objective.evaluate()).loss], [(await cpu.objective.evaluate()).loss], 40);
  const pass = made.createCommandEncoder().beginComputePass();
  const dispatches = vi.spyOn(pass, "dispatchWorkgroups");
  gpu.objective.encode(pass);
  expect(dispatches.mock.calls).toEqual([
    [8, 4, 1],
    [1, 1, 1],
  ]);
  gpu.objective.destroy();
  gpu.optimizer.destroy();
});

it("replicas go their own ways, with the bits of a run alone, and keep what they have while halted", async () => {
  const landscape = createLandscape(rosenbrock({ dimension: 3 }));
  const points = pointsIn(landscape, 1501);
  const rates = [1e-4, 3e-4, 2e-5];
  const make = async (config: OptimizerConfig) => {
    const optimizer = await createOptimizer(device, initialTensors(landscape, points), config);
    return { optimizer, objective: await createObjective(optimizer, landscape) };
  };
  const together = await make({ rule: sgd, replicas: rates.map((lr) => ({ lr })) });
  const alone = await make({ rule: sgd, lr: rates[2]! });
  for (let step = 0; step < 4; step++) {
    if (step === 2) together.optimizer.halt(1);
    const [{ replicas }, single] = await Promise.all([together.objective.step(), alone.objective.step()]);
    expect(replicas[2]).toEqual(single.replicas[0]);
    expect(replicas[1]!.step).toBe(Math.min(step + 1, 2));
  }
  expect(await together.optimizer.read("params", { replica: 2 })).toEqual(await alone.optimizer.read());
  expect((await together.objective.evaluate()).replicas[2]).toEqual((await alone.objective.evaluate()).replicas[0]);
  for (const { optimizer, objective } of [together, alone]) {
    objective.destroy();
    optimizer.destroy();
  }
});

it("points may be anywhere in a caller's buffer", async () => {
  const landscape = createLandscape(rosenbrock());
  const points = pointsIn(landscape, 37);
  const buffer = (offset: number) =>
    device.createBuffer({
      size: offset + points.byteLength,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  const [params, gradients] = [buffer(260), buffer(12)];
  device.queue.writeBuffer(params, 260, Float32Array.from(points));
  const optimizer = await createOptimizer(
    device,
    [
      external({
        name: "points",
        shape: [37, 2],
        params: { buffer: params, offset: 260 },
        gradients: { buffer: gradients, offset: 12 },
      }),
    ],
    { rule: sgd, lr: 0 },
  );
  const objective = await createObjective(optimizer, landscape);
  const { cpu } = await both(landscape, points, { rule: sgd });
  expectClose([(await objective.step()).loss], await cpu.objective.gradient(), 40);
  expectClose((await optimizer.read("gradients")).points!, (await cpu.optimizer.read("gradients")).points!, 8);
  expectClose([(await objective.evaluate()).loss], [(await cpu.objective.evaluate()).loss], 40);
  objective.destroy();
  optimizer.destroy();
  params.destroy();
  gradients.destroy();
});
