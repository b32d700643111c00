// The built types, as a user's compiler sees them: strict, with exactOptionalPropertyTypes, under both resolutions.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

const consumer = `
import { adamw, cosine, createOptimizer, type GpuOptimizer, OptionError, pin, requestDevice, sequential, tune, variantNames } from "fallline";
import type { Activation, CaseResult, CompleteDataConfig, CompleteModelConfig, Layer, LossConfig, MetricOptions, Mlp, MlpConfig } from "fallline";
import type { ObjectiveOptions, Range, ReplayCase, Rnn, RnnConfig, Tolerance, TuneResult } from "fallline";
export type Named = [Activation, CaseResult, CompleteDataConfig, CompleteModelConfig, Layer, LossConfig, MetricOptions, Mlp, MlpConfig];
export type MoreNamed = [ObjectiveOptions, Range, ReplayCase, Rnn, RnnConfig, Tolerance];
export async function use(device: GPUDevice, rate: number | undefined): Promise<number> {
  const lr = sequential({ milestones: [3], schedules: [0.1, cosine({ base: 0.1, steps: 10 })] });
  const optimizer: GpuOptimizer = await createOptimizer(device, [{ name: "w", shape: [3] }], adamw({ lr, eps: rate }));
  optimizer.set({ lr: 0.1 });
  const { w } = await optimizer.read();
  const tuned: TuneResult = await tune(device, [{ m: 1, n: 1, k: 1 }]);
  await pin(device, "all", variantNames.includes("f16-32x32") ? tuned.products[0]?.variant ?? "tiled-32x32" : "");
  // @ts-expect-error a misspelt option does not compile
  adamw({ learningRate: 1 });
  return (w?.[0] ?? 0) + (await requestDevice(navigator.gpu)).limits.maxBufferSize + new OptionError("x").message.length;
}
`;

it.each(["bundler", "nodenext"])("compile under moduleResolution %s", (moduleResolution) => {
  const folder = mkdtempSync(join(tmpdir(), "fallline-types-"));
  try {
    mkdirSync(join(folder, "node_modules/@webgpu"), { recursive: true });
    symlinkSync(root, join(folder, "node_modules/fallline"), "junction");
    symlinkSync(join(root, "node_modules/@webgpu/types"), join(folder, "node_modules/@webgpu/types"), "junction");
    writeFileSync(join(folder, "consumer.ts"), consumer);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const module = moduleResolution === "nodenext" ? "nodenext" : "esnext";
    const compilerOptions = {
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true },
      ...{ module, moduleResolution, target: "es2022", lib: ["es2023", "dom"], types: [] },
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
    let output = "";
    try {
      execFileSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8", cwd: folder });
    } catch (error) {
      output = (error as { stdout: string }).stdout;
    }
    expect(output).toBe("");
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(readFileSync(join(root, "dist/lib/src/index.d.ts"), "utf8")).toContain('types="@webgpu/types"');
});
