// An optimizer on the GPU whose arenas are several buffers is, to the bit, the one with a single buffer.

import { describe, expect, it } from "vitest";
import { createShaped } from "../../src/engines/gpu/optimizer.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/index.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { adamw } from "../../src/rules/adam.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { Random } from "../../src/training.ts";
import { countingDevice } from "./counting.ts";
import { device } from "./setup.ts";

const shapes: readonly (readonly [string, readonly number[]])[] = [
  ["a", [8, 8]],
  ["b", [65]],
  ["c", [5000]],
  ["d", [3, 5]],
];

const tensors = shapes.map(([name, shape], i) => {
  const random = new Random(i);
  const length = shape.reduce((product, size) => product * size, 1);
  return { name, shape, data: Array.from({ length }, () => random.normal()) };
});

describe("arenas in several buffers", () => {
  const configs = [
    { rule: adamw, lr: 0.1, clip: { type: "globalNorm", maxNorm: 1 }, accumulate: 2, replicas: [{}, { lr: 0.2 }] },
    {
      rule: lamb,
      clip: { type: "globalNorm", maxNorm: 1 },
      groups: [{ params: ["a", "d"], rule: adafactor }],
      ema: {},
      watch: true,
    },
  ].map(readConfig);

  it.each(configs)("give the bits of one buffer (%j)", async (config) => {
    const create = (pageLength?: number) => createShaped(device, tensors, config, undefined, pageLength);
    const [paged, whole] = [await create(256), await create()];
    expect(paged.segments.map(({ page }) => page)).toEqual([0, 0, 1, 2]);
    const random = new Random(9);
    for (let step = 0; step < 4; step++) {
      for (let replica = 0; replica < paged.replicas; replica++) {
        const gradients = Object.fromEntries(
          paged.segments.map(({ name, length }) => [name, Array.from({ length }, () => random.normal())]),
        );
        for (const optimizer of [paged, whole]) optimizer.write("gradients", gradients, { replica });
      }
      paged.step();
      whole.step();
    }
    const saved = await saveCheckpoint(paged);
    expect(saved).toEqual(await saveCheckpoint(whole));
    expect((await paged.stats()).gradientNorm).toBeGreaterThan(1);
    expect(await paged.stats()).toEqual(await whole.stats());
    if (paged.slots.includes("ema")) expect(await paged.layers()).toEqual(await whole.layers());

    const { buffer, offset } = paged.binding("params", "d");
    expect(buffer).not.toBe(paged.params);
    expect(offset).toBe(0);
    paged.zeroGrad();
    for (const values of Object.values(await paged.read("gradients"))) expect(values.every((g) => g === 0)).toBe(true);
    await loadCheckpoint(paged, await saveCheckpoint(await create()));
    expect(await paged.read("params")).toEqual(await (await create()).read("params"));
  });

  it("take one dispatch for each", async () => {
    const { device: watched, count } = countingDevice();
    const optimizer = await createShaped(watched, tensors, adamw(), undefined, 256);
    const step = await count(() => optimizer.step());
    expect(step.dispatches).toBe(3);
    optimizer.destroy();
  });
});
