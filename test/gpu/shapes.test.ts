// The shapes of the update's kernels: each gives what the CPU twin gives, the same to the bit every time; and which one a device
// runs: default, measured, pinned.
import { beforeEach, describe, expect, it } from "vitest";
import type { Tensor } from "../../src/arena.ts";
import { createCpuOptimizer } from "../../src/cpu/optimizer.ts";
import { OptionError } from "../../src/errors.ts";
import { type ChoiceStore, clear, keepChoices, noteSpeedsOf } from "../../src/gpu/choices.ts";
import { createShaped } from "../../src/gpu/optimizer.ts";
import { defaultShape, shapeCandidates, shapeNames, shapes, streamShape, updateChoice } from "../../src/gpu/shapes.ts";
import { choices, pin } from "../../src/objectives/choices.ts";
import { tuneUpdate } from "../../src/objectives/tuner.ts";
import type { Optimizer } from "../../src/optimizer.ts";
import { Random } from "../../src/random.ts";
import { adamw } from "../../src/rules/adam.ts";
import { device, freshDevice } from "./setup.ts";

const random = new Random(7);
const draw = (length: number) => Float32Array.from({ length }, () => random.normal());
// Whole chunks, a tail of every length, fewer elements than lanes, and a group that is frozen from the second step on.
const lengths = { a: 4096 + 257, b: 3, c: 70, still: 21, d: 8192 };
const tensors = Object.entries(lengths).map(([name, length]) => ({ name, shape: [length], data: draw(length) }));
const gradients = [0, 1, 2].map(() =>
  Object.fromEntries(Object.entries(lengths).map(([name, length]) => [name, draw(length)])),
);
const config = adamw({ lr: 0.01, clip: { type: "globalNorm", maxNorm: 1 }, groups: [{ params: "still", lr: 0.02 }] });

type Create = (tensors: readonly Tensor[]) => Promise<Optimizer> | Optimizer;

async function run(create: Create) {
  const optimizer = await create(tensors);
  for (const [step, gradient] of gradients.entries()) {
    if (step === 1) optimizer.freeze(0);
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
    const software = { vendor: "", architecture: "", device: "", description: "", isFallbackAdapter: true };
    expect(named({ ...software, subgroupMinSize: 4 })).toBe("apart-4");
    expect(named({ ...software, subgroupMinSize: 8 })).toBe("apart-8");
    expect(named(software)).toBe("apart-8");
    expect(named({ ...software, subgroupMinSize: 32, isFallbackAdapter: false })).toBe("joined-64");
    made.destroy();
  });

  it("is measured once, in turns, and kept", async () => {
    const seen: string[] = [];
    const names = shapeCandidates(device).map(({ name }) => name);
    const options = { seconds: 0.01, onProgress: ({ variant }: { variant: string }) => seen.push(variant) };
    const found = await tuneUpdate(device, options);
    expect(seen).toEqual(names);
    expect(found).toMatchObject({ shape: "update", source: "measured", left: [] });
    expect(Math.max(...Object.values(found.speeds))).toBe(found.speeds[found.variant]);
    expect(streamShape(device).name).toBe(found.variant);
    await tuneUpdate(device, options);
    expect(seen).toEqual(names);
  });

  it("refuses what is no shape, and bad options", async () => {
    await expect(pin(device, "update", "tiled-32x32")).rejects.toThrow(
      `variant is "tiled-32x32"; it must be one of ${shapeNames.join(", ")}`,
    );
    await expect(pin(device, "update", "fast")).rejects.toThrow(OptionError);
    expect(() => tuneUpdate(device, { seconds: 0 })).toThrow("seconds is 0; it must be a finite number > 0");
  });
});
