// What a device cannot do or no longer does: limits, shaders that do not compile, destroy, loss, skips the host missed.

import { describe, expect, it } from "vitest";
import { countCalls } from "../../bench/counting.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { createObjective } from "../../src/objectives/objective_gpu.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { adamw } from "../../src/rules/adam.ts";
import { defineRule } from "../../src/rules/custom.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { createOptimizer } from "../optimizers.ts";
import { freshDevice } from "./setup.ts";

const tensor = { name: "w", shape: [1000] };
const scalar = { name: "x", shape: [1] };

function feed(optimizer: Optimizer, gradient: number): void {
  optimizer.write("gradients", { x: [gradient] });
  optimizer.step();
}

/** A device that says it has less than it has. */
async function limited(limit: keyof GPUSupportedLimits, value: number): Promise<GPUDevice> {
  const device = await freshDevice();
  Object.defineProperty(device, "limits", { value: { ...limitsOf(device), [limit]: value } });
  return device;
}

function limitsOf(device: GPUDevice): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const name in device.limits) limits[name] = device.limits[name as keyof GPUSupportedLimits] as number;
  return limits;
}

describe("a device without enough", () => {
  it.each<[keyof GPUSupportedLimits, number, RegExp]>([
    ["maxBufferSize", 4000, /^an arena of 1024 parameters needs maxBufferSize >= 4096; this device has 4000$/],
    ["maxStorageBufferBindingSize", 4000, /^an arena of 1024 parameters needs maxStorageBufferBindingSize >= 4096/],
    [
      "maxStorageBufferBindingSize",
      8000,
      /^the state of rule "adamw" \(m, v\) needs .* >= 8192; this device has 8000$/,
    ],
    [
      "maxStorageBuffersPerShaderStage",
      5,
      /^rule "adamw" needs maxStorageBuffersPerShaderStage >= 6; this device has 5$/,
    ],
  ])("%s is refused by name and number", async (limit, value, message) => {
    const device = await limited(limit, value);
    await expect(createOptimizer(device, [tensor], adamw())).rejects.toThrow(message);
  });

  it("is refused for a batch too large too, and nothing is left behind", async () => {
    const device = await freshDevice();
    const { alive } = countCalls(device);
    const model = createModel({ layers: [4, 8, 2] });
    const data = {
      name: "toy",
      count: 9,
      features: 4,
      classes: 2,
      inputs: new Float32Array(36),
      scale: 1,
      labels: new Uint8Array(9),
    };
    const optimizer = await createOptimizer(device, initialTensors(model), sgd());
    const before = alive.size;
    Object.defineProperty(device, "limits", { value: { ...limitsOf(device), maxStorageBufferBindingSize: 100 } });
    await expect(createObjective(optimizer, model, { data, batch: 9 })).rejects.toThrow(
      "a batch of 1 needs 128 bytes in one buffer; the device binds at most 100 bytes: not even one replica fits",
    );
    Object.defineProperty(device, "limits", { value: { ...limitsOf(device), maxStorageBufferBindingSize: 400 } });
    await expect(
      createObjective(optimizer, model, {
        data: { ...data, inputs: new Float32Array(400), count: 100, labels: new Uint8Array(100) },
        batch: 9,
      }),
    ).rejects.toThrow("toy needs maxStorageBufferBindingSize >= 1600");
    expect(alive.size).toBe(before);
    optimizer.destroy();
  });
});

describe("memory that runs out", () => {
  it("is a DeviceError, and leaves neither buffers nor error scopes behind", async () => {
    const device = await freshDevice();
    const { alive } = countCalls(device);
    const { createBuffer } = device;
    let calls = 0;
    Object.defineProperty(device, "createBuffer", {
      value: (descriptor: GPUBufferDescriptor) => {
        if (++calls === 4) throw new RangeError("out of memory");
        return createBuffer.call(device, descriptor);
      },
    });
    await expect(createOptimizer(device, [tensor], adamw())).rejects.toThrow(
      "the device could not hold 1024 parameters: out of memory",
    );
    expect(alive.size).toBe(0);
    await expect(device.popErrorScope()).rejects.toThrow();
  });
});

describe("what is not a device", () => {
  it("is refused", async () => {
    await expect(createOptimizer(undefined as never, [tensor], sgd())).rejects.toThrow(
      "device is missing; it must be a GPUDevice",
    );
    const device = await freshDevice();
    device.destroy();
    await device.lost;
    await expect(createOptimizer(device, [tensor], sgd())).rejects.toThrow(
      /^createOptimizer was called after the GPU device was lost/,
    );
  });

  it("says nothing of its adapter and still works", async () => {
    const device = await freshDevice();
    Object.defineProperty(device, "adapterInfo", { value: undefined });
    const optimizer = await createOptimizer(device, [tensor], adamw());
    optimizer.step();
    expect((await optimizer.stats()).step).toBe(1);
    optimizer.destroy();
  });
});

describe("a rule whose WGSL does not compile", () => {
  it.each<[string, string, RegExp]>([
    [
      "a wrong line",
      "fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {\n  var y = x;\n  y.step = h.lr * gradeint;\n  return y;\n}",
      /^rule "broken" does not compile: the WGSL of rule "broken", line 3: .*gradeint/,
    ],
    [
      "a column that does not exist",
      "fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {\n  var y = x;\n  y.step = x.p * h.speed;\n  return y;\n}",
      /^rule "broken" does not compile: the WGSL of rule "broken", line 3: .*speed/,
    ],
    [
      "no update at all",
      "// nothing",
      /^rule "broken" does not compile: the generated calls of rule "broken", line \d+: .*update/,
    ],
  ])("says which rule and which line: %s", async (_, wgsl, message) => {
    const device = await freshDevice();
    const { alive } = countCalls(device);
    const uncaptured: string[] = [];
    device.addEventListener("uncapturederror", (event) =>
      uncaptured.push((event as GPUUncapturedErrorEvent).error.message),
    );
    const rule = defineRule({ ...sgd, name: "broken", wgsl });
    await expect(createOptimizer(device, [tensor], { rule })).rejects.toThrow(message);
    expect(alive.size).toBe(0);
    await device.queue.onSubmittedWorkDone();
    expect(uncaptured).toEqual([]);
  });
});

describe("after the end", () => {
  it("of the optimizer every call says so", async () => {
    const device = await freshDevice();
    const optimizer = await createOptimizer(device, [tensor], sgd());
    optimizer.destroy();
    const encoder = device.createCommandEncoder();
    expect(() => optimizer.encode(encoder)).toThrow("encode() was called on a destroyed optimizer");
    expect(() => optimizer.step()).toThrow("step() was called on a destroyed optimizer");
    expect(() => optimizer.zeroGrad()).toThrow("zeroGrad() was called");
    expect(() => optimizer.set({ lr: 1 })).toThrow("set() was called");
    await expect(optimizer.read()).rejects.toThrow("read() was called");
  });

  it("of the device every call says that too", async () => {
    const device = await freshDevice();
    const optimizer = await createOptimizer(device, [tensor], sgd());
    device.destroy();
    await device.lost;
    const encoder = device.createCommandEncoder();
    expect(() => optimizer.encode(encoder)).toThrow(
      /^encode\(\) was called after the GPU device was lost \(destroyed: /,
    );
    await expect(saveCheckpoint(optimizer)).rejects.toThrow(
      "saveCheckpoint() was called after the GPU device was lost",
    );
    optimizer.destroy();
  });

  it("while a result is on its way, the result fails with a DeviceError", async () => {
    const device = await freshDevice();
    const optimizer = await createOptimizer(device, [tensor], sgd());
    const reading = optimizer.read();
    device.destroy();
    await expect(reading).rejects.toThrow(/^reading back from the GPU failed: /);
  });
});

describe("schedules", () => {
  it("that leave their range stop encode at that step and not before, with nothing encoded", async () => {
    const device = await freshDevice();
    const optimizer = await createOptimizer(device, [tensor], sgd({ lr: (step) => (step < 40 ? 1 : -1) }));
    for (let step = 0; step < 40; step++) optimizer.step();
    expect(() => optimizer.step()).toThrow("sgd.lr is -1 at step 40; it must be a finite number >= 0");
    expect((await optimizer.stats()).step).toBe(40);
    optimizer.set({ lr: 0.5 });
    optimizer.step();
    expect((await optimizer.stats()).step).toBe(41);
    optimizer.destroy();
  });

  it("go by the GPU's own step: a skipped step does not consume a rate, and set reaches the steps after it", async () => {
    const device = await freshDevice();
    const optimizer = await createOptimizer(device, [scalar], {
      rule: sgd,
      lr: (step: number) => 2 ** step,
      skipNonFinite: true,
    });
    for (const g of [1, Number.NaN, 1, Number.POSITIVE_INFINITY, 1]) feed(optimizer, g);
    expect((await optimizer.read()).x![0]).toBe(-(1 + 2 + 4));
    expect(await optimizer.stats()).toMatchObject({ step: 3, skipped: 2 });
    optimizer.set({ lr: 100 });
    feed(optimizer, 1);
    expect((await optimizer.read()).x![0]).toBe(-107);
    optimizer.destroy();
  });

  it("take a rate that is set after skips the host has not learned of", async () => {
    const device = await freshDevice();
    const optimizer = await createOptimizer(device, [scalar], { rule: sgd, lr: 1, skipNonFinite: true });
    for (let i = 0; i < 5; i++) feed(optimizer, Number.NaN);
    // Encoded and never submitted: the host cannot know.
    optimizer.encode(device.createCommandEncoder());
    optimizer.set({ lr: 100 });
    feed(optimizer, 1);
    feed(optimizer, 1);
    expect((await optimizer.read()).x![0]).toBe(-200);
    optimizer.destroy();
  });

  it("lose no row to hundreds of skipped steps, also with hundreds of groups", async () => {
    const device = await freshDevice();
    const tensors = Array.from({ length: 600 }, (_, i) => ({ name: `t${i}`, shape: [1] }));
    const groups = tensors.map(({ name }) => ({ params: [name] }));
    const optimizer = await createOptimizer(device, tensors, {
      rule: sgd,
      lr: (step: number) => step + 1,
      groups,
      skipNonFinite: true,
    });
    optimizer.write("gradients", { t7: [Number.NaN] });
    for (let i = 0; i < 700; i++) {
      optimizer.step();
      // What a page does between steps: the event loop turns.
      if (i % 50 === 0) await device.queue.onSubmittedWorkDone();
    }
    optimizer.write("gradients", { t7: [1] });
    optimizer.step();
    expect((await optimizer.read()).t7![0]).toBe(-1);
    expect(await optimizer.stats()).toMatchObject({ step: 1, skipped: 700 });
    optimizer.destroy();
  });

  it("are right again as soon as the host learns of more skips than the table holds", async () => {
    const device = await freshDevice();
    const rates = { lr: (step: number) => step + 1, skipNonFinite: true };
    const optimizer = await createOptimizer(device, [scalar], sgd(rates));
    optimizer.write("gradients", { x: [Number.NaN] });
    for (let i = 0; i < 5000; i++) optimizer.step();
    expect(await optimizer.stats()).toMatchObject({ step: 0, skipped: 5000 });
    optimizer.write("gradients", { x: [1] });
    for (let i = 0; i < 3; i++) optimizer.step();
    expect((await optimizer.read()).x![0]).toBe(-(1 + 2 + 3));
    optimizer.set({ lr: (step) => (step < 3 ? -1 : 10) });
    optimizer.step();
    expect((await optimizer.read()).x![0]).toBe(-16);
    optimizer.destroy();
  });

  it("refuse more steps in one submission than the table holds", async () => {
    const device = await freshDevice();
    const optimizer = await createOptimizer(device, [tensor], sgd());
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < 2048; i++) optimizer.encode(pass);
    expect(() => optimizer.encode(pass)).toThrow(
      "encode was called 2049 times for one submission; it takes at most 2048",
    );
    pass.end();
    device.queue.submit([encoder.finish()]);
    expect((await optimizer.stats()).step).toBe(2048);
    optimizer.destroy();
  });

  it("go on from a loaded step, whatever earlier reports are still in flight", async () => {
    const device = await freshDevice();
    const make = () =>
      createOptimizer(device, [scalar], { rule: sgd, lr: (step: number) => step, skipNonFinite: true });
    const optimizer = await make();
    const checkpoint = await saveCheckpoint(optimizer);
    optimizer.write("gradients", { x: [Number.NaN] });
    for (let i = 0; i < 20; i++) optimizer.step();
    const late = optimizer.stats();
    await loadCheckpoint(optimizer, checkpoint);
    expect((await late).skipped).toBe(20);
    optimizer.write("gradients", { x: [1] });
    for (let i = 0; i < 40; i++) optimizer.step();
    expect((await optimizer.read()).x![0]).toBe(-780);
    optimizer.destroy();
  });

  it("survive a long run across many refills of the table, and rates set at any time", async () => {
    const device = await freshDevice();
    const optimizer = await createOptimizer(device, [scalar], sgd({ lr: (step) => (step % 97) / 64 }));
    optimizer.write("gradients", { x: [1] });
    let expected = 0;
    for (let step = 0; step < 9000; step++) {
      if (step === 5000) optimizer.set({ lr: (now: number) => (now % 31) / 64 });
      expected += (step < 5000 ? step % 97 : step % 31) / 64;
      optimizer.step();
    }
    expect((await optimizer.read()).x![0]).toBe(-expected);
    optimizer.destroy();
  });
});
