// The built types, as a user's compiler sees them: strict, with exactOptionalPropertyTypes, under both resolutions.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

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
  return (w?.[0] ?? 0) + losses.length + (await requestDevice(navigator.gpu)).limits.maxBufferSize + new OptionError("x").message.length;
}
export const custom = defineRule({
  name: "plain",
  source: "definition",
  hypers: { lr: { default: 0.1, range: { min: 0 } } },
  flags: {},
  slots: [],
  // @ts-expect-error a misspelt hyper does not compile
  row: (h) => ({ lr: h.rate }),
  wgsl: "fn update(x: Cell, gradient: vec4f, h: Row) -> Cell { var y = x; y.p = x.p - h.lr * gradient; return y; }",
  update(x, g, h) {
    x.p -= h.lr * g;
  },
});
`;

/** What was parsed, by path: both resolutions read the same files. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** What the compiler says of the file. */
function problemsOf(file: string, options: ts.CompilerOptions): string {
  const host = ts.createCompilerHost(options, true);
  const read = host.getSourceFile;
  host.getSourceFile = (path, languageVersion, ...rest) => {
    // How a module's file is parsed depends on the resolution.
    const key = path.includes("/typescript/lib/") ? path : `${options.moduleResolution} ${path}`;
    if (!parsed.has(key)) parsed.set(key, read(path, languageVersion, ...rest));
    return parsed.get(key);
  };
  const program = ts.createProgram([file], options, host);
  return ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), {
    getCanonicalFileName: (path) => path,
    getCurrentDirectory: () => root,
    getNewLine: () => "\n",
  });
}

const { Bundler, NodeNext } = ts.ModuleResolutionKind;
it.each([
  ["bundler", Bundler, ts.ModuleKind.ESNext],
  ["nodenext", NodeNext, ts.ModuleKind.NodeNext],
])("compile under moduleResolution %s", (_, moduleResolution, module) => {
  const folder = mkdtempSync(join(tmpdir(), "fallline-types-"));
  try {
    mkdirSync(join(folder, "node_modules/@webgpu"), { recursive: true });
    symlinkSync(root, join(folder, "node_modules/fallline"), "junction");
    symlinkSync(join(root, "node_modules/@webgpu/types"), join(folder, "node_modules/@webgpu/types"), "junction");
    const path = join(folder, "consumer.ts");
    writeFileSync(path, consumer);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const options = {
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true },
      ...{
        module,
        moduleResolution,
        target: ts.ScriptTarget.ES2022,
        lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
        types: [],
      },
      // Everything but the compiler's own library is checked.
      skipDefaultLibCheck: true,
    };
    expect(problemsOf(path, options)).toBe("");
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(readFileSync(join(root, "dist/lib/src/index.d.ts"), "utf8")).toContain('types="@webgpu/types"');
});
