// Holds the built library's GPU engine against its CPU reference in whichever WebGPU runs this script: the one of the tests is
// Dawn, and Deno brings another, wgpu, which Firefox has too. Not part of the tests, since Deno is no dependency:
//   npm run build && npx deno run --unstable-webgpu -A scripts/second_webgpu.ts
// Where there is no GPU, Mesa's software driver will do (VK_ICD_FILENAMES names its lvp_icd file).

import type { ModelConfig } from "../src/training.ts";

const built = (path: string) => import(new URL(`../dist/lib/${path}.js`, import.meta.url).href);
const { adamw, adapterLine, describeAdapter, DeviceError, requestDevice }: typeof import("../src/index.ts") =
  await built("src/index");
const {
  cpuEngine,
  createModel,
  createTrainee,
  initialTensors,
  Random,
  webgpuEngine,
}: typeof import("../src/training.ts") = await built("src/training");
const { kernels }: typeof import("../bench/index.ts") = await built("bench/index");
const { pin, variants: variantNames } = kernels;
const device = await requestDevice();
const random = new Random(3);
let failed = 0;
device.addEventListener("uncapturederror", ({ error }) => {
  failed++;
  console.log(`uncaptured: ${error.message}`);
});
console.log(adapterLine(describeAdapter(device.adapterInfo)));

/** The largest difference of a gradient, relative to the largest of its tensor. */
async function compare(variant: string, config: ModelConfig, batch: number): Promise<void> {
  const model = createModel(config);
  const labelled = model.criterion.name === "softmaxCrossEntropy";
  const draw = (length: number) => Float32Array.from({ length }, () => random.uniform());
  const data = {
    name: "random",
    count: batch,
    features: model.features,
    scale: 2,
    inputs: draw(batch * model.features),
    ...(model.channels > 1
      ? { outputs: 0, targets: new Float32Array() }
      : labelled
        ? { classes: model.outputs, labels: Uint32Array.from({ length: batch }, () => random.below(model.outputs)) }
        : { outputs: model.outputs, targets: draw(batch * model.outputs) }),
  };
  const [ours, wanted] = await Promise.all(
    [webgpuEngine(device), cpuEngine()].map(async (engine) => {
      const trainee = await createTrainee(engine, model, initialTensors(model, { seed: 5 }), adamw(), { data, batch });
      await trainee.objective.gradient(Uint32Array.from({ length: batch }, (_, row) => row));
      const gradients = await trainee.optimizer.read("gradients");
      trainee.destroy();
      return gradients;
    }),
  );
  const worst = Math.max(
    ...Object.entries(wanted!).map(([name, values]) => {
      const largest = Math.max(...values.map(Math.abs), 1e-12);
      return Math.max(...values.map((value, i) => Math.abs(value - ours![name]![i]!))) / largest;
    }),
  );
  const passes = worst < (variant.startsWith("f16") ? 5e-3 : 3e-6);
  if (!passes) failed++;
  console.log(`${passes ? "pass" : "FAIL"}  ${worst.toExponential(1)}  ${variant}  ${JSON.stringify(config)}`);
}

for (const activation of ["linear", "relu", "tanh", "sigmoid", "gelu", "silu"] as const) {
  await compare("default", { layers: [20, 33, 16, 5], activation, dropout: 0.2, l2: 0.01 }, 17);
}
for (const loss of ["sigmoidBinaryCrossEntropy", "meanSquaredError", "huber"] as const) {
  await compare("default", { layers: [8, 12, 4], loss }, 9);
}
await compare("default", { type: "rnn", inputs: 3, steps: 4, hidden: 5, outputs: 2 }, 9);
for (const activation of ["tanh", "sigmoid", "gelu", "silu"] as const) {
  const problem = { type: "poisson", dimensions: 2 };
  await compare("default", { type: "pinn", layers: [2, 9, 8, 1], problem, activation }, 9);
}
for (const variant of variantNames) {
  try {
    await pin(device, "all", variant);
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    console.log(`skip  ${error.message}`);
    continue;
  }
  await compare(variant, { layers: [68, 132, 40, 8], activation: "gelu" }, 36);
  // No relu, which half precision may turn on and off.
  await compare(variant, { layers: [67, 131, 7], activation: "tanh" }, 35);
}
process.exit(failed > 0 ? 1 : 0);
