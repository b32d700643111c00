// The laws that every rule inherits, over the registry: twin, groups, zeros, resuming, convergence, skipping.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { applies, laws, problemOf } from "../../src/lab/laws.ts";
import { optionSets } from "../../src/lab/option_sets.ts";
import { type LoadOptions, loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { adam, adamw } from "../../src/rules/adam.ts";
import { rules } from "../../src/rules/index.ts";
import { ruleFrom } from "../../src/rules/rule.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { linear } from "../../src/schedules/linear.ts";
import { sequential } from "../../src/schedules/sequential.ts";
import { cpuEngine, webgpuEngine } from "../../src/train/engine.ts";
import { createCpuOptimizer, createOptimizer } from "../optimizers.ts";
import { leg } from "./resume_process.mjs";
import { device } from "./setup.ts";

const engines = {
  webgpu: (tensors: Parameters<typeof createOptimizer>[1], config: OptimizerConfig): Promise<Optimizer> =>
    createOptimizer(device, tensors, config),
  cpu: async (tensors: Parameters<typeof createCpuOptimizer>[0], config: OptimizerConfig): Promise<Optimizer> =>
    createCpuOptimizer(tensors, config),
};

const cases = rules.flatMap((rule) =>
  optionSets(rule).map((options) => ({ rule, options, name: `${rule.name} ${JSON.stringify(options)}` })),
);
const byBackend = { cpu: cpuEngine(), webgpu: webgpuEngine(device) };

describe.each(cases)("$name", ({ rule, options }) => {
  for (const law of laws) {
    for (const engine of Object.values(byBackend)) {
      if (!applies(law, rule, options, engine)) continue;
      it(`${law.name} (${engine.backend})`, async () => {
        expect(await problemOf(law, { rule, options, engine, device })).toBe(undefined);
      });
    }
  }
});

describe("a device whose quotients and roots are off by as much as WGSL allows", () => {
  /** A rule's WGSL with each quotient and each root off by 2.5 units in the last place. */
  function off(wgsl: string): string {
    let text = wgsl.replaceAll(" / ", " * 1.0000003 / ");
    for (let at = text.indexOf("sqrt("); at >= 0; at = text.indexOf("sqrt(", at + 20)) {
      let [end, depth] = [at + 5, 1];
      for (; depth > 0; end++) depth += text[end] === "(" ? 1 : text[end] === ")" ? -1 : 0;
      text = `${text.slice(0, at)}(1.0000003 * ${text.slice(at, end)})${text.slice(end)}`;
    }
    return text;
  }

  it.each(
    rules
      .filter((rule) => ["adamw", "lamb", "adafactor", "prodigy"].includes(rule.name))
      .map((rule) => [rule.name, rule] as const),
  )("matches the twin within the same bounds (%s)", async (_, rule) => {
    const wgsl = off(rule.wgsl);
    expect(wgsl).not.toBe(rule.wgsl);
    const imprecise = ruleFrom({ ...rule, name: `${rule.name}Off`, wgsl });
    const law = laws.find(({ name }) => name.startsWith("the GPU matches the twin after 1 step"))!;
    const options = optionSets(rule)[1]!;
    expect(await problemOf(law, { rule: imprecise, options, engine: byBackend.webgpu, device })).toBe(undefined);
  });
});

describe("law 5 across processes", () => {
  it("continues another process's run to the bit, on either engine", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fallline-"));
    try {
      const script = new URL("./resume_process.mjs", import.meta.url).pathname;
      execFileSync(process.execPath, [script, folder], { stdio: ["ignore", "ignore", 2] });
      for (const backend of ["webgpu", "cpu"] as const) {
        const resumed = await leg(backend, 5, 8, { device, checkpoint: readFileSync(join(folder, backend)) });
        expect(Buffer.from(resumed).equals(await leg(backend, 0, 8, { device }))).toBe(true);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("what a caller does by hand, on either engine", () => {
  it.each(Object.entries(engines))("zeroGrad, write, set of one group, read of every role (%s)", async (_, engine) => {
    const optimizer = await engine(
      [
        { name: "a", shape: [2], data: [1, 2] },
        { name: "b", shape: [3], data: [3, 4, 5] },
      ],
      { rule: sgd, lr: 1, momentum: 0.5, groups: [{ params: ["b"], lr: 0.5 }] },
    );
    optimizer.write("gradients", { a: [1, 1], b: [1, 1, 1] });
    optimizer.step();
    optimizer.zeroGrad();
    expect(await optimizer.read("gradients")).toEqual({ a: new Float32Array(2), b: new Float32Array(3) });
    // Group 0 is the one the config names, group 1 that of the rest.
    optimizer.set({ lr: 2 }, { group: 0 });
    optimizer.step();
    optimizer.write("momentum", { a: [8, 8] });
    expect(await optimizer.read("momentum")).toEqual({ a: Float32Array.of(8, 8), b: Float32Array.of(0.5, 0.5, 0.5) });
    optimizer.write("params", { a: [0, 0] });
    optimizer.step();
    expect(await optimizer.read()).toEqual({ a: Float32Array.of(-4, -4), b: Float32Array.of(1, 2, 3) });
    expect(optimizer.hyper("lr", 5, { group: 0 })).toBe(2);
    expect(optimizer.hyper("lr", 5, { group: 1 })).toBe(1);
    optimizer.destroy();
  });
});

describe("the padding after a tensor", () => {
  it("stays zero where the update makes NaN of zeros, and what is left in the gradient's is not counted", async () => {
    const optimizer = await createOptimizer(device, [{ name: "w", shape: [5], data: [1, 2, 3, 4, 5] }], {
      rule: adam,
      eps: 0,
      amsgrad: true,
      clip: { type: "globalNorm", maxNorm: 1 },
    });
    device.queue.writeBuffer(optimizer.gradients, 0, Float32Array.of(1, 1, 1, 1, 1, 7, 7, 7));
    optimizer.step();
    expect((await optimizer.stats()).gradientNorm).toBe(Math.fround(Math.sqrt(5)));
    const encoder = device.createCommandEncoder();
    const copy = device.createBuffer({ size: 256, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    encoder.copyBufferToBuffer(optimizer.params, 0, copy, 0, 256);
    device.queue.submit([encoder.finish()]);
    await copy.mapAsync(GPUMapMode.READ);
    expect([...new Float32Array(copy.getMappedRange()).slice(5)]).toEqual(Array(59).fill(0));
    copy.destroy();
    optimizer.destroy();
  });
});

describe("checkpoints", () => {
  it("bring the hypers that were set, and leave functions of the step as they are", async () => {
    for (const engine of Object.values(engines)) {
      const lr = (step: number) => 1 / (1 + step);
      const tensors = [{ name: "w", shape: [2] }];
      const saved = await engine(tensors, { rule: sgd, lr, momentum: 0.5 });
      saved.set({ momentum: 0.75, weightDecay: { type: linear, start: 0, end: 1, steps: 9 } });
      const loaded = await engine(tensors, { rule: sgd, lr: (step) => 2 * lr(step), momentum: 0.5 });
      await loadCheckpoint(loaded, await saveCheckpoint(saved), { schedules: [linear] });
      expect(loaded.hyper("momentum", 0)).toBe(0.75);
      expect(loaded.hyper("weightDecay", 9)).toBe(1);
      expect(loaded.hyper("lr", 1)).toBe(1);
      // A function deep inside counts as one; and what is set while a save is under way is not in it.
      saved.set({ lr: { type: sequential, milestones: [1], schedules: [1, lr] } });
      const saving = saveCheckpoint(saved);
      saved.set({ momentum: 0.25 });
      await loadCheckpoint(loaded, await saving);
      expect(loaded.hyper("lr", 1)).toBe(1);
      expect(loaded.hyper("momentum", 0)).toBe(0.75);
      for (const optimizer of [saved, loaded]) optimizer.destroy();
    }
  });

  it("cannot confuse a tensor with another's slot", async () => {
    const tensors = [
      { name: "w", shape: [1] },
      { name: "w:m", shape: [1] },
    ];
    for (const engine of Object.values(engines)) {
      await expect(engine(tensors, { rule: adam })).rejects.toThrow(
        'a tensor is called "w:m", which checkpoints use for the slot m of "w"',
      );
      (await engine(tensors, { rule: sgd })).destroy();
    }
  });
});

describe("checkpoints that do not fit", () => {
  it("are refused with what is wrong, and change nothing", async () => {
    const tensors = [{ name: "w", shape: [2, 2], data: [1, 2, 3, 4] }];
    for (const engine of Object.values(engines)) {
      const optimizer = await engine(tensors, { rule: adam });
      const before = await saveCheckpoint(optimizer);
      const refuse = async (other: Optimizer, message: string, options?: LoadOptions) => {
        await expect(loadCheckpoint(optimizer, await saveCheckpoint(other), options)).rejects.toThrow(message);
        expect(await saveCheckpoint(optimizer)).toEqual(before);
        other.destroy();
      };
      await refuse(await engine(tensors, { rule: adamw }), "the checkpoint's rule is adamw; this optimizer's is adam");
      await refuse(
        await engine([{ name: "w", shape: [4] }], { rule: adam }),
        `the checkpoint's "w" has shape [4]; this`,
      );
      await refuse(await engine([{ name: "v", shape: [2, 2] }], { rule: adam }), 'the checkpoint has no "w"');
      await refuse(await engine(tensors, { rule: adam, amsgrad: true }), `the checkpoint's flags is {"amsgrad":true`);
      const more = [...tensors, { name: "x", shape: [1] }];
      await refuse(await engine(more, { rule: adam }), 'the checkpoint has "x", which this optimizer does not');
      const group = { rule: adam, groups: [{ params: ["w"] }] } as const;
      await refuse(await engine(tensors, group), `the checkpoint's groups are [["w"]]; this optimizer's are [null]`, {
        hypers: "saved",
      });
      await expect(loadCheckpoint(optimizer, new Uint8Array(4))).rejects.toThrow("not a safetensors file");
      optimizer.destroy();
    }
  });
});
