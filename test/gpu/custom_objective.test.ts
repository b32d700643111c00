// Objectives of one's own on the GPU: the twin's numbers, what verifyObjective finds, and its errors.

import { describe, expect, it, vi } from "vitest";
import { verifyObjective } from "../../src/lab/verify_objective.ts";
import { type CustomObjective, defineObjective } from "../../src/objectives/custom.ts";
import { createCpuObjective } from "../../src/objectives/objective_cpu.ts";
import { createObjective } from "../../src/objectives/objective_gpu.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { curve, peaks, regression, spots } from "../custom_objectives.ts";
import { createCpuOptimizer, createOptimizer } from "../optimizers.ts";
import { device, freshDevice } from "./setup.ts";

const close = (ours: ArrayLike<number>, theirs: ArrayLike<number>, tolerance: number) => {
  expect(ours.length).toBe(theirs.length);
  for (let i = 0; i < ours.length; i++) expect(Math.abs(ours[i]! - theirs[i]!)).toBeLessThan(tolerance);
};

describe("the GPU matches the twin", () => {
  it("in steps, evaluations and Hessian-vector products, replica by replica", async () => {
    // Another tensor stands between the objective's, which are the other way round, as in no arena of its own.
    const values = (seed: number) => Float32Array.from({ length: 4 }, (_, i) => Math.sin(i + seed));
    const tensors = [
      { name: "place", shape: [4], data: values(1) },
      { name: "other", shape: [70] },
      { name: "height", shape: [4], data: values(2) },
    ];
    const config = {
      rule: sgd,
      momentum: 0.9,
      lossScale: { init: 64, interval: 1 },
      replicas: [{ lr: 0.1 }, { lr: 0.02 }],
    } as const;
    const [data, test] = [curve(90), curve(50)];
    const [gpu, cpu] = [await createOptimizer(device, tensors, config), createCpuOptimizer(tensors, config)];
    const ours = await createObjective(gpu, peaks, { data, batch: 40 });
    const twin = createCpuObjective(cpu, peaks, { data, batch: 40 });
    const rowsOf = (step: number) => Uint32Array.from({ length: 40 - step }, (_, i) => (11 * step + 7 * i) % 90);
    const submit = vi.spyOn(device.queue, "submit");
    for (let step = 0; step < 6; step++) {
      if (step === 4) for (const optimizer of [gpu, cpu]) optimizer.halt(1);
      submit.mockClear();
      const [report, wanted] = [await ours.step(rowsOf(step)), await twin.step(rowsOf(step))];
      expect(submit).toHaveBeenCalledTimes(1);
      report.replicas.forEach((replica, r) => {
        expect(Math.abs(replica.loss - wanted.replicas[r]!.loss)).toBeLessThan(2e-5);
        expect(replica.step).toBe(wanted.replicas[r]!.step);
      });
    }
    submit.mockRestore();
    for (const replica of [0, 1]) {
      const [found, wanted] = [await gpu.read("params", { replica }), await cpu.read("params", { replica })];
      for (const { name } of tensors) close(found[name]!, wanted[name]!, 2e-5);
    }
    const [evaluation, wanted] = [await ours.evaluate(test), await twin.evaluate(test)];
    expect(Math.abs(evaluation.loss - wanted.loss)).toBeLessThan(2e-5);
    expect(evaluation.accuracy).toBeNaN();
    const vector = { height: values(3), place: values(4) };
    const product = await ours.hessianVector(vector, { rows: rowsOf(0) });
    const exact = await twin.hessianVector(vector, { rows: rowsOf(0) });
    for (const name of ["height", "place"]) close(product[name]!, exact[name]!, 5e-3);
    for (const each of [ours, gpu, twin, cpu]) each.destroy();
  });

  it.each(["as it is", "taken for a GPU with barriers"])(
    "with bytes, labels and more rows than one workgroup takes, on an adapter %s",
    async (kind) => {
      const made = kind === "as it is" ? device : await freshDevice();
      if (made !== device) Object.defineProperty(made, "adapterInfo", { value: undefined });
      const data = Float32Array.from({ length: 15 }, (_, i) => Math.cos(i));
      const tensors = [{ name: "weight", shape: [5, 3], data }];
      const config = { rule: sgd } as const;
      const [gpu, cpu] = [await createOptimizer(made, tensors, config), createCpuOptimizer(tensors, config)];
      const rows = Uint32Array.from({ length: 3000 }, (_, i) => i);
      const ours = await createObjective(gpu, regression, { data: spots(3000), batch: 3000 });
      const [loss] = await ours.gradient(rows);
      const [wanted] = await createCpuObjective(cpu, regression, { data: spots(3000), batch: 3000 }).gradient(rows);
      expect(Math.abs(loss! - wanted!)).toBeLessThan(1e-6);
      close((await gpu.read("gradients")).weight!, (await cpu.read("gradients")).weight!, 1e-6);
      // As often as it is asked for, to the bit.
      const before = await gpu.read("gradients");
      await ours.gradient(rows);
      expect(await gpu.read("gradients")).toEqual(before);
      ours.destroy();
      gpu.destroy();
    },
  );
});

/** One WGSL for everything that may be wrong, so that it is compiled once: the second input says what is. */
const faults = ["nothing", "a factor", "a sign", "a missing term", "a forgotten parameter", "one percent", "a stray"];
const faulty: CustomObjective = {
  ...peaks,
  features: 2,
  wgsl: `${peaks.wgsl.replace("fn loss(", "fn right_loss(").replace("fn gradient(", "fn right_gradient(")}
    fn loss(row: u32) -> f32 {
      if (input(row, 1u) == 6.0) {
        return right_loss(row) + param(8u);
      }
      return right_loss(row);
    }
    fn gradient(row: u32, i: u32) -> f32 {
      let right = right_gradient(row, i);
      switch u32(input(row, 1u)) {
        case 1u: { return select(right, 0.5 * right, i >= first_place); }
        case 2u: { return select(right, -right, i >= first_place); }
        case 3u: { return select(right, 2.0 * miss(row), i < first_place); }
        case 4u: { return select(right, 0.0, i == 6u); }
        case 5u: { return select(right, 1.01 * right, i == 2u); }
        default: { return right; }
      }
    }`,
};

describe("verifyObjective", () => {
  const verify = async (fault: string, change: Partial<CustomObjective> = {}, seed = 0) => {
    const data = curve(30);
    const inputs = Float32Array.from({ length: 60 }, (_, i) => {
      return i % 2 === 0 ? data.inputs[i / 2]! : faults.indexOf(fault) / data.scale;
    });
    const options = { device, data: { ...data, features: 2, inputs }, seed };
    const results = await verifyObjective({ ...faulty, ...change }, options);
    return results.flatMap(({ law, problem }) => (problem ? [`${law}: ${problem}`] : []));
  };

  it("passes what is right, with every law, wherever it is tried", async () => {
    const received: string[] = [];
    const onResult = ({ law, backend }: { law: string; backend: string }) => received.push(`${backend}: ${law}`);
    const results = await verifyObjective(regression, { device, data: spots(9), onResult });
    expect(results.filter(({ problem }) => problem)).toEqual([]);
    expect(received).toEqual(
      [
        "its WGSL compiles",
        "it reads only what exists",
        "its gradient is the slope of its loss",
        "the GPU matches the twin",
        "a batch gives the weighted mean of its rows",
        "replicas do not leak into each other",
      ].map((law) => `webgpu: ${law}`),
    );
    for (let seed = 1; seed < 5; seed++) expect(await verify("nothing", {}, seed)).toEqual([]);
  });

  const isSlope = "its gradient is the slope of its loss: objective peaks: the gradient by";
  it.each([
    [
      "a factor",
      `${isSlope} place\\[\\d\\] is \\S+, finite differences give \\S+ ± \\S+ \\(row \\d+; 32 of 64 are off\\)`,
    ],
    ["a sign", `${isSlope} place\\[\\d\\] is .*; 32 of 64 are off\\)`],
    ["a missing term", `${isSlope} height\\[\\d\\] is .*; \\d\\d of 64 are off\\)`],
    ["a forgotten parameter", `${isSlope} place\\[2\\] is 0, finite differences give .*; 8 of 64 are off\\)`],
    ["one percent", `${isSlope} height\\[2\\] is .*; 8 of 64 are off\\)`],
    [
      "a stray",
      "it reads only what exists: .* loss\\(\\d+\\) asks for param\\(8\\); there are 8 parameters, counted from 0",
    ],
  ])("finds %s", async (fault, wanted) => {
    const found = await verify(fault, { loss: undefined, gradient: undefined } as never);
    // What is read in place of the stray has a slope too.
    expect(found).toHaveLength(fault === "a stray" ? 2 : 1);
    expect(found[0]).toMatch(new RegExp(`^${wanted}$`));
  });

  it("finds a twin that differs", async () => {
    expect(await verify("nothing", { loss: (p, example) => 1.01 * peaks.loss!(p, example) })).toEqual([
      expect.stringMatching(/^its gradient is the slope of its loss: objective peaks: the gradient by \S+ is/),
      expect.stringMatching(
        /^the GPU matches the twin: objective peaks: the loss of row \d+ is \S+, and \S+ by the twin$/,
      ),
    ]);
  });

  it("names the line of WGSL that does not compile", async () => {
    const found = await verify("nothing", { wgsl: faulty.wgsl.replace("exp(-d * d)", "exp(-d * e)") });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^its WGSL compiles: objective peaks does not compile: its wgsl, line 4: .*'e'/);
    const optimizer = await createOptimizer(device, peaks.tensors, { rule: sgd });
    const taken = defineObjective({ ...peaks, wgsl: `fn linear(x: f32) -> f32 { return x; }\n${peaks.wgsl}` });
    await expect(createObjective(optimizer, taken, { data: curve(4), batch: 4 })).rejects.toThrow(
      /^objective peaks does not compile: its wgsl, line 1: .*linear/,
    );
    optimizer.destroy();
  });
});
