// The built library, whose WGSL is minified: what a compiler finds wrong is still reported with the line of the author's file.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { BenchRow } from "../../bench/index.ts";
import { adamw } from "../../src/rules/adam.ts";
import { device, freshDevice } from "./setup.ts";

const root = resolve(import.meta.dirname, "../..");
const built = (path: string) => import(join(root, "dist/lib", path));

const tensors = [{ name: "w", shape: [3] }];

describe("an error in WGSL names the line", () => {
  const message = async (change: (wgsl: string) => string) => {
    const [{ createOptimizer, defineRule }, { sgdRule, sgd }] = [
      await built("src/index.js"),
      await built("src/rules/sgd.js"),
    ];
    const { wgsl, ...rest } = sgdRule ?? sgd;
    const rule = defineRule({ ...rest, name: "broken", wgsl: change(wgsl) });
    return createOptimizer(device, tensors, { rule, lr: 1 }).then(
      () => "it compiles",
      (error: Error) => error.message,
    );
  };

  it("of a user's rule, as it is written", async () => {
    const wgsl = "// a comment\n\nfn update(x: Cell, gradient: vec4f, h: Row) -> Cell {\n  return nothing;\n}\n";
    expect(await message(() => wgsl)).toMatch(/^rule "broken".* does not compile: the WGSL of rule "broken", line 4: /);
  });

  it("of a file in shaders/", async () => {
    const source = readFileSync(join(root, "shaders/rules/sgd.wgsl"), "utf8").split("\n");
    const line = source.findIndex((text) => text.includes("x.p"));
    expect(line).toBeGreaterThan(1);
    expect(await message((wgsl) => wgsl.replace("x.p", "x.nothing"))).toContain(
      `the WGSL of rule "broken", line ${line + 1}: `,
    );
  });
});

describe("fallline/node", () => {
  it("gives a device that makes a step", async () => {
    const [{ createOptimizer }, { requestNodeDevice }] = [await built("src/index.js"), await built("src/node.js")];
    const made: GPUDevice = await requestNodeDevice();
    const optimizer = await createOptimizer(made, tensors, adamw());
    optimizer.step();
    expect((await optimizer.stats()).step).toBe(1);
    optimizer.destroy();
    made.destroy();
    await expect(requestNodeDevice("timestamp-query")).rejects.toMatchObject({ name: "OptionError" });
  });
});

describe("bench", () => {
  it("measures steps in turns", async () => {
    const [{ createOptimizer, OptionError }, { bench }] = [await built("src/index.js"), await built("bench/index.js")];
    const made = await freshDevice();
    const optimizer = await createOptimizer(made, tensors, adamw());
    const step = (pass: GPUComputePassEncoder) => optimizer.encode(pass);
    const [row]: readonly BenchRow[] = await bench({ device: made, step, rounds: 1 });
    expect(row).toEqual({
      ...{ name: "step", ms: expect.any(Number), quartiles: null, gpuMs: null },
      ...{ dispatches: 1, bindGroups: 0, hostBytes: expect.any(Number) },
    });
    const twice = (pass: GPUComputePassEncoder) => [step(pass), step(pass)];
    const rows: readonly BenchRow[] = await bench({ device: made, step: { once: step, twice }, rounds: 2 });
    expect(rows.map(({ name, dispatches }) => [name, dispatches])).toEqual([
      ["once", 1],
      ["twice", 2],
    ]);
    expect(rows[0]!.quartiles![0]).toBeLessThanOrEqual(rows[0]!.quartiles![1]);
    optimizer.destroy();
    const broken = () => {
      throw new Error("no such step");
    };
    await expect(bench({ device: made, step: { broken }, rounds: 1 })).rejects.toThrow(
      "broken could not be measured: no such step",
    );
    await expect(bench({ device: made, step: 3 })).rejects.toThrow(OptionError);
    await expect(bench({ device: made, step, rounds: 0 })).rejects.toThrow(
      "rounds is 0; it must be a whole number >= 1",
    );
  });
});
