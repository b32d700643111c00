// Vectors over an optimizer's parameters on the CPU: each operation by hand, subsets, replicas, and what is refused.
import { describe, expect, it } from "vitest";
import { createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { createCpuVectors } from "../../src/engines/cpu/vectors.ts";
import { alone, at, span } from "../../src/engines/vectors.ts";
import { adam } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { normLaws } from "../vectors.ts";

const tensors = [
  { name: "a", shape: [2], data: [1, 2] },
  { name: "b", shape: [3], data: [3, 4, 5] },
];

const made = (options = {}, replicas: readonly Record<string, never>[] = [{}]) =>
  createCpuVectors(createCpuOptimizer(tensors, { ...sgd({ lr: 0.1 }), replicas }), options);

describe("norms on the CPU", () => normLaws(cpuEngine()));

describe("vectors on the CPU", () => {
  it("are combined and multiplied", async () => {
    const space = made();
    const block = await space.create(3);
    const [x, y, z] = [at(block, 0), at(block, 1), at(block, 2)];
    space.load("params", x);
    space.write(y, [[1, 0, -1, 2, 0]]);
    space.dots(span(block, 0, 2), y, 4);
    expect(await space.scalars(4, 2)).toEqual([Float64Array.of(6, 6)]);
    space.combine(z, 0, span(block, 0, 2), 4, 0.5);
    expect(await space.read(z)).toEqual([Float64Array.of(6, 6, 6, 18, 15)]);
    space.combine(z, -1, alone(x), [2]);
    expect(await space.read(z)).toEqual([Float64Array.of(-4, -2, 0, -10, -5)]);
    space.multiply(z, y);
    expect(await space.read(z)).toEqual([Float64Array.of(-4, -0, -0, -20, -0)]);
    space.invertRoots(x, 4, 1);
    expect((await space.read(x))[0]![1]).toBeCloseTo(1 / Math.sqrt(Math.sqrt(8) + 1), 15);
    // What is multiplied by 0 does not count.
    space.write(z, [[Number.NaN, 1, 1, 1, 1]]);
    space.combine(z, 0, alone(y), [1]);
    space.combine(y, 1, alone(x), [0]);
    expect(await space.read(z)).toEqual(await space.read(y));
  });

  it("hold some of the tensors, and one of the replicas", async () => {
    const optimizer = createCpuOptimizer(tensors, { ...adam({ lr: 0.1 }), replicas: [{}, {}] });
    optimizer.write("params", { b: [7, 8, 9] }, { replica: 1 });
    const space = createCpuVectors(optimizer, { tensors: "b", replica: 1 });
    expect(space).toMatchObject({ length: 3, replicas: 1, tensors: [{ name: "b", first: 0, length: 3 }] });
    const v = at(await space.create(1));
    space.load("params", v);
    expect(await space.read(v)).toEqual([Float64Array.of(7, 8, 9)]);
    space.combine(v, 2, alone(at(await space.create(1))), [1]);
    space.store(v);
    expect(await optimizer.read("params", { replica: 1 })).toEqual({
      a: Float32Array.of(1, 2),
      b: Float32Array.of(14, 16, 18),
    });
    expect((await optimizer.read("params")).b).toEqual(Float32Array.of(3, 4, 5));
    optimizer.write("v", { b: [1, 2, 3] }, { replica: 1 });
    space.load("v", v);
    expect(await space.read(v)).toEqual([Float64Array.of(1, 2, 3)]);
  });

  it("have scalars by replica", async () => {
    const space = made({}, [{}, {}]);
    const block = await space.create(2);
    space.write(at(block), [
      [1, 1, 1, 1, 1],
      [2, 2, 2, 2, 2],
    ]);
    space.set(0, [[3], [4]]);
    space.combine(at(block, 1), 0, alone(at(block)), 0);
    space.dots(alone(at(block)), at(block, 1), 1);
    expect(await space.scalars(0, 2)).toEqual([Float64Array.of(3, 15), Float64Array.of(4, 80)]);
  });

  it("refuse what is not there", async () => {
    const space = made({ scalars: 4 });
    const block = await space.create(2);
    const v = at(block);
    expect(() => made({ tensors: "c" })).toThrow('tensors names "c", which matches no tensor; the tensors are a, b');
    expect(() => made({ replica: 1 })).toThrow("replica is 1; it must be a whole number in [0, 0]");
    expect(() => space.load("m", v)).toThrow("role");
    expect(() => space.dots(span(block, 1, 2), v, 0)).toThrow("vectors 1 to 2 were requested; the block has 2");
    expect(() => space.dots(span(block), v, 3)).toThrow("scalars 3 to 4 were requested; the space has 4");
    expect(() => space.combine(v, 1, span(block), 0)).toThrow("vector 0 is both the result and an operand");
    expect(() => space.write(v, [[1]])).toThrow("values hold 1 elements; a vector has 5");
    expect(() => space.write(v, [["1"] as never])).toThrow('values holds "1" at 0; it must be an array of numbers');
    expect(() => space.set(0, undefined as never)).toThrow("values is missing; it must be an array of numbers");
    await expect(made().read(v)).rejects.toThrow("this space did not create");
    space.free(block);
    await expect(space.read(v)).rejects.toThrow("or has freed");
    space.destroy();
    expect(() => space.set(0, [1])).toThrow("destroyed");
  });
});
