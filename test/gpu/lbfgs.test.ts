// L-BFGS on the GPU: the recorded runs of torch's, closures that encode kernels, saving, the handover's laws, losses that are not
// finite, and what a step costs in dispatches and readbacks, however many tensors there are.
import { describe, expect, it } from "vitest";
import { ourVectors, textbookVectors } from "../../bench/suites/lbfgs.ts";
import { createOptimizer, type GpuOptimizer } from "../../src/engines/gpu/optimizer.ts";
import { createVectors } from "../../src/engines/gpu/vectors.ts";
import { alone, at, copy, type VectorSpace } from "../../src/engines/vectors.ts";
import { lbfgsCase, readLbfgsCases } from "../../src/lab/lbfgs.ts";
import { digitsDataset } from "../../src/objectives/data/digits.ts";
import { landscapeOf } from "../../src/objectives/landscapes/define.ts";
import { rosenbrock } from "../../src/objectives/landscapes/rosenbrock.ts";
import { Iteration, roomOf, type Source } from "../../src/objectives/lbfgs/iteration.ts";
import { createLbfgs, type LbfgsOptions } from "../../src/objectives/lbfgs/lbfgs.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { createObjective } from "../../src/objectives/objective_gpu.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import { adam } from "../../src/rules/adam.ts";
import { webgpuEngine } from "../../src/train/engine.ts";
import { golden, goldenText } from "../golden.ts";
import { handoverLaws } from "../handover.ts";
import { data } from "../training.ts";
import { countingDevice } from "./counting.ts";
import { device } from "./setup.ts";

const { lbfgs } = golden<{ readonly lbfgs: readonly { readonly id: string }[] }>("curvature.json");
const digits = digitsDataset(goldenText("digits.json"));

describe("recorded runs of L-BFGS", () => {
  it.each(readLbfgsCases(lbfgs).map((entry) => [entry.id, entry] as const))(
    "%s: its losses are reached in 1.5 times its evaluations at most",
    async (_, entry) => {
      const result = await lbfgsCase(entry, webgpuEngine(device), digits);
      expect(result).toMatchObject({ ok: true });
    },
  );
});

handoverLaws(async () => ({ engine: webgpuEngine(device) }));

const onValley = async (options: LbfgsOptions = {}, on?: GPUDevice) => {
  const landscape = landscapeOf(rosenbrock({ dimension: 6 }));
  const optimizer = await createOptimizer(on ?? device, initialTensors(landscape), adam());
  const lbfgs = await createLbfgs(optimizer, { gradientTolerance: 0, changeTolerance: 0, ...options });
  return { optimizer, objective: await createObjective(optimizer, landscape), lbfgs };
};

/** ½ Σ p² of a tensor "p", in one kernel that also leaves the loss. */
async function bowlClosure(optimizer: GpuOptimizer) {
  const { device } = optimizer;
  const code = `
    @group(0) @binding(0) var<storage, read> p: array<f32>;
    @group(0) @binding(1) var<storage, read_write> g: array<f32>;
    @group(0) @binding(2) var<storage, read_write> loss: array<f32>;
    @compute @workgroup_size(1) fn main() {
      var sum = 0.0;
      for (var i = 0u; i < 5u; i++) { g[i] = f32(i + 1u) * (p[i] - 1.0); sum += 0.5 * f32(i + 1u) * (p[i] - 1.0) * (p[i] - 1.0); }
      loss[2] = sum;
    }`;
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
  });
  const loss = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [optimizer.binding("params", "p"), optimizer.binding("gradients", "p"), { buffer: loss }].map(
      (resource, binding) => ({ binding, resource }),
    ),
  });
  return (pass: GPUComputePassEncoder) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(1);
    return { buffer: loss, offset: 8 };
  };
}

describe("L-BFGS on the GPU", () => {
  it("takes a closure that encodes kernels", async () => {
    const optimizer = await createOptimizer(device, [{ name: "p", shape: [5], data: [5, 4, 3, 2, 7] }], adam());
    const lbfgs = await createLbfgs(optimizer);
    const closure = await bowlClosure(optimizer);
    const report = await lbfgs.step(closure);
    expect(report.startLoss).toBeCloseTo((16 + 2 * 9 + 3 * 4 + 4 * 1 + 5 * 36) / 2, 4);
    expect(report.loss).toBeLessThan(1e-8);
    const { p } = await optimizer.read();
    for (const value of p!) expect(value).toBeCloseTo(1, 4);
    optimizer.write("params", { p: [2, 2, 2, 2, 2] });
    let calls = 0;
    const failing = (pass: GPUComputePassEncoder) => {
      if (++calls === 3) throw new RangeError("no more");
      return closure(pass);
    };
    await expect(lbfgs.step(failing)).rejects.toThrow(RangeError);
    const at = (await optimizer.read()).p!;
    expect(at.every((value) => Math.abs(value - 1) < 1)).toBe(true);
    await expect(lbfgs.step(() => 3 as never)).rejects.toThrow(
      "the closure returned 3; it must return where the loss is",
    );
    expect((await optimizer.read()).p).toEqual(at);
    expect((await lbfgs.step(closure)).loss).toBeLessThan(1e-8);
  });

  it("goes on from what was saved, to the bit", async () => {
    const options = { maxIterations: 7, history: 4 };
    const first = await onValley(options);
    await first.lbfgs.step(first.objective);
    const [parameters, state] = [await saveCheckpoint(first.optimizer), await first.lbfgs.save()];
    const expected = await first.lbfgs.step(first.objective);
    const second = await onValley(options);
    await loadCheckpoint(second.optimizer, parameters);
    await second.lbfgs.load(state);
    expect(await second.lbfgs.step(second.objective)).toEqual(expected);
    expect(await second.optimizer.read()).toEqual(await first.optimizer.read());
  });

  it("notices parameters that were changed since, and ends where float32 does", async () => {
    const { optimizer, objective, lbfgs } = await onValley({ maxIterations: 200 });
    const report = await lbfgs.step(objective);
    expect(report.loss).toBeLessThan(1e-8);
    expect(["stuck", "gradient"]).toContain(report.reason);
    const point = [0, 0, 0, 0, 0, 0.5];
    optimizer.write("params", { points: point });
    const again = await lbfgs.step(objective);
    expect(again.startLoss).toBeCloseTo(landscapeOf(rosenbrock({ dimension: 6 })).value(point), 4);
    expect(again.loss).toBeLessThan(1e-6);
  });

  it("undoes a step onto a loss that is not finite", async () => {
    const { optimizer, objective, lbfgs } = await onValley({ lineSearch: "none", lr: 1e30 });
    const before = await optimizer.read();
    expect(await lbfgs.step(objective)).toMatchObject({ reason: "notFinite", iterations: 0 });
    expect(await optimizer.read()).toEqual(before);
  });

  it("reads once and dispatches as much for each evaluation, however many tensors there are", async () => {
    const counts = async (depth: number) => {
      const { device, count } = countingDevice();
      const model = createModel({ layers: [4, ...Array.from({ length: depth }, () => 4), 3], activation: "tanh" });
      const optimizer = await createOptimizer(device, initialTensors(model), adam());
      const objective = await createObjective(optimizer, model, { data, batch: 32 });
      const rows = Uint32Array.from({ length: 32 }, (_, i) => i);
      const lbfgs = await createLbfgs(optimizer, { maxIterations: 1, history: 3 });
      let evaluations = 0;
      const step = async () => {
        ({ evaluations } = await lbfgs.step(objective, rows));
      };
      for (let i = 0; i < 4; i++) await step();
      let made = await count(step);
      for (let i = 0; i < 10 && evaluations > 1; i++) made = await count(step);
      const gradient = await count(() => objective.gradient(rows));
      return { evaluations, submits: made.submits, own: made.dispatches - evaluations * gradient.dispatches };
    };
    const [few, many] = [await counts(1), await counts(4)];
    expect(few.submits).toBe(few.evaluations);
    expect(many.submits).toBe(many.evaluations);
    expect([few.evaluations, many.evaluations]).toEqual([1, 1]);
    expect(many.own).toBe(few.own);
    expect(many.own).toBeLessThanOrEqual(22);
  });

  it("moves at most 1.5 times the vectors that the two-loop recursion must", async () => {
    const history = 10;
    const optimizer = await createOptimizer(device, [{ name: "p", shape: [500] }], adam());
    optimizer.write("params", { p: Array.from({ length: 500 }, (_, i) => Math.sin(i)) });
    const { vectors, scalars } = roomOf(history);
    const space = await createVectors(optimizer, { scalars });
    const curvatures = at(await space.create(1));
    space.write(curvatures, [Array.from({ length: 500 }, (_, i) => 1000 ** (i / 500))]);
    let moved = 0;
    // Reads and writes of whole vectors; what a combination multiplies by 0 is not read.
    const counted: Partial<VectorSpace> = {
      dots(x, y, into) {
        const within = y.block === x.block && y.index >= x.first && y.index < x.first + x.count;
        moved += x.count + Number(!within);
        space.dots(x, y, into);
      },
      combine(y, keep, x, coefficients, times) {
        moved += 1 + Number(keep !== 0) + (coefficients as readonly number[]).filter((c) => c !== 0).length;
        space.combine(y, keep, x, coefficients, times);
      },
      extent(x, into) {
        moved += 1;
        space.extent(x, into);
      },
      load(role, to) {
        moved += 2;
        space.load(role, to);
      },
      store(from) {
        moved += 2;
        space.store(from);
      },
    };
    const whole = new Proxy(space, {
      get: (target, name) => {
        const own = counted[name as keyof VectorSpace] ?? target[name as keyof VectorSpace];
        return typeof own === "function" ? own.bind(target) : own;
      },
    });
    const settings = { lr: 1, history, maxIterations: 1, maxEvaluations: 25, gradientTolerance: 0, changeTolerance: 0 };
    const iteration = new Iteration(whole, await space.create(vectors), { ...settings, lineSearch: "strongWolfe" });
    const source: Source = {
      moves: true,
      record(point, gradient, loss) {
        // The parameters and the gradient are copied; what the objective itself moves is not L-BFGS's.
        moved += 2;
        whole.store(point);
        copy(space, point, gradient);
        space.multiply(gradient, curvatures);
        space.dots(alone(gradient), point, loss);
        space.combine(gradient, 2, alone(point), [0]);
      },
    };
    let evaluations = 0;
    for (let i = 0; i < 14; i++) {
      moved = 0;
      ({ evaluations } = await iteration.step(source, true));
    }
    expect([iteration.pairs, evaluations]).toEqual([history, 1]);
    expect(moved).toBe(ourVectors(history));
    // Each s and y twice; gradients, points, the new pair and a direction, which every form of L-BFGS reads and writes, are ten.
    expect(moved).toBeLessThanOrEqual(1.5 * (4 * history + 10));
    expect(moved).toBeLessThan(textbookVectors(history) * 0.7);
  });
});
