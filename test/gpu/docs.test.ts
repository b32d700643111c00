// The documents' examples, as they stand there: the README's in Node against the built library, and the rule that
// CONTRIBUTING.md adds, on both engines.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { createCpuOptimizer } from "../../src/cpu/optimizer.ts";
import { createOptimizer } from "../../src/gpu/optimizer.ts";
import { defineRule, type Rule } from "../../src/rule.ts";
import { device } from "./setup.ts";

const root = resolve(import.meta.dirname, "../..");
const fileUrl = (path: string) => pathToFileURL(join(root, path)).href;

function block(file: string, language: string): string {
  const found = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(readFileSync(join(root, file), "utf8"))?.[1];
  if (!found) throw new Error(`${file} has no ${language} block`);
  return found;
}

describe("README.md", () => {
  it("has an example that runs in Node and prints what it promises", () => {
    const example = block("README.md", "js");
    const folder = mkdtempSync(join(tmpdir(), "fallline-readme-"));
    try {
      const script = join(folder, "example.mjs");
      const preamble = `import { keep, openWebGPU } from "${fileUrl("scripts/webgpu.mjs")}";
const { gpu } = await openWebGPU();
Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
`;
      const body = example
        .replace('from "fallline"', `from "${fileUrl("dist/fallline.js")}"`)
        .replace("await requestDevice();", "await requestDevice();\nkeep(device);");
      writeFileSync(script, `${preamble}${body}\nprocess.exit();\n`);
      const printed = execFileSync(process.execPath, [script], { encoding: "utf8" });
      expect(printed.trim()).toBe(/\/\/ → (.*)/.exec(example)?.[1]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("CONTRIBUTING.md", () => {
  it("adds a rule that compiles and agrees with its twin", async () => {
    const wgsl = block("CONTRIBUTING.md", "wgsl");
    const definition = block("CONTRIBUTING.md", "ts")
      .replace(/^import .*$/gm, "")
      .replace(/export const \w+ =/, "return");
    const rule = new Function("defineRule", "wgsl", definition)(defineRule, wgsl) as Rule;
    const tensors = [{ name: "w", shape: [300], data: Float32Array.from({ length: 300 }, (_, i) => Math.sin(i)) }];
    const w = Float32Array.from({ length: 300 }, (_, i) => Math.cos(i) - 0.5);
    const gpu = await createOptimizer(device, tensors, { rule, lr: 0.25 });
    const cpu = createCpuOptimizer(tensors, { rule, lr: 0.25 });
    for (const optimizer of [gpu, cpu]) {
      optimizer.write("gradients", { w });
      optimizer.step();
    }
    expect((await gpu.read()).w).toEqual((await cpu.read()).w);
    expect((await gpu.read()).w).not.toEqual(tensors[0]!.data);
    gpu.destroy();
    cpu.destroy();
  });
});
