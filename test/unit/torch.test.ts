// Importing the state of a PyTorch optimizer: the trajectories that torch computed go on from it, and files that do not
// fit change nothing.

import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../../src/base/errors.ts";
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from "../../src/base/safetensors.ts";
import { readReplay } from "../../src/lab/replay.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import { saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { readConfig, readRule } from "../../src/optimizer/read_config.ts";
import { loadTorch } from "../../src/optimizer/torch.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { adam, adamw } from "../../src/rules/adam.ts";
import { defineRule } from "../../src/rules/custom.ts";
import { rules } from "../../src/rules/index.ts";
import { lion } from "../../src/rules/lion.ts";
import { muon } from "../../src/rules/muon.ts";
import { nadam } from "../../src/rules/nadam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { goldenText } from "../golden.ts";
import { createCpuOptimizer } from "../optimizers.ts";

const ruleOf = (config: object) => readRule("rule", (config as { rule?: unknown }).rule);
const scalar = (value: number): SafeTensor => ({ shape: [], data: Float32Array.of(value) });
const fileOf = (tensors: Readonly<Record<string, SafeTensor>>) =>
  encodeSafetensors({ metadata: {}, tensors: new Map(Object.entries(tensors)) });

/** What torch would have written of an optimizer with one rule. */
async function torchFile(optimizer: Optimizer): Promise<Record<string, SafeTensor>> {
  const { torch = {}, torchCarry = {}, torchSteps } = ruleOf(configOf(optimizer));
  const shapes = new Map(optimizer.segments.map(({ name, shape }) => [name, shape]));
  const tensors: Record<string, SafeTensor> = {};
  const roles: [string, string][] = optimizer.slots.map((slot) => [slot, `.${torch[slot]}`]);
  for (const [role, suffix] of [["params", ""], ...roles] as const) {
    for (const [name, data] of Object.entries(await optimizer.read(role))) {
      tensors[`${name}${suffix}`] = { shape: shapes.get(name)!, data };
    }
  }
  const [[[carried]]] = JSON.parse(decodeSafetensors(await saveCheckpoint(optimizer)).metadata.carried!);
  const { step } = await optimizer.stats();
  for (const name of shapes.keys()) {
    if (torchSteps !== false) tensors[`${name}.step`] = scalar(step);
    for (const [value, key] of Object.entries(torchCarry)) {
      if (typeof key === "string") tensors[`${name}.${key}`] = scalar(carried[value]);
    }
  }
  return tensors;
}

describe("a trajectory of torch's", () => {
  const replay = readReplay(goldenText("replay.json"));
  const cases = replay.cases.filter(({ optimizer }) => ruleOf(optimizer).torch);
  const blank = replay.tensors.map(({ name, shape }) => ({ name, shape }));

  it("is here for every rule whose slots match torch's", () => {
    const covered = new Set(cases.map(({ optimizer }) => ruleOf(optimizer)));
    const missing = rules.filter((rule) => rule.torch && !covered.has(rule)).map(({ name }) => name);
    // Only takes matrices; see below.
    expect(missing).toEqual(["muon"]);
  });

  it.each(cases.map((golden) => [golden.id, golden] as const))("goes on: %s", async (_, golden) => {
    const config = readConfig(golden.clip ? { ...golden.optimizer, clip: golden.clip } : golden.optimizer);
    const before = createCpuOptimizer(replay.tensors, config);
    const steps = (optimizer: Optimizer, from: number, to: number) => {
      for (const gradients of replay.gradients.slice(from, to)) {
        optimizer.write("gradients", gradients);
        optimizer.step();
      }
    };
    steps(before, 0, 10);
    const after = createCpuOptimizer(blank, config);
    await loadTorch(after, fileOf(await torchFile(before)));
    expect((await after.stats()).step).toBe(ruleOf(config).torchSteps === false ? 0 : 10);
    steps(after, 10, 25);
    const params = await after.read();
    const { rtol, atol } = golden.tolerance;
    const last = golden.expected.find(({ step }) => step === 25)!;
    for (const [name, expected] of Object.entries(last.params)) {
      expected.forEach((want, i) => {
        expect(Math.abs(params[name]![i]! - want)).toBeLessThanOrEqual(atol + rtol * Math.abs(want));
      });
    }
  });
});

/** A file of numbers of any dtype, laid out as the safetensors library does; of F16 and BF16 the bits are given. */
function bytesOf(entries: readonly (readonly [key: string, dtype: string, shape: number[], values: number[]])[]) {
  const writers: Record<string, readonly [number, (view: DataView, at: number, value: number) => void]> = {
    F64: [8, (view, at, value) => view.setFloat64(at, value, true)],
    F32: [4, (view, at, value) => view.setFloat32(at, value, true)],
    F16: [2, (view, at, bits) => view.setUint16(at, bits, true)],
    BF16: [2, (view, at, bits) => view.setUint16(at, bits, true)],
    I64: [8, (view, at, value) => view.setBigInt64(at, BigInt(value), true)],
  };
  let length = 0;
  const header = entries.map(([key, dtype, shape, values]) => {
    const begin = length;
    length += writers[dtype]![0] * values.length;
    return `"${key}":{"dtype":"${dtype}","shape":${JSON.stringify(shape)},"data_offsets":[${begin},${length}]}`;
  });
  const json = `{${header.join(",")}}`;
  const text = json.padEnd(Math.ceil(json.length / 8) * 8);
  const bytes = new Uint8Array(8 + text.length + length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(text.length), true);
  bytes.set(new TextEncoder().encode(text), 8);
  let at = 8 + text.length;
  for (const [, dtype, , values] of entries) {
    const [size, write] = writers[dtype]!;
    for (const value of values) {
      write(view, at, value);
      at += size;
    }
  }
  return bytes;
}

describe("torch.optim.Adam of a torch.nn.Linear(3, 2)", () => {
  // After three steps with the same gradient the moments are these shares of it and of its square.
  const gradient = { bias: [1, -2], weight: [0.5, -0.25, 1, 2, -0.5, 0.125] };
  const m = (g: number) => (1 - 0.9 ** 3) * g;
  const v = (g: number) => (1 - 0.999 ** 3) * g * g;
  const file = bytesOf([
    ["fc.bias", "F32", [2], [0.25, -0.5]],
    ["fc.bias.exp_avg", "F32", [2], gradient.bias.map(m)],
    ["fc.bias.exp_avg_sq", "F32", [2], gradient.bias.map(v)],
    ["fc.bias.step", "F32", [], [3]],
    ["fc.weight", "F32", [2, 3], [1, 2, 3, 4, 5, 6]],
    ["fc.weight.exp_avg", "F32", [2, 3], gradient.weight.map(m)],
    ["fc.weight.exp_avg_sq", "F32", [2, 3], gradient.weight.map(v)],
    ["fc.weight.step", "F32", [], [3]],
  ]);
  const tensors: Tensor[] = [
    { name: "fc.weight", shape: [3, 2] },
    { name: "fc.bias", shape: [2] },
  ];

  it("goes on, transposed: under a steady gradient every step is the rate", async () => {
    const optimizer = createCpuOptimizer(tensors, { rule: adam, lr: 0.5, eps: 1e-30 });
    await loadTorch(optimizer, file, { transpose: "fc.weight" });
    expect((await optimizer.read())["fc.weight"]).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
    expect((await optimizer.read("m"))["fc.weight"]).toEqual(
      Float32Array.from([0.5, 2, -0.25, -0.5, 1, 0.125], (g) => m(g)),
    );
    optimizer.write("gradients", { "fc.weight": [0.5, 2, -0.25, -0.5, 1, 0.125], "fc.bias": gradient.bias });
    optimizer.step();
    const { "fc.weight": weight, "fc.bias": bias } = await optimizer.read();
    [0.5, 3.5, 2.5, 5.5, 2.5, 5.5].forEach((want, i) => {
      expect(weight![i]).toBeCloseTo(want, 5);
    });
    expect(bias![0]).toBeCloseTo(-0.25, 5);
    expect(bias![1]).toBeCloseTo(0, 5);
    expect((await optimizer.stats()).step).toBe(4);
  });

  it.each([["fc.*"], [/weight$/], [[{ regex: "WEIGHT", flags: "i" }, "fc.bias"]]])(
    "transposes the matrices that %j matches, and no vectors",
    async (transpose) => {
      const optimizer = createCpuOptimizer(tensors, { rule: adam });
      await loadTorch(optimizer, file, { transpose });
      expect((await optimizer.read())["fc.weight"]).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
      expect((await optimizer.read())["fc.bias"]).toEqual(Float32Array.of(0.25, -0.5));
    },
  );
});

const tensors: Tensor[] = [
  { name: "w", shape: [2, 3], data: [1, 2, 3, 4, 5, 6] },
  { name: "b", shape: [2], data: [7, 8] },
];

/** A file of Adam's for {@link tensors}. */
const adamFile = (): Record<string, SafeTensor> => ({
  w: { shape: [2, 3], data: Float32Array.of(-1, -2, -3, -4, -5, -6) },
  "w.exp_avg": { shape: [2, 3], data: new Float32Array(6).fill(0.5) },
  "w.exp_avg_sq": { shape: [2, 3], data: new Float32Array(6).fill(0.25) },
  "w.step": scalar(7),
  "b.exp_avg": { shape: [2], data: Float32Array.of(1, 2) },
  "b.exp_avg_sq": { shape: [2], data: Float32Array.of(3, 4) },
  "b.step": scalar(7),
});

describe("loadTorch", () => {
  it("reads other dtypes, and a step as [1]", async () => {
    const optimizer = createCpuOptimizer([{ name: "w", shape: [2] }], { rule: adamw, amsgrad: true });
    const file = bytesOf([
      ["w", "F64", [2], [0.1, -3]],
      ["w.step", "I64", [1], [12]],
      ["w.exp_avg", "BF16", [2], [0x3f80, 0xc049]],
      ["w.exp_avg_sq", "F16", [2], [0x3c00, 0x4100]],
      ["w.max_exp_avg_sq", "F32", [2], [2, 4]],
    ]);
    await loadTorch(optimizer, file);
    expect(await optimizer.read()).toEqual({ w: Float32Array.of(0.1, -3) });
    expect(await optimizer.read("m")).toEqual({ w: Float32Array.of(1, -3.140625) });
    expect(await optimizer.read("v")).toEqual({ w: Float32Array.of(1, 2.5) });
    expect(await optimizer.read("vMax")).toEqual({ w: Float32Array.of(2, 4) });
    expect((await optimizer.stats()).step).toBe(12);
  });

  it("leaves parameters that the file lacks, and the hypers", async () => {
    const optimizer = createCpuOptimizer(tensors, { rule: adam, lr: 0.25 });
    optimizer.set({ beta1: 0.5 });
    await loadTorch(optimizer, fileOf(adamFile()));
    expect(await optimizer.read()).toEqual({
      w: Float32Array.of(-1, -2, -3, -4, -5, -6),
      b: Float32Array.of(7, 8),
    });
    expect([optimizer.hyper("lr", 7), optimizer.hyper("beta1", 7)]).toEqual([0.25, 0.5]);
  });

  it("takes the step from the option before the file", async () => {
    const optimizer = createCpuOptimizer(tensors, { rule: adam });
    await loadTorch(optimizer, fileOf({ ...adamFile(), "b.step": scalar(5) }), { step: 9 });
    expect((await optimizer.stats()).step).toBe(9);
  });

  it("gives sgd, whose steps torch does not count, step 0 or the option's", async () => {
    const optimizer = createCpuOptimizer([{ name: "w", shape: [1] }], { rule: sgd, momentum: 0.5, dampening: 0.25 });
    const file = fileOf({ "w.momentum_buffer": { shape: [1], data: Float32Array.of(8) } });
    for (const [options, step] of [
      [{}, 0],
      [{ step: 3 }, 3],
    ] as const) {
      await loadTorch(optimizer, file, options);
      expect((await optimizer.stats()).step).toBe(step);
      optimizer.write("gradients", { w: [4] });
      optimizer.step();
      // 0.5 · 8 + (1 - 0.25) · 4: the buffer has begun.
      expect(await optimizer.read("momentum")).toEqual({ w: Float32Array.of(7) });
    }
  });

  it("makes all replicas alike", async () => {
    const optimizer = createCpuOptimizer(tensors, { rule: adam, replicas: [{ lr: 0.1 }, { lr: 0.2 }] });
    optimizer.write("params", { b: [9, 9] }, { replica: 1 });
    await loadTorch(optimizer, fileOf(adamFile()));
    for (const replica of [0, 1]) {
      expect((await optimizer.stats({ replica })).step).toBe(7);
      expect((await optimizer.read("params", { replica })).w).toEqual(Float32Array.of(-1, -2, -3, -4, -5, -6));
      expect((await optimizer.read("v", { replica })).b).toEqual(Float32Array.of(3, 4));
      expect(optimizer.hyper("lr", 7, { group: 0, replica })).toBe([0.1, 0.2][replica]);
    }
    // Its parameter is not in the file.
    expect((await optimizer.read("params", { replica: 1 })).b).toEqual(Float32Array.of(9, 9));
  });

  it("keeps averages, but begins those of an optimizer without an update at the parameters", async () => {
    const config = { rule: adam, lr: 0.1, ema: { decay: 0.5, warmup: false }, accumulate: 2 } as const;
    const fresh = createCpuOptimizer(tensors, config);
    const used = createCpuOptimizer(tensors, config);
    used.write("gradients", { b: [1, 1] });
    for (let i = 0; i < 3; i++) used.step();
    const [ema, accumulated] = [await used.read("ema"), await used.read("accumulated")];
    await loadTorch(fresh, fileOf(adamFile()));
    await loadTorch(used, fileOf(adamFile()));
    expect(await fresh.read("ema")).toEqual(await fresh.read());
    expect(await used.read("ema")).toEqual(ema);
    expect(await used.read("accumulated")).toEqual(accumulated);
    const { step } = await used.stats();
    used.step();
    // The third micro-step was half of an update.
    expect((await used.stats()).step).toBe(step + 1);
  });

  it("takes what a group carries from its own tensors", async () => {
    const optimizer = createCpuOptimizer(tensors, {
      rule: nadam,
      groups: [{ params: "b", beta1: 0.5 }],
    });
    const file = { ...adamFile(), "w.mu_product": scalar(0.25), "b.mu_product": scalar(0.5) };
    await loadTorch(optimizer, fileOf(file));
    const { carried } = decodeSafetensors(await saveCheckpoint(optimizer)).metadata;
    expect(JSON.parse(carried!)).toEqual([[[{ product: 0.5 }, { product: 0.25 }]]]);
  });

  it("takes several rules at once, with the step of those that count", async () => {
    const optimizer = createCpuOptimizer(tensors, { rule: muon, fallback: { rule: adam } });
    const { "b.exp_avg": m, "b.exp_avg_sq": v, "b.step": step } = adamFile();
    const momentum = { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const file = { "w.momentum_buffer": momentum, "b.exp_avg": m!, "b.exp_avg_sq": v!, "b.step": step! };
    await loadTorch(optimizer, fileOf(file));
    expect(await optimizer.read("momentum")).toEqual({ w: momentum.data });
    expect(await optimizer.read("v")).toEqual({ b: v!.data });
    expect((await optimizer.stats()).step).toBe(7);
  });

  const matrix = (shape: number[]) => ({ shape, data: new Float32Array(6) });
  const nadamFile = () => ({ ...adamFile(), "w.mu_product": scalar(0.5), "b.mu_product": scalar(0.5) });
  const without = (file: Record<string, SafeTensor>, ...keys: string[]) =>
    Object.fromEntries(Object.entries(file).filter(([key]) => !keys.includes(key)));
  it.each<[string, Record<string, SafeTensor>, RegExp, OptimizerConfig?, Parameters<typeof loadTorch>[2]?]>([
    ["no slot", without(adamFile(), "b.exp_avg_sq"), /^the file has no "b.exp_avg_sq" for the slot v of adam$/],
    ["no slot of an option", adamFile(), /no "w.max_exp_avg_sq" for the slot vMax/, { rule: adam, amsgrad: true }],
    [
      "a slot of an option that is off",
      { ...adamFile(), "w.max_exp_avg_sq": matrix([2, 3]) },
      /^the file has "w.max_exp_avg_sq", but this optimizer keeps no slot vMax under its options$/,
    ],
    [
      "a slot of a hyper that is 0",
      { "w.momentum_buffer": matrix([2, 3]) },
      /"w.momentum_buffer", but this optimizer keeps no slot momentum/,
      { rule: sgd },
    ],
    [
      "another rule's slot",
      { ...adamFile(), "b.exp_inf": scalar(0) },
      /"b.exp_inf", which is neither a tensor nor its rule's state; the tensors are w, b/,
    ],
    ["another tensor", { ...adamFile(), u: scalar(0) }, /"u", which is neither/],
    [
      "a wrong shape",
      { ...adamFile(), "w.exp_avg": matrix([6]) },
      /"w.exp_avg" has shape \[6\]; it must have \[2,3\]$/,
    ],
    [
      "a matrix that is transposed",
      { ...adamFile(), w: matrix([3, 2]) },
      /^the file's "w" has shape \[3,2\]; it must have \[2,3\] \(it fits with transpose\)$/,
    ],
    [
      "a matrix that is not transposed after all",
      adamFile(),
      /"w" has shape \[2,3\]; it must have \[3,2\] \(it fits without transpose\)/,
      { rule: adam },
      { transpose: "w" },
    ],
    [
      "no steps",
      without(adamFile(), "w.step", "b.step"),
      /^the file has no "w.step"; without it, the option step must give/,
    ],
    ["steps that disagree", { ...adamFile(), "b.step": scalar(8) }, /"w.step" is 7 and "b.step" is 8; they must agree/],
    ["a step between steps", { ...adamFile(), "w.step": scalar(6.5) }, /"w.step" is 6.5; it must be a whole number/],
    ["a step that is NaN", { ...adamFile(), "w.step": scalar(Number.NaN) }, /"w.step" is NaN; it must be a finite/],
    [
      "a step for each element",
      { ...adamFile(), "w.step": matrix([2, 3]) },
      /"w.step" has shape \[2,3\]; it must be a/,
    ],
    [
      "no scalar",
      without(nadamFile(), "b.mu_product"),
      /^the file has no "b.mu_product" for the carry of nadam$/,
      { rule: nadam },
    ],
    [
      "scalars that disagree",
      { ...nadamFile(), "b.mu_product": scalar(0.25) },
      /"w.mu_product" is 0.5 and "b.mu_product" is 0.25; tensors of a group must agree/,
      { rule: nadam },
    ],
  ])("refuses a file with %s, and changes nothing", async (_, file, message, config, options) => {
    const optimizer = createCpuOptimizer(tensors, config ?? { rule: adam });
    const before = await saveCheckpoint(optimizer);
    const error = await loadTorch(optimizer, fileOf(file), options).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(message);
    expect(await saveCheckpoint(optimizer)).toEqual(before);
  });

  const uncarried = defineRule({ ...sgd, name: "uncarried", torchCarry: {} });
  it.each<[string, RegExp, OptimizerConfig, Parameters<typeof loadTorch>[2]?, Tensor?]>([
    ["a rule that torch lacks", /^the rule lion keeps a slot m, which has no counterpart in torch$/, { rule: lion }],
    ["a rule whose slots torch keeps otherwise", /adafactor keeps a slot v, which has no/, { rule: adafactor }],
    [
      "a rule that carries what torch lacks",
      /^the rule uncarried carries started, which has no counterpart in torch$/,
      { rule: uncarried } as unknown as OptimizerConfig,
    ],
    [
      "a tensor that is called like state of another",
      /^a tensor is called "b.step", which in torch's files is state of "b"$/,
      { rule: adam },
      {},
      { name: "b.step", shape: [] },
    ],
    ["an unknown option", /unknown option "steps"/, { rule: adam }, { steps: 1 } as object],
    ["a step below 0", /loadTorch.step is -1; it must be a whole number/, { rule: adam }, { step: -1 }],
    [
      "a pattern that matches nothing",
      /loadTorch.transpose names "v", which matches no/,
      { rule: adam },
      { transpose: "v" },
    ],
    [
      "a kernel to transpose",
      /loadTorch.transpose matches "kernel", which has shape \[1,2,3\]; it must match/,
      { rule: adam },
      { transpose: "*" },
      { name: "kernel", shape: [1, 2, 3] },
    ],
  ])("refuses %s, and changes nothing", async (_, message, config, options, tensor) => {
    const optimizer = createCpuOptimizer(tensor ? [...tensors, tensor] : tensors, config);
    const before = await saveCheckpoint(optimizer);
    const error = await loadTorch(optimizer, fileOf(adamFile()), options).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(OptionError);
    expect(error.message).toMatch(message);
    expect(await saveCheckpoint(optimizer)).toEqual(before);
  });

  it("refuses what is not a safetensors file", async () => {
    const optimizer = createCpuOptimizer(tensors, { rule: adam });
    await expect(loadTorch(optimizer, new Uint8Array(3))).rejects.toThrow(DataError);
  });
});
