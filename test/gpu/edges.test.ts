// Where float32 ends: numbers that GPUs take for 0, that float32 does not hold, that are none. Both engines give the same, or
// refuse the same.

import { describe, expect, it } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../src/base/safetensors.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { rules } from "../../src/rules/index.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cyclic } from "../../src/schedules/cyclic.ts";
import { createCpuOptimizer, createOptimizer } from "../optimizers.ts";
import { device } from "./setup.ts";

const ones = (...shape: number[]): readonly Tensor[] => [
  { name: "w", shape, data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 1) },
];

async function both<T>(tensors: readonly Tensor[], config: object, use: (optimizer: Optimizer) => T | Promise<T>) {
  const engines = [
    createCpuOptimizer(tensors, readConfig(config)),
    await createOptimizer(device, tensors, readConfig(config)),
  ];
  const found: T[] = [];
  for (const engine of engines) {
    found.push(await use(engine));
    engine.destroy();
  }
  return found as [T, T];
}

async function stepped(optimizer: Optimizer, gradient: readonly number[], steps = 1): Promise<readonly number[]> {
  for (let step = 0; step < steps; step++) {
    optimizer.write("gradients", { w: gradient });
    optimizer.step();
  }
  return [...(await optimizer.read()).w!];
}

describe("eps below the least normal float32", () => {
  it.each([
    ["adam", { eps: 1e-38 }],
    ["adagrad", { eps: (step: number) => (step === 0 ? 1e-8 : 1e-40) }],
    ["adamax", { eps: 1e-45 }],
    ["muon", { eps: 1e-39 }],
  ])("divides nothing by 0 (%s)", async (rule, options) => {
    const [cpu, gpu] = await both(ones(2, 2), { rule, lr: 0.1, ...options }, (optimizer) =>
      stepped(optimizer, rule === "muon" ? [0, 0, 0, 0] : [0, 1, 0, 1], 3),
    );
    expect(cpu.every(Number.isFinite)).toBe(true);
    for (const [i, value] of gpu.entries()) expect(value).toBeCloseTo(cpu[i]!, 5);
  });
});

describe("sums below the least normal float32", () => {
  it.each(rules.filter(({ reduction }) => reduction).map(({ name }) => name))(
    "divide nothing: what is finite stays so (%s)",
    async (rule) => {
      for (const size of [1e-21, 1e-37]) {
        const tensors = [{ name: "w", shape: [2, 2], data: [size, -size, size, size] }];
        const [cpu, gpu] = await both(tensors, { rule }, (optimizer) =>
          stepped(optimizer, [size, size, -size, size], 3),
        );
        for (const found of [cpu, gpu]) expect(found.every(Number.isFinite), `${size}: ${found}`).toBe(true);
      }
    },
  );
});

describe("AdamW's decay", () => {
  it("that is subtracted with the step stays closer to float64 than that which multiplies", async () => {
    const [lr, weightDecay, steps] = [1e-3, 0.1, 300];
    const data = Array.from({ length: 16 }, (_, i) => Math.fround(Math.cos(7 * i)));
    const gradient = data.map((_, i) => Math.fround(0.1 * Math.sin(3 * i + 1)));
    // Of a gradient that stays the same both moments are it, once corrected.
    const exact = data.map((p0, i) => {
      let p = p0;
      const g = gradient[i]!;
      for (let t = 0; t < steps; t++) p = (1 - lr * weightDecay) * p - (lr * g) / (Math.abs(g) + 1e-8);
      return p;
    });
    const errors: number[] = [];
    for (const subtractDecay of [false, true]) {
      const tensors = [{ name: "w", shape: [16], data }];
      const found = await both(tensors, { rule: "adamw", lr, weightDecay, subtractDecay }, (optimizer) =>
        stepped(optimizer, gradient, steps),
      );
      const [cpu, gpu] = found.map((values) => Math.hypot(...values.map((value, i) => value - exact[i]!)) / 4);
      errors.push(gpu!);
      // The reference computes in float64 and stores float32.
      expect(cpu).toBeLessThan(1e-5);
    }
    expect(errors[1]).toBeLessThan(errors[0]! / 3);
    expect(errors[1]).toBeLessThan(1e-6);
  });
});

describe("a NaN gradient that is not skipped", () => {
  it.each([
    ["sgd", { clip: { type: "value", maxValue: 1 } }],
    ["sgd", { clip: { type: "adaptive", clipping: 0.1 } }],
    ["lion", {}],
    ["rprop", {}],
    ["signum", {}],
    ["adopt", {}],
    ["adafactor", { clip: { type: "value", maxValue: 1 } }],
  ])("stays NaN, as in the reference (%s, %j)", async (rule, options) => {
    const [cpu, gpu] = await both(ones(2, 2), { rule, lr: 0.1, skipNonFinite: false, ...options }, (optimizer) =>
      stepped(optimizer, [Number.NaN, 1, 1, 1], 2),
    );
    expect(cpu[0]).toBeNaN();
    for (const [i, value] of gpu.entries()) {
      if (Number.isNaN(cpu[i])) expect(value).toBeNaN();
      else expect(value).toBeCloseTo(cpu[i]!, 5);
    }
  });
});

describe("gradients near the end of float32", () => {
  const huge = [3e38, 3e38, -3e38, 3e38, 1e30, 0];
  it.each([
    [{ type: "globalNorm", maxNorm: 1 }, {}],
    [{ type: "globalNorm", maxNorm: 1, norm: 1 }, {}],
    [{ type: "globalNorm", maxNorm: 1e-3, norm: "inf" }, {}],
    [{ type: "globalNorm", maxNorm: 3e38 }, {}],
    [{ type: "groupNorm", maxNorm: 1 }, { lossScale: { init: 2 ** 100 } }],
    [{ type: "globalNorm", maxNorm: 1 }, { lossScale: { init: 2 ** 126 } }],
    [{ type: "adaptive", clipping: 0.1 }, {}],
  ])("are clipped by %j with %j to what they are in float64, and their norm is reported", async (clip, modifiers) => {
    const lr = "maxNorm" in clip && clip.maxNorm === 3e38 ? 2e-38 : 0.1;
    const [cpu, gpu] = await both(ones(6), { rule: sgd, lr, clip, ...modifiers }, async (optimizer) => ({
      w: await stepped(optimizer, huge),
      stats: await optimizer.stats(),
    }));
    expect(cpu.w[0]).not.toBe(1);
    for (const [i, value] of gpu.w.entries()) expect(value).toBeCloseTo(cpu.w[i]!, 5);
    if (clip.type === "adaptive") return;
    expect(gpu.stats.gradientNorm / cpu.stats.gradientNorm).toBeCloseTo(1, 5);
    expect(gpu.stats.clipScale / cpu.stats.clipScale).toBeCloseTo(1, 5);
  });
});

describe("MADGRAD's sum of squares beyond float32", () => {
  it("is infinite, and its parameter finite", async () => {
    const found = await both(ones(3), { rule: "madgrad", momentum: 0 }, async (optimizer) => {
      await stepped(optimizer, [1, 1e30, -3e38]);
      const after = await stepped(optimizer, [1, 1, 1]);
      expect((await optimizer.read("v")).w!.subarray(1)).toEqual(new Float32Array(2).fill(Number.POSITIVE_INFINITY));
      return after;
    });
    for (const after of found) expect(after.every(Number.isFinite)).toBe(true);
    // On the GPU it is infinite within the step already.
    expect(found[1].slice(1)).toEqual([1, 1]);
  });
});

describe("steps near the last that can be counted", () => {
  it("are right, and the last is refused by both engines alike", async () => {
    const config = { rule: adamw, lr: { type: cyclic, base: 0.01, max: 0.1, up: 3 } };
    const seed = createCpuOptimizer(ones(1), config as never);
    await stepped(seed, [1]);
    const { metadata, tensors } = decodeSafetensors(await saveCheckpoint(seed));
    const late = encodeSafetensors({ metadata: { ...metadata, step: String(2 ** 32 - 4) }, tensors });
    const [cpu, gpu] = await both(ones(1), config, async (optimizer) => {
      await loadCheckpoint(optimizer, late);
      const w = await stepped(optimizer, [1], 3);
      expect((await optimizer.stats()).step).toBe(2 ** 32 - 1);
      expect(() => optimizer.step()).toThrow(
        "the step is 4294967295; an optimizer counts its steps up to 4294967294, from 0",
      );
      return w[0]!;
    });
    expect(gpu).toBeCloseTo(cpu, 5);
  });
});
