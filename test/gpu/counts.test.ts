// Counts that hold on any device: dispatches, passes, submits, and what a step must not create. The dispatches of each rule
// and of modifiers are those that docs/rules.md lists.

import { afterEach, describe, expect, it } from "vitest";
import type { GpuOptimizer } from "../../src/engines/gpu/optimizer.ts";
import { modifierTable, type RuleRow, ruleTable } from "../../src/lab/rule_table.ts";
import { pointsDataset } from "../../src/objectives/data/points.ts";
import { createModel, type ModelConfig } from "../../src/objectives/models/index.ts";
import { pinn } from "../../src/objectives/models/pinn.ts";
import { createObjective } from "../../src/objectives/objective_gpu.ts";
import { poisson } from "../../src/objectives/problems/poisson.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { muon } from "../../src/rules/muon.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { createOptimizer } from "../optimizers.ts";
import { type CountingDevice, type Counts, countingDevice, nullDevice } from "./counting.ts";

const real = countingDevice();
// What is encoded is the same whether it runs or not.
const idle = await nullDevice();
const errors: string[] = [];
idle.device.addEventListener("uncapturederror", (event) =>
  errors.push((event as GPUUncapturedErrorEvent).error.message),
);

afterEach(async () => {
  await idle.device.queue.onSubmittedWorkDone();
  expect(errors.splice(0)).toEqual([]);
  expect([real.alive.size, idle.alive.size]).toEqual([0, 0]);
});

const clip = { type: "globalNorm", maxNorm: 1 } as const;
const documented = new Map(ruleTable().map((row) => [row.name, row]));

/** Matrices, which every rule takes. */
const matrices = (count: number): Tensor[] =>
  Array.from({ length: count }, (_, i) => ({ name: `t${i}`, shape: [1 + ((i * 37) % 99), 3] }));
const vectors: readonly Tensor[] = [
  { name: "a", shape: [5] },
  { name: "b", shape: [700] },
];

/** Of the matrices of each shape, its products. */
function dispatchesOf({ dispatches, perShape }: RuleRow, tensors: readonly Tensor[]): number {
  if (!perShape) return dispatches;
  const shapes = new Map(tensors.map(({ shape }) => [`${shape}`, shape as [number, number]]));
  const products = [...shapes.values()].map((shape) => perShape[Math.max(...shape) < 2 * Math.min(...shape) ? 0 : 1]);
  return products.reduce((sum, each) => sum + each, dispatches);
}

const create = ({ device }: CountingDevice, tensors: readonly Tensor[], config: object): Promise<GpuOptimizer> =>
  createOptimizer(device, tensors, readConfig(config));

/** The dispatches of the first steps, each of which is one pass in one submit and creates nothing. */
async function dispatchesOfSteps(tensors: readonly Tensor[], config: object, steps = 2): Promise<number[]> {
  const optimizer = await create(idle, tensors, config);
  const dispatches: number[] = [];
  for (let step = 0; step < steps; step++) {
    const counts = await idle.count(() => optimizer.step());
    expect(counts).toMatchObject({ passes: 1, submits: 1, encoders: 1, copies: 0, buffers: 0 });
    dispatches.push(counts.dispatches);
  }
  optimizer.destroy();
  return dispatches;
}

const made = ({ buffers, bindGroups, pipelines, shaderModules }: Counts) =>
  buffers + bindGroups + pipelines + shaderModules;

/** Where each shape has dispatches of its own, a few will do. */
function countsOf({ perShape }: RuleRow): readonly number[] {
  return perShape ? [1, 3] : [1, 7, 300];
}

describe.each([...documented.values()])("one step of $name", (row) => {
  it.each(countsOf(row))(
    "of %i matrices takes as many dispatches as docs/rules.md says, with clipping 2 more",
    async (matrixCount) => {
      const tensors = matrices(matrixCount);
      const dispatches = dispatchesOf(row, tensors);
      expect(await dispatchesOfSteps(tensors, { rule: row.name })).toEqual([dispatches, dispatches]);
      expect(await dispatchesOfSteps(tensors, { rule: row.name, clip })).toEqual([dispatches + 2, dispatches + 2]);
    },
  );

  it("creates nothing, whether a hyper is set or not, writes at most rows of the table, and leaves no buffer behind", async () => {
    const config = { rule: row.name, lr: cosine({ base: 1, steps: 9 }), clip };
    const { device, count, alive } = real;
    const optimizer = await create(real, matrices(row.perShape ? 3 : 7), config);
    const [steps, stretch] = [row.name === "adamw" ? 10_000 : 100, 100];
    const encoded: Counts[] = [];
    // Nothing is submitted: what is counted is encoding.
    while (encoded.length < steps) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let step = 0; step < stretch; step++) encoded.push(await count(() => optimizer.encode(pass)));
      pass.end();
    }
    expect(
      encoded.filter((counts) => made(counts) + counts.submits > 0 || counts.bytesWritten > 4096 * 16 * 4),
    ).toEqual([]);
    // A window of 4,096 rows, half of it history: stretches of 32, 64 … 2,048 rows, then one each 2,048 steps.
    expect(encoded.slice(1).filter(({ writes }) => writes > 0).length).toBeLessThanOrEqual(12);
    const counts = await count(() => {
      optimizer.set({ lr: 0.5 });
      optimizer.step();
    });
    expect([made(counts), counts.submits]).toEqual([0, 1]);
    await optimizer.read();
    await optimizer.stats();
    await loadCheckpoint(optimizer, await saveCheckpoint(optimizer));
    expect(alive.size).toBeGreaterThan(0);
    optimizer.destroy();
    expect(alive.size).toBe(0);
  });
});

describe("one step of muon", () => {
  const row = documented.get("muon")!;
  /** The matrices of so many blocks of a transformer, a hundredth as wide as GPT-2 small's. */
  const blocks = (count: number): Tensor[] =>
    Array.from({ length: count }, (_, block) =>
      [8, 24, 32].map((side, i): Tensor => ({ name: `${block}.${i}`, shape: [8, side] })),
    ).flat();

  it("takes dispatches for each shape, not for each matrix", async () => {
    const [one, many] = [dispatchesOf(row, blocks(1)), dispatchesOf(row, blocks(12))];
    expect([one, many]).toEqual([4 + 15 + 18 + 18, 4 + 15 + 18 + 18]);
    expect(await dispatchesOfSteps(blocks(1), { rule: "muon" }, 1)).toEqual([one]);
    expect(await dispatchesOfSteps(blocks(12), { rule: "muon", replicas: [{}, {}] }, 1)).toEqual([many]);
  });
});

describe("one step of a rule that factors matrices", () => {
  const factoring = [...documented.values()].filter((row) => row.vectors);
  it.each(factoring)(
    "takes as many as docs/rules.md says over vectors alone ($name)",
    async ({ name, vectors: cost }) => {
      expect(await dispatchesOfSteps(vectors, { rule: name })).toEqual([cost!.dispatches, cost!.dispatches]);
    },
  );
});

describe("modifiers", () => {
  const examples = modifierTable.flatMap(({ examples, dispatches }) =>
    examples.map((example) => [JSON.stringify(example), dispatches, example] as const),
  );
  it.each(examples)(
    "%s adds as many dispatches to each gradient as docs/rules.md says, %i",
    async (_, dispatches, example) => {
      const plain = documented.get("adamw")!.dispatches;
      const each = Number(example.accumulate ?? 1);
      const expected = Array.from(
        { length: 2 * each },
        (_, step) => dispatches + ((step + 1) % each === 0 ? plain : 0),
      );
      expect(await dispatchesOfSteps(matrices(7), { rule: adamw, ...example }, 2 * each)).toEqual(expected);
    },
  );

  it("adds up", async () => {
    const clip = { type: "adaptive", clipping: 0.1 };
    const config = { rule: lamb, accumulate: 2, clip, skipNonFinite: false, cautious: true, ema: {} };
    const update = 1 + 1 + 2 + documented.get("lamb")!.dispatches;
    expect(await dispatchesOfSteps(matrices(7), config, 4)).toEqual([1, update, 1, update]);
  });
});

describe("one step of two rules", () => {
  const both = dispatchesOf(documented.get("muon")!, matrices(2)) + documented.get("adamw")!.dispatches;

  it.each([
    ["groups", matrices(4), { rule: adamw, groups: [{ params: ["t0", "t1"], rule: muon }] }],
    ["a fallback", [...matrices(2), ...vectors], { rule: muon, fallback: { rule: adamw } }],
  ])("in %s takes the dispatches of both, with clipping 3 more, in 1 pass and 1 submit", async (_, tensors, config) => {
    expect(await dispatchesOfSteps(tensors, config)).toEqual([both, both]);
    // Each rule's gradients, then the norm of all.
    expect(await dispatchesOfSteps(tensors, { ...config, clip })).toEqual([both + 3, both + 3]);
  });
});

describe("a second optimizer of one rule", () => {
  const modifiers = { clip, accumulate: 2, lossScale: {}, ema: {} };
  it.each([
    [
      "adamw",
      modifiers,
      { clip: { type: "globalNorm", maxNorm: 7 }, accumulate: 3, lossScale: { init: 2, growth: 4 } },
    ],
    [
      "adafactor",
      { ...modifiers, clip: { type: "adaptive", clipping: 0.1 } },
      { clip: { type: "adaptive", clipping: 0.2 } },
    ],
    ["lamb", { clip: { type: "groupNorm", maxNorm: 1 } }, {}],
    ["muon", {}, {}],
  ])("compiles nothing, whatever its tensors, groups, replicas and numbers (%s)", async (rule, first, changed) => {
    const one = await create(idle, matrices(2), { rule, ...first });
    const groups = [{ params: ["t0", "t4"], lr: 0.5 }, { params: "t1" }];
    const config = { rule, ...first, ...changed, lr: 0.25, groups, replicas: [{}, { lr: 3 }, {}] };
    const counts = await idle.count(async () => (await create(idle, matrices(7), config)).destroy());
    expect([counts.pipelines, counts.shaderModules]).toEqual([0, 0]);
    one.destroy();
  });
});

describe("a caller's own commands", () => {
  it("share the encoder and the pass", async () => {
    const { device, count } = real;
    const optimizer = await create(real, matrices(2), readConfig({ rule: adamw, clip }));
    const counts = await count(() => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      optimizer.encode(pass);
      optimizer.encode(pass);
      pass.end();
      optimizer.encode(encoder);
      device.queue.submit([encoder.finish()]);
    });
    expect(counts).toMatchObject({ passes: 2, dispatches: 9, submits: 1, encoders: 1 });
    expect((await optimizer.stats()).step).toBe(3);
    optimizer.destroy();
  });
});

describe("a training step", () => {
  // Beside the model's own dispatches: gather, loss, total, norm, finalize, update.
  it.each<[ModelConfig, number, number]>([
    [{ layers: [12, 8, 4] }, 64, 2 + 2 + 1],
    [{ layers: [12, 4] }, 4, 1 + 1],
    [{ layers: [12, 4], l2: 0.1 }, 64, 1 + 1 + 2],
    [{ type: "rnn", inputs: 4, steps: 3, hidden: 4, outputs: 4 }, 64, 3 * (2 + 3) + 2],
    [pinn([1, 8, 4, 1], { problem: poisson() }), 64, 3 + 2 + 3 + 2 * 2 + 1],
  ])(
    "of %j is 1 pass and 1 submit, whose dispatches docs/models.md lists, whatever the batch (%i)",
    async (config, batch, dispatches) => {
      const model = createModel(config);
      const images = {
        name: "toy",
        count: 64,
        features: 12,
        classes: 4,
        inputs: new Uint8Array(64 * 12).fill(7),
        scale: 1 / 255,
        labels: new Uint8Array(64).fill(1),
      };
      const data = model.features === 1 ? pointsDataset({ grid: 64 }) : images;
      const { count } = real;
      const optimizer = await create(real, initialTensors(model), readConfig({ rule: adamw, clip }));
      const objective = await createObjective(optimizer, model, { data, batch });
      const rows = Uint32Array.from({ length: batch }, (_, i) => i);
      // The first steps make the readback buffers that later steps share.
      await Promise.all([1, 2, 3, 4].map(() => objective.step(rows)));
      const counts = await count(() => objective.step(rows));
      expect(counts).toMatchObject({
        dispatches: dispatches + 6,
        passes: 1,
        submits: 1,
        buffers: 0,
        bindGroups: 0,
        pipelines: 0,
      });
      // Nothing but the rows' numbers, how many there are, and what their mean is taken with.
      expect(counts.bytesWritten).toBe(4 * (2 + batch));
      await objective.evaluate(data);
      objective.destroy();
      optimizer.destroy();
    },
  );
});
