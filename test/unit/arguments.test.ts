// Every public function with arguments of the wrong kind: an error of ours, or a result; never a bare TypeError, and never
// an option that is passed over.
import { describe, expect, it } from "vitest";
import { show } from "../../src/errors.ts";
import * as fallline from "../../src/index.ts";

const { FalllineError, createCpuOptimizer, rules } = fallline;
const exported = new Map<string, unknown>(Object.entries(fallline));

const hostile: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  0.1,
  Number.NaN,
  1e12,
  5n,
  Symbol("s"),
  "",
  "x",
  "__proto__",
  [],
  [null],
  [[]],
  {},
  { type: "x" },
  { type: {} },
  { toString: 1, valueOf: 2 },
  { length: 1 },
  Object.create(null),
  JSON.parse('{"__proto__":{"a":1}}'),
  JSON.parse("[".repeat(5000) + "]".repeat(5000)),
  JSON.parse(`${'{"type":"product","schedules":['.repeat(3000)}1${"]}".repeat(3000)}`),
  new Map([["lr", 1]]),
  new Float32Array(2),
  new Uint8Array(9),
  new Date(0),
  () => undefined,
  Promise.resolve({}),
];

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

type Call = (...given: readonly unknown[]) => unknown;

/** What came of a call: nothing where it went well or was refused by an error of ours. */
async function complaint(name: string, call: Call, given: readonly unknown[]): Promise<string | undefined> {
  try {
    await call(...given);
    return undefined;
  } catch (error) {
    if (error instanceof FalllineError && !/\n/.test(error.message)) return undefined;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `${name}(${given.map(show).join(", ")}): ${stack.split("\n").slice(0, 3).join(" ")}`;
  }
}

async function complaints(name: string, call: Call, all: readonly (readonly unknown[])[]): Promise<string[]> {
  const found = await Promise.all(all.map((given) => complaint(name, call, given)));
  return found.filter((text) => text !== undefined);
}

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
const run = { model, optimizer: { rule: "sgd" }, batch: 1, steps: 1 };

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
