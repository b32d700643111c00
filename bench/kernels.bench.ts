// The choices of docs/performance.md, measured side by side on this machine's adapter: `npx vitest bench --run`.
import { bench, describe } from "vitest";
import { encodeDispatches } from "../src/engines/gpu/kernel.ts";
import { createOptimizer } from "../src/engines/gpu/optimizer.ts";
import { type Epilogue, variantDispatch } from "../src/engines/products/product.ts";
import { findVariant, whyNot } from "../src/engines/products/variants.ts";
import { readConfig } from "../src/optimizer/read_config.ts";
import { adamw } from "../src/rules/adam.ts";
import { sgd } from "../src/rules/sgd.ts";
import { device, freshDevice } from "../test/gpu/setup.ts";

const options = { warmupIterations: 2, iterations: 12, time: 0, warmupTime: 0 };

/** A device that counts as a GPU, whatever it is. */
async function asHardware(): Promise<GPUDevice> {
  const made = await freshDevice();
  const value = {
    vendor: "",
    architecture: "",
    device: "",
    description: "treated as hardware",
    isFallbackAdapter: false,
  };
  Object.defineProperty(made, "adapterInfo", { value });
  return made;
}

describe("one step over 1,068,810 parameters", async () => {
  const tensors = [{ name: "w", shape: [1_068_810] }];
  const clip = { type: "globalNorm", maxNorm: 1 } as const;
  const hardware = await asHardware();
  const cases = {
    sgd: await createOptimizer(device, tensors, sgd()),
    adamw: await createOptimizer(device, tensors, adamw()),
    "adamw, clip": await createOptimizer(device, tensors, readConfig({ rule: adamw, clip })),
    "adamw, barriers": await createOptimizer(hardware, tensors, adamw()),
    "adamw, clip, barriers": await createOptimizer(hardware, tensors, readConfig({ rule: adamw, clip })),
  };
  for (const [name, optimizer] of Object.entries(cases)) {
    bench(
      name,
      async () => {
        optimizer.step();
        await optimizer.device.queue.onSubmittedWorkDone();
      },
      options,
    );
  }
});

describe.each([
  ["forward", { m: 128, n: 1024, k: 784 }],
  ["the weight's gradient", { m: 784, n: 1024, k: 128, transposeA: true }],
  ["the inputs' delta", { m: 128, n: 1024, k: 256, transposeB: true }],
  ["odd sizes", { m: 127, n: 1001, k: 785 }],
  ["few columns", { m: 128, n: 10, k: 256 }],
] as const)("product, %s: %o", async (_, shape) => {
  const { m, n, k } = shape;
  const buffer = (length: number) => device.createBuffer({ size: 4 * length, usage: GPUBufferUsage.STORAGE });
  const [a, b, c, control] = [buffer(m * k), buffer(k * n), buffer(m * n), buffer(16)];
  const replicated = { device, replicas: 1, control, controlStride: 0, skipIndex: 0, stepIndex: 0, batch: control };
  const matrices = [a, b, c].map((matrix) => ({ buffer: matrix, stride: 0 }));
  const sums = { buffer: buffer(n), stride: 0 };
  const epilogues: readonly (readonly [Epilogue, string])[] = [
    [{ type: "none" }, ""],
    ...("transposeA" in shape ? [[{ type: "gradient", sums }, ", the bias's too"] as const] : []),
  ];
  for (const name of ["registers-32x16", "registers-128x64", "quads-16x32", "quads-32x32", "tiled-32x32"]) {
    const variant = findVariant(name)!;
    if (whyNot(device, variant)) continue;
    for (const [epilogue, suffix] of epilogues) {
      const product = { ...shape, epilogue } as const;
      const dispatch = await variantDispatch(replicated, product, [matrices[0]!, matrices[1]!, matrices[2]!], variant);
      bench(
        `${name}${suffix}`,
        async () => {
          const encoder = device.createCommandEncoder();
          const pass = encoder.beginComputePass();
          encodeDispatches(pass, [dispatch]);
          pass.end();
          device.queue.submit([encoder.finish()]);
          await device.queue.onSubmittedWorkDone();
        },
        options,
      );
    }
  }
});
