// Vectors over an optimizer's parameters on the GPU against the CPU's float64: odd lengths, subsets, replicas, external buffers;
// the same bits in every run; and dispatches that do not grow with the tensors.
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/random.ts";
import { createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { createCpuVectors } from "../../src/engines/cpu/vectors.ts";
import { external } from "../../src/engines/gpu/external.ts";
import { createOptimizer } from "../../src/engines/gpu/optimizer.ts";
import { createVectors } from "../../src/engines/gpu/vectors.ts";
import { alone, at, span, type VectorOptions, type VectorSpace } from "../../src/engines/vectors.ts";
import { lossScale } from "../../src/modifiers/loss_scale.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { adam } from "../../src/rules/adam.ts";
import { rprop } from "../../src/rules/rprop.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { webgpuEngine } from "../../src/train/engine.ts";
import { normLaws } from "../vectors.ts";
import { device, freshDevice, uncapturedErrors } from "./setup.ts";

const tensorsOf = (lengths: readonly number[]) => lengths.map((length, i) => ({ name: `t${i}`, shape: [length] }));

/** Fills an optimizer with numbers that its replicas do not share. */
function fill(optimizer: Optimizer, roles: readonly string[]) {
  for (let replica = 0; replica < optimizer.replicas; replica++) {
    for (const [nth, role] of roles.entries()) {
      const random = new Random(7 + replica, nth);
      const values = optimizer.segments.map(({ name, length }) => {
        const sign = role === "v" ? Math.abs : (value: number) => value;
        return [name, Float32Array.from({ length }, () => sign(random.normal()))] as const;
      });
      optimizer.write(role, Object.fromEntries(values), { replica });
    }
  }
}

/** Every operation once, on five vectors; what they and the scalars are then. */
async function compute(space: VectorSpace) {
  const block = await space.create(5);
  const other = await space.create(1);
  const y = at(other);
  space.load("params", at(block, 0));
  space.load("gradients", at(block, 1));
  space.load("v", at(block, 2));
  space.write(
    at(block, 3),
    Array.from({ length: space.replicas }, (_, r) => {
      const random = new Random(100 + r);
      return Float32Array.from({ length: space.length }, () => random.normal());
    }),
  );
  space.write(at(block, 4), [new Float64Array(space.length).fill(0.25)]);
  space.dots(span(block), at(block, 3), 2);
  space.set(
    10,
    Array.from({ length: space.replicas }, (_, r) => [1 / space.length, -0.5 - r, 0, 2, 3]),
  );
  space.combine(y, 0, span(block), 10, -2);
  space.combine(at(block, 4), 3, span(block, 1, 2), [0.5, 4]);
  space.multiply(y, at(block, 3));
  space.multiply(at(block, 3), at(block, 4));
  space.invertRoots(at(block, 2), 2, 0.1);
  space.dots(alone(y), y, 9);
  space.extent(y, 15);
  space.norm(y, 17);
  // Of a vector that would be none of 0 behind its tensors.
  space.dots(alone(at(block, 2)), at(block, 2), 18);
  space.extent(at(block, 2), 19);
  space.norm(at(block, 2), 21);
  const scalars = await space.scalars(0, 22);
  const vectors = await Promise.all([y, ...[0, 1, 2, 3, 4].map((i) => at(block, i))].map((v) => space.read(v)));
  return { scalars, vectors };
}

/** The largest difference, relative to the largest that was wanted. */
function furthest(found: Float64Array, wanted: Float64Array): number {
  let [difference, largest] = [0, 0];
  wanted.forEach((value, i) => {
    difference = Math.max(difference, Math.abs(found[i]! - value));
    largest = Math.max(largest, Math.abs(value));
  });
  return difference / largest;
}

const rates = (replicas: number) => Array.from({ length: replicas }, (_, r) => ({ lr: 0.1 + r }));
const config = (replicas: number) => ({ ...adam({ modifiers: [lossScale({ init: 8 })] }), replicas: rates(replicas) });

async function onGpu(lengths: readonly number[], replicas: number, options: VectorOptions) {
  const optimizer = await createOptimizer(device, tensorsOf(lengths), config(replicas));
  fill(optimizer, ["params", "gradients", "v"]);
  const space = await createVectors(optimizer, options);
  const found = await compute(space);
  space.store(at(await space.create(1)));
  await space.submit();
  const params = await optimizer.read("params", { replica: replicas - 1 });
  space.destroy();
  optimizer.destroy();
  return { ...found, params };
}

describe("norms", () => normLaws(webgpuEngine(device)));

describe("vectors", () => {
  it.each<[readonly number[], number, VectorOptions]>([
    [[1], 1, {}],
    [[7, 4096, 3], 2, {}],
    [[65_537], 1, {}],
    [[4097, 255, 12_289], 2, {}],
    [[70, 3, 900, 64], 2, { tensors: ["t0", "t2", "t3"] }],
    [[70, 3], 3, { replica: 1 }],
  ])("of lengths %j in %i replicas, %j", async (lengths, replicas, options) => {
    const optimizer = createCpuOptimizer(tensorsOf(lengths), config(replicas));
    fill(optimizer, ["params", "gradients", "v"]);
    const wanted = await compute(createCpuVectors(optimizer, options));
    const found = await onGpu(lengths, replicas, options);
    const size = Math.max(...wanted.vectors[0]!.map((values) => values.length));
    wanted.scalars.forEach((scalars, r) => {
      scalars.forEach((scalar, i) => {
        expect(Math.abs(found.scalars[r]![i]! - scalar)).toBeLessThanOrEqual(
          4e-6 * (Math.abs(scalar) + Math.sqrt(size)),
        );
      });
    });
    wanted.vectors.forEach((vectors, v) => {
      vectors.forEach((values, r) => {
        expect(furthest(found.vectors[v]![r]!, values)).toBeLessThanOrEqual(2e-6);
      });
    });
    // What is not in the space stays.
    const { tensors = optimizer.segments.map(({ name }) => name), replica = replicas - 1 } = options;
    const before = await optimizer.read("params", { replica: replicas - 1 });
    for (const [name, values] of Object.entries(found.params)) {
      const stored = replica === replicas - 1 && (tensors as readonly string[]).includes(name);
      expect(values).toEqual(stored ? new Float32Array(values.length) : before[name]);
    }
    expect(await onGpu(lengths, replicas, options)).toEqual(found);
  });

  it("leave out what updates keep behind a slot's tensors, and what kernels left behind gradients", async () => {
    const optimizer = await createOptimizer(device, tensorsOf([5, 70]), rprop({ lr: 0.5 }));
    optimizer.step();
    device.queue.writeBuffer(optimizer.gradients, 0, Float32Array.of(1, 1, 1, 1, 1, 7, 7, 7));
    const space = await createVectors(optimizer);
    const v = at(await space.create(1));
    space.load("stepSize", v);
    space.extent(v, 0);
    space.load("gradients", v);
    space.extent(v, 2);
    expect(await space.scalars(0, 4)).toEqual([Float64Array.of(37.5, 0.5, 5, 1)]);
    space.destroy();
    optimizer.destroy();
  });

  it("have in replicas the bits of runs alone", async () => {
    const together = await onGpu([5000, 3], 2, {});
    const alone = await onGpu([5000, 3], 2, { replica: 1 });
    expect(alone.scalars[0]!.subarray(2, 10)).not.toEqual(together.scalars[0]!.subarray(2, 10));
    const space = await onGpu([5000, 3], 1, {});
    expect(space.scalars[0]).toEqual(together.scalars[0]);
    expect(space.vectors.map(([values]) => values)).toEqual(together.vectors.map(([values]) => values));
  });

  it("are over external buffers, adjacent ones in one run", async () => {
    const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;
    const buffer = () => device.createBuffer({ size: 4096, usage: STORAGE | COPY_DST | COPY_SRC });
    const [params, gradients] = [buffer(), buffer()];
    const ranges = (offset: number) => ({
      params: { buffer: params, offset },
      gradients: { buffer: gradients, offset },
    });
    const tensors = [
      external({ name: "c", shape: [5], ...ranges(4 * (1 + 70)) }),
      { name: "a", shape: [3] },
      external({ name: "b", shape: [70], ...ranges(4) }),
    ];
    const optimizer = await createOptimizer(device, tensors, adam());
    fill(optimizer, ["params", "gradients", "v"]);
    const cpu = createCpuOptimizer(
      tensors.map(({ name, shape }) => ({ name, shape })),
      adam(),
    );
    fill(cpu, ["params", "gradients", "v"]);
    const space = await createVectors(optimizer);
    const [found, wanted] = [await compute(space), await compute(createCpuVectors(cpu))];
    wanted.vectors.forEach((vectors, v) => {
      expect(furthest(found.vectors[v]![0]!, vectors[0]!)).toBeLessThanOrEqual(2e-6);
    });
    const zeros = at(await space.create(1));
    device.queue.writeBuffer(params, 0, Float32Array.of(42));
    device.queue.writeBuffer(params, 4 * 76, Float32Array.of(42));
    space.store(zeros);
    await space.submit();
    expect(await optimizer.read()).toEqual({ a: new Float32Array(3), b: new Float32Array(70), c: new Float32Array(5) });
    space.destroy();
    optimizer.destroy();
  });

  it("refuse what does not fit before anything is made", async () => {
    const optimizer = await createOptimizer(device, tensorsOf([1 << 20]), sgd());
    const space = await createVectors(optimizer);
    await expect(space.create(1 << 20)).rejects.toThrow(/the buffer "vectors" needs max\w+ >= \d+; this device has/);
    await expect(space.create(1)).resolves.toEqual({ count: 1 });
    optimizer.destroy();
    await expect(space.create(1)).rejects.toThrow("a destroyed optimizer");
    space.destroy();
    expect(await uncapturedErrors()).toEqual([]);
  });

  it("take as many dispatches for a thousand tensors as for one, and a combination goes over each vector once", async () => {
    const counted = async (lengths: readonly number[]) => {
      const own = await freshDevice();
      const optimizer = await createOptimizer(own, tensorsOf(lengths), adam());
      const space = await createVectors(optimizer);
      const block = await space.create(6);
      let dispatches = 0;
      const encoder = own.createCommandEncoder.bind(own);
      own.createCommandEncoder = (descriptor) => {
        const made = encoder(descriptor);
        const begin = made.beginComputePass.bind(made);
        made.beginComputePass = (options) => {
          const pass = begin(options);
          const dispatch = pass.dispatchWorkgroups.bind(pass);
          pass.dispatchWorkgroups = (...workgroups) => {
            dispatches++;
            dispatch(...workgroups);
          };
          return pass;
        };
        return made;
      };
      for (const role of ["params", "gradients", "v"]) space.load(role, at(block));
      space.dots(span(block, 0, 5), at(block, 5), 0);
      space.combine(at(block, 5), 1, span(block, 0, 5), 0);
      space.store(at(block, 5));
      await space.submit();
      return dispatches;
    };
    expect(await counted([70])).toBe(7);
    expect(await counted(Array.from({ length: 1000 }, (_, i) => 1 + (i % 130)))).toBe(7);
  });
});
