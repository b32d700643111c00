// Checkpoints that are damaged, old, or not what they say; names and memory that lead a save or a write astray.

import { describe, expect, it, vi } from "vitest";
import { DataError, DeviceError, OptionError } from "../../src/base/errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/base/safetensors.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { rules } from "../../src/rules/index.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { scheduleFreeSgd } from "../../src/rules/schedule_free.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { piecewise } from "../../src/schedules/piecewise.ts";
import { createCpuOptimizer } from "../optimizers.ts";

const config: OptimizerConfig = { rule: adamw, lr: 0.1 };
const made = (rule = config) => createCpuOptimizer([{ name: "w", shape: [2], data: [1, 2] }], rule);

/** A checkpoint with other metadata, as someone would write it who means to. */
function changed(bytes: Uint8Array, metadata: Readonly<Record<string, string>>): Uint8Array {
  const file = decodeSafetensors(bytes);
  return encodeSafetensors({ ...file, metadata: { ...file.metadata, ...metadata } });
}

/** The same file without checksums. */
function unsealed(bytes: Uint8Array): Uint8Array {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  delete header.__metadata__["fallline.crc32"];
  const json = new TextEncoder().encode(JSON.stringify(header).padEnd(length));
  const plain = bytes.slice();
  plain.set(json, 8);
  return plain;
}

describe("a flag that came after checkpoints of its rule", () => {
  const later = rules.flatMap((rule) => (rule.laterFlags ?? []).map((flag) => [rule, flag] as const));

  it.each(later)("is not written by %s while %s is false, so that older checkpoints fit", async (rule, flag) => {
    const tensors = [{ name: "w", shape: [2, 2] }];
    const written = async (options: object) => {
      const optimizer = createCpuOptimizer(tensors, {
        ...options,
        rule,
        lr: 0.1,
        groups: [{ params: "w", rule, ...options }],
      });
      const bytes = await saveCheckpoint(optimizer);
      await loadCheckpoint(createCpuOptimizer(tensors, configOf(optimizer)), bytes);
      return JSON.stringify([configOf(optimizer), decodeSafetensors(bytes).metadata]);
    };
    expect(rule.flags[flag]).toBe(false);
    expect(await written({})).not.toContain(flag);
    expect(await written({ [flag]: false })).toBe(await written({}));
    expect(await written({ [flag]: true })).toContain(flag);
  });
});

describe("a complete config", () => {
  it("is the caller's own: changes of it reach no optimizer, and its JSON has them", () => {
    const lr = piecewise({
      points: [
        [0, 0.1],
        [5, 0.2],
      ],
    });
    const optimizer = createCpuOptimizer(
      [{ name: "w", shape: [2] }],
      sgd({ lr, groups: [{ params: ["w"], momentum: 0.5 }] }),
    );
    const before = JSON.stringify(configOf(optimizer));
    const config = JSON.parse(before);
    const changed = configOf(optimizer) as unknown as typeof config;
    for (const each of [changed, config]) {
      each.lr.points[0][1] = 5;
      each.groups[0].momentum = 0.9;
      each.groups[0].params[0] = "b";
      each.maximize = true;
    }
    expect(JSON.stringify(changed)).toBe(JSON.stringify(config));
    expect(JSON.stringify(configOf(optimizer))).toBe(before);
    expect(optimizer.hyper("lr", 0)).toBe(0.1);
  });
});

describe("a damaged checkpoint", () => {
  it("is refused whichever bit is flipped, and nothing is changed", async () => {
    const optimizer = createCpuOptimizer([{ name: "w", shape: [2], data: [1, 2] }], { rule: sgd, lr: 0.1 });
    optimizer.write("gradients", { w: [1, 1] });
    optimizer.step();
    const bytes = await saveCheckpoint(optimizer);
    optimizer.step();
    const before = [await optimizer.read(), await optimizer.stats(), configOf(optimizer)];
    // Every bit of a file is flipped in safetensors.test.ts; each of these goes through a whole load.
    for (let bit = 0; bit < bytes.length * 8; bit += 7) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      await expect(loadCheckpoint(optimizer, damaged), `bit ${bit}`).rejects.toThrow(DataError);
    }
    expect([await optimizer.read(), await optimizer.stats(), configOf(optimizer)]).toEqual(before);
    await loadCheckpoint(optimizer, bytes);
    expect((await optimizer.stats()).step).toBe(1);
  });

  it("of this version without checksums is refused, of 0.1 is not", async () => {
    const optimizer = made();
    const bytes = await saveCheckpoint(optimizer);
    expect(decodeSafetensors(bytes).metadata.format).toBe("fallline-checkpoint/2");
    await expect(loadCheckpoint(optimizer, unsealed(bytes))).rejects.toThrow(/has no checksums/);
    await loadCheckpoint(optimizer, unsealed(changed(bytes, { format: "fallline-checkpoint/1" })));
    await expect(loadCheckpoint(optimizer, changed(bytes, { format: "fallline-checkpoint/3" }))).rejects.toThrow(
      /format is "fallline-checkpoint\/3"; this version reads/,
    );
  });

  it.each([
    ["carried", '"x"'],
    ["carried", "5"],
    ["carried", "null"],
    ["carried", '[{"length":1}]'],
    ["carried", '[[{"length":1}]]'],
    ["carried", `${"[".repeat(5000)}${"]".repeat(5000)}`],
    ["groups", '[{"hypers":{"length":1}}]'],
    ["groups", `${"[".repeat(5000)}${"]".repeat(5000)}`],
    ["groups", `[{"hypers":[],"params":${"[".repeat(5000)}${"]".repeat(5000)}}]`],
    ["shared", `[{"lr":${'{"type":"product","schedules":['.repeat(3000)}1${"]}".repeat(3000)}}]`],
    ["config", `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`],
    ["step", "1e9"],
    ["lossScale", "x"],
    ["micro", "[]"],
  ])("whose %s is %s is a DataError", async (key, value) => {
    const optimizer = made();
    await expect(loadCheckpoint(optimizer, changed(await saveCheckpoint(optimizer), { [key]: value }))).rejects.toThrow(
      DataError,
    );
  });
});

describe("a tensor called __proto__", () => {
  it.each([sgd, adamw, scheduleFreeSgd, lamb].map((rule) => [rule.name, rule] as const))(
    "goes through %s",
    async (_, rule) => {
      const make = () =>
        createCpuOptimizer(
          [
            { name: "__proto__", shape: [2] },
            { name: "w", shape: [1] },
          ],
          { rule },
        );
      const optimizer = make();
      optimizer.write("params", JSON.parse('{"__proto__":[5,6],"w":[7]}'));
      optimizer.write("gradients", JSON.parse('{"__proto__":[1,-1],"w":[1]}'));
      optimizer.step();
      const other = make();
      await loadCheckpoint(other, await saveCheckpoint(optimizer));
      for (const role of ["params", "evaluation", ...optimizer.slots]) {
        const values = await other.read(role);
        expect(Object.keys(values), role).toEqual(["__proto__", "w"]);
        expect(Object.entries(values), role).toEqual(Object.entries(await optimizer.read(role)));
      }
    },
  );
});

describe("write", () => {
  it.each([
    ["bigints", BigInt64Array.of(1n)],
    ["a view without numbers", new DataView(new ArrayBuffer(4))],
    ["words", ["x"]],
    ["holes", Array(1)],
  ])("of %s changes nothing, the tensors before them neither", async (_, b) => {
    const tensors = ["a", "b"].map((name) => ({ name, shape: [1] }));
    const optimizer = createCpuOptimizer(tensors, config);
    const values = { a: [1], b: b as unknown as number[] };
    expect(() => optimizer.write("params", values)).toThrow(OptionError);
    expect((await optimizer.read()).a![0]).toBe(0);
    expect(() => createCpuOptimizer([{ name: "b", shape: [1], data: values.b }], config)).toThrow(OptionError);
  });
});

describe("memory that runs out", () => {
  it("is an error of ours: more tensors than the process can hold", () => {
    expect(() => createCpuOptimizer([{ name: "w", shape: [2 ** 20, 2 ** 20] }], config)).toThrow(DeviceError);
    expect(() => createCpuOptimizer([{ name: "w", shape: [2 ** 600, 2 ** 600] }], config)).toThrow(OptionError);
  });

  it("in save, load and read", async () => {
    const optimizer = made();
    const bytes = await saveCheckpoint(optimizer);
    const failing = vi.spyOn(Float32Array.prototype, "slice").mockImplementation(() => {
      throw new RangeError("Array buffer allocation failed");
    });
    await expect(saveCheckpoint(optimizer)).rejects.toThrow(
      /no memory for a checkpoint: Array buffer allocation failed/,
    );
    await expect(optimizer.read()).rejects.toThrow(DeviceError);
    await expect(loadCheckpoint(optimizer, bytes)).rejects.toThrow(DeviceError);
    failing.mockRestore();
    await loadCheckpoint(optimizer, bytes);
    expect([...(await optimizer.read()).w!]).toEqual([1, 2]);
  });
});
