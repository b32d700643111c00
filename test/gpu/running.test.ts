// What an optimizer can be asked to do, and asked for, between its steps, the same on both engines: halt and resume a replica,
// observe a metric, what the last update did to each tensor.

import { describe, expect, it, vi } from "vitest";
import { Random } from "../../src/base/random.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { LayerStats, Optimizer } from "../../src/optimizer/optimizer.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { asgd } from "../../src/rules/asgd.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { plateau } from "../../src/schedules/plateau.ts";
import { createCpuOptimizer, createOptimizer } from "../optimizers.ts";
import { engines } from "./engines.ts";
import { device } from "./setup.ts";

const random = new Random(29);
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());
const tensors: Tensor[] = [
  { name: "a", shape: [5, 7], data: normals(35) },
  { name: "b", shape: [4099], data: normals(4099) },
];
const gradients = { a: normals(35), b: normals(4099) };
const stateOf = (optimizer: Optimizer, replica = 0) =>
  Promise.all([
    optimizer.stats({ replica }),
    ...["params", ...optimizer.slots].map((role) => optimizer.read(role, { replica })),
  ]);
const filled = (value: number) => ({ a: new Float32Array(35).fill(value), b: new Float32Array(4099).fill(value) });
const zeros = tensors.map(({ name, shape }) => ({ name, shape }));
const norm = (values: Iterable<number>) => Math.hypot(...values);

describe.each(engines)("%s: halt", (_, create) => {
  it.each<[string, Record<string, unknown>]>([
    ["without a norm", { rule: adamw }],
    ["with clipping, accumulation and sums", { rule: lamb, clip: { type: "globalNorm", maxNorm: 1 }, accumulate: 2 }],
  ])("%s leaves a replica as it is, and resume takes it on from there", async (_name, shared) => {
    const both = await create(tensors, {
      ...shared,
      replicas: [{ lr: 0.1 }, { lr: 0.02 }],
    } as unknown as OptimizerConfig);
    const alone = await Promise.all(
      [0.1, 0.02].map((lr) => create(tensors, { ...shared, lr, replicas: [{ lr }] } as unknown as OptimizerConfig)),
    );
    const run = (optimizer: Optimizer, steps: number) => {
      for (let step = 0; step < steps; step++) {
        optimizer.write("gradients", gradients);
        optimizer.step();
      }
    };
    run(both, 4);
    both.halt(1);
    const halted = await stateOf(both, 1);
    run(both, 4);
    expect(await stateOf(both, 1)).toEqual(halted);
    both.resume(1);
    run(both, 2);
    run(alone[0]!, 10);
    run(alone[1]!, 6);
    expect(await stateOf(both, 0)).toEqual(await stateOf(alone[0]!));
    expect(await stateOf(both, 1)).toEqual(await stateOf(alone[1]!));
    for (const optimizer of [both, ...alone]) optimizer.destroy();
  });

  it("inside of an accumulation keeps a replica out of the update alone: what is added up is the same for all", async () => {
    const optimizer = await create(zeros, {
      rule: sgd,
      accumulate: 2,
      replicas: [{ lr: 1 }, { lr: 1 }],
    } as unknown as OptimizerConfig);
    const add = (value: number) => {
      optimizer.write("gradients", filled(value));
      optimizer.step();
    };
    const moved = async () => [
      (await optimizer.read("params", { replica: 0 })).b![0],
      (await optimizer.read("params", { replica: 1 })).b![0],
    ];
    add(1);
    optimizer.halt(1);
    add(10);
    add(100);
    optimizer.resume(1);
    add(1000);
    expect(await moved()).toEqual([-555.5, -550]);
    add(2);
    optimizer.halt(1);
    optimizer.resume(1);
    add(4);
    expect(await moved()).toEqual([-558.5, -553]);
    optimizer.destroy();
  });

  it("outlasts a load, and refuses what is no replica", async () => {
    const optimizer = await create(tensors, {
      rule: sgd,
      skipNonFinite: true,
      replicas: [{ lr: 0.1 }, { lr: 0.02 }],
    } as unknown as OptimizerConfig);
    const saved = await saveCheckpoint(optimizer);
    optimizer.halt(0);
    await loadCheckpoint(optimizer, saved);
    optimizer.write("gradients", gradients);
    optimizer.step();
    expect(await optimizer.read("params", { replica: 0 })).toEqual({ a: tensors[0]!.data, b: tensors[1]!.data });
    expect((await optimizer.stats({ replica: 0 })).step).toBe(0);
    expect((await optimizer.stats({ replica: 1 })).step).toBe(1);
    expect(() => optimizer.halt(2)).toThrow("replica is 2; it must be a whole number in [0, 1]");
    optimizer.destroy();
  });
});

describe.each(engines)("%s: a loss scale that underflows", (_, create) => {
  it("stops its replica; step() throws once no other is left that could make one", async () => {
    const optimizer = await create(zeros, {
      rule: sgd,
      lossScale: { init: 2, min: 1 },
      replicas: [{ lr: 1 }, { lr: 1 }, { lr: 1 }],
    } as unknown as OptimizerConfig);
    const saved = await saveCheckpoint(optimizer);
    const step = (...values: readonly number[]) => {
      values.forEach((value, replica) => {
        optimizer.write("gradients", filled(value), { replica });
      });
      optimizer.step();
    };
    const statistics = async () => Promise.all([0, 1, 2].map((replica) => optimizer.stats({ replica })));
    // The host learns of none of this before the end.
    for (let i = 0; i < 4; i++) step(Number.NaN, 2, 2);
    step(2, 2, 2);
    expect(await statistics()).toMatchObject([
      { step: 0, skipped: 2, lossScale: 1, underflowed: true },
      { step: 5, skipped: 0, lossScale: 2, underflowed: false },
      { step: 5, underflowed: false },
    ]);
    optimizer.halt(1);
    optimizer.halt(0);
    optimizer.resume(0);
    step(2, 2, 2);
    expect((await optimizer.read("params", { replica: 0 })).b![0]).toBe(0);
    expect((await statistics()).map((stats) => stats.step)).toEqual([0, 5, 6]);
    optimizer.halt(2);
    expect(() => optimizer.step()).toThrow(
      "lossScale underflowed after step 0: gradients were not finite at a scale of 1",
    );
    optimizer.halt(0);
    optimizer.step();
    optimizer.resume(0);
    await loadCheckpoint(optimizer, saved);
    step(2, 2, 2);
    expect(await statistics()).toMatchObject([{ step: 1, skipped: 0, underflowed: false }, { step: 0 }, { step: 0 }]);
    optimizer.destroy();
  });
});

describe("webgpu: skips that the host has not learned of", () => {
  it("are learned of at times, whichever replica is halted", async () => {
    const optimizer = await createOptimizer(device, zeros, {
      rule: sgd,
      skipNonFinite: true,
      replicas: [{ lr: 1 }, { lr: 1 }],
    } as unknown as OptimizerConfig);
    const submits = vi.spyOn(device.queue, "submit");
    optimizer.step();
    optimizer.halt(0);
    for (let step = 1; step < 130; step++) optimizer.step();
    await optimizer.stats();
    // Beside a step's commands, a copy of the control buffer.
    expect(submits.mock.calls.filter(([commands]) => [...commands].length === 2)).toHaveLength(2);
    submits.mockRestore();
    optimizer.destroy();
  });

  it("change nothing in what a rule carries where hypers are set or observe", async () => {
    const config = {
      rule: asgd,
      skipNonFinite: true,
      lr: { type: plateau, base: 0.1, patience: 0, factor: 0.01, threshold: 0 },
    } as unknown as OptimizerConfig;
    const both = [await createOptimizer(device, zeros, config), createCpuOptimizer(zeros, config)] as const;
    const steps = (optimizer: Optimizer, count: number, value: number) => {
      optimizer.write("gradients", filled(value));
      for (let step = 0; step < count; step++) optimizer.step();
    };
    for (const optimizer of both) optimizer.observe(1);
    // The host learns of them by the next read, or by the first step after the change.
    const changes = [
      async (optimizer: Optimizer) => {
        optimizer.observe(1);
        await optimizer.read();
        optimizer.step();
      },
      async (optimizer: Optimizer) => {
        optimizer.set({ lr: 0.05 });
        optimizer.step();
        await device.queue.onSubmittedWorkDone();
        await new Promise((resolve) => setTimeout(resolve));
      },
    ];
    for (const change of changes) {
      const moved = both.map(async (optimizer) => {
        const before = (await optimizer.read()).b![0]!;
        steps(optimizer, 10, Number.NaN);
        steps(optimizer, 10, 1);
        await change(optimizer);
        steps(optimizer, 5, 1);
        return (await optimizer.read()).b![0]! - before;
      });
      const [gpu, cpu] = await Promise.all(moved);
      expect(gpu! / cpu!).toBeCloseTo(1, 4);
    }
    for (const optimizer of both) optimizer.destroy();
  });
});

describe.each(engines)("%s: layers", (_, create) => {
  it.each<[string, Record<string, unknown>]>([
    ["sgd with momentum", { rule: sgd, lr: 0.1, momentum: 0.9 }],
    [
      "lamb, clipped by group",
      { rule: lamb, lr: 0.1, clip: { type: "groupNorm", maxNorm: 1 }, groups: [{ params: "b" }] },
    ],
  ])("of %s are the norms of what happened", async (_name, config) => {
    const optimizer = await create(tensors, { ...config, watch: true } as unknown as OptimizerConfig);
    const nothing = { gradientNorm: 0, weightNorm: 0, updateNorm: 0 };
    expect(await optimizer.layers()).toEqual([
      { name: "a", ...nothing },
      { name: "b", ...nothing },
    ]);
    let before = await optimizer.read();
    let layers: readonly LayerStats[] = [];
    for (let step = 0; step < 2; step++) {
      before = await optimizer.read();
      optimizer.write("gradients", gradients);
      optimizer.step();
      layers = await optimizer.layers();
    }
    const after = await optimizer.read();
    expect(layers.map(({ name }) => name)).toEqual(["a", "b"]);
    for (const { name, gradientNorm, weightNorm, updateNorm } of layers) {
      const g = norm(gradients[name as "a"]);
      const clipped = "clip" in config ? Math.min(1, 1 / g) * g : g;
      expect(gradientNorm / clipped).toBeCloseTo(1, 5);
      expect(weightNorm / norm(before[name]!)).toBeCloseTo(1, 5);
      expect(updateNorm / norm(after[name]!.map((p, i) => p - before[name]![i]!))).toBeCloseTo(1, 5);
    }
    optimizer.freeze({ group: 0 });
    optimizer.write("gradients", gradients);
    optimizer.step();
    const frozen = await optimizer.layers();
    expect(frozen.filter(({ gradientNorm }) => gradientNorm === 0)).toHaveLength(config.groups ? 1 : 2);
    optimizer.destroy();
  });

  it("are each replica's own, zero where nothing was updated, of any size, and refused where none are kept", async () => {
    const optimizer = await create(tensors, {
      rule: sgd,
      watch: true,
      skipNonFinite: true,
      clip: { type: "groupNorm", maxNorm: 1e30 },
      replicas: [{ lr: 0.1 }, { lr: 0.2 }],
    } as unknown as OptimizerConfig);
    optimizer.write("gradients", gradients);
    optimizer.step();
    const [one, other] = [await optimizer.layers({ replica: 0 }), await optimizer.layers({ replica: 1 })];
    expect(other[1]!.updateNorm / one[1]!.updateNorm).toBeCloseTo(2, 5);
    optimizer.write("gradients", { a: new Float32Array(35).fill(Number.NaN) }, { replica: 0 });
    optimizer.step();
    expect((await optimizer.layers({ replica: 0 })).every(({ updateNorm }) => updateNorm === 0)).toBe(true);
    expect((await optimizer.layers({ replica: 1 })).every(({ updateNorm }) => updateNorm > 0)).toBe(true);
    optimizer.halt(1);
    const halted = await optimizer.stats({ replica: 1 });
    expect(halted.groupNorms![0]).toBeGreaterThan(0);
    for (const size of [1e20, 1e-22]) {
      optimizer.write("gradients", filled(size), { replica: 0 });
      optimizer.step();
      const [layer] = await optimizer.layers({ replica: 0 });
      expect(layer!.gradientNorm / (Math.sqrt(35) * size)).toBeCloseTo(1, 5);
    }
    expect((await optimizer.layers({ replica: 0 }))[0]!.weightNorm / (Math.sqrt(35) * 1e19)).toBeCloseTo(1, 5);
    expect((await optimizer.layers({ replica: 1 })).every(({ weightNorm }) => weightNorm === 0)).toBe(true);
    expect(await optimizer.stats({ replica: 1 })).toEqual(halted);
    await loadCheckpoint(optimizer, await saveCheckpoint(optimizer));
    expect((await optimizer.layers({ replica: 0 })).every(({ weightNorm }) => weightNorm === 0)).toBe(true);
    expect((await optimizer.stats({ replica: 1 })).groupNorms).toEqual([0]);
    optimizer.destroy();
    const unwatched = await create(tensors, { rule: sgd } as unknown as OptimizerConfig);
    await expect(unwatched.layers()).rejects.toThrow("layers() needs an optimizer made with the modifier layerStats()");
    unwatched.destroy();
  });
});

describe.each(engines)("%s: observe", (_, create) => {
  const lr = { type: plateau, base: 0.5, factor: 0.5, patience: 0, threshold: 0 };
  const config = { rule: sgd, lr, groups: [{ params: "a", weightDecay: 0.1 }] } as unknown as OptimizerConfig;
  const step = (optimizer: Optimizer) => {
    optimizer.write("gradients", { a: new Float32Array(35).fill(1), b: new Float32Array(4099).fill(1) });
    optimizer.step();
  };

  it("lowers a rate on a plateau from the next step on, once for all groups, and is saved", async () => {
    const optimizer = await create(zeros, config);
    const moved = async (of: Optimizer) => (await of.read()).b![0]!;
    step(optimizer);
    optimizer.observe(1);
    step(optimizer);
    expect(await moved(optimizer)).toBe(-1);
    optimizer.observe(1); // no better: 0.25
    step(optimizer);
    expect(await moved(optimizer)).toBe(-1.25);
    expect([optimizer.hyper("lr", 3, { group: 0 }), optimizer.hyper("lr", 3, { group: 1 })]).toEqual([0.25, 0.25]);
    const again = await create(zeros, config);
    await loadCheckpoint(again, await saveCheckpoint(optimizer));
    for (const each of [optimizer, again]) {
      each.observe(0.5); // better
      step(each);
      each.observe(0.5); // no better: 0.125
      step(each);
    }
    expect(await moved(again)).toBe(-1.625);
    expect(await moved(optimizer)).toBe(-1.625);
    expect(configOf(again)).toEqual(configOf(optimizer));
    expect(() => again.observe("1" as unknown as number)).toThrow('observe was given "1"; it must be a number');
    for (const each of [optimizer, again]) each.destroy();
  });

  it("reports to one replica or to all", async () => {
    const optimizer = await create(tensors, {
      ...config,
      replicas: [{}, {}, { lr: 0.1 }],
    } as unknown as OptimizerConfig);
    const rates = () => [0, 1, 2].map((replica) => optimizer.hyper("lr", 0, { group: 0, replica }));
    optimizer.observe(1);
    optimizer.observe(1, { replica: 1 });
    expect(rates()).toEqual([0.5, 0.25, 0.1]);
    optimizer.observe(2);
    expect(rates()).toEqual([0.25, 0.125, 0.1]);
    optimizer.destroy();
  });
});
