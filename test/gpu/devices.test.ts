// Devices of every size: those of the compatibility level and phones, and buffers too large to be read at once.
import { beforeAll, describe, expect, it } from "vitest";
import { keep } from "../../scripts/webgpu.mjs";
import { createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { requestDevice } from "../../src/engines/gpu/device.ts";
import { findShape, type StreamShape } from "../../src/engines/gpu/kernel_shapes.ts";
import { createOptimizer, createShaped } from "../../src/engines/gpu/optimizer.ts";
import { readParts } from "../../src/engines/gpu/readback.ts";
import { modifiers, saveCheckpoint } from "../../src/index.ts";
import { adamw } from "../../src/rules/adam.ts";
import { muon } from "../../src/rules/muon.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { createModel, createObjective, datasets, initialTensors, type Model } from "../../src/training.ts";
import { freshDevice, gpu } from "./setup.ts";

const tensors = [
  { name: "w", shape: [40, 30], data: Float32Array.from({ length: 1200 }, (_, i) => Math.sin(i)) },
  { name: "b", shape: [40], data: Float32Array.from({ length: 40 }, (_, i) => Math.cos(i)) },
];
const gradients = {
  w: Float32Array.from({ length: 1200 }, (_, i) => Math.cos(3 * i)),
  b: Float32Array.from({ length: 40 }, (_, i) => Math.sin(2 * i)),
};

describe("a device of the compatibility level", () => {
  let device: GPUDevice;
  const compatible = { requestAdapter: () => gpu.requestAdapter({ featureLevel: "compatibility" }) } as unknown as GPU;

  beforeAll(async () => {
    device = await requestDevice(compatible);
    keep(device);
  });

  const configs = {
    "adamw with clipping": adamw({ lr: 0.1, modifiers: [modifiers.clipGlobalNorm({ maxNorm: 1 })] }),
    muon: muon({ lr: 0.1, fallback: sgd({ lr: 0.1 }) }),
  };
  const cases = Object.entries(configs).flatMap(([name, config]) =>
    ["apart-8", "joined-128"].map((shape) => ({ name, config, shape })),
  );

  it.each(cases)("has 128 lanes, and takes a step of $name with $shape as the reference does", async (each) => {
    expect(device.limits.maxComputeInvocationsPerWorkgroup).toBe(128);
    const shape = findShape(each.shape) as StreamShape;
    const optimizer = await createShaped(device, tensors, each.config, shape);
    const reference = createCpuOptimizer(tensors, each.config);
    for (const one of [optimizer, reference]) {
      one.write("gradients", gradients);
      one.step();
    }
    const [made, right] = [await optimizer.read(), await reference.read()];
    for (const name of ["w", "b"]) {
      const worst = made[name]!.reduce((most, value, i) => Math.max(most, Math.abs(value - right[name]![i]!)), 0);
      expect(worst).toBeLessThan(1e-5);
    }
    optimizer.destroy();
  });

  it("trains a model", async () => {
    const model = createModel({ layers: [2, 16, 3] }) as Model;
    const inputs = Array.from({ length: 32 }, (_, i) => [Math.sin(i), Math.cos(i)]);
    const data = datasets.fromArrays({ inputs, labels: inputs.map(([x], i) => (x! > 0 ? 2 : i % 2)) });
    const optimizer = await createOptimizer(device, initialTensors(model), adamw({ lr: 0.05 }));
    const objective = await createObjective(optimizer, model, { data, batch: 32 });
    const rows = Uint32Array.from({ length: 32 }, (_, i) => i);
    const losses: number[] = [];
    for (let i = 0; i < 10; i++) losses.push((await objective.step(rows)).loss);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    objective.destroy();
    optimizer.destroy();
  });
});

describe("what is larger than a buffer", () => {
  /** A device that claims to hold no larger buffers. */
  async function small(maxBufferSize: number): Promise<GPUDevice> {
    const device = await freshDevice();
    const limits: Record<string, number> = {};
    for (const name in device.limits) limits[name] = device.limits[name as "maxBufferSize"];
    const value = { ...limits, maxBufferSize, maxStorageBufferBindingSize: maxBufferSize };
    Object.defineProperty(device, "limits", { value });
    return device;
  }

  it("is read in parts that fit", async () => {
    const device = await small(1024);
    const words = Uint32Array.from({ length: 1000 }, (_, i) => i);
    const buffer = device.createBuffer({ size: 4000, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(buffer, 0, words);
    const sizes: number[] = [];
    const { createBuffer } = device;
    Object.defineProperty(device, "createBuffer", {
      value: (descriptor: GPUBufferDescriptor) => {
        sizes.push(descriptor.size);
        return createBuffer.call(device, descriptor);
      },
    });
    const parts = [
      { buffer, offset: 0, bytes: 16 },
      { buffer, offset: 400, bytes: 3600 },
      { buffer, offset: 0, bytes: 0 },
      { buffer, offset: 40, bytes: 8 },
    ];
    const [first, long, none, last] = await readParts(device, parts);
    expect([...new Uint32Array(first!)]).toEqual([0, 1, 2, 3]);
    expect(new Uint32Array(long!)).toEqual(words.slice(100));
    expect(none!.byteLength).toBe(0);
    expect([...new Uint32Array(last!)]).toEqual([10, 11]);
    expect(Math.max(...sizes)).toBe(1024);
    expect(sizes).toHaveLength(5);
    buffer.destroy();
  });

  it("is read and saved where the arena is as large as a buffer", async () => {
    const device = await small(2 ** 20);
    const data = Float32Array.from({ length: 2 ** 18 }, (_, i) => i);
    const optimizer = await createOptimizer(
      device,
      [{ name: "w", shape: [data.length], data }],
      sgd({ momentum: 0.9 }),
    );
    expect((await optimizer.read()).w).toEqual(data);
    expect((await saveCheckpoint(optimizer)).length).toBeGreaterThan(2 * 2 ** 20);
    optimizer.destroy();
  });
});
