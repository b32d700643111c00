// Objectives of one's own without a GPU: what is refused, the twin as an objective, what verifyObjective finds of a twin, and
// the derivatives that it goes by.

import { describe, expect, it } from "vitest";
import { createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { external } from "../../src/engines/gpu/external.ts";
import { shiftsAround, slopeOf } from "../../src/lab/slopes.ts";
import { verifyObjective } from "../../src/lab/verify_objective.ts";
import {
  type CustomDefinition,
  type CustomObjective,
  customSnippets,
  defineObjective,
  fitTo,
} from "../../src/objectives/custom.ts";
import type { Dataset } from "../../src/objectives/data/dataset.ts";
import { createCpuObjective } from "../../src/objectives/objective_cpu.ts";
import { customProbeSource, customSources } from "../../src/objectives/sources.ts";
import { layoutSegments } from "../../src/optimizer/arena.ts";
import { adam } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { curve, peaks, regression, spots } from "../custom_objectives.ts";

const everyRow = (count: number) => Uint32Array.from({ length: count }, (_, row) => row);
const problems = async (objective: CustomDefinition, data: Dataset = curve(20)) =>
  (await verifyObjective(objective, { data })).flatMap(({ problem }) => problem ?? []);

describe("defineObjective refuses", () => {
  it.each<[string, object, string]>([
    ["no name", { name: "" }, 'objective.name is ""; it must be a non-empty string'],
    ["unknown fields", { lost: 1 }, 'objective has an unknown option "lost"'],
    ["no tensors", { tensors: [] }, "tensors is []; it must be an array of at least one"],
    ["bad shapes", { tensors: [{ name: "w", shape: [0] }] }, 'the shape of tensor "w" is [0]'],
    [
      "names that are one in WGSL",
      { tensors: ["a.b", "a_b"].map((name) => ({ name, shape: [1] })) },
      'two tensors of objective peaks are both called first_a_b in WGSL, one of them "a_b"',
    ],
    ["no features", { features: 0 }, "features of objective peaks is 0; it must be a whole number >= 1"],
    ["no loss", { wgsl: "" }, 'the wgsl of objective peaks has no "fn loss(row: u32) -> f32"'],
    [
      "a loss that is a comment",
      { wgsl: peaks.wgsl.replace("fn loss", "// fn loss") },
      'the wgsl of objective peaks has no "fn loss(row: u32) -> f32"',
    ],
    [
      "no gradient",
      { wgsl: peaks.wgsl.replace("fn gradient", "fn slope") },
      'the wgsl of objective peaks has no "fn gradient(row: u32, i: u32) -> f32"',
    ],
    ["a twin that is none", { loss: 3 }, "the loss of objective peaks is 3; it must be a function"],
    ["half a twin", { loss: undefined }, "objective peaks has a twin for its gradient but not its loss"],
  ])("%s", (_, change, message) => {
    expect(() => defineObjective({ ...peaks, ...change })).toThrow(message);
  });
});

describe("an objective is bound to", () => {
  const make = (objective: CustomDefinition, data: Dataset, tensors = objective.tensors, batch = 4) =>
    createCpuObjective(createCpuOptimizer(tensors, { rule: sgd }), defineObjective(objective), { data, batch });
  const unweighted = { ...curve(4), weights: undefined };

  it.each<[string, () => unknown, string]>([
    [
      "no data of another width",
      () => make(peaks, { ...unweighted, features: 2, inputs: new Float32Array(8) }),
      "objective peaks takes 1 features; the rows of curve have 2 numbers",
    ],
    [
      "no data with other targets",
      () => make(peaks, { ...unweighted, outputs: 2, targets: new Float32Array(8) }),
      "objective peaks takes 1 outputs; curve has 2 numbers to predict",
    ],
    [
      "no data without labels where it reads them",
      () => make(regression, curve(4)),
      "objective regression reads label(row), which curve does not have: it has 1 number to predict",
    ],
    [
      "no data with labels where it reads targets",
      () => make({ ...peaks, features: undefined, outputs: undefined }, spots(4)),
      "objective peaks reads target_of(row, k), which spots does not have: it has 3 classes",
    ],
    [
      "no bad data",
      () => make(peaks, { ...curve(4), scale: 1, inputs: Float32Array.of(1, 2, Number.NaN, 4) }),
      "row 2",
    ],
    [
      "no other tensors",
      () => make(peaks, curve(4), [peaks.tensors[0]!, { name: "place", shape: [5] }]),
      'the optimizer\'s tensor "place" has shape [5]; objective peaks has [4]',
    ],
    ["no tensors that lack one", () => make(peaks, curve(4), [peaks.tensors[0]!]), 'tensor "place" is missing'],
    ["no batch of none", () => make(peaks, curve(4), peaks.tensors, 0), "batch is 0; it must be a whole number >= 1"],
    [
      "no CPU without a twin",
      () => make({ ...peaks, loss: undefined, gradient: undefined } as never, curve(4)),
      "objective peaks has no loss in JavaScript, which the CPU engine needs",
    ],
  ])("%s", (_, bind, message) => {
    expect(bind).toThrow(message);
  });
});

it("tensors in the caller's buffers are refused", () => {
  const buffer = { size: 16 } as GPUBuffer;
  const segments = layoutSegments([
    peaks.tensors[1]!,
    external({ name: "height", shape: [4], params: { buffer }, gradients: { buffer } }),
  ]);
  expect(() => peaks.program.segmentsOf(segments)).toThrow(
    'tensor "height" is in an external buffer; tensors of objective peaks must be in the optimizer\'s arenas',
  );
});

describe("the twin as an objective", () => {
  it("trains", async () => {
    const start = (data: number[], name: string) => ({ name, shape: [4], data });
    const optimizer = createCpuOptimizer([start([1, 1, 1, 1], "height"), start([-2, -1, 1, 2], "place")], {
      rule: adam,
      lr: 0.05,
    });
    const data = curve(30);
    const objective = createCpuObjective(optimizer, peaks, { data, batch: 30 });
    const before = await objective.evaluate(data);
    for (let step = 0; step < 200; step++) await objective.step(everyRow(30));
    const after = await objective.evaluate(data);
    expect(after.loss).toBeLessThan(before.loss / 2);
    expect(after.accuracy).toBeNaN();
    // A weighted mean: batch by batch it is the same.
    const parts = await createCpuObjective(optimizer, peaks, { data, batch: 7 }).evaluate(data);
    expect(parts.loss).toBeCloseTo(after.loss, 12);
    expect((await objective.step(Uint32Array.of(0, 3))).loss).toBe(0);
    expect((await optimizer.read("gradients")).height).toEqual(new Float32Array(4));
  });

  it("has Hessian-vector products, with derivatives of its own or without", async () => {
    const products = [];
    for (const objective of [peaks, { ...peaks, gradient: undefined } as unknown as CustomObjective]) {
      const data = [0.3, -1, 2, 0.7];
      const tensors = ["height", "place"].map((name) => ({ name, shape: [4], data }));
      const { gradient, ...rest } = objective;
      const twin = defineObjective(gradient ? objective : rest);
      const objectiveOfTwin = createCpuObjective(createCpuOptimizer(tensors, { rule: sgd }), twin, {
        data: curve(9),
        batch: 9,
      });
      products.push(
        await objectiveOfTwin.hessianVector(
          {
            height: Float32Array.of(1, 0, 2, 0),
            place: Float32Array.of(0, 1, 0, -1),
          },
          { rows: everyRow(9) },
        ),
      );
    }
    const [exact, rough] = products as [(typeof products)[0], (typeof products)[0]];
    for (const name of ["height", "place"]) {
      exact[name]!.forEach((value, i) => {
        expect(Math.abs(rough[name]![i]! - value)).toBeLessThan(2e-5);
      });
    }
  });
});

describe("verifyObjective without a device", () => {
  it("passes a right twin, and needs one", async () => {
    expect(await problems(peaks)).toEqual([]);
    const { loss: _, gradient: __, ...alone } = peaks;
    await expect(verifyObjective(alone, { data: curve(3) })).rejects.toThrow(
      "objective peaks has no twin, so without a device there is nothing to verify",
    );
  });

  it("says where a twin's gradient is wrong and by how much", async () => {
    const found = await problems({
      ...peaks,
      gradient(p, example, out) {
        peaks.gradient!(p, example, out);
        out[6]! /= 2;
      },
    });
    expect(found).toHaveLength(1);
    const [gradient, slope, error] = /by place\[2\] is (\S+), finite differences give (\S+) ± (\S+) \(row \d+; /
      .exec(found[0]!)!
      .slice(1)
      .map(Number) as [number, number, number];
    expect(gradient / slope).toBeCloseTo(0.5, 2);
    expect(error).toBeLessThan(Math.abs(slope) / 1000);
  });

  it("reports what throws, and a loss that is not a number", async () => {
    const throws = () => {
      throw new TypeError("boo");
    };
    expect(await problems({ ...peaks, gradient: throws })).toEqual(["objective peaks: it throws TypeError: boo"]);
    expect(await problems({ ...peaks, loss: () => Number.NaN })).toEqual([
      expect.stringMatching(/^objective peaks: the loss of row \d+ is NaN$/),
    ]);
  });

  it.each<[object, string]>([
    [{ rows: [20] }, "rows holds 20; the rows of curve are 0 to 19"],
    [{ rows: [] }, "rows holds 0 rows; it must hold 1 to 1024"],
    [{ params: { hight: [1] } }, 'params names "hight", which is not a tensor; the tensors are height, place'],
    [{ params: { place: [1] } }, 'params of "place" has 1 numbers; the tensor has 4'],
    [{ seed: -1 }, "seed is -1"],
  ])("refuses %j", async (options, message) => {
    await expect(verifyObjective(peaks, { data: curve(20), ...options })).rejects.toThrow(message);
  });
});

describe("finite differences", () => {
  /** As float32 would have it. */
  const inFloat32 = (f: (x: number) => number, x: number) => {
    const xs = shiftsAround(x).map(Math.fround);
    return slopeOf(xs, Float32Array.from(xs, f), 2 ** -24);
  };
  it.each<[string, (x: number) => number, number, number]>([
    ["a wave", Math.sin, 1.3, Math.cos(1.3)],
    ["a steep wave", (x) => Math.sin(30 * x), 0.7, 30 * Math.cos(21)],
    ["a kink near by", (x) => Math.abs(x - 0.5), 0.51, 1],
    ["a pole near by", (x) => 1 / x, 0.05, -400],
    ["an edge beyond which there is nothing", Math.log, 0.1, 10],
    ["a constant", () => 3, 2, 0],
    ["a large offset", (x) => 1000 + x * x, 0.3, 0.6],
    ["large numbers", (x) => 1e6 * x * x, 1e3, 2e9],
  ])("of %s bound their error", (_, f, x, wanted) => {
    const { slope, error } = inFloat32(f, x);
    expect(Math.abs(slope - wanted)).toBeLessThanOrEqual(4 * error + 1e-6 * Math.abs(wanted));
    expect(error).toBeLessThan(0.03 * Math.max(Math.abs(wanted), 0.1));
  });
});

describe("WGSL", () => {
  it("is bound as the host has it, eight buffers at most, and the author's lines come last", () => {
    const segments = layoutSegments([{ name: "other", shape: [3] }, ...peaks.tensors]);
    const parts = customSnippets(fitTo(peaks, curve(3)), segments.slice(1), segments);
    const bound = (code: string) => {
      const bindings = [...code.matchAll(/@binding\((\d)\) var<\w+(?:, \w+)?> (\w+)/g)];
      return bindings.sort(([, a], [, b]) => Number(a) - Number(b)).map(([, , name]) => name);
    };
    const { loss, gradient, join } = customSources("peaks", parts);
    const inputs = ["data", "answers", "sizes", "batch", "weights", "params", "control"];
    expect(bound(loss.code)).toEqual([...inputs, "outcomes"]);
    expect(bound(gradient.code)).toEqual([...inputs, "sums"]);
    expect(bound(join.code)).toEqual(["sums", "batch", "control", "gradients", "sizes"]);
    const probe = customProbeSource("peaks", parts);
    expect(bound(probe.code)).toEqual(["data", "answers", "sizes", "params", "rows", "probed", "values", "findings"]);
    for (const source of [loss, gradient, probe])
      expect(source.snippets[source.snippets.length - 1]!.name).toBe("its wgsl");
    expect(loss.code).toContain("if (i >= 4u) { return 128u + (i - 4u); } else { return 64u + (i - 0u); }");
    expect(loss.code).toContain("const first_place = 4u;");
  });
});
