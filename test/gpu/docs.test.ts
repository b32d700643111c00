// The documents' examples, as they stand there: the README's in Node against the built library, and the rule that
// CONTRIBUTING.md adds, on both engines.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { findSwiftShader, mayHaveHardware } from "../../scripts/webgpu.mjs";
import { createCpuOptimizer } from "../../src/cpu/optimizer.ts";
import { createOptimizer } from "../../src/gpu/optimizer.ts";
import { defineRule, type Rule } from "../../src/rule.ts";
import { device } from "./setup.ts";

const root = resolve(import.meta.dirname, "../..");
const fileUrl = (path: string) => pathToFileURL(join(root, path)).href;

function block(file: string, language: string, index = 0): string {
  const blocks = readFileSync(join(root, file), "utf8").matchAll(
    new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"),
  );
  const found = [...blocks][index]?.[1];
  if (!found) throw new Error(`${file} has no ${language} block`);
  return found;
}

describe("README.md", () => {
  it("has an example that runs in Node and prints what it promises", () => {
    const example = block("README.md", "js");
    const folder = mkdtempSync(join(tmpdir(), "fallline-readme-"));
    try {
      const script = join(folder, "example.mjs");
      // The two blocks as one script: the device of the second, the rest of the first.
      const node = block("README.md", "js", 1).replace(/^import \{ requestDevice.*$/m, "");
      const whole = `${node}\n${example.replace(/^const device = .*$/m, "")}`
        .replace('from "fallline"', `from "${fileUrl("dist/fallline.js")}"`)
        .replace('from "webgpu"', `from "${fileUrl("node_modules/webgpu/index.js")}"`);
      writeFileSync(script, whole);
      // Where there is no driver, Chrome's: what a user without one would set.
      const folderOfDriver = mayHaveHardware() ? undefined : findSwiftShader();
      const env = folderOfDriver
        ? {
            ...process.env,
            LD_LIBRARY_PATH: folderOfDriver,
            VK_ICD_FILENAMES: join(folderOfDriver, "vk_swiftshader_icd.json"),
          }
        : process.env;
      const printed = execFileSync(process.execPath, [script], { encoding: "utf8", env });
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
    const [ours, twin] = [(await gpu.read()).w!, (await cpu.read()).w!];
    expect(Math.max(...ours.map((value, i) => Math.abs(value - twin[i]!)))).toBeLessThan(1e-6);
    expect((await gpu.read()).w).not.toEqual(tensors[0]!.data);
    gpu.destroy();
    cpu.destroy();
  });
});
