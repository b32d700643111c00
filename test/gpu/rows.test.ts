// Rows that come and go: a tensor with room for more rows than are in use is, to the bit, one of the rows in use; what it gains
// begins as new.

import { describe, expect, it } from "vitest";
import { external } from "../../src/engines/gpu/external.ts";
import { createOptimizer } from "../../src/engines/gpu/optimizer.ts";
import { openVectors } from "../../src/engines/open_vectors.ts";
import { at } from "../../src/engines/vectors.ts";
import { createCpuOptimizer, loadCheckpoint, modifiers, saveCheckpoint, setRows } from "../../src/index.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { adagrad } from "../../src/rules/adagrad.ts";
import { adamw } from "../../src/rules/adam.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { muon } from "../../src/rules/muon.ts";
import { prodigy } from "../../src/rules/prodigy.ts";
import { rprop } from "../../src/rules/rprop.ts";
import { scheduleFreeAdamw } from "../../src/rules/schedule_free.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { createCpuObjective, createObjective, initialTensors, landscapes, Random } from "../../src/training.ts";
import { countingDevice } from "./counting.ts";
import { device } from "./setup.ts";

const { clipGlobalNorm, clipAdaptive, centralize, ema, accumulate, layerStats } = modifiers;

const engines = ["cpu", "gpu"] as const;
type Engine = (typeof engines)[number];

const width = 3;
const random = new Random(1);
const numbers = (length: number) => Array.from({ length }, () => random.normal());
const [points, bias] = [numbers(3000 * width), numbers(7)];

const tensors = (room: number): readonly Tensor[] => [
  { name: "points", shape: [room, width], data: points.slice(0, room * width) },
  { name: "bias", shape: [7], data: bias },
];

async function create(engine: Engine, room: number, config: OptimizerConfig): Promise<Optimizer> {
  return engine === "cpu" ? createCpuOptimizer(tensors(room), config) : createOptimizer(device, tensors(room), config);
}

/** One with room for so many rows of which 18 are in use; gradients that nobody is to look at are NaN. */
async function partly(engine: Engine, room: number, config: OptimizerConfig): Promise<Optimizer> {
  const optimizer = await create(engine, room, config);
  optimizer.write("gradients", { points: Array(room * width).fill(Number.NaN) });
  await setRows(optimizer, "points", 18);
  return optimizer;
}

/** The same gradients for all of them. */
function advance(optimizers: readonly Optimizer[], steps: number): void {
  for (let step = 0; step < steps; step++) {
    const gradients = Object.fromEntries(optimizers[0]!.segments.map(({ name, length }) => [name, numbers(length)]));
    for (const optimizer of optimizers) {
      optimizer.write("gradients", gradients);
      optimizer.step();
    }
  }
}

async function everything(optimizer: Optimizer) {
  const roles = ["params", "evaluation", ...optimizer.slots];
  const replica = optimizer.replicas - 1;
  const values = await Promise.all(roles.map(async (role) => [role, await optimizer.read(role, { replica })]));
  return { values, stats: await optimizer.stats(), saved: await saveCheckpoint(optimizer) };
}

describe.each(engines)("a tensor with room for more rows than are in use, on the %s", (engine) => {
  const byNorm = clipGlobalNorm({ maxNorm: 1 });
  it.each([
    adamw({ lr: 0.1, modifiers: [byNorm, ema(), layerStats()] }),
    lamb({ lr: 0.1, modifiers: [byNorm, accumulate(2)], replicas: [{}, { lr: 0.2 }] }),
    adafactor({ modifiers: [centralize()] }),
    adamw({ modifiers: [clipAdaptive({ clipping: 0.01 })] }),
    prodigy(),
  ])("equals a tensor of as many rows, to the bit (%j)", async (config) => {
    const [roomy, exact] = [await partly(engine, 30, config), await create(engine, 18, config)];
    expect(roomy.segments.map(({ shape }) => shape)).toEqual([[18, width], [7]]);
    advance([roomy, exact], 4);
    const found = await everything(roomy);
    expect(found).toEqual(await everything(exact));
    expect(found.stats.step).toBe(
      configOf(roomy).modifiers?.some(({ modifier }) => modifier.name === "accumulate") ? 2 : 4,
    );
    if (config.modifiers?.some(({ modifier }) => modifier.name === "layerStats")) {
      expect(await roomy.layers()).toEqual(await exact.layers());
    }
    // What is saved knows nothing of the room.
    const loaded = await partly(engine, 30, config);
    await loadCheckpoint(loaded, await saveCheckpoint(exact));
    advance([loaded, exact], 2);
    expect(await everything(loaded)).toEqual(await everything(exact));

    await setRows(roomy, "points", 30);
    const { points: all } = await roomy.read();
    expect([...all!.subarray(18 * width)]).toEqual([...Float32Array.from(points.slice(18 * width, 30 * width))]);
  });

  it("may have room for whole chunks that are not in use", async () => {
    const config = lamb({ lr: 0.1, modifiers: [byNorm] });
    const [roomy, exact] = [await partly(engine, 3000, config), await create(engine, 18, config)];
    advance([roomy, exact], 2);
    expect(await everything(roomy)).toEqual(await everything(exact));
  });

  it("starts fresh in the rows that it gains, however much room there is", async () => {
    const config = adamw({ lr: 0.1, modifiers: [byNorm, ema({ decay: 0.5, warmup: false })] });
    const [most, more] = [await partly(engine, 30, config), await partly(engine, 24, config)];
    advance([most, more], 3);
    const given = numbers(6 * width);
    for (const optimizer of [most, more]) await setRows(optimizer, "points", 24, given);
    expect((await most.read()).points!.subarray(18 * width)).toEqual(Float32Array.from(given));
    expect((await most.read("ema")).points!.subarray(18 * width)).toEqual(Float32Array.from(given));
    expect((await most.read("m")).points!.subarray(18 * width)).toEqual(new Float32Array(6 * width));
    expect((await most.read("m")).points!.subarray(0, 18 * width).every((m) => m !== 0)).toBe(true);
    advance([most, more], 3);
    expect(await everything(most)).toEqual(await everything(more));
    // What has gone leaves no state behind.
    for (const optimizer of [most, more]) {
      await setRows(optimizer, "points", 15);
      advance([optimizer], 1);
      await setRows(optimizer, "points", 21);
    }
    expect((await most.read("v")).points!.subarray(15 * width)).toEqual(new Float32Array(6 * width));
  });

  it("keeps them out of vectors, and vectors out of them", async () => {
    // As long as the rows in use, but for padding.
    const optimizer = await create(engine, 21, sgd());
    optimizer.write("gradients", { points: Array(21 * width).fill(Number.NaN) });
    await setRows(optimizer, "points", 18);
    optimizer.write("gradients", { points: Array(18 * width).fill(1), bias: Array(7).fill(1) });
    const space = await openVectors(optimizer);
    const v = at(await space.create(1));
    space.load("gradients", v);
    space.extent(v, 0);
    expect(await space.scalars(0, 2)).toEqual([Float64Array.of(18 * width + 7, 1)]);
    space.store(v);
    await space.submit();
    space.destroy();
    await setRows(optimizer, "points", 21);
    const { points: all, bias: others } = await optimizer.read();
    expect(all).toEqual(Float32Array.of(...Array(18 * width).fill(1), ...points.slice(18 * width, 21 * width)));
    expect(others).toEqual(new Float32Array(7).fill(1));
    optimizer.destroy();
  });

  it.each([
    [scheduleFreeAdamw(), "z", Float32Array.from(points.slice(18 * width, 30 * width))],
    [rprop({ lr: 0.25 }), "stepSize", new Float32Array(12 * width).fill(0.25)],
    [adagrad({ initialAccumulatorValue: 0.5 }), "sum", new Float32Array(12 * width).fill(0.5)],
  ] as const)("begins with what a new tensor's slots begin with (%j)", async (config, slot, expected) => {
    const optimizer = await partly(engine, 30, config);
    advance([optimizer], 2);
    await setRows(optimizer, "points", 30);
    expect((await optimizer.read(slot)).points!.subarray(18 * width)).toEqual(expected);
    expect((await optimizer.read(slot)).points!.subarray(0, 18 * width)).not.toEqual(expected.subarray(0, 18 * width));
  });

  it("refuses what has no rows, or no room for them", async () => {
    const optimizer = await partly(engine, 30, adamw());
    for (const [rows, values, message] of [
      [31, undefined, 'the rows of tensor "points" is 31; it must be a whole number in [1, 30]'],
      [0, undefined, 'the rows of tensor "points" is 0; it must be a whole number in [1, 30]'],
      [19, [1], 'values has 1 elements; the new rows of tensor "points" hold 3'],
      [19, [1, "2", 3], 'values holds "2" at 1; it must be an array of numbers'],
      [19, BigInt64Array.of(1n, 2n, 3n), "values is BigInt64Array(3); it must be an array of numbers, not of bigints"],
    ] as const) {
      await expect(setRows(optimizer, "points", rows, values as never)).rejects.toThrow(`setRows: ${message}`);
    }
    await expect(setRows(optimizer, "pints", 1)).rejects.toThrow('setRows names "pints", which is not a tensor');
    expect(optimizer.segments[0]!.shape).toEqual([18, width]);
    const whole = createCpuOptimizer(tensors(30), muon({ fallback: adamw() }));
    await expect(setRows(whole, "points", 18)).rejects.toThrow(
      'setRows: tensor "points" has a fixed number of rows: rule "muon" takes it as a whole matrix',
    );
    await setRows(whole, "bias", 5);
    expect((await whole.read()).bias!.length).toBe(5);
  });
});

describe("on the device", () => {
  it.each(engines)("an objective made before says so, on the %s", async (engine) => {
    const bowl = landscapes.create(landscapes.quadratic());
    const tensors = initialTensors(bowl, [1, 2, 3, 4, 5, 6]);
    const config = adamw();
    const optimizer =
      engine === "cpu" ? createCpuOptimizer(tensors, config) : await createOptimizer(device, tensors, config);
    const make = () =>
      optimizer.backend === "cpu" ? createCpuObjective(optimizer, bowl) : createObjective(optimizer, bowl);
    const objective = await make();
    await objective.step();
    await setRows(optimizer, "points", 2);
    const said = /^tensor "points" has 2 rows in use; the objective was made for 3: make it anew after setRows\(\)$/;
    for (const call of ["step", "gradient", "evaluate", "field"] as const) {
      await expect(objective[call](), call).rejects.toThrow(said);
    }
    expect((await (await make()).step()).step).toBe(2);
    optimizer.destroy();
  });

  it("rows come and go in the caller's buffers too", async () => {
    const config = scheduleFreeAdamw({ lr: 0.1 });
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const range = () => ({
      buffer: device.createBuffer({ size: 4 + 4 * 30 * width, usage: STORAGE | COPY_SRC | COPY_DST }),
      offset: 4,
    });
    const [params, gradients] = [range(), range()];
    const outside = await createOptimizer(
      device,
      [external({ name: "points", shape: [30, width], params, gradients }), tensors(30)[1]!],
      config,
    );
    outside.write("params", { points: points.slice(0, 30 * width) });
    const inside = await create("gpu", 30, config);
    const both = [outside, inside];
    for (const rows of [18, 24, 10]) {
      for (const optimizer of both) await setRows(optimizer, "points", rows);
      advance(both, 2);
      expect(await everything(outside)).toEqual(await everything(inside));
    }
    for (const { buffer } of [params, gradients]) buffer.destroy();
  });

  it("nothing is made, compiled or dispatched for it", async () => {
    const { device: watched, count } = countingDevice();
    const optimizer = await createOptimizer(watched, tensors(30), adamw({ modifiers: [ema()] }));
    const step = async () => {
      const { writes, bytesWritten, ...counts } = await count(() => optimizer.step());
      return counts;
    };
    const before = await step();
    const change = await count(() => setRows(optimizer, "points", 18));
    expect(change).toMatchObject({ dispatches: 0, submits: 0, buffers: 0, bindGroups: 0, pipelines: 0, writes: 1 });
    expect(await step()).toEqual(before);
    optimizer.destroy();
  });
});
