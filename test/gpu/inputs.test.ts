// What callers may hand over: names that objects take for something else, values that are no numbers, damaged checkpoints.

import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../../src/base/errors.ts";
import { replayCase } from "../../src/lab/replay.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import { scheduleFreeSgd } from "../../src/rules/schedule_free.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { createOptimizer } from "../optimizers.ts";
import { transposedMatrices } from "../transposed.ts";
import { freshDevice } from "./setup.ts";

describe("the WebGPU optimizer", () => {
  it("takes tensors by name, and says which group and replica as an object", async () => {
    const device = await freshDevice();
    const data = Float32Array.of(1, 2, 3);
    const creating = createOptimizer(
      device,
      { w: [2, 2], b: { shape: [3], data } },
      { rule: sgd, lr: 1, replicas: [{}, {}], groups: [{ params: "b" }] },
    );
    // The caller may fill it anew at once.
    data.fill(7);
    const optimizer = await creating;
    expect(await optimizer.read()).toEqual({ w: new Float32Array(4), b: Float32Array.of(1, 2, 3) });
    optimizer.set({ lr: 2 }, { group: 0, replica: 1 });
    optimizer.write("gradients", { b: [1, 0, -1] });
    optimizer.step();
    expect((await optimizer.read("params")).b).toEqual(Float32Array.of(0, 2, 4));
    expect((await optimizer.read("params", { replica: 1 })).b).toEqual(Float32Array.of(-1, 2, 5));
    const { offset } = optimizer.binding("params", "b", { replica: 1 });
    expect(offset - optimizer.binding("params", "b").offset).toBe(2 * 64 * 4);
    const words = optimizer.controlBytes / 4 / 2;
    expect(optimizer.controlIndex("step", { replica: 1 })).toBe(words + optimizer.controlIndex("step"));
    expect(() => optimizer.controlIndex("norm" as never)).toThrow(
      /^controlIndex is "norm"; it must be one of step, skip, lossScale$/,
    );
    await expect(optimizer.stats(1 as never)).rejects.toThrow(/^stats is 1; it must be an object with replica$/);
    expect(() => optimizer.binding("params", "v")).toThrow(
      /^binding names "v", which is not a tensor; the tensors are w, b$/,
    );
    optimizer.destroy();
  });

  it("takes a tensor called __proto__, writes all or nothing, and refuses a flipped bit", async () => {
    const device = await freshDevice();
    const tensors = [
      { name: "__proto__", shape: [2], data: [5, 6] },
      { name: "w", shape: [1], data: [7] },
    ];
    const make = () => createOptimizer(device, tensors, { rule: scheduleFreeSgd, lr: 0.5 });
    const [optimizer, other] = await Promise.all([make(), make()]);
    optimizer.write("gradients", JSON.parse('{"__proto__":[1,-1],"w":[1]}'));
    optimizer.step();
    const bytes = await saveCheckpoint(optimizer);
    await loadCheckpoint(other, bytes);
    for (const role of ["params", "evaluation", ...optimizer.slots]) {
      const values = await other.read(role);
      expect(Object.keys(values), role).toEqual(["__proto__", "w"]);
      expect(Object.entries(values), role).toEqual(Object.entries(await optimizer.read(role)));
    }

    const before = Object.entries(await optimizer.read());
    const bad = JSON.parse('{"__proto__":[8,9]}');
    expect(() => optimizer.write("params", { ...bad, w: BigInt64Array.of(1n) as unknown as number[] })).toThrow(
      OptionError,
    );
    const damaged = bytes.slice();
    damaged[bytes.length - 3]! ^= 1;
    await expect(loadCheckpoint(optimizer, damaged)).rejects.toThrow(DataError);
    expect(Object.entries(await optimizer.read())).toEqual(before);
    optimizer.destroy();
    other.destroy();
  });

  it("makes torch's steps of Muon on matrices [in, out]", async () => {
    const device = await freshDevice();
    const file = transposedMatrices();
    for (const entry of file.cases) {
      const result = await replayCase(file, entry, (tensors, config) => createOptimizer(device, tensors, config));
      expect(result).toMatchObject({ ok: true });
    }
  });
});
