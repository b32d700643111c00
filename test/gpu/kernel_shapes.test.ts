// The shapes of the update's kernels: each gives what the CPU twin gives, the same to the bit every time; and which one a device
// runs: default, measured, pinned.
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceError, OptionError } from "../../src/base/errors.ts";
import { Random } from "../../src/base/random.ts";
import { type ChoiceStore, clear, keepChoices, noteSpeedsOf } from "../../src/engines/gpu/kernel_choices.ts";
import {
  defaultShape,
  shapeCandidates,
  shapeNames,
  shapes,
  streamShape,
  updateChoice,
} from "../../src/engines/gpu/kernel_shapes.ts";
import { type TuneProgress, tuneUpdate } from "../../src/engines/products/tuner.ts";
import { choices, pin } from "../../src/engines/products/variant_choices.ts";
import { clipAdaptive } from "../../src/modifiers/clip_adaptive.ts";
import { clipGlobalNorm } from "../../src/modifiers/clip_global_norm.ts";
import { layerStats } from "../../src/modifiers/layer_stats.ts";
import { skipNonFinite } from "../../src/modifiers/skip_non_finite.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { adamw } from "../../src/rules/adam.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { prodigy } from "../../src/rules/prodigy.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { createCpuOptimizer, createShaped } from "../optimizers.ts";
import { device, freshDevice } from "./setup.ts";

const random = new Random(7);
const draw = (length: number) => Float32Array.from({ length }, () => random.normal());
// Whole chunks, a tail of every length, fewer elements than lanes, and a group that is frozen from the second step on.
const lengths = { a: 4096 + 257, b: 3, c: 70, still: 21, d: 8192 };
const tensors = Object.entries(lengths).map(([name, length]) => ({ name, shape: [length], data: draw(length) }));
const gradients = [0, 1, 2].map(() =>
  Object.fromEntries(Object.entries(lengths).map(([name, length]) => [name, draw(length)])),
);
const config = readConfig({
  rule: adamw,
  lr: 0.01,
  clip: { type: "globalNorm", maxNorm: 1 },
  groups: [{ params: "still", lr: 0.02 }],
});

type Create = (tensors: readonly Tensor[]) => Promise<Optimizer> | Optimizer;

async function run(create: Create) {
  const optimizer = await create(tensors);
  for (const [step, gradient] of gradients.entries()) {
    if (step === 1) optimizer.freeze({ group: 0 });
    optimizer.write("gradients", gradient);
    optimizer.step();
  }
  const { gradientNorm } = await optimizer.stats();
  const found = { params: await optimizer.read(), v: await optimizer.read("v"), gradientNorm };
  optimizer.destroy();
  return found;
}

const twin = await run((given) => createCpuOptimizer(given, config));

describe("every shape", () => {
  it.each(shapes)("$name gives what the twin gives, the same every time", async (shape) => {
    const found = await run((given) => createShaped(device, given, config, shape));
    expect(Math.abs(found.gradientNorm! / twin.gradientNorm! - 1)).toBeLessThan(1e-6);
    for (const role of ["params", "v"] as const) {
      for (const [name, values] of Object.entries(twin[role])) {
        const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - found[role][name]![i]!)), 0);
        expect(worst, `${role} of ${name}`).toBeLessThan(2e-6);
      }
    }
    expect(await run((given) => createShaped(device, given, config, shape))).toEqual(found);
  });
});

describe("the last elements of a tensor, which fill no vec4", () => {
  const [length, others] = [10, [1, 1, 1, 1, 1, 1, 1, 1, 1]];

  it.each([defaultShape(device), shapes.at(-1)!])("count as the others do under $name", async (shape) => {
    const tensors = [{ name: "x", shape: [length] }];
    const modifiers = [clipGlobalNorm({ maxNorm: 1 }), skipNonFinite()];
    const optimizer = await createShaped(device, tensors, sgd({ lr: 1, modifiers }), shape);
    for (const [skips, bad] of [Number.NaN, Number.POSITIVE_INFINITY].entries()) {
      optimizer.write("gradients", { x: [...others, bad] });
      optimizer.step();
      expect(await optimizer.stats()).toMatchObject({ step: 0, skipped: skips + 1, gradientNorm: bad });
    }
    for (const [steps, large] of [1e20, 3e38].entries()) {
      optimizer.write("gradients", { x: [...others, large] });
      optimizer.step();
      const { step, gradientNorm } = await optimizer.stats();
      expect(step).toBe(steps + 1);
      expect(Math.abs(gradientNorm / large - 1)).toBeLessThan(1e-6);
      expect((await optimizer.read()).x!.at(-1)).toBeCloseTo(-step, 6);
    }
    optimizer.destroy();
  });
});

describe("the default of a GPU", () => {
  const shape = shapes.at(-1)!;
  const matrices = [
    { name: "wide", shape: [8, 520], data: draw(4160) },
    { name: "long", shape: [70, 3], data: draw(210) },
    { name: "stack", shape: [3, 5, 6], data: draw(90) },
    { name: "kernels", shape: [500, 3, 3], data: draw(4500) },
    { name: "halves", shape: [2, 50, 70], data: draw(7000) },
    { name: "rows", shape: [9, 1, 3], data: draw(27) },
    { name: "columns", shape: [9, 3, 1], data: draw(27) },
    { name: "numbers", shape: [9, 1, 1], data: draw(9) },
    { name: "fours", shape: [300, 4, 4], data: draw(4800) },
  ];
  const gradient = Object.fromEntries(matrices.map(({ name, data }) => [name, draw(data.length)]));
  // Each sums otherwise before or in its update.
  const configs = {
    adafactor: adafactor({ lr: 0.01 }),
    lamb: lamb({ lr: 0.01, modifiers: [clipAdaptive({ clipping: 0.1 }), layerStats()] }),
    prodigy: prodigy({ lr: 1 }),
  };

  it.each(Object.entries(configs))("sums for %s as the twin does", async (rule, its) => {
    const paramsAfter = async (optimizer: Optimizer) => {
      for (let step = 0; step < 2; step++) {
        optimizer.write("gradients", gradient);
        optimizer.step();
      }
      const params = await optimizer.read();
      optimizer.destroy();
      return params;
    };
    expect(shape.name).toBe("joined-256");
    const twin = Object.entries(await paramsAfter(createCpuOptimizer(matrices, its)));
    // What a factored slot computes of tiny matrices depends on lanes that work apart, too.
    for (const other of rule === "adafactor" ? [shape, defaultShape(device)] : [shape]) {
      const found = await paramsAfter(await createShaped(device, matrices, its, other));
      for (const [name, values] of twin) {
        const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - found[name]![i]!)), 0);
        expect(worst, `${other.name}, ${name}`).toBeLessThan(2e-6);
      }
    }
  });
});

describe("the shape of a device", () => {
  const noStore: ChoiceStore = { getItem: () => null, setItem: () => {}, removeItem: () => {} };
  beforeEach(() => keepChoices(device, noStore));

  it("is the default until it is measured, and what is pinned before that", async () => {
    expect(streamShape(device)).toBe(defaultShape(device));
    const [first, second] = shapeCandidates(device);
    noteSpeedsOf(device, updateChoice, { [first!.name]: 1, [second!.name]: 2, gone: 3 });
    expect(streamShape(device)).toBe(second);
    await pin(device, "update", first!.name);
    expect(streamShape(device)).toBe(first);
    expect(choices(device)).toEqual([
      { shape: "update", variant: first!.name, source: "pinned", speeds: { [first!.name]: 1, [second!.name]: 2 } },
    ]);
    expect(await tuneUpdate(device)).toMatchObject({ variant: first!.name, source: "pinned", left: [] });
    clear(device);
    expect(streamShape(device)).toBe(defaultShape(device));
  });

  it("has lanes apart where a GPU is emulated, as many as its subgroups have, and joined ones elsewhere", async () => {
    const made = await freshDevice();
    const named = (value: object) =>
      defaultShape(Object.defineProperty(made, "adapterInfo", { value, configurable: true })).name;
    const has = (...names: string[]) =>
      Object.defineProperty(made, "features", { value: new Set(names), configurable: true });
    has("subgroups");
    const software = { vendor: "", architecture: "", device: "", description: "", isFallbackAdapter: true };
    expect(named({ ...software, subgroupMinSize: 4 })).toBe("apart-4");
    expect(named({ ...software, subgroupMinSize: 8 })).toBe("apart-8");
    expect(named(software)).toBe("apart-8");
    has();
    expect(named({ ...software, subgroupMinSize: 4 })).toBe("apart-8");
    const real = { ...software, isFallbackAdapter: false };
    for (const vendor of ["", "nvidia", "amd", "intel", "apple"]) expect(named({ ...real, vendor })).toBe("joined-256");
    for (const vendor of ["qualcomm", "arm", "ARM"]) expect(named({ ...real, vendor })).toBe("joined-64");
    const holds = (lanes: number) =>
      Object.defineProperty(made, "limits", {
        value: { maxComputeInvocationsPerWorkgroup: lanes, maxComputeWorkgroupSizeX: 256 },
        configurable: true,
      });
    holds(128);
    expect(named({ ...real, vendor: "amd" })).toBe("joined-128");
    expect(named({ ...real, vendor: "arm" })).toBe("joined-64");
    made.destroy();
  });

  it("is the default unless another is clearly faster", () => {
    const [usual, other] = shapeCandidates(device);
    const chosen = (speed: number) => {
      noteSpeedsOf(device, updateChoice, { [usual!.name]: 100, [other!.name]: speed });
      return [streamShape(device).name, choices(device)[0]!.variant];
    };
    expect(chosen(105)).toEqual([usual!.name, usual!.name]);
    expect(chosen(106)).toEqual([other!.name, other!.name]);
    noteSpeedsOf(device, updateChoice, { [usual!.name]: 0, [other!.name]: 1 });
    expect(streamShape(device)).toBe(other);
  });

  it("is measured once, in turns, and kept", async () => {
    const seen: string[] = [];
    const names = shapeCandidates(device).map(({ name }) => name);
    const onProgress = ({ done, total, variant, speed }: TuneProgress) => {
      seen.push(variant);
      expect(done).toBe(seen.length);
      expect(total).toBeGreaterThanOrEqual(done);
      expect(speed).toBeGreaterThan(0);
    };
    const hurried = await tuneUpdate(device, { seconds: 1e-6, onProgress });
    expect(hurried).toMatchObject({ source: "default", variant: names[0], speeds: {}, left: names });
    // Not to hurry: the machine may be busy.
    const found = await tuneUpdate(device, { seconds: 60, onProgress });
    expect(seen.slice(0, 2 * names.length)).toEqual([...names, ...names.slice(1), names[0]]);
    expect(found).toMatchObject({ shape: "update", source: "measured", left: [] });
    expect(Object.keys(found.speeds).sort()).toEqual([...names].sort());
    const slowdown = Math.max(...Object.values(found.speeds)) / found.speeds[found.variant]!;
    expect(slowdown).toBeLessThanOrEqual(found.variant === names[0] ? 1.05 : 1);
    expect(streamShape(device).name).toBe(found.variant);
    const measured = seen.length;
    await tuneUpdate(device, { seconds: 60, onProgress });
    expect(seen).toHaveLength(measured);
  });

  it("has the speed 0 where the driver refuses its kernels, and all refused are an error", async () => {
    const refusing = await freshDevice();
    const names = shapeCandidates(refusing).map(({ name }) => name);
    const refused = shapeCandidates(refusing)[0]!.workgroupSize;
    const create = refusing.createComputePipelineAsync.bind(refusing);
    refusing.createComputePipelineAsync = (descriptor) =>
      descriptor.compute.constants?.workgroup_size === refused
        ? Promise.reject(new Error("refused"))
        : create(descriptor);
    const found = await tuneUpdate(refusing, { seconds: 60 });
    expect(found).toMatchObject({ source: "measured", left: [], speeds: { [names[0]!]: 0 } });
    expect(found.variant).not.toBe(names[0]);
    refusing.destroy();

    const none = await freshDevice();
    none.createComputePipelineAsync = () => Promise.reject(new Error("refused"));
    await expect(tuneUpdate(none)).rejects.toThrow("makes no valid pipeline: refused");
    expect(choices(none)).toEqual([]);
    none.destroy();
  });

  it("is not blamed for parameters that the device cannot hold", async () => {
    const small = await freshDevice();
    const create = small.createBuffer.bind(small);
    small.createBuffer = (descriptor) => {
      if (descriptor.size > 2 ** 20) throw new RangeError("too large");
      return create(descriptor);
    };
    const tuned = tuneUpdate(small);
    await expect(tuned).rejects.toThrow(DeviceError);
    await expect(tuned).rejects.toThrow("the device could not hold");
    expect(choices(small)).toEqual([]);
    small.destroy();
  });

  it("is not measured on a device that is lost meanwhile", async () => {
    const lost = await freshDevice();
    const tuned = tuneUpdate(lost, { seconds: 60, onProgress: () => lost.destroy() });
    await expect(tuned).rejects.toThrow("the device was lost while updates were measured: ");
    await expect(tuned).rejects.toThrow(DeviceError);
    expect(choices(lost)).toEqual([]);
  });

  it("refuses unknown shapes and bad options", async () => {
    await expect(pin(device, "update", "tiled-32x32")).rejects.toThrow(
      `variant is "tiled-32x32"; it must be one of ${shapeNames.join(", ")}`,
    );
    await expect(pin(device, "update", "fast")).rejects.toThrow(OptionError);
    await expect(tuneUpdate(device, { seconds: 0 })).rejects.toThrow("seconds is 0; it must be a finite number > 0");
  });
});
