// Every public function with arguments of the wrong kind: an error of ours, or a result; never a bare TypeError, and never
// an option that is passed over.
import { describe, expect, it } from "vitest";
import * as fallline from "../../src/index.ts";
import { type Call, complaints, hostile, methodComplaints } from "../hostile.ts";

const { createCpuOptimizer, rules } = fallline;
const exported = new Map<string, unknown>(Object.entries(fallline));

/** Not called here: they need a device or a browser, take what anyone makes (classes), or read CSV, which has tests of its own. */
const left = new Set([
  "Random",
  "FalllineError",
  "OptionError",
  "DataError",
  "DeviceError",
  "parseCsv",
  "mnistDataset",
]);

const functions = [...exported.keys()].filter((name) => typeof exported.get(name) === "function" && !left.has(name));

describe("a hostile first argument", () => {
  it.each(functions)("of %s", async (name) => {
    const given = hostile.map((value) => [value]);
    expect(await complaints(name, exported.get(name) as Call, given)).toEqual([]);
  });
});

const model = { layers: [2, 2] };
const data = fallline.arrayDataset({
  inputs: [
    [0, 1],
    [1, 0],
  ],
  labels: [1, 0],
});
const tensors = [{ name: "w", shape: [2] }];
const run = { model, optimizer: { rule: "sgd" }, batch: 1, steps: 1 } as const;

/** Calls whose arguments are right up to the last one. */
const openings: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  createCpuOptimizer: [[tensors]],
  layerwiseDecay: [[tensors]],
  createCpuObjective: [
    [
      createCpuOptimizer(fallline.initialTensors(fallline.createModel(model)), { rule: "sgd" }),
      fallline.createModel(model),
    ],
    [
      createCpuOptimizer(fallline.initialTensors(fallline.createModel(model)), { rule: "sgd" }),
      fallline.createModel(model),
      data,
    ],
    [
      createCpuOptimizer(fallline.initialTensors(fallline.createModel(model)), { rule: "sgd" }),
      fallline.createModel(model),
      data,
      1,
    ],
  ],
  initialTensors: [[fallline.createModel(model)]],
  batches: [[10], [10, 2]],
  firstRows: [[data]],
  sliceRows: [[data], [data, 0]],
  splitRows: [[data]],
  createSchedule: [["x"]],
  train: [[fallline.cpuEngine()], [fallline.cpuEngine(), run], [fallline.cpuEngine(), run, data]],
  sweep: [[fallline.cpuEngine()], [fallline.cpuEngine(), run], [fallline.cpuEngine(), run, data]],
  search: [[fallline.cpuEngine()], [fallline.cpuEngine(), run], [fallline.cpuEngine(), run, data]],
  rangeTest: [[fallline.cpuEngine()], [fallline.cpuEngine(), run], [fallline.cpuEngine(), run, data]],
  findLr: [[{}]],
  loadTorch: [
    [createCpuOptimizer(tensors, { rule: "sgd" })],
    [createCpuOptimizer(tensors, { rule: "sgd" }), new Uint8Array(9)],
  ],
  parseIdx: [["x"], ["x", new Uint8Array(9)]],
  idxDataset: [["x"], ["x", new Uint8Array(9)], ["x", new Uint8Array(9), new Uint8Array(9)]],
  landscapeTensors: [[fallline.createLandscape(fallline.beale())]],
  verifyRule: [[rules[0]]],
  verifyObjective: [[{}]],
  readRunConfig: [[run]],
  gridTrials: [[{}]],
  randomTrials: [[{ lr: [1, 2] }]],
  spaced: [[1], [1, 2]],
  withPeak: [[{ rule: "sgd" }]],
  diffFields: [[{}]],
  diffCurves: [[{ losses: [], testAccuracy: null, environment: {} }]],
  createOptimizer: [[{ createBuffer: () => undefined }]],
};

describe("a hostile later argument", () => {
  it.each(Object.keys(openings))("of %s", async (name) => {
    expect(fallline).toHaveProperty(name);
    const given = openings[name]!.flatMap((opening) => hostile.map((value) => [...opening, value]));
    expect(await complaints(name, exported.get(name) as Call, given)).toEqual([]);
  });
});

const methods: Readonly<Record<string, () => object>> = {
  "an optimizer": () => createCpuOptimizer(tensors, { rule: "sgd", watch: true, accumulate: 1 }),
  "an objective": () => {
    const made = fallline.createModel(model);
    return fallline.createCpuObjective(
      createCpuOptimizer(fallline.initialTensors(made), { rule: "sgd" }),
      made,
      data,
      2,
    );
  },
  "a landscape's objective": () => {
    const landscape = fallline.createLandscape(fallline.beale());
    return fallline.createCpuLandscape(
      createCpuOptimizer(fallline.landscapeTensors(landscape), { rule: "sgd" }),
      landscape,
    );
  },
  "a landscape": () => fallline.createLandscape(fallline.beale()),
  "a watch": () => fallline.createWatch(),
  stopping: () => fallline.createStopping(),
  "random numbers": () => new fallline.Random(1),
};

describe("a hostile argument of a method", () => {
  it.each(Object.keys(methods))("of %s", async (what) => {
    expect(await methodComplaints(what, methods[what]!())).toEqual([]);
  });
});

describe("what was passed over or ended raw", () => {
  it("is refused in a sentence", async () => {
    const optimizer = createCpuOptimizer(fallline.initialTensors(fallline.createModel(model)), { rule: "sgd" });
    const objective = fallline.createCpuObjective(optimizer, fallline.createModel(model), data, 2);
    const before = await optimizer.save();
    await expect(objective.step([0, 1] as never)).rejects.toThrow("rows is [0,1]; it must be a Uint32Array");
    await expect(objective.gradient(null as never)).rejects.toThrow("rows is null; it must be a Uint32Array");
    await expect(objective.evaluate(undefined as never)).rejects.toThrow("data is missing; it must be a data set");
    await expect(objective.hessianVector(Uint32Array.of(0), {})).rejects.toThrow('vector["layer1.weight"] is missing');
    expect(() => optimizer.write("params", null as never)).toThrow("params is null; it must be an object of arrays");
    await expect(optimizer.read(5 as never)).rejects.toThrow("role is 5; it must be one of params, gradients");
    expect(() => optimizer.set(null as never)).toThrow("set is null; it must be an object with lr");
    expect(() => optimizer.freeze("x" as never)).toThrow('group is "x"; it must be a whole number');
    expect(() => optimizer.observe("x" as never)).toThrow('observe was given "x"; it must be a number');
    await expect(optimizer.load(null as never)).rejects.toThrow("null, not a Uint8Array");
    await expect(optimizer.load(before.buffer as never)).rejects.toThrow("not a Uint8Array");
    expect(await optimizer.save()).toEqual(before);
    expect(() => fallline.beale(...([5] as unknown as []))).toThrow("beale was given 5; it takes nothing");
    expect(() => fallline.himmelblau(...([{}] as unknown as []))).toThrow("himmelblau was given {}; it takes nothing");
    const misspelt = fallline.train(fallline.cpuEngine(), run, data, { onSteps: () => {} } as never);
    await expect(misspelt).rejects.toThrow('train has an unknown option "onSteps"');
  });

  it.each([Number.NaN, 0, -1, 0.5, 2 ** 33, "3"])("Random.below(%s) does not loop for ever", (n) => {
    expect(() => new fallline.Random(1).below(n as number)).toThrow("it must be a whole number in [1, 4294967296]");
  });

  it("values nested 20,000 deep, or that hold themselves, are refused by diffFields", () => {
    const deep = () => JSON.parse("[".repeat(20_000) + "]".repeat(20_000)) as unknown;
    expect(() => fallline.diffFields({ a: deep() }, { a: deep() })).toThrow("a is ");
    const loop: Record<string, unknown> = {};
    loop.loop = loop;
    expect(() => fallline.diffFields({}, { loop })).toThrow("nested more than 1000 deep");
    const nested = (at: string) => JSON.parse(`${'{"s":['.repeat(100)}${at}${"]}".repeat(100)}`) as unknown;
    expect(fallline.diffFields(nested("1"), nested("2"))).toHaveLength(1);
  });
});
