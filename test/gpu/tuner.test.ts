// The tuner: what it measures, chooses, keeps, pins and forgets, and what it refuses.
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceError, OptionError } from "../../src/base/errors.ts";
import { type ChoiceStore, clear, keepChoices } from "../../src/engines/gpu/kernel_choices.ts";
import { askOnce, holds } from "../../src/engines/products/probes.ts";
import { type TuneOptions, tune, tuneProducts } from "../../src/engines/products/tuner.ts";
import { choices, noteSpeeds, pin, variantFor } from "../../src/engines/products/variant_choices.ts";
import {
  candidates,
  defaultVariant,
  findVariant,
  memoryProbes,
  type ProductShape,
  probeVariants,
  quadsInRow,
  shapeKey,
  variantNames,
  variants,
  whyNot,
} from "../../src/engines/products/variants.ts";
import { device, freshDevice } from "./setup.ts";

const large: ProductShape = { m: 256, n: 256, k: 160 };
const small: ProductShape = { m: 64, n: 10, k: 64, transposeA: true };

class MemoryStore implements ChoiceStore {
  readonly items = new Map<string, string>();
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
  removeItem(key: string): void {
    this.items.delete(key);
  }
}

/** A device whose driver refuses the pipelines of some kernels. */
async function refusingDevice(refused: string): Promise<GPUDevice> {
  const made = await freshDevice();
  const create = made.createComputePipelineAsync.bind(made);
  made.createComputePipelineAsync = (descriptor) =>
    descriptor.label?.includes(refused) ? Promise.reject(new Error("refused")) : create(descriptor);
  return made;
}

let store: MemoryStore;
beforeEach(() => {
  store = new MemoryStore();
  keepChoices(device, store);
});

describe("tune", () => {
  it("measures large products once, chooses the fastest and keeps it", async () => {
    const seen: string[] = [];
    // Not to hurry: the machine may be busy.
    const options = { seconds: 60, onProgress: ({ variant }: { variant: string }) => seen.push(variant) };
    const found = await tune(device, [small, large], options);
    const names = candidates(device, large).map(({ name }) => name);
    expect(seen).toEqual(names);
    const [ofSmall, ofLarge] = found.products;
    expect(ofSmall).toMatchObject({
      source: "default",
      variant: defaultVariant(device, small).name,
      speeds: {},
      left: [],
    });
    expect(ofLarge!.source).toBe("measured");
    expect(Object.keys(ofLarge!.speeds)).toEqual(names);
    expect(Math.max(...Object.values(ofLarge!.speeds))).toBe(ofLarge!.speeds[ofLarge!.variant]);
    expect(variantFor(device, large).name).toBe(ofLarge!.variant);

    await tuneProducts(device, [small, large]);
    await tune(device, [{ ...large, m: 250 }], options);
    expect(seen).toEqual(names);

    // Another session on the same adapter.
    const later = await freshDevice();
    expect(choices(later)).toEqual([]);
    keepChoices(later, store);
    expect(choices(later)).toEqual(choices(device));
    expect(choices(later)).toMatchObject([{ shape: shapeKey(large), variant: ofLarge!.variant, source: "measured" }]);
    later.destroy();
    clear(device);
    expect(choices(device)).toEqual([]);
    expect(store.items.size).toBe(0);
  });

  it("leaves for the next time what does not fit in the time", async () => {
    const { products } = await tune(device, [large, { ...large, transposeB: true }], { seconds: 1e-6 });
    expect(products.flatMap(({ left }) => left).length).toBeGreaterThan(0);
    expect(products.map(({ variant }) => variant)).toEqual(
      products.map(({ product }) => defaultVariant(device, product).name),
    );
  });

  it.each([
    [[{ m: 0, n: 1, k: 1 }], {}, "products[0].m is 0; it must be a whole number >= 1"],
    [[{ m: 1, n: 1, k: 1, l: 1 }], {}, 'products[0] has an unknown option "l"'],
    [[large], { seconds: 0 }, "seconds is 0; it must be a finite number > 0"],
    [[large], { second: 1 }, 'tune has an unknown option "second"'],
  ])("refuses %j with %j", async (products, options, message) => {
    const tuning = tune(device, products as readonly ProductShape[], options as TuneOptions);
    await expect(tuning).rejects.toThrow(message);
  });
});

describe("the default on a GPU", () => {
  const gpuWith = (limits: Partial<GPUSupportedLimits>) =>
    ({
      features: new Set(),
      limits: { ...defaults, ...limits },
      adapterInfo: { description: "a GPU" },
    }) as unknown as GPUDevice;
  const defaults = { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupStorageSize: 16_384 };

  it.each([
    [{ m: 2048, n: 1024, k: 8 }, "tiled-64x64"],
    [{ m: 1984, n: 1024, k: 8 }, "tiled-32x32"],
    [{ m: 128, n: 512, k: 784 }, "tiled-32x32"],
    [{ m: 128, n: 480, k: 784 }, "sliced-32x32"],
    [{ m: 128, n: 10, k: 256 }, "sliced-16x16"],
    [{ m: 128, n: 10, k: 127 }, "tiled-32x32"],
  ])("of %o goes by its tiles and its depth: %s", (shape, name) => {
    expect(defaultVariant(gpuWith({}), shape).name).toBe(name);
    // A device with workgroups too small for slices.
    const small = gpuWith({ maxComputeInvocationsPerWorkgroup: 64 });
    expect(defaultVariant(small, shape).name).toBe(name.replace(/sliced-.*/, "tiled-32x32"));
  });
});

describe("a driver that refuses", () => {
  it("a variant gives it the speed 0, and another is chosen", async () => {
    const refusing = await refusingDevice("registers");
    const { products } = await tune(refusing, [large], { seconds: 60 });
    const { speeds, variant, source } = products[0]!;
    expect(Object.keys(speeds)).toEqual(candidates(refusing, large).map(({ name }) => name));
    for (const [name, speed] of Object.entries(speeds)) {
      if (name.startsWith("registers")) expect(speed).toBe(0);
      else expect(speed).toBeGreaterThan(0);
    }
    // Where there are no others, as on an emulated GPU without subgroups, nothing is chosen.
    const runs = Object.values(speeds).some((speed) => speed > 0);
    expect(source).toBe(runs ? "measured" : "default");
    expect(variant.startsWith("registers")).toBe(!runs);
    refusing.destroy();
  });

  it("every variant leaves the default", async () => {
    const refusing = await refusingDevice("product");
    const { products } = await tune(refusing, [large], { seconds: 60 });
    expect(products).toMatchObject([{ source: "default", variant: defaultVariant(refusing, large).name, left: [] }]);
    expect(Math.max(...Object.values(products[0]!.speeds))).toBe(0);
    expect(choices(refusing)).toEqual([]);
    refusing.destroy();
  });

  it("the probe of quads has none in a row, and no variant of them is pinned", async () => {
    const refusing = await refusingDevice("probe of quads");
    await probeVariants(refusing);
    expect(holds(refusing, quadsInRow)).toBe(!refusing.features.has("subgroups"));
    await expect(pin(refusing, "all", "quads-32x32")).rejects.toThrow(DeviceError);
    expect(choices(refusing)).toEqual([]);
    refusing.destroy();
  });

  it("barriers or workgroup memory has its products made without", async () => {
    const refusing = await refusingDevice("bytes of workgroup memory");
    const [shape, gpu] = [{ m: 2048, n: 1024, k: 512 }, { description: "a GPU" } as GPUAdapterInfo];
    const asGpu = new Proxy(refusing, {
      get(target, key) {
        const value: unknown = key === "adapterInfo" ? gpu : Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    expect(defaultVariant(asGpu, shape).name).toBe("tiled-64x64");
    await askOnce(asGpu, memoryProbes[0]!.probe);
    // More than 8,192 bytes were not asked for.
    expect(defaultVariant(asGpu, shape).name).toBe("registers-32x16");
    expect(whyNot(asGpu, findVariant("tiled-64x64")!)).toBe(
      "a probe of 8192 bytes of workgroup memory and barriers failed on it",
    );
    expect(whyNot(asGpu, findVariant("vectors-64x64")!)).toBeUndefined();
    refusing.destroy();
  });

  it("everything, being lost, ends the tuning", async () => {
    const lost = await freshDevice();
    const tuned = tune(lost, [large], { seconds: 60, onProgress: () => lost.destroy() });
    await expect(tuned).rejects.toThrow("the device was lost while products were measured: ");
    await expect(tuned).rejects.toThrow(DeviceError);
    expect(choices(lost).flatMap(({ speeds }) => Object.keys(speeds))).toHaveLength(1);
  });
});

describe("pin", () => {
  it("overrides measurements, by shape before all, and is not measured again", async () => {
    await pin(device, "all", "tiled-32x32");
    await pin(device, large, "registers-32x16");
    expect(variantFor(device, small).name).toBe("tiled-32x32");
    expect(variantFor(device, large).name).toBe("registers-32x16");
    const { products } = await tune(device, [large]);
    expect(products).toMatchObject([{ source: "pinned", variant: "registers-32x16", speeds: {}, left: [] }]);
    expect(choices(device)).toMatchObject([
      { shape: "all", variant: "tiled-32x32", source: "pinned" },
      { shape: shapeKey(large), variant: "registers-32x16", source: "pinned" },
    ]);
    keepChoices(device, store);
    expect(variantFor(device, large).name).toBe("registers-32x16");
    clear(device);
    expect(variantFor(device, large)).toBe(defaultVariant(device, large));
  });

  it("refuses what is unknown, and what the device cannot run", async () => {
    const unknown = pin(device, "all", "fast");
    await expect(unknown).rejects.toThrow(OptionError);
    await expect(unknown).rejects.toThrow(`variant is "fast"; it must be one of ${variantNames.join(", ")}`);
    for (const variant of variants) {
      const reason = whyNot(device, variant);
      if (!reason) continue;
      await expect(pin(device, "all", variant.name)).rejects.toThrow(`${variant.name} cannot be pinned: ${reason}`);
    }
    expect(choices(device)).toEqual([]);
  });
});

describe("the store", () => {
  it.each(["{", '{"pins":{"all":"fast"}}', '{"speeds":{"nn-1x1x1-any":{"tiled-32x32":"9"}}}', '"x"'])(
    "with %s counts as empty",
    async (text) => {
      await pin(device, "all", "registers-32x16");
      const [key] = store.items.keys();
      store.items.set(key!, text);
      keepChoices(device, store);
      expect(choices(device)).toEqual([]);
    },
  );

  it("keeps what two sessions note side by side, and forgets what one of them has forgotten", async () => {
    const other = await freshDevice();
    keepChoices(other, store);
    await pin(device, "all", "tiled-32x32");
    await pin(other, large, "registers-32x16");
    noteSpeeds(device, small, { "tiled-32x32": 2 });
    noteSpeeds(other, small, { "tiled-64x64": 1 });
    const kept = () => {
      keepChoices(device, store);
      return choices(device).map(({ shape, variant, speeds }) => [shape, variant, speeds]);
    };
    const ofSmall = [shapeKey(small), "tiled-32x32", { "tiled-32x32": 2, "tiled-64x64": 1 }];
    expect(kept()).toEqual([["all", "tiled-32x32", {}], [shapeKey(large), "registers-32x16", {}], ofSmall]);
    clear(other);
    noteSpeeds(device, small, { "tiled-64x64": 3 });
    expect(kept()).toEqual([[shapeKey(small), "tiled-64x64", { "tiled-64x64": 3 }]]);
    other.destroy();
  });

  it("that cannot be written to is no reason to fail", async () => {
    keepChoices(device, {
      ...{ getItem: () => null, removeItem: () => {} },
      setItem: () => {
        throw new Error("full");
      },
    });
    await pin(device, "all", "registers-32x16");
    expect(variantFor(device, large).name).toBe("registers-32x16");
  });
});
