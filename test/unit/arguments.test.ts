// Every public function with arguments of the wrong kind: an error of ours, or a result; never a bare TypeError, and never
// an option that is passed over.

import { describe, expect, it } from "vitest";
import { layerStats } from "../../src/modifiers/layer_stats.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { type Call, complaints, hostile, methodComplaints } from "../hostile.ts";
import { library as fallline, publicFunctions } from "../library.ts";

const { createCpuOptimizer, rules } = fallline;

/** Not called here: one opens a device, one reads CSV, which has tests of its own. */
const left = new Set(["datasets.fromCsv", "requestNodeDevice"]);

const functions = [...publicFunctions.keys()].filter((name) => !left.has(name));

it("is named as it is, and each option once", () => {
  expect(() => fallline.readConfig({ rule: "adamw", learningRate: 1 })).toThrow(
    /; the options are rule, (?!.*\bclip, .*\bclip,).*watch \(did you mean lr\?\)$/,
  );
  expect(() => fallline.datasets.fromArrays({ inputs: [1n as unknown as number], labels: [0] })).toThrow(
    "has 1n as input 0",
  );
});

describe("a hostile first argument", () => {
  it.each(functions)("of %s", async (name) => {
    const given = hostile.map((value) => [value]);
    expect(await complaints(name, publicFunctions.get(name) as Call, given)).toEqual([]);
  });
});

const model = { layers: [2, 2] };
const data = fallline.datasets.fromArrays({
  inputs: [
    [0, 1],
    [1, 0],
  ],
  labels: [1, 0],
});
const tensors = [{ name: "w", shape: [2] }];
const run = { model, optimizer: { rule: sgd }, batch: 1, steps: 1 } as const;

/** Calls whose arguments are right up to the last one. */
const openings: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  createCpuOptimizer: [[tensors]],
  layerwiseDecay: [[tensors]],
  createCpuObjective: [
    [createCpuOptimizer(fallline.initialTensors(fallline.createModel(model)), { rule: sgd })],
    [
      createCpuOptimizer(fallline.initialTensors(fallline.createModel(model)), { rule: sgd }),
      fallline.createModel(model),
    ],
  ],
  initialTensors: [[fallline.createModel(model)], [fallline.landscapes.create(fallline.landscapes.beale())]],
  "datasets.batches": [[10], [10, 2]],
  "datasets.first": [[data]],
  "datasets.slice": [[data], [data, 0]],
  "datasets.split": [[data]],
  "schedules.create": [["x"]],
  "tuning.rangeTest": [[fallline.cpuEngine()], [fallline.cpuEngine(), run], [fallline.cpuEngine(), run, data]],
  loadTorch: [
    [createCpuOptimizer(tensors, { rule: sgd })],
    [createCpuOptimizer(tensors, { rule: sgd }), new Uint8Array(9)],
  ],
  "datasets.parseIdx": [["x"], ["x", new Uint8Array(9)]],
  "datasets.fromIdx": [["x"], ["x", new Uint8Array(9)], ["x", new Uint8Array(9), new Uint8Array(9)]],
  verifyRule: [[rules[0]]],
  verifyObjective: [[{}]],
  "runs.readConfig": [[run]],
  "tuning.gridTrials": [[{}]],
  "tuning.randomTrials": [[{ lr: [1, 2] }]],
  "tuning.spaced": [[1], [1, 2]],
  "tuning.withPeak": [[{ rule: sgd }]],
  "runs.diffFields": [[{}]],
  "runs.diffCurves": [[{ losses: [], testAccuracy: null, environment: {} }]],
  createOptimizer: [[{ createBuffer: () => undefined }]],
};

describe("a hostile later argument", () => {
  it.each(Object.keys(openings))("of %s", async (name) => {
    expect(publicFunctions.has(name)).toBe(true);
    const given = openings[name]!.flatMap((opening) => hostile.map((value) => [...opening, value]));
    expect(await complaints(name, publicFunctions.get(name) as Call, given)).toEqual([]);
  });
});

const methods: Readonly<Record<string, () => object>> = {
  "an optimizer": () => createCpuOptimizer(tensors, sgd({ modifiers: [layerStats()] })),
  "an objective": () => {
    const made = fallline.createModel(model);
    return fallline.createCpuObjective(createCpuOptimizer(fallline.initialTensors(made), { rule: sgd }), made, {
      data,
      batch: 2,
    });
  },
  "a landscape's objective": () => {
    const landscape = fallline.landscapes.create(fallline.landscapes.beale());
    return fallline.createCpuObjective(
      createCpuOptimizer(fallline.initialTensors(landscape), { rule: sgd }),
      landscape,
    );
  },
  "a landscape": () => fallline.landscapes.create(fallline.landscapes.beale()),
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
    const optimizer = createCpuOptimizer(fallline.initialTensors(fallline.createModel(model)), { rule: sgd });
    const objective = fallline.createCpuObjective(optimizer, fallline.createModel(model), { data, batch: 2 });
    const before = await saveCheckpoint(optimizer);
    await expect(objective.step([0, 1] as never)).rejects.toThrow("rows is [0,1]; it must be a Uint32Array");
    await expect(objective.gradient(null as never)).rejects.toThrow("rows is null; it must be a Uint32Array");
    await expect(objective.evaluate(undefined as never)).rejects.toThrow("data is missing; it must be a data set");
    await expect(objective.hessianVector({}, { rows: Uint32Array.of(0) })).rejects.toThrow(
      'vector["layer1.weight"] is missing',
    );
    expect(() => optimizer.write("params", null as never)).toThrow("params is null; it must be an object of arrays");
    const map = new Map([["w", [1, 2]]]);
    expect(() => optimizer.write("params", map as never)).toThrow("it must be an object of arrays by tensor name");
    await expect(optimizer.read(5 as never)).rejects.toThrow("role is 5; it must be one of params, gradients");
    expect(() => optimizer.set(null as never)).toThrow("set is null; it must be an object with lr");
    expect(() => optimizer.freeze({ group: "x" as never })).toThrow('group is "x"; it must be a whole number');
    expect(() => optimizer.observe("x" as never)).toThrow('observe was given "x"; it must be a number');
    await expect(loadCheckpoint(optimizer, null as never)).rejects.toThrow("null, not a Uint8Array");
    await loadCheckpoint(optimizer, before.buffer);
    expect(await saveCheckpoint(optimizer)).toEqual(before);
    expect(() => fallline.landscapes.beale(...([5] as unknown as []))).toThrow("beale was given 5; it takes nothing");
    expect(() => fallline.landscapes.himmelblau(...([{}] as unknown as []))).toThrow(
      "himmelblau was given {}; it takes nothing",
    );
    const misspelt = fallline.train({ engine: fallline.cpuEngine(), ...run, data, onSteps: () => {} } as never);
    await expect(misspelt).rejects.toThrow('train has an unknown option "onSteps"');
  });

  it.each([Number.NaN, 0, -1, 0.5, 2 ** 33, "3"])("Random.below(%s) does not loop for ever", (n) => {
    expect(() => new fallline.Random(1).below(n as number)).toThrow("it must be a whole number in [1, 4294967296]");
  });

  it("values nested 20,000 deep, or that hold themselves, are refused by diffFields", () => {
    const deep = () => JSON.parse("[".repeat(20_000) + "]".repeat(20_000)) as unknown;
    expect(() => fallline.runs.diffFields({ a: deep() }, { a: deep() })).toThrow("a is ");
    const loop: Record<string, unknown> = {};
    loop.loop = loop;
    expect(() => fallline.runs.diffFields({}, { loop })).toThrow("nested more than 1000 deep");
    const nested = (at: string) => JSON.parse(`${'{"s":['.repeat(100)}${at}${"]}".repeat(100)}`) as unknown;
    expect(fallline.runs.diffFields(nested("1"), nested("2"))).toHaveLength(1);
  });
});

/** Calls with one option at a time of every kind. */
const withOptions: Readonly<Record<string, readonly [call: (options: never) => unknown, base: object, names: string]>> =
  {
    "datasets.fromArrays": [
      fallline.datasets.fromArrays,
      { inputs: [0, 1, 1, 0], labels: [1, 0] },
      "name inputs labels weights classes scale count",
    ],
    "arrayDataset with targets": [
      fallline.datasets.fromArrays,
      { inputs: [0, 1, 1, 0], targets: [1, 0], count: 2 },
      "targets count weights",
    ],
    "datasets.fromCsv": [
      (o) => fallline.datasets.fromCsv("a,b\n1,2\n3,4\n", o),
      {},
      "name label labels target targets inputs delimiter header classes weight weights columns scale shuffle",
    ],
    "datasets.split": [(o) => fallline.datasets.split(data, 1, o), {}, "seed shuffle stratify"],
    createModel: [fallline.createModel, model, "type layers activation dropout loss l2 bias"],
    "createModel of an rnn": [
      fallline.createModel,
      { type: "rnn", inputs: 1, steps: 2, hidden: 2, outputs: 2 },
      "inputs steps hidden outputs loss l2 bias",
    ],
    "createModel of a pinn": [
      fallline.createModel,
      { type: "pinn", layers: [1, 2, 1], problem: { type: "poisson" } },
      "layers problem activation boundaryWeight l2 bias",
    ],
    "datasets.points": [fallline.datasets.points, { grid: 3 }, "name dimensions grid seed low high"],
    createCpuOptimizer: [
      (o) => fallline.createCpuOptimizer(tensors, o),
      { rule: sgd },
      "rule lr momentum weightDecay nesterov clip skipNonFinite maximize cautious watch lossScale accumulate ema swa lookahead groups replicas frozen fallback",
    ],
    tensors: [
      (o) => fallline.createCpuOptimizer([o], { rule: sgd }),
      { name: "w", shape: [2] },
      "name shape data layout params gradients",
    ],
    layerwiseDecay: [(o) => fallline.layerwiseDecay(tensors, o), { decay: 0.5 }, "decay layerOf groups noDecay"],
    "runs.readConfig": [
      fallline.runs.readConfig,
      run,
      "format model data init optimizer batch steps seed metric stop watch",
    ],
    train: [
      (o) => fallline.train({ engine: fallline.cpuEngine(), ...run, data, ...(o as object) }),
      {},
      "test signal snapshotAfter saveEvery onCheckpoint resume recover beforeStep onStart onStep onLayers onEvent onTest onMetric onBest",
    ],
    "tuning.sweep": [
      (o) => fallline.tuning.sweep({ engine: fallline.cpuEngine(), ...run, steps: 2, data, ...(o as object) } as never),
      { trials: [{ lr: 0.1 }] },
      "trials halving test signal onStart onStep onTest",
    ],
    "tuning.search": [
      (o) =>
        fallline.tuning.search({ engine: fallline.cpuEngine(), ...run, steps: 2, data, ...(o as object) } as never),
      { rules: ["sgd"], budget: 8 },
      "rules schedules rates budget test signal onStart onStep onTest",
    ],
    createWatch: [fallline.createWatch, {}, "window swing every"],
    createStopping: [fallline.createStopping, {}, "patience minDelta mode"],
    loadTorch: [
      (o) =>
        fallline.loadTorch(
          fallline.createCpuOptimizer(tensors, { rule: sgd }),
          fallline.encodeSafetensors({ metadata: {}, tensors: new Map() }),
          o,
        ),
      {},
      "transpose step",
    ],
    "datasets.fromIdx": [
      (o) => fallline.datasets.fromIdx("x", new Uint8Array(9), new Uint8Array(9), o),
      {},
      "classes scale files",
    ],
    encodeSafetensors: [fallline.encodeSafetensors, { metadata: {}, tensors: new Map() }, "metadata tensors"],
    defineRule: [
      fallline.defineRule as never,
      { ...fallline.rules[0] },
      "name source hypers flags slots columns row wgsl update reduction carry torch",
    ],
    defineObjective: [
      fallline.defineObjective,
      {
        name: "x",
        tensors,
        wgsl: "fn loss(row: u32) -> f32 { return 0.0; } fn gradient(row: u32, i: u32) -> f32 { return 0.0; }",
      },
      "name tensors features outputs wgsl loss gradient",
    ],
  };

describe("a hostile option", () => {
  it.each(Object.keys(withOptions))("of %s", async (name) => {
    const [call, base, names] = withOptions[name]!;
    const all = names.split(" ").flatMap((option) => hostile.map((value) => [{ ...base, [option]: value }]));
    const found = await complaints(name, call as Call, all);
    expect(found).toEqual([]);
  });
});
