// The tuner: what it measures, chooses, keeps, pins and forgets, and what it refuses.
import { beforeEach, describe, expect, it } from "vitest";
import { type ChoiceStore, choices, clear, keepChoices, pin, variantFor } from "../../src/objectives/choices.ts";
import { type TuneOptions, tune, tuneProducts } from "../../src/objectives/tuner.ts";
import {
  candidates,
  defaultVariant,
  type ProductShape,
  shapeKey,
  variants,
  whyNot,
} from "../../src/objectives/variants.ts";
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

  it("leaves for the next time what the time is too short for", async () => {
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
  ])("refuses %j with %j", (products, options, message) => {
    expect(() => tune(device, products as readonly ProductShape[], options as TuneOptions)).toThrow(message);
  });
});

describe("pin", () => {
  it("goes before what was measured, by shape before all, and is measured no more", async () => {
    pin(device, "all", "tiled-32x32");
    pin(device, large, "registers-32x16");
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

  it("refuses what is unknown, and what the device cannot run", () => {
    expect(() => pin(device, "all", "fast")).toThrow(`variant is "fast"; it must be one of ${variants[0]!.name}, `);
    for (const variant of variants) {
      const reason = whyNot(device, variant);
      if (reason) expect(() => pin(device, "all", variant.name)).toThrow(`${variant.name} cannot be pinned: ${reason}`);
    }
    expect(choices(device)).toEqual([]);
  });
});

describe("the store", () => {
  it.each(["{", '{"pins":{"all":"fast"}}', '{"speeds":{"nn-1x1x1-any":{"tiled-32x32":"9"}}}', '"x"'])(
    "with %s counts as empty",
    (text) => {
      pin(device, "all", "registers-32x16");
      const [key] = store.items.keys();
      store.items.set(key!, text);
      keepChoices(device, store);
      expect(choices(device)).toEqual([]);
    },
  );

  it("that cannot be written to is no reason to fail", () => {
    keepChoices(device, {
      ...{ getItem: () => null, removeItem: () => {} },
      setItem: () => {
        throw new Error("full");
      },
    });
    pin(device, "all", "registers-32x16");
    expect(variantFor(device, large).name).toBe("registers-32x16");
  });
});
