// A tensor's place is a page and an offset in it: an optimizer whose arenas have several pages is the one with a single page.

import { describe, expect, it } from "vitest";
import { createPaged } from "../../src/engines/cpu/optimizer.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/index.ts";
import { layerStats } from "../../src/modifiers/layer_stats.ts";
import {
  arenaLength,
  layoutSegments,
  packArena,
  paddedLength,
  pagesOf,
  type Tensor,
} from "../../src/optimizer/arena.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { adamw } from "../../src/rules/adam.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { muon } from "../../src/rules/muon.ts";
import { prodigy } from "../../src/rules/prodigy.ts";
import { rprop } from "../../src/rules/rprop.ts";
import { Random } from "../../src/training.ts";

const shapes: readonly (readonly [string, readonly number[]])[] = [
  ["a", [8, 8]],
  ["b", [65]],
  ["c", [300]],
  ["d", [3, 5]],
  ["e", [1]],
];

function tensorsOf(seed: number): readonly Tensor[] {
  const random = new Random(seed);
  return shapes.map(([name, shape]) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return { name, shape, data: Array.from({ length }, () => random.normal()) };
  });
}

describe("the pages of an arena", () => {
  it("hold as many elements as they may, and a longer tensor alone", () => {
    const tensors = tensorsOf(1);
    const segments = layoutSegments(tensors, 256);
    expect(segments.map(({ page, offset }) => [page, offset])).toEqual([
      [0, 0],
      [0, 64],
      [1, 0],
      [2, 0],
      [2, 64],
    ]);
    expect(pagesOf(segments)).toEqual([0, 1, 2]);
    expect(pagesOf(segments).map((page) => arenaLength(segments, page))).toEqual([192, 320, 128]);
    expect(pagesOf(segments).map((page) => paddedLength(segments, page))).toEqual([192, 320, 128]);
    const [, second, third] = pagesOf(segments).map((page) => packArena(segments, tensors, page));
    expect([...second!.subarray(0, 300)]).toEqual([...Float32Array.from(tensors[2]!.data!)]);
    expect([...third!.subarray(0, 15)]).toEqual([...Float32Array.from(tensors[3]!.data!)]);
    expect([...third!.subarray(65)]).toEqual(Array(63).fill(0));
    expect(pagesOf(layoutSegments(tensors))).toEqual([0]);
  });
});

describe("an optimizer of many tensors", () => {
  it("finds them in time that grows with their number", async () => {
    const tensors = Array.from({ length: 50_000 }, (_, i) => ({ name: `t${i}`, shape: [1], data: [i] }));
    const optimizer = createPaged(tensors, adamw());
    expect((await optimizer.read()).t49999).toEqual(Float32Array.of(49_999));
  });
});

describe("an optimizer over several pages", () => {
  const configs = [
    { rule: adamw, lr: 0.1, clip: { type: "globalNorm", maxNorm: 1 }, accumulate: 2, replicas: [{}, { lr: 0.2 }] },
    { rule: adamw, clip: { type: "adaptive", clipping: 0.01 }, ema: {}, watch: true },
    { rule: lamb, groups: [{ params: "c", rule: adafactor }], cautious: true, swa: {} },
    { rule: prodigy, clip: { type: "groupNorm", maxNorm: 1 }, groups: [{ params: ["a", "d"] }] },
    { rule: muon, fallback: { rule: rprop } },
  ].map(readConfig);

  it.each(configs)("is that over one, to the bit, checkpoints too (%j)", async (config) => {
    const [paged, whole] = [createPaged(tensorsOf(1), config, 256), createPaged(tensorsOf(1), config)];
    expect(paged.params.length).toBe(192 * paged.replicas);
    const random = new Random(2);
    const step = (optimizers: readonly (typeof paged)[]) => {
      for (let replica = 0; replica < paged.replicas; replica++) {
        const gradients = Object.fromEntries(
          paged.segments.map(({ name, length }) => [name, Array.from({ length }, () => random.normal())]),
        );
        for (const optimizer of optimizers) optimizer.write("gradients", gradients, { replica });
      }
      for (const optimizer of optimizers) optimizer.step();
    };
    for (let i = 0; i < 5; i++) step([paged, whole]);
    const saved = await saveCheckpoint(paged);
    expect(saved).toEqual(await saveCheckpoint(whole));
    if (config.modifiers?.some(({ modifier }) => modifier === layerStats))
      expect(await paged.layers()).toEqual(await whole.layers());

    const loaded = createPaged(tensorsOf(3), config, 256);
    await loadCheckpoint(loaded, saved);
    for (let i = 0; i < 3; i++) step([loaded, whole]);
    for (let replica = 0; replica < paged.replicas; replica++) {
      for (const role of ["params", "gradients", "evaluation", ...paged.slots]) {
        expect(await loaded.read(role, { replica }), role).toEqual(await whole.read(role, { replica }));
      }
      expect(await loaded.stats({ replica })).toEqual(await whole.stats({ replica }));
      const { c } = await whole.read("params", { replica });
      expect(loaded.view("params", "c", { replica })).toEqual(c);
    }
    loaded.zeroGrad();
    for (const values of Object.values(await loaded.read("gradients"))) expect(values.every((g) => g === 0)).toBe(true);
  });
});
