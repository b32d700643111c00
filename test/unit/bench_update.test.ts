// The benchmark's update, curve and norm cases: which there are, and that what they expect is what plain loops make.

import { describe, expect, it } from "vitest";
import { update as plainUpdate } from "../../bench/engines/plain.ts";
import { updateAdamw } from "../../bench/plain_loops.ts";
import { checkedSteps } from "../../bench/suite.ts";
import { normCases } from "../../bench/suites/norm.ts";
import { gpt2Small, updateCases } from "../../bench/suites/update.ts";
import {
  clipScale,
  expectedOf,
  hypers,
  maxNormOf,
  normOf,
  samplesOf,
  slotsOf,
  startOf,
  stepBytesOf,
  streamBytesOf,
  updateWork,
  valuesOf,
} from "../../bench/update.ts";
import { createCpuOptimizer, rules } from "../../src/index.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { lamb } from "../../src/rules/lamb.ts";

const all = [...updateCases, ...normCases];
const named = (name: string) => all.find((each) => each.name === name && each.suite !== "curve")!;
const engines = (name: string) => named(name).contenders.map(({ engine }) => engine);

describe("the registry", () => {
  it("has no case twice", () => {
    const titles = all.map(({ suite, name }) => `${suite}: ${name}`);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it("runs AdamW at every size, the main ones of them quickly", () => {
    const tiers = (tier: string, suite: string) =>
      all.filter((each) => each.tier === tier && each.suite === suite && /^(adamw|norm) /.test(each.name));
    const names = (tier: string, suite: string) => tiers(tier, suite).map(({ name }) => name);
    expect(names("quick", "update")).toEqual(["adamw 1x1M", "adamw 64x16k", "adamw 200x1k"]);
    expect(names("full", "update").filter((name) => !/own|rotated|tf\.Optimizer/.test(name))).toEqual([
      "adamw 1x64k",
      "adamw 1x64k clip",
      "adamw 1x1M clip",
      "adamw 1x16.8M",
      "adamw 1x16.8M clip",
      "adamw 64x16k clip",
      "adamw 200x1k clip",
      "adamw gpt2-small 124M",
      "adamw gpt2-small 124M clip",
    ]);
    expect(names("full", "curve")).toEqual(["1k", "4k", "16k", "256k", "4M", "67M"].map((size) => `adamw 1x${size}`));
    expect(names("quick", "norm")).toEqual(["norm 1x1M"]);
    expect(names("full", "norm")).toEqual(["norm 1x16.8M", "norm 64x16k"]);
  });

  it("has every rule at every size it takes, with and without clipping, and once in a full run", () => {
    for (const { name, only } of rules) {
      const its = updateCases.filter((each) => each.suite === "update" && each.name.startsWith(`${name} `));
      expect(its.filter((each) => !/own|rotated|tf\.Optimizer/.test(each.name)).length, name).toBe(
        name === "muon" ? 13 : only ? 8 : 12,
      );
      expect(
        its.some(({ tier }) => tier === "full"),
        name,
      ).toBe(true);
      if (name !== "adamw")
        expect(
          its.every(({ tier, brief }) => tier !== "quick" && brief),
          name,
        ).toBe(true);
    }
  });

  it("counts elements and tensors", () => {
    expect([named("adamw 1x16.8M").n, named("adamw 1x16.8M").tensors]).toEqual([16_777_217, 1]);
    expect([named("lamb 200x1k clip").n, named("lamb 200x1k clip").tensors]).toEqual([204_800, 200]);
    expect([named("muon 64x16k").n, named("muon 64x16k").tensors]).toEqual([2 ** 20, 64]);
    expect([named("adamw gpt2-small 124M").n, named("adamw gpt2-small 124M").tensors]).toEqual([124_439_808, 148]);
    expect(gpt2Small()[0]).toEqual([50_257, 768]);
  });

  it("lets peers compete where they can in reasonable time", () => {
    expect(engines("adamw 1x1M")).toEqual(["fallline", "naive", "tfjs", "jaxjs", "plain", "stream", "copy"]);
    expect(engines("adamw 1x1M clip")).toContain("unclipped");
    expect(engines("adamw gpt2-small 124M")).toEqual(["fallline", "stream", "copy"]);
    expect(engines("adamw gpt2-small 124M clip")).toEqual(["fallline", "unclipped", "stream", "copy"]);
    expect(engines("adamw 64x16k tf.Optimizer")).toEqual(["fallline", "tfjs", "arena"]);
    expect(engines("lion 1x1M")).toEqual(["fallline", "stream"]);
  });
});

describe("bytes", () => {
  it("are those of parameters, gradients and slots, and of what is read twice", () => {
    const bytes = (rule: string, clip: boolean, shape: number[]) => {
      const work = updateWork(rule, clip, [shape]);
      return [streamBytesOf(work) / work.n, (stepBytesOf(work) ?? Number.NaN) / work.n];
    };
    expect(bytes("adamw", false, [1000])).toEqual([28, 28]);
    expect(bytes("adamw", true, [1000])).toEqual([28, 32]);
    expect(bytes("sgd", false, [1000])).toEqual([12, 12]);
    expect(bytes("lamb", false, [1000])).toEqual([28, 40]);
    expect(bytes("dog", true, [1000])).toEqual([20, 32]);
    expect(bytes("adafactor", false, [25, 40])).toEqual([12, Number.NaN]);
    expect(slotsOf(updateWork("adafactor", false, [[1000]]))).toBe(1);
  });
});

describe("what is expected", () => {
  const odd = [[4097], [3, 7], [70_000]];

  it.each([false, true])("of AdamW is what plain loops make in float32, clip %s", async (clip) => {
    const work = updateWork("adamw", clip, odd);
    const { numbers, values } = await expectedOf(work);
    const runner = await plainUpdate(work);
    const answer = await runner.answer!();
    expect(answer.numbers.length).toBe(clip ? 1 : 0);
    for (const [i, number] of numbers.entries()) expect(answer.numbers[i]).toBeCloseTo(number, 9);
    const start = startOf(work);
    values.forEach((expected, t) => {
      const moved = Math.max(...expected.map((value, i) => Math.abs(value - start[t]![i]!)));
      expect(moved).toBeGreaterThan(1e-4);
      const off = Math.max(...expected.map((value, i) => Math.abs(value - answer.values[t]![i]!)));
      expect(off).toBeLessThan(1e-5 * moved + 4e-9);
    });
  });

  it("tells clipping from none, though Adam hardly heeds a gradient's length", async () => {
    const [clipped, whole] = await Promise.all([true, false].map((clip) => expectedOf(updateWork("adamw", clip, odd))));
    const start = startOf(updateWork("adamw", true, odd));
    const norm = (t: number, from: readonly Float32Array[]) =>
      Math.hypot(...Array.from({ length: 1000 }, (_, i) => whole!.values[t]![i]! - from[t]![i]!));
    expect(norm(2, clipped!.values)).toBeGreaterThan(0.1 * norm(2, start));
  });

  it("has the norm of every tensor's values, one after the other", () => {
    const work = updateWork("sgd", true, odd);
    const sum = odd.reduce((total, _, t) => valuesOf(work, "gradients", t).reduce((a, g) => a + g * g, total), 0);
    expect(normOf(work)).toBeCloseTo(Math.sqrt(sum), 9);
    expect(clipScale(normOf(work), maxNormOf(work))).toBeCloseTo(0.1, 4);
  });

  it("of a large tensor is compared at its beginning, middle and end", async () => {
    const work = updateWork("adamw", false, [[2 ** 20 + 3], [5]]);
    expect(samplesOf(work)).toEqual([
      {
        tensor: 0,
        spans: [
          [0, 4096],
          [522_241, 526_337],
          [1_044_483, 1_048_579],
        ],
      },
      { tensor: 1, spans: [[0, 5]] },
    ]);
    const { values } = await expectedOf(work);
    const params = valuesOf(work, "params", 0);
    const [m, v] = [new Float32Array(params.length), new Float32Array(params.length)];
    for (let step = 1; step <= checkedSteps; step++) {
      updateAdamw(hypers, step, params, valuesOf(work, "gradients", 0), m, v);
    }
    samplesOf(work)[0]!.spans.forEach(([from, to], i) => {
      const off = Math.max(...params.slice(from, to).map((p, j) => Math.abs(p - values[i]![j]!)));
      expect(off).toBeLessThan(2e-8);
    });
  });

  it("of a rule that sums over tensors is the reference on all of them", async () => {
    const work = updateWork("lamb", true, odd);
    const tensors = work.tensors.map(({ name, shape }, t) => ({ name, shape, data: valuesOf(work, "params", t) }));
    const clip = { type: "globalNorm", maxNorm: maxNormOf(work) } as const;
    const optimizer = createCpuOptimizer(tensors, readConfig({ rule: lamb, clip }));
    const gradients = Object.fromEntries(tensors.map(({ name }, t) => [name, valuesOf(work, "gradients", t)]));
    optimizer.write("gradients", gradients);
    for (let i = 0; i < checkedSteps; i++) optimizer.step();
    expect((await expectedOf(work)).values).toEqual(Object.values(await optimizer.read()));
    optimizer.destroy();
  });
});
