// Tensors that live in buffers of the caller: updated in place at any offset, their neighbours untouched to the bit, with
// the same results as the same tensors in the arenas of the CPU reference.

import { describe, expect, it } from "vitest";
import { keep } from "../../scripts/webgpu.mjs";
import { OptionError } from "../../src/base/errors.ts";
import { Random } from "../../src/base/random.ts";
import { external } from "../../src/engines/gpu/external.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { adamw } from "../../src/rules/adam.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { muon } from "../../src/rules/muon.ts";
import { prodigy } from "../../src/rules/prodigy.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { createCpuOptimizer, createOptimizer, createPlan } from "../optimizers.ts";
import { device, gpu } from "./setup.ts";

const random = new Random(11);
const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());
const all = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
const buffer = (bytes: number, usage = all) => device.createBuffer({ size: bytes, usage });

async function bytesOf(source: GPUBuffer): Promise<Uint32Array> {
  const copy = device.createBuffer({ size: source.size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, copy, 0, source.size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const words = new Uint32Array(copy.getMappedRange().slice(0));
  copy.destroy();
  return words;
}

/** Where the tensors lie: two buffers of parameters, gradients in two others, and one tensor in the arenas. */
const places = [
  // Not a multiple of 16; one that is, with others right behind it; the last 3 elements of a buffer.
  { name: "a", shape: [5, 7], params: [0, 4], gradients: [0, 20] },
  { name: "b", shape: [3], params: [0, 160], gradients: [0, 288] },
  { name: "c", shape: [2], params: [0, 172], gradients: [1, 8] },
  { name: "d", shape: [5, 2, 3], params: [1, 12], gradients: [0, 320] },
  { name: "e", shape: [4101], params: [1, 256], gradients: [1, 64] },
  { name: "f", shape: [3], params: [1, 256 + 4 * 4101 + 8], gradients: [1, 16] },
  { name: "g", shape: [], params: [0, 4 * 60], gradients: [1, 32] },
  { name: "arena", shape: [6, 3] },
] as const;

/** What is between the tensors: small whole numbers, NaNs with something in them, infinities. */
const rubble = Uint32Array.of(1, 0x7fc00123, 0xff800000, 0x80000001, 0x7f800001, 0xdeadbeef, 0x007fffff);

function laidOut() {
  const sizes = { params: [4 * 61, 256 + 4 * 4101 + 8 + 12], gradients: [512, 64 + 4 * 4101] };
  const make = (bytes: number) => {
    const made = buffer(bytes);
    device.queue.writeBuffer(
      made,
      0,
      Uint32Array.from({ length: bytes / 4 }, (_, i) => rubble[i % rubble.length]!),
    );
    return made;
  };
  const buffers = { params: sizes.params.map(make), gradients: sizes.gradients.map(make) };
  const data = Object.fromEntries(places.map(({ name, shape }) => [name, normals(size(shape))]));
  const tensors = places.map((place): Tensor => {
    const { name, shape } = place;
    if (!("params" in place)) return { name, shape, data: data[name]! };
    const range = (role: "params" | "gradients") => {
      const [index, offset] = place[role];
      return { buffer: buffers[role][index]!, offset };
    };
    const params = range("params");
    device.queue.writeBuffer(params.buffer, params.offset, data[name]!);
    return external({ name, shape, params, gradients: range("gradients") });
  });
  const reference = places.map(({ name, shape }): Tensor => ({ name, shape, data: data[name]! }));
  const destroy = () => {
    for (const made of [...buffers.params, ...buffers.gradients]) made.destroy();
  };
  /** The words of the buffers of the parameters that belong to no tensor. */
  const between = async () =>
    (await Promise.all(buffers.params.map(bytesOf))).map((words, index) =>
      words.filter((_, word) =>
        places.every((place) => {
          if (!("params" in place) || place.params[0] !== index) return true;
          const begin = place.params[1] / 4;
          return word < begin || word >= begin + size(place.shape);
        }),
      ),
    );
  return { tensors, reference, buffers, between, destroy };
}

const gradients = () => Object.fromEntries(places.map(({ name, shape }) => [name, normals(size(shape))]));

function expectAlike(actual: Record<string, Float32Array>, expected: Record<string, Float32Array>, tolerance: number) {
  for (const [name, list] of Object.entries(expected)) {
    const most = list.reduce((peak, value) => Math.max(peak, Math.abs(value)), 1e-30);
    list.forEach((value, i) => {
      const error = Math.abs(actual[name]![i]! - value) / most;
      if (!(error <= tolerance)) expect.fail(`${name}[${i}] is ${actual[name]![i]}; it should be ${value}`);
    });
  }
}

describe("tensors in buffers of the caller's", () => {
  it.each<[string, OptimizerConfig, number]>([
    [
      "adamw with a global norm, averages and accumulation",
      {
        rule: adamw,
        lr: 0.05,
        weightDecay: 0.2,
        eps: 1e-4,
        amsgrad: true,
        accumulate: 2,
        clip: { type: "globalNorm", maxNorm: 3 },
        ema: { decay: 0.4 },
        lookahead: { every: 2 },
        groups: [{ params: ["a", "e", "arena"], lr: 0.02 }],
      },
      1e-5,
    ],
    [
      "lamb with adaptive clipping and caution in one, by group",
      {
        rule: lamb,
        lr: 0.05,
        weightDecay: 0.2,
        eps: 1e-3,
        clip: { type: "adaptive", clipping: 0.3 },
        groups: [{ params: ["b", "d", "f"], rule: prodigy, d0: 0.01, eps: 1e-3 }],
      },
      1e-4,
    ],
    ["adafactor", { rule: adafactor, lr: 0.05, weightDecay: 0.1, d: 0.7, skipNonFinite: true }, 1e-5],
    [
      "adamw with caution and loss scaling",
      {
        rule: adamw,
        lr: 0.05,
        eps: 1e-3,
        cautious: true,
        lossScale: { init: 1 },
        clip: { type: "value", maxValue: 1 },
      },
      1e-5,
    ],
    [
      "muon with a fallback",
      {
        rule: muon,
        lr: 0.05,
        fallback: { rule: sgd, lr: 0.1, momentum: 0.5 },
        clip: { type: "groupNorm", maxNorm: 2 },
      },
      5e-5,
    ],
  ])("%s", async (_, config, tolerance) => {
    const { tensors, reference, between, destroy } = laidOut();
    const optimizer = await createOptimizer(device, tensors, config);
    const cpu = createCpuOptimizer(reference, config);
    const before = await between();
    for (let step = 0; step < 4; step++) {
      const g = gradients();
      for (const each of [optimizer, cpu] as Optimizer[]) {
        each.write("gradients", g);
        each.step();
      }
    }
    expectAlike(await optimizer.read(), await cpu.read(), tolerance);
    for (const slot of optimizer.slots) expectAlike(await optimizer.read(slot), await cpu.read(slot), tolerance);
    expect(await between()).toEqual(before);
    const [stats, twin] = [await optimizer.stats(), await cpu.stats()];
    expect(stats.step).toBe(twin.step);
    if (!Number.isNaN(twin.gradientNorm)) expect(stats.gradientNorm / twin.gradientNorm).toBeCloseTo(1, 5);
    // Saved and resumed in other buffers, to the bit.
    const elsewhere = laidOut();
    const resumed = await createOptimizer(device, elsewhere.tensors, config);
    await loadCheckpoint(resumed, await saveCheckpoint(optimizer));
    const g = gradients();
    for (const each of [optimizer, resumed]) {
      each.write("gradients", g);
      each.step();
      each.step();
    }
    expect(await resumed.read()).toEqual(await optimizer.read());
    expect(await elsewhere.between()).toEqual(before);
    // What is not finite changes nothing, where skipping is on.
    if (createPlan(configOf(optimizer), optimizer.segments).skipNonFinite) {
      const kept = await optimizer.read();
      optimizer.write("gradients", { f: [0, 0, Number.NaN] });
      optimizer.step();
      optimizer.step();
      expect(await optimizer.read()).toEqual(kept);
    }
    optimizer.zeroGrad();
    expect([...(await optimizer.read("gradients")).e!].every((value) => value === 0)).toBe(true);
    for (const each of [optimizer, resumed]) each.destroy();
    destroy();
    elsewhere.destroy();
  });

  it("can be all of them, and are the caller's after destroy", async () => {
    const [params, grads] = [buffer(20), buffer(12)];
    device.queue.writeBuffer(params, 0, Float32Array.of(9, 1, 2, 3, 9));
    device.queue.writeBuffer(grads, 0, Float32Array.of(1, 1, 1));
    const optimizer = await createOptimizer(
      device,
      [external({ name: "x", shape: [3], params: { buffer: params, offset: 4 }, gradients: { buffer: grads } })],
      { rule: sgd, lr: 0.5, clip: { type: "globalNorm", maxNorm: 1e6 } },
    );
    expect(optimizer.binding("params", "x")).toMatchObject({ buffer: params, offset: 4, size: 12 });
    optimizer.step();
    expect(await optimizer.read()).toEqual({ x: Float32Array.of(0.5, 1.5, 2.5) });
    optimizer.write("params", { x: [4, 5, 6] });
    optimizer.zeroGrad();
    optimizer.destroy();
    expect(new Float32Array((await bytesOf(params)).buffer)).toEqual(Float32Array.of(9, 4, 5, 6, 9));
    expect(new Float32Array((await bytesOf(grads)).buffer)).toEqual(new Float32Array(3));
    for (const made of [params, grads]) made.destroy();
  });
});

describe("a buffer larger than a kernel can bind", () => {
  it("is bound by the stretches where its tensors are", async () => {
    const adapter = (await gpu.requestAdapter())!;
    const small = await adapter.requestDevice();
    keep(adapter, small);
    const most = small.limits.maxStorageBufferBindingSize;
    const bytes = most + 2 ** 20;
    const make = (size: number) => small.createBuffer({ size, usage: all });
    const [params, gradients] = [make(bytes), make(bytes)];
    const places = [
      { name: "near the start", shape: [5], offset: 4096 + 12 },
      { name: "behind it", shape: [4], offset: 8192 },
      { name: "at the end", shape: [3], offset: bytes - 12 },
    ];
    const tensors = places.map(({ name, shape, offset }) =>
      external({ name, shape, params: { buffer: params, offset }, gradients: { buffer: gradients, offset } }),
    );
    const optimizer = await createOptimizer(small, tensors, {
      rule: sgd,
      lr: 1,
      clip: { type: "globalNorm", maxNorm: 1 },
    });
    const values = (value: number) =>
      Object.fromEntries(places.map(({ name, shape }) => [name, new Float32Array(shape[0]!).fill(value)]));
    optimizer.write("params", values(2));
    optimizer.write("gradients", values(3));
    optimizer.step();
    const found = await optimizer.read();
    for (const { name } of places) {
      for (const value of found[name]!) expect(value).toBeCloseTo(2 - 1 / Math.sqrt(12), 5);
    }
    optimizer.destroy();
    params.destroy();
    gradients.destroy();
    small.destroy();
  });
});

describe("buffers that are refused", () => {
  const params = buffer(64);
  const grads = buffer(64);
  const config = { rule: sgd } as const;
  const tensor = (more: object): Tensor => {
    const fields = { name: "x", shape: [5], params: { buffer: params }, gradients: { buffer: grads } };
    return external({ ...fields, ...more });
  };

  it.each<[string, object, OptimizerConfig, RegExp]>([
    [
      "both in one",
      { gradients: { buffer: params, offset: 32 } },
      config,
      /^the params and gradients of tensor "x" are in one buffer, which WebGPU cannot read and write in one dispatch$/,
    ],
    [
      "no STORAGE",
      { gradients: { buffer: buffer(64, GPUBufferUsage.COPY_DST) } },
      config,
      /^the gradients of tensor "x" are in a buffer whose usage lacks STORAGE$/,
    ],
    [
      "behind the end",
      { params: { buffer: params, offset: 48 } },
      config,
      /^the params of tensor "x" end at byte 68, past the end of their buffer of 64 bytes$/,
    ],
    [
      "an odd offset",
      { params: { buffer: params, offset: 6 } },
      config,
      /^the params of tensor "x": offset is 6; it must be a multiple of 4$/,
    ],
    [
      "a negative offset",
      { params: { buffer: params, offset: -4 } },
      config,
      /^the params of tensor "x": offset is -4; it must be a whole number >= 0$/,
    ],
    [
      "data",
      { data: [1, 2, 3, 4, 5] },
      config,
      /^tensor "x" has both data and an external buffer; write to the buffer/,
    ],
    [
      "no gradients",
      { gradients: undefined },
      config,
      /^the gradients of tensor "x" are missing; a tensor in external buffers/,
    ],
    ["no params", { params: undefined }, config, /^the params of tensor "x" are missing; a tensor in external buffers/],
    ["no buffer", { params: { buffer: 5 } }, config, /^the params of tensor "x" are in 5; it must be a GPUBuffer$/],
    ["null", { params: null }, config, /^the params of tensor "x" is null; it must be an object with buffer, offset$/],
    [
      "replicas",
      {},
      { ...config, replicas: [{}, {}] },
      /^tensor "x" is in an external buffer; with replicas, tensors must be in the arenas$/,
    ],
  ])("%s", async (_, more, options, message) => {
    const error = await createOptimizer(device, [tensor(more)], options).catch((caught: unknown) => caught as Error);
    expect(error).toBeInstanceOf(OptionError);
    expect((error as Error).message).toMatch(message);
  });

  it("what external() does not know, or did not make", async () => {
    const fields = { shape: [5], params: { buffer: params }, gradients: { buffer: grads } };
    expect(() => external({ ...fields, size: 5 } as never)).toThrow(
      'external has an unknown option "size"; the options are name, shape, data, layout, params, gradients',
    );
    await expect(createOptimizer(device, { x: fields as never }, config)).rejects.toThrow(
      'tensors.x has an unknown option "params"; the options are shape, data, layout, external; external({ shape, params, gradients }) makes a tensor in your own buffers',
    );
    await expect(createOptimizer(device, { x: { shape: [5], external: {} as never } }, config)).rejects.toThrow(
      "tensors[0].external is {}, whose checked is missing; it must be what external() returns",
    );
  });

  it("ranges that overlap", async () => {
    const two = [
      tensor({}),
      tensor({ name: "y", params: { buffer: params, offset: 16 }, gradients: { buffer: grads } }),
    ];
    await expect(createOptimizer(device, two, config)).rejects.toThrow(OptionError);
  });

  it("the CPU", () => {
    expect(() => createCpuOptimizer([tensor({})], config)).toThrow(
      'tensor "x" is in a GPUBuffer, which only a GPU optimizer can update',
    );
  });

  it("reading, writing, saving, loading and zeroGrad say what usage they need", async () => {
    const [p, g] = [buffer(64, GPUBufferUsage.STORAGE), buffer(64, GPUBufferUsage.STORAGE)];
    const optimizer = await createOptimizer(
      device,
      [tensor({ params: { buffer: p }, gradients: { buffer: g } }), { name: "y", shape: [2] }],
      config,
    );
    optimizer.step();
    const checkpoint = await createOptimizer(
      device,
      [
        { name: "x", shape: [5] },
        { name: "y", shape: [2] },
      ],
      config,
    );
    const saved = await saveCheckpoint(checkpoint);
    await expect(optimizer.read()).rejects.toThrow('read needs the buffer of tensor "x" to have usage COPY_SRC');
    await expect(saveCheckpoint(optimizer)).rejects.toThrow("to have usage COPY_SRC");
    await expect(loadCheckpoint(optimizer, saved)).rejects.toThrow(
      'loadCheckpoint needs the buffer of tensor "x" to have usage COPY_DST',
    );
    expect(() => optimizer.write("params", { x: [1, 2, 3, 4, 5] })).toThrow(
      'write needs the buffer of tensor "x" to have usage COPY_DST',
    );
    expect(() => optimizer.write("gradients", { y: [1, 2], x: [1, 2, 3, 4, 5] })).toThrow("to have usage COPY_DST");
    // Asked before any command is made.
    expect(() => optimizer.zeroGrad()).toThrow('zeroGrad needs the buffer of tensor "x" to have usage COPY_DST');
    optimizer.destroy();
    checkpoint.destroy();
  });
});
