// Encoders as callers treat them: dropped, kept and submitted later, in another order, by the thousand. Every update that is
// made takes the rates of its own step and the mean of as many gradients as it should, or the call throws.

import { describe, expect, it } from "vitest";
import type { GpuOptimizer } from "../../src/engines/gpu/optimizer.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { LayerStats } from "../../src/optimizer/optimizer.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { createOptimizer } from "../optimizers.ts";
import { device } from "./setup.ts";

const matrix: readonly Tensor[] = [{ name: "w", shape: [3, 4], data: Array.from({ length: 12 }, (_, i) => i / 7 - 1) }];
const scalar: readonly Tensor[] = [{ name: "x", shape: [1] }];
const gradients = Array.from({ length: 40 }, (_, step) => ({
  w: Array.from({ length: 12 }, (_, i) => Math.sin(1 + 3 * step + i)),
}));

const create = (tensors: readonly Tensor[], config: object) => createOptimizer(device, tensors, readConfig(config));

type Target = "encoder" | "pass";

/** Encodes once, and gives what submits it. */
function encodeInto(optimizer: GpuOptimizer, target: Target): () => void {
  const encoder = device.createCommandEncoder();
  if (target === "encoder") optimizer.encode(encoder);
  else {
    const pass = encoder.beginComputePass();
    optimizer.encode(pass);
    pass.end();
  }
  return () => device.queue.submit([encoder.finish()]);
}

function drop(optimizer: GpuOptimizer, target: Target, count: number): void {
  for (let i = 0; i < count; i++) encodeInto(optimizer, target);
}

describe.each<Target>(["encoder", "pass"])("an update in a caller's %s", (target) => {
  it.each([
    ["adamw", {}],
    ["nadam", { momentumDecay: 0.1 }],
    ["lamb", { replicas: [{ lr: 0.1 }, { lr: 0.3 }] }],
    ["muon", { clip: { type: "globalNorm", maxNorm: 1 } }],
    ["adafactor", { accumulate: 3, replicas: [{}, {}] }],
    ["asgd", { accumulate: 3, clip: { type: "groupNorm", maxNorm: 1 } }],
  ])("of %s is exact, whatever was dropped before it (%j)", async (rule, options) => {
    const config = readConfig({ rule, lr: (step: number) => 0.1 / (1 + step), ...options });
    const [real, dropped] = await Promise.all([create(matrix, config), create(matrix, config)]);
    const feed = (from: number, count: number, by: "step" | "encode") => {
      for (let i = from; i < from + count; i++) {
        for (const optimizer of [real, dropped]) {
          optimizer.write("gradients", gradients[i]!);
          if (by === "step" || optimizer === real) optimizer.step();
          else encodeInto(optimizer, target)();
        }
      }
    };
    feed(0, 3, "encode");
    drop(dropped, target, 40);
    feed(3, 6, "step");
    await dropped.stats();
    feed(9, 3, "encode");
    drop(dropped, target, 50);
    await dropped.stats();
    for (const optimizer of [real, dropped]) optimizer.set({ lr: 0.5 });
    feed(12, 9, "encode");
    for (let r = 0; r < real.replicas; r++) {
      expect(await dropped.read("params", { replica: r })).toEqual(await real.read("params", { replica: r }));
      expect(await dropped.stats({ replica: r })).toEqual(await real.stats({ replica: r }));
    }
    real.destroy();
    dropped.destroy();
  });

  it("takes a rate that was set after encoders were dropped", async () => {
    const optimizer = await create(scalar, sgd({ lr: 1 }));
    optimizer.write("gradients", { x: [1] });
    optimizer.step();
    drop(optimizer, target, 300);
    optimizer.set({ lr: 10 });
    encodeInto(optimizer, target)();
    optimizer.step();
    drop(optimizer, target, 60);
    optimizer.set({ lr: 100 });
    optimizer.step();
    expect((await optimizer.read()).x![0]).toBe(-121);
    optimizer.destroy();
  });

  it("is made of the right gradients where one is dropped, kept for later or submitted before another", async () => {
    for (const [calls, expected] of [
      ["d s h s", -1.5],
      ["d s s", -1.5],
      ["s d s", -1.5],
      ["s d d d s s s", -5],
      ["d e h e", -1.5],
      ["e e d h e e", -5],
      ["d d d h s e", -1.5],
      ["e s s", -1.5],
    ] as const) {
      const optimizer = await create(scalar, readConfig({ rule: sgd, lr: 1, accumulate: 2, watch: true }));
      let fed = 0;
      for (const call of calls.split(" ")) {
        if (call === "d") drop(optimizer, target, 1);
        else if (call === "h") await optimizer.stats();
        else {
          optimizer.write("gradients", { x: [++fed] });
          if (call === "s") optimizer.step();
          else encodeInto(optimizer, target)();
        }
      }
      // The statistics are those of the last update, even where the GPU was asked whether another one follows.
      const updates = Math.floor(fed / 2);
      const [{ gradientNorm }] = (await optimizer.layers()) as [LayerStats];
      expect([calls, (await optimizer.read()).x![0], (await optimizer.stats()).step, gradientNorm]).toEqual([
        calls,
        expected,
        updates,
        2 * updates - 0.5,
      ]);
      optimizer.destroy();
    }
  });

  it("never has a mean of three: what is left out for a dropped encoder is reported, and then all is well", async () => {
    const optimizer = await create(scalar, readConfig({ rule: sgd, lr: 1, accumulate: 2 }));
    const feed = (g: number) => {
      optimizer.write("gradients", { x: [g] });
      encodeInto(optimizer, target)();
    };
    drop(optimizer, target, 1);
    for (const g of [1, 3, 50]) feed(g);
    await expect(optimizer.stats()).rejects.toThrow(/^1 gradient was left out of accumulate's means, since/);
    expect((await optimizer.read()).x![0]).toBe(-2);
    for (const g of [1, 3]) feed(g);
    expect((await optimizer.read()).x![0]).toBe(-4);
    expect((await optimizer.stats()).step).toBe(2);
    optimizer.destroy();
  });

  it("takes its own step's rates in whatever order encoders are submitted", async () => {
    const config = { rule: adamw, lr: (step: number) => 0.1 / (1 + step) };
    const [one, other] = await Promise.all([create(matrix, config), create(matrix, config)]);
    for (const optimizer of [one, other]) {
      optimizer.write("gradients", gradients[0]!);
      const submits = [1, 2, 3].map(() => encodeInto(optimizer, target));
      for (const submit of optimizer === one ? submits : submits.reverse()) submit();
    }
    expect(await other.read()).toEqual(await one.read());
    one.destroy();
    other.destroy();
  });
});

describe("thousands of encoders", () => {
  const rising = { lr: (step: number) => step + 1 };
  // So many rows that the table holds 512 steps.
  const tensors = Array.from({ length: 150 }, (_, i) => ({ name: `t${i}`, shape: [1] }));
  const groups = tensors.map(({ name }) => ({ params: [name] }));

  it("in one submission are exact", async () => {
    const optimizer = await create(scalar, sgd(rising));
    optimizer.write("gradients", { x: [1] });
    const commands = Array.from({ length: 3000 }, () => {
      const encoder = device.createCommandEncoder();
      optimizer.encode(encoder);
      return encoder.finish();
    });
    device.queue.submit(commands);
    expect((await optimizer.read()).x![0]).toBe(-(3000 * 3001) / 2);
    optimizer.destroy();
  });

  it("without an await are refused, unless they are said to be submitted", async () => {
    const optimizer = await create(scalar, sgd({ lr: 1 }));
    optimizer.write("gradients", { x: [1] });
    drop(optimizer, "encoder", 5120);
    expect(() => optimizer.encode(device.createCommandEncoder())).toThrow(
      /^encode was called 5121 times without an await; it takes at most 5120: await .* markSubmitted/,
    );
    await undefined;
    for (let i = 0; i < 5130; i++) {
      const encoder = device.createCommandEncoder();
      optimizer.encode(encoder);
      device.queue.submit([encoder.finish()]);
      optimizer.markSubmitted(encoder);
    }
    expect((await optimizer.stats()).step).toBe(5130);
    expect((await optimizer.read()).x![0]).toBe(-5130);
    optimizer.destroy();
  });

  it.each([{}, { clip: { type: "globalNorm", maxNorm: 1e9 } }])(
    "that were dropped leave updates that are right, or none, which is reported once (%j)",
    async (modifiers) => {
      const optimizer = await create(tensors, sgd({ ...rising, ...modifiers, groups } as never));
      const ones = Object.fromEntries(tensors.map(({ name }) => [name, [1]]));
      optimizer.write("gradients", ones);
      drop(optimizer, "encoder", 600);
      optimizer.step();
      optimizer.step();
      // The rows near the start reach so far; the GPU is then left between them and those of what was encoded.
      for (let i = 0; i < 50; i++) encodeInto(optimizer, "encoder")();
      const message = await optimizer.stats().then(
        () => "",
        (error: Error) => `${error.name}: ${error.message}`,
      );
      const [, lost] = message.match(
        /^DeviceError: (\d+) updates were not made: the GPU was more than 512 steps behind/,
      )!;
      const made = 52 - Number(lost);
      expect(made).toBeGreaterThan(20);
      expect((await optimizer.stats()).step).toBe(made);
      const sum = (n: number) => (n * (n + 1)) / 2;
      expect((await optimizer.read()).t9![0]).toBe(-sum(made));
      for (let i = 0; i < 3; i++) optimizer.step();
      for (let i = 0; i < 3; i++) encodeInto(optimizer, "pass")();
      expect((await optimizer.read()).t9![0]).toBe(-sum(made + 6));
      optimizer.destroy();
    },
  );
});

describe("a checkpoint", () => {
  it("made and loaded between dropped encoders holds the gradients that are there", async () => {
    const config = readConfig({ rule: sgd, lr: (step: number) => step + 1, accumulate: 3 });
    const [optimizer, other] = await Promise.all([create(scalar, config), create(scalar, config)]);
    const feed = (to: GpuOptimizer, values: readonly number[]) => {
      for (const g of values) {
        to.write("gradients", { x: [g] });
        to.step();
      }
    };
    feed(optimizer, [3, 3, 3, 6]);
    drop(optimizer, "encoder", 5);
    const saved = await saveCheckpoint(optimizer);
    drop(other, "pass", 4);
    await loadCheckpoint(other, saved);
    feed(other, [6, 6]);
    expect((await other.read()).x![0]).toBe(-3 - 2 * 6);
    await loadCheckpoint(optimizer, saved);
    drop(optimizer, "encoder", 7);
    feed(optimizer, [9, 12]);
    expect((await optimizer.read()).x![0]).toBe(-3 - 2 * 9);
    optimizer.destroy();
    other.destroy();
  });
});

describe("a caller's pass after encode", () => {
  it("has no pipeline of ours that works: a dispatch without the caller's own is an error, never another update", async () => {
    const optimizer = await create(scalar, sgd({ lr: 1 }));
    optimizer.write("gradients", { x: [1] });
    const code =
      "@group(0) @binding(0) var<storage, read_write> v: array<f32>; @compute @workgroup_size(1) fn main() { v[0] += 1.0; }";
    const module = device.createShaderModule({ code });
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
    const resource = optimizer.binding("gradients", "x");
    const bindGroup = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer: resource.buffer, offset: resource.offset, size: 4 } }],
    });
    for (const sets of [false, true]) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(1);
      optimizer.encode(pass);
      if (sets) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindGroup);
      }
      pass.dispatchWorkgroups(1);
      pass.end();
      device.pushErrorScope("validation");
      const commands = encoder.finish();
      const error = await device.popErrorScope();
      expect(error === null).toBe(sets);
      if (sets) device.queue.submit([commands]);
      else expect(error!.message).toContain("set your own pipeline and bind group 0");
    }
    expect((await optimizer.read("gradients")).x![0]).toBe(3);
    expect((await optimizer.read()).x![0]).toBe(-2);
    expect((await optimizer.stats()).step).toBe(1);
    optimizer.destroy();
  });
});

describe("what is not an encoder", () => {
  it("is refused by name", async () => {
    const optimizer = await create(scalar, sgd());
    for (const target of [undefined, null, 5, device, device.queue]) {
      expect(() => optimizer.encode(target as never)).toThrow(
        /^encode was given .*; it must be a GPUCommandEncoder or/,
      );
    }
    optimizer.destroy();
  });
});
