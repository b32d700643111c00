// The laws of physics-informed networks, on whichever engine: PyTorch's losses and gradients, batches in parts, replicas,
// weights, and what an evaluation says.
import { describe, expect, it } from "vitest";
import { pinnCase, readPinns } from "../src/lab/pinns.ts";
import { pointsDataset } from "../src/objectives/data/points.ts";
import { createModel } from "../src/objectives/models/index.ts";
import { pinn } from "../src/objectives/models/pinn.ts";
import { poisson } from "../src/objectives/problems/poisson.ts";
import { defineProblem } from "../src/objectives/problems/problem.ts";
import { initialTensors } from "../src/objectives/program.ts";
import type { TensorValues } from "../src/optimizer/optimizer.ts";
import { sgd } from "../src/rules/sgd.ts";
import { createTrainee, type Engine } from "../src/train/engine.ts";
import { golden } from "./golden.ts";

const recorded = readPinns(golden<{ readonly pinns: unknown }>("curvature.json").pinns);

/** An equation that asks for everything there is, and is not linear; its boundary has values and weights of its own. */
export const tangled = defineProblem({
  name: "tangled",
  dimensions: 2,
  boundary: [
    { at: [0, 0], value: 0.5 },
    { at: [1, 0.25], value: -0.25, weight: 0.5 },
    { at: [0.5, 1], weight: 2 },
  ],
  right: (x) => x[0]! - x[1]!,
  exact: (x) => x[0]! * x[1]!,
  left: (x, { u, d, dd }) => dd[0] + 0.5 * u * dd[1] + x[1]! * d[0] - d[1] ** 2 + u ** 3,
  slopes: (x, { u, d, dd }) => ({ u: 0.5 * dd[1] + 3 * u ** 2, d: [x[1]!, -2 * d[1]], dd: [1, 0.5 * u] }),
  wgsl: `
    fn left(x: vec2f, u: Jet) -> f32 {
      return u.dd.x + 0.5 * u.u * u.dd.y + x.y * u.d.x - u.d.y * u.d.y + u.u * u.u * u.u;
    }
    fn slopes(x: vec2f, u: Jet) -> Jet {
      return Jet(0.5 * u.dd.y + 3.0 * u.u * u.u, vec2f(x.y, -2.0 * u.d.y), vec2f(1.0, 0.5 * u.u));
    }`,
});

/** Parameters of which no bias is 0. */
export function unevenTensors(model: ReturnType<typeof createModel>, seed: number) {
  return initialTensors(model, { seed }).map(({ name, shape, data }, t) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return { name, shape, data: data ?? Float32Array.from({ length }, (_, i) => Math.sin(i + t + seed) / 4) };
  });
}

const allRows = (count: number) => Uint32Array.from({ length: count }, (_, row) => row);

function furthest(a: TensorValues, b: TensorValues): number {
  return Math.max(
    ...Object.entries(a).map(([name, values]) => {
      const scale = Math.max(...values.map(Math.abs));
      return Math.max(...values.map((value, i) => Math.abs(value - b[name]![i]!))) / scale;
    }),
  );
}

export function pinnLaws(engine: Engine): void {
  it.each(recorded)("curvature.json: $id", async (entry) => {
    const result = await pinnCase(entry, engine);
    expect(result).toEqual({ id: entry.id, ok: true, worst: expect.any(Number) });
  });

  it("says which number is not as it was recorded, and what keeps a case from running", async () => {
    const [entry] = recorded;
    const { loss } = entry!;
    expect(await pinnCase({ ...entry!, loss: 2 * loss }, engine)).toMatchObject({
      ok: false,
      error: expect.stringMatching(`^the loss is .*; ${2 * loss} was expected, ± `),
    });
    const model = { ...entry!.model, activation: "relu" as const };
    expect(await pinnCase({ ...entry!, model }, engine)).toMatchObject({
      ok: false,
      worst: null,
      error: expect.stringContaining('model.activation is "relu", whose second derivative is zero'),
    });
  });

  const model = createModel(pinn([2, 6, 5, 1], { problem: tangled, l2: 0.01, boundaryWeight: 7 }));
  const points = pointsDataset({ dimensions: 2, count: 30, seed: 3 });

  it("adds up to the whole from parts, the boundary once", async () => {
    const data = { ...points, weights: Float32Array.from({ length: 30 }, (_, i) => i % 3) };
    const of = async (microBatch?: number) => {
      const options = { data, batch: 25, microBatch };
      const trainee = await createTrainee(engine, model, unevenTensors(model, 1), { rule: sgd }, options);
      const [loss] = await trainee.objective.gradient(allRows(25));
      const gradients = await trainee.optimizer.read("gradients");
      const evaluation = await trainee.objective.evaluate(data);
      trainee.destroy();
      return { loss: loss!, gradients, evaluation };
    };
    const [whole, parts] = [await of(), await of(8)];
    expect(Math.abs(parts.loss - whole.loss)).toBeLessThan(1e-6 * whole.loss);
    expect(furthest(whole.gradients, parts.gradients)).toBeLessThan(1e-6);
    expect(Math.abs(parts.evaluation.loss - whole.evaluation.loss)).toBeLessThan(1e-6 * whole.loss);
    expect(Math.abs(parts.evaluation.error - whole.evaluation.error)).toBeLessThan(1e-6);
    expect(whole.evaluation.accuracy).toBeNaN();
  });

  it("has in each replica the bits of a run alone, and keeps them while it is halted", async () => {
    const starts = [1, 2].map((seed) => unevenTensors(model, seed));
    const config = { rule: sgd, lr: 1e-3 } as const;
    const options = { data: points, batch: 10 };
    const alone = [];
    for (const [replica, start] of starts.entries()) {
      const trainee = await createTrainee(engine, model, start, config, options);
      const losses = [];
      for (let step = 0; step < 2 - replica; step++) losses.push((await trainee.objective.step(allRows(10))).loss);
      alone.push({ losses, params: await trainee.optimizer.read() });
      trainee.destroy();
    }
    const together = await createTrainee(engine, model, starts[0]!, { ...config, replicas: [{}, {}] }, options);
    together.optimizer.write("params", Object.fromEntries(starts[1]!.map(({ name, data }) => [name, data])), {
      replica: 1,
    });
    const first = await together.objective.step(allRows(10));
    expect(first.replicas.map(({ loss }) => loss)).toEqual(alone.map(({ losses }) => losses[0]));
    together.optimizer.halt(1);
    const { replicas } = await together.objective.step(allRows(10));
    expect(replicas[0]!.loss).toBe(alone[0]!.losses[1]);
    for (const [replica, { params }] of alone.entries()) {
      expect(await together.optimizer.read("params", { replica })).toEqual(params);
    }
    together.destroy();
  });

  describe("at u = 0", () => {
    const still = createModel(pinn([1, 4, 1], { problem: poisson({ k: 2 }) }));
    const zeros = still.program.tensors().map(({ name, shape }) => ({ name, shape }));
    const data = pointsDataset({ grid: 21 });
    const sine = [...data.inputs].map((x) => Math.sin(2 * Math.PI * x));
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

    it("the loss is the mean square of the right-hand side, the error that of the exact solution", async () => {
      const trainee = await createTrainee(engine, still, zeros, { rule: sgd }, { data, batch: 8 });
      const { loss, error } = await trainee.objective.evaluate(data);
      const square = mean(sine.map((value) => value ** 2));
      expect(loss / (square * (2 * Math.PI) ** 4)).toBeCloseTo(1, 6);
      expect(error / Math.sqrt(square)).toBeCloseTo(1, 6);
      trainee.destroy();
    });

    it("rows of weight 0 say nothing, and leave the boundary", async () => {
      const weights = Float32Array.from({ length: 21 }, (_, i) => Number(i > 4));
      const tensors = zeros.map((tensor) => (tensor.name === "layer2.bias" ? { ...tensor, data: [0.5] } : tensor));
      const weighted = { ...data, weights };
      const trainee = await createTrainee(engine, still, tensors, { rule: sgd }, { data: weighted, batch: 8 });
      // Both ends, by the boundary's weight of 100.
      expect(await trainee.objective.gradient(Uint32Array.of(0, 3))).toEqual([50]);
      expect((await trainee.optimizer.read("gradients"))["layer2.bias"]).toEqual(Float32Array.of(200));
      trainee.destroy();
    });
  });
}
