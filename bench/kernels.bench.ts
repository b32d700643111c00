// The choices of docs/performance.md, measured side by side on this machine's adapter: `npx vitest bench --run`.
import { bench, describe } from "vitest";
import { compileKernel, encodeDispatches } from "../src/gpu/kernel.ts";
import { createOptimizer } from "../src/gpu/optimizer.ts";
import { productAnySource, productSource } from "../src/objectives/sources.ts";
import { adamw } from "../src/rules/adam.ts";
import { sgd } from "../src/rules/sgd.ts";
import { device, freshDevice } from "../test/gpu/setup.ts";

const options = { warmupIterations: 2, iterations: 12, time: 0, warmupTime: 0 };

/** A device that is treated as a GPU, whatever it is. */
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
    "adamw, clip": await createOptimizer(device, tensors, adamw({ clip })),
    "adamw, barriers": await createOptimizer(hardware, tensors, adamw()),
    "adamw, clip, barriers": await createOptimizer(hardware, tensors, adamw({ clip })),
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

describe("the product 64 × 784 by 784 × 1024, by workgroup", async () => {
  const [m, n, k] = [64, 1024, 784];
  const buffer = (length: number) => device.createBuffer({ size: length * 4, usage: GPUBufferUsage.STORAGE });
  const buffers = [buffer(m * k), buffer(k * n), buffer(m * n), buffer(n), buffer(1)];
  for (const [source, x, y, width, height] of [
    [productSource, 2, 2, 8, 16],
    [productSource, 4, 4, 8, 16],
    [productSource, 8, 8, 8, 16],
    [productAnySource, 2, 2, 4, 4],
    [productAnySource, 8, 8, 4, 4],
  ] as const) {
    const kernel = await compileKernel(device, source, ["read", "read", "write", "read", "read"], {
      M: m,
      N: n,
      K: k,
      forward: 1,
      activation: 1,
      workgroup_x: x,
      workgroup_y: y,
      a_stride: 0,
      b_stride: 0,
      c_stride: 0,
      bias_stride: 0,
      control_stride: 0,
      skip_index: 0,
    });
    const workgroups = [Math.ceil(n / width / x), Math.ceil(m / height / y)] as const;
    const dispatch = { pipeline: kernel.pipeline, bindGroup: kernel.bind(buffers), workgroups };
    bench(
      `${source.name}, ${x} × ${y}`,
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
});
