// What compilers may make of WGSL: the laws of docs/numerics.md that every kernel's text is held to, since no device here compiles
// with relaxed mathematics or for Direct3D.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { variants } from "../../src/engines/products/variants.ts";

const folder = resolve(import.meta.dirname, "../../shaders");
/** Without comments. The benchmark's kernels are first attempts; those of probe/ measure what devices make of such code. */
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".wgsl") && !/^(bench|probe)\//.test(name))
  .map((name) => ({ name, code: readFileSync(join(folder, name), "utf8").replace(/\/\/.*$/gm, "") }));

/** Which files have something, with what it is. */
const having = (pattern: RegExp) =>
  files.flatMap(({ name, code }) => [...code.matchAll(pattern)].map((found) => `${name}: ${found[1] ?? found[0]}`));

describe("every kernel's text", () => {
  it("is there", () => {
    expect(files.length).toBeGreaterThan(100);
  });

  it("calls no function whose error WGSL leaves as large as an implementation likes", () => {
    expect(
      having(/\b(pow|inverseSqrt|sin|cos|tan|asin|acos|atan2?|sinh|cosh|exp2|log2|ldexp|normalize|length)\(/g),
    ).toEqual([]);
  });

  it("calls those that differ by adapter only where what they make of NaN and of large numbers is put right", () => {
    const callers = new Set(having(/\b(?:tanh|exp|log|sign|clamp)\(/g).map((found) => found.split(":")[0]));
    expect([...callers].sort()).toEqual([
      "lab/recurrent_unit.wgsl",
      "landscapes/logistic_ladder.wgsl",
      "modifiers/clip_value.wgsl",
      "objectives/losses/binary_cross_entropy.wgsl",
      "objectives/losses/huber.wgsl",
      "objectives/losses/softmax_cross_entropy.wgsl",
      "page/contours.wgsl",
      "products/activation.wgsl",
      "products/derivatives.wgsl",
      "rules/adopt.wgsl",
    ]);
  });

  it("finds NaN by bits, not by a comparison with itself", () => {
    expect(having(/([\w.]+) (?:!=|==) \1\b/g)).toEqual([]);
  });

  it("orders atomics by a barrier of storage", () => {
    const counting = files.filter(({ code }) => code.includes("atomicAdd("));
    expect(counting.map(({ name }) => name)).toEqual(["arrive.wgsl"]);
    expect(counting[0]!.code).not.toContain("workgroupBarrier");
  });

  it("has no barrier after an early return that depends on loaded data, except where a probe tests whether a device takes it", () => {
    const meets = /\b(?:workgroupBarrier|storageBarrier|joined|total_of|store_sum|begin_chunk|arrives_last)\(/g;
    const loaded = /control|halted|has_tile|rests|\bnow\b|zeros/;
    const found = files.flatMap(({ name, code }) => {
      const main = code.slice(Math.max(0, code.indexOf("fn main(")));
      const last = [...main.matchAll(meets)].at(-1)?.index ?? 0;
      const returns = [...main.slice(0, last).matchAll(/if \((.*)\) \{\s*return;/g)];
      return returns.flatMap(([, condition]) => (loaded.test(condition!) ? [name] : []));
    });
    expect(found.sort()).toEqual(["products/memory_probe.wgsl", "products/sliced.wgsl", "products/tiled.wgsl"]);
    const shared = variants.filter(({ kernel }) => ["sliced", "tiled", "f16"].includes(kernel));
    expect(variants.filter(({ memory }) => memory > 0)).toEqual(shared);
  });

  it("writes workgroup memory before it reads it: none is declared but where the same file fills it", () => {
    for (const found of having(/var<workgroup> (\w+)/g)) {
      const [name, variable] = found.split(": ") as [string, string];
      const { code } = files.find((file) => file.name === name)!;
      const main = code.slice(Math.max(0, code.indexOf("fn main(")));
      const uses = [...main.matchAll(new RegExp(`\\b${variable}\\[[^\\]]*\\]( \\+?= )?`, "g"))];
      expect(uses[0]![1], found).toBe(" = ");
    }
  });
});
