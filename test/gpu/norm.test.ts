// The norm of the gradient: exact where float32 sums are not, in range where squares are not, the same to the bit every
// time, and over more chunks than one dimension of a dispatch holds.
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/random.ts";
import { readParts } from "../../src/engines/gpu/readback.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { createCpuOptimizer, createOptimizer } from "../optimizers.ts";
import { device, freshDevice } from "./setup.ts";

const clip = { type: "globalNorm", maxNorm: 1 } as const;

async function normOf(gradient: ArrayLike<number>): Promise<{ norm: number; scale: number; moved: Float32Array }> {
  const tensors = [{ name: "x", shape: [gradient.length] }];
  const optimizer = await createOptimizer(
    device,
    tensors,
    readConfig({ rule: sgd, lr: 1, clip, skipNonFinite: false }),
  );
  optimizer.write("gradients", { x: gradient });
  optimizer.step();
  const { gradientNorm, clipScale } = await optimizer.stats();
  const { x } = await optimizer.read();
  optimizer.destroy();
  return { norm: gradientNorm, scale: clipScale, moved: x! };
}

describe("the norm", () => {
  it("of 3,000,001 elements is within 1e-6 of float64's, and the same every time", async () => {
    const random = new Random(4);
    const gradient = Float32Array.from({ length: 3_000_001 }, () => random.uniform() + 0.5);
    const exact = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    const first = await normOf(gradient);
    expect(Math.abs(first.norm / exact - 1)).toBeLessThan(1e-6);
    expect((await normOf(gradient)).norm).toBe(first.norm);
  });

  it.each([
    ["1e30 each", 1e30],
    ["1e19 each, just where squares overflow", 1e19],
    ["1e35 each", 1e35],
    ["1.5e15, just above the change of scale", 1.5e15],
    ["1e15, just below it", 1e15],
    ["1e-15 each", 1e-15],
  ])("of %s does not overflow", async (_, size) => {
    const gradient = new Float32Array(5000).fill(size);
    const exact = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    const { norm, scale, moved } = await normOf(gradient);
    expect(Math.abs(norm / exact - 1)).toBeLessThan(1e-6);
    const expected = Math.min(1, 1 / (exact + 1e-6));
    expect(Math.abs(scale / expected - 1)).toBeLessThan(2e-6);
    expect(Math.abs(moved[0]! / (-size * expected) - 1)).toBeLessThan(2e-6);
  });

  it("of elements of very different sizes across the change of scale", async () => {
    const gradient = new Float32Array(9000).fill(1e15);
    gradient[4500] = 4e15;
    const exact = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    expect(Math.abs((await normOf(gradient)).norm / exact - 1)).toBeLessThan(1e-6);
  });

  it.each([
    [Number.NaN, Number.NaN],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])("with a %d in it is %d, and without skipping poisons what torch would poison", async (bad, norm) => {
    const gradient = new Float32Array(100).fill(1);
    gradient[50] = bad;
    const gpu = await normOf(gradient);
    const cpu = createCpuOptimizer(
      [{ name: "x", shape: [100] }],
      readConfig({ rule: sgd, lr: 1, clip, skipNonFinite: false }),
    );
    cpu.write("gradients", { x: gradient });
    cpu.step();
    expect(gpu.norm).toBe(norm);
    expect((await cpu.stats()).gradientNorm).toBe(norm);
    expect(gpu.moved.map(Math.abs)).toEqual((await cpu.read()).x!.map(Math.abs));
  });
});

describe("very many tensors", () => {
  it("65,600 of them, one chunk each, take the dispatch's second dimension and are all updated", async () => {
    const random = new Random(6);
    const count = 65_600;
    const tensors = Array.from({ length: count }, (_, i) => ({ name: `t${i}`, shape: [1], data: [random.normal()] }));
    const gradients = tensors.map(() => random.normal());
    const config = readConfig({ rule: adamw, lr: 0.1, clip });
    const optimizer = await createOptimizer(device, tensors, config);
    // The rule and the norm go element by element, so the twin may have them all in one tensor.
    const twin = createCpuOptimizer(
      [{ name: "all", shape: [count], data: tensors.map(({ data }) => data[0]!) }],
      config,
    );
    // One write and one read: single ones would take the test's time, not the optimizer's.
    const arena = new Float32Array(optimizer.gradients.size / 4);
    for (const [i, { offset }] of optimizer.segments.entries()) arena[offset] = gradients[i]!;
    device.queue.writeBuffer(optimizer.gradients, 0, arena);
    twin.write("gradients", { all: gradients });
    for (let step = 0; step < 2; step++) {
      optimizer.step();
      twin.step();
    }
    const [found, wanted] = [await optimizer.stats(), await twin.stats()];
    expect(found.step).toBe(2);
    expect(Math.abs(found.gradientNorm / wanted.gradientNorm - 1)).toBeLessThan(1e-6);
    const [bytes] = await readParts(device, [{ buffer: optimizer.params, offset: 0, bytes: optimizer.params.size }]);
    const params = new Float32Array(bytes!);
    const { all } = await twin.read();
    const largest = optimizer.segments.reduce(
      (most, { offset }, i) => Math.max(most, Math.abs(params[offset]! - all![i]!)),
      0,
    );
    optimizer.destroy();
    expect(largest).toBeLessThan(1e-6);
  });
});

describe("adapters with and without barriers", () => {
  it("agree: the same kernels as on a GPU, run here", async () => {
    const random = new Random(2);
    const data = Float32Array.from({ length: 50_000 }, () => random.normal());
    const gradient = Float32Array.from({ length: 50_000 }, () => random.normal());
    const results = [];
    for (const name of ["software", "hardware"]) {
      const made = await freshDevice();
      if (name === "hardware") {
        // What a device that is no emulation says of itself.
        Object.defineProperty(made, "adapterInfo", {
          value: { vendor: "test", architecture: "test", device: "", description: "a GPU", isFallbackAdapter: false },
        });
      }
      const optimizer = await createOptimizer(
        made,
        [{ name: "x", shape: [50_000], data }],
        readConfig({ rule: adamw, clip }),
      );
      for (let step = 0; step < 5; step++) {
        optimizer.write("gradients", { x: gradient });
        optimizer.step();
      }
      results.push({ stats: await optimizer.stats(), x: (await optimizer.read()).x! });
      optimizer.destroy();
    }
    const [software, hardware] = results as [(typeof results)[0], (typeof results)[0]];
    expect(hardware.stats.step).toBe(5);
    expect(Math.abs(hardware.stats.gradientNorm / software.stats.gradientNorm - 1)).toBeLessThan(1e-6);
    expect(Math.max(...hardware.x.map((x, i) => Math.abs(x - software.x[i]!)))).toBeLessThan(1e-6);
  });
});
