// Whether a device's quads are what the product kernel called quads takes them to be: four invocations in a row. WGSL does not
// promise it, so each device is asked once, before that kernel may run.
import probe from "../../shaders/objectives/products/quads_probe.wgsl?raw";
import { assemble } from "../assemble.ts";
import { DeviceError } from "../errors.ts";
import { allocate } from "../gpu/allocate.ts";
import { deviceLoss } from "../gpu/device.ts";
import { compileKernel, encodeDispatches } from "../gpu/kernel.ts";
import { readParts } from "../gpu/readback.ts";

const source = assemble("probe of quads", [{ name: "shaders/objectives/products/quads_probe.wgsl", text: probe }]);

/** What was found; nothing as long as nobody asked. */
const found = new WeakMap<GPUDevice, boolean>();
const asked = new WeakMap<GPUDevice, Promise<void>>();

/** False once {@link probeQuads} has found that they are not, or could not find out; a device that was not asked has the benefit of the doubt. */
export function hasQuadsInRow(device: GPUDevice): boolean {
  return found.get(device) ?? true;
}

/**
 * Asks a device with subgroups, once.
 *
 * @param shapes The workgroups that are going to run.
 * @throws DeviceError where the device is lost.
 */
export function probeQuads(device: GPUDevice, shapes: readonly (readonly [width: number, height: number])[]) {
  if (!device.features.has("subgroups")) return Promise.resolve();
  const known = asked.get(device);
  if (known) return known;
  const loss = deviceLoss(device);
  const answer = ask(device, shapes).then(
    (all) => {
      found.set(device, all);
    },
    (error: unknown) => {
      // A device that refuses the probe would refuse the kernel; there are others.
      if (!(error instanceof DeviceError) || loss.info) throw error;
      found.set(device, false);
    },
  );
  asked.set(device, answer);
  return answer;
}

async function ask(device: GPUDevice, shapes: readonly (readonly [number, number])[]): Promise<boolean> {
  const kernels = await Promise.all(
    shapes.map(([width, height]) => compileKernel(device, source, ["write"], { width, height })),
  );
  const { made, buffers } = await allocate(device, "a probe of quads", (create) =>
    shapes.map(([width, height], i) => ({ buffer: create(`quads ${i}`, 16 * width * height), count: width * height })),
  );
  try {
    const encoder = device.createCommandEncoder({ label: "fallline probe of quads" });
    const pass = encoder.beginComputePass({ label: "fallline probe of quads" });
    encodeDispatches(
      pass,
      kernels.map((kernel, i) => ({
        pipeline: kernel.pipeline,
        bindGroup: kernel.bind([made[i]!.buffer]),
        workgroups: [1, 1],
      })),
    );
    pass.end();
    device.queue.submit([encoder.finish()]);
    const told = await readParts(
      device,
      made.map(({ buffer, count }) => ({ buffer, offset: 0, bytes: 16 * count })),
    );
    return told.every((bytes) =>
      new Uint32Array(bytes).every((heard, i) => heard === 4 * Math.floor(i / 16) + (i % 4)),
    );
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}
