// The built types, as a user's compiler sees them: strict, with exactOptionalPropertyTypes, under both resolutions; and every
// example of the documents under strict. `npm run test:package` has the compilers of later versions.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { afterAll, expect, it } from "vitest";
import { documentExamples, excerpts, programs } from "../examples.ts";

const root = resolve(import.meta.dirname, "../..");

const consumer = `
import { adamw, createOptimizer, defineRule, type GpuOptimizer, modifiers, OptionError, type Range, requestDevice, schedules } from "fallline";
import { bench, type BenchRow, kernels, type TuneResult } from "fallline/bench";
import { type Activation, type CompleteModelConfig, datasets, type Layer, type LossConfig, mlp, type MlpConfig, type ObjectiveOptions, train } from "fallline/train";
export type Named = [Activation, CompleteModelConfig, Layer, LossConfig, MlpConfig, ObjectiveOptions, Range];
export async function use(device: GPUDevice, rate: number | undefined): Promise<number> {
  const lr = schedules.sequential({ milestones: [3], schedules: [0.1, schedules.cosine({ base: 0.1, steps: 10 })] });
  const config = adamw({ lr, eps: rate, modifiers: [modifiers.ema({ decay: 0.99 }), modifiers.accumulate(2)] });
  const optimizer: GpuOptimizer = await createOptimizer(device, { w: [3] }, config);
  optimizer.set({ lr: 0.1 }, { group: 0 });
  const { w } = await optimizer.read();
  const tuned: TuneResult = await kernels.tune(device, [{ m: 1, n: 1, k: 1 }]);
  await kernels.pin(device, "all", kernels.variants.includes("f16-32x32") ? tuned.products[0]?.variant ?? "tiled-32x32" : "");
  const rows: readonly BenchRow[] = await bench({ device, step: (pass) => optimizer.encode(pass) });
  const data = datasets.fromArrays({ inputs: [0, 1], labels: [0, 1], count: 2 });
  const { losses } = await train({ model: mlp([1, 4, 2]), data, optimizer: adamw(), batch: 2, steps: rows.length });
  // @ts-expect-error a misspelt option does not compile
  adamw({ learningRate: 1 });
  // @ts-expect-error nor does one of a modifier
  modifiers.ema({ dekay: 0.9 });
  // @ts-expect-error nor one of a schedule
  schedules.cosine({ base: 1, stops: 3 });
  const { train: half }: { train: { classes: number } } = datasets.split(data, 1);
  const answers: number = datasets.fromCsv("a,b\\n1,2\\n", { targets: "b" }).targets.length + half.classes;
  return answers + (w?.[0] ?? 0) + losses.length + (await requestDevice(navigator.gpu)).limits.maxBufferSize + new OptionError("x").message.length;
}
export const custom = defineRule({
  name: "plain",
  source: "definition",
  hypers: { lr: { default: 0.1, range: { min: 0 } } },
  flags: {},
  slots: [],
  // @ts-expect-error a misspelt hyper does not compile
  row: (h) => ({ lr: h.rate }),
  wgsl: "fn update(x: Cell, gradient: vec4f, h: Row) -> Cell { var y = x; y.step = h.lr * gradient; return y; }",
  update(x, g, h) {
    x.step = h.lr * g;
  },
});
`;

/** Configs that are written down before they are used, whose types are inferred: strings, not literals. */
const inferred = `
import { adamw, createCpuOptimizer, modifiers, readConfig, schedules } from "fallline";
import { cpuEngine, createModel, datasets, landscapes, mlp, pinn, problems, train, tuning } from "fallline/train";
const data = datasets.fromArrays({ inputs: [[0], [1]], labels: ["a", "b"] });
const job = { engine: cpuEngine(), model: mlp([1, 2]), data, optimizer: adamw(), batch: 2, steps: 3 };
const measured = { ...job, metric: { type: "testLoss", every: 1 }, stop: { patience: 1 }, handover: { at: "plateau" } };
const named = { ...job, model: { layers: [1, 4, 2], activation: "ReLU", loss: "mse" }, init: { type: "glorotUniform", seed: 1 } };
const smoothed = { ...job, model: { layers: [1, 2], loss: { type: "softmaxCrossEntropy", labelSmoothing: 0.1 } } };
const recurrent = { ...job, model: { type: "rnn", inputs: 1, steps: 1, hidden: 3, outputs: 2 }, curvature: { every: 3 }, watch: true };
const json = { ...job, optimizer: { rule: "AdamW", lr: { type: "cosine", base: 1, steps: 3 } } };
for (const each of [measured, named, smoothed, recurrent, json]) await train(each);
const points = datasets.points({ grid: 4 });
const problem = { type: "poisson", k: 1 };
const equation = { ...job, model: { type: "pinn", layers: [1, 4, 1], problem }, data: points, metric: { type: "testError", every: 1 } };
await train(equation);
await train({ ...equation, model: pinn([1, 4, 1], { problem: problems.poisson({ k: 1 }) }) });
const descent = { landscape: landscapes.rosenbrock(), init: [0, 1], optimizer: adamw(), steps: 3 };
await train(descent);
await tuning.findLr(job);
const model = { layers: [1, 2], loss: "huber" };
createModel(model);
const groups = [{ params: ["w", /bias/], weightDecay: 0 }, { params: "b", lrScale: 2 }];
const options = { lr: schedules.cosine({ base: 1, steps: 3 }), groups, modifiers: [modifiers.clipGlobalNorm({ maxNorm: 1 })] };
const tensors = { w: { shape: [2], data: [1, 2] }, b: [2] };
createCpuOptimizer(tensors, adamw(options));
const saved = { rule: "adamw", lr: 0.1, groups: [{ params: "w", weightDecay: 0 }] };
createCpuOptimizer(tensors, readConfig(saved));
const columns = { targets: "y", inputs: ["x"] };
export const answers: number = datasets.fromCsv("x,y\\n1,2\\n", columns).targets.length;
const arrays = { inputs: [[1]], targets: [[1]] };
export const values: Float32Array = datasets.fromArrays(arrays).targets;
// @ts-expect-error a model without widths does not compile
createModel({ activation: "relu" });
`;

/** What TypeScript 5.9 says of a file. */
function problemsOf(file: string, options: ts.CompilerOptions): string {
  return ts.formatDiagnostics(ts.getPreEmitDiagnostics(ts.createProgram([file], options)), {
    getCanonicalFileName: (path) => path,
    getCurrentDirectory: () => root,
    getNewLine: () => "\n",
  });
}

/** The folder of a user's project, in which every package of ours is installed. */
const folder = mkdtempSync(join(root, "node_modules/.types-"));
mkdirSync(join(folder, "node_modules"));
symlinkSync(root, join(folder, "node_modules/fallline"), "junction");
writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

it("compile in a worker's library under moduleResolution nodenext, with every option that is stricter", () => {
  const options: ts.CompilerOptions = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true, types: [] },
    // Everything but the compiler's own library is checked.
    skipDefaultLibCheck: true,
    ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
    ...{ target: ts.ScriptTarget.ES2022, lib: ["lib.es2023.d.ts", "lib.webworker.d.ts"] },
  };
  expect(problemsOf(written("consumer.ts", consumer), options)).toBe("");
});

it("compile under moduleResolution bundler with TypeScript 7, and so do all examples in the documents", () => {
  const examples = documentExamples(root).map(({ name, code }) => written(name, code));
  expect(examples.length).toBeGreaterThan(25);
  const compilerOptions = {
    ...{ strict: true, allowJs: true, checkJs: true, noEmit: true, types: [], skipDefaultLibCheck: true },
    ...{ module: "esnext", moduleResolution: "bundler", target: "es2022", lib: ["es2023", "dom"] },
  };
  // The compiler's own library has WebGPU's types, but not its constants.
  const constants = written("constants.d.ts", "declare const GPUBufferUsage: Record<string, number>;\n");
  const files = [constants, written("consumer.ts", consumer), written("inferred.ts", inferred), ...examples];
  const config = written("tsconfig.json", JSON.stringify({ compilerOptions, files }));
  const compiler = join(root, "node_modules/typescript-7/bin/tsc");
  const { stdout, status } = spawnSync(process.execPath, [compiler, "-p", config], { encoding: "utf8" });
  expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
});

it("show in docs/how_to.md lines of programs that are compiled and run", () => {
  const lines = new Set([...programs(root).values()].flatMap((text) => text.split("\n").map((line) => line.trim())));
  const shown = excerpts(root);
  expect(shown.length).toBeGreaterThan(30);
  expect(shown.filter((line) => !lines.has(line.trim()))).toEqual([]);
});

it("refer to @webgpu/types in what compilers before 6.0 alone read", () => {
  const declarations = readdirSync(join(root, "dist/lib"), { recursive: true, encoding: "utf8" });
  const referring = declarations
    .filter((name) => name.endsWith(".d.ts"))
    .filter((name) => readFileSync(join(root, "dist/lib", name), "utf8").includes('types="@webgpu/types"'));
  expect(referring.filter((name) => !/^webgpu_types[\\/]/.test(name))).toEqual([]);
  expect(referring.length).toBeGreaterThan(4);
});

/** @returns the paths that the package gives for its names, under every condition */
function targetsOf(entry: unknown): string[] {
  return typeof entry === "string" ? [entry] : Object.values(entry as object).flatMap(targetsOf);
}

it("are where package.json says", () => {
  const { exports, files } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const target of targetsOf(exports)) expect(existsSync(join(root, target)), target).toBe(true);
  for (const [name, entry] of Object.entries<object | string>(exports)) {
    if (typeof entry === "string") continue;
    // Types come first, or a compiler takes the code for them.
    expect([name, ...Object.keys(entry)].slice(-2)).toEqual(["types", "default"]);
  }
  expect(files).toContain("dist/lib");
});
