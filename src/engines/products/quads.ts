// Whether a device's quads are four invocations in a row, as the product kernel `quads` assumes. WGSL does not promise it, so
// each device is probed once, before that kernel may run.
import probe from "../../../shaders/products/quads_probe.wgsl?raw";
import { assemble } from "../../base/assemble.ts";
import { DeviceError } from "../../base/errors.ts";
import { allocate } from "../gpu/allocate.ts";
import { learnLoss } from "../gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches } from "../gpu/kernel.ts";
import { readParts } from "../gpu/readback.ts";

const source = assemble("probe of quads", [{ name: "shaders/products/quads_probe.wgsl", text: probe }]);

/** The results, by device; absent before a probe. */
const found = new WeakMap<GPUDevice, boolean>();
const asked = new WeakMap<GPUDevice, Promise<void>>();

/** False once {@link probeQuads} has found that they are not, or could not find out; true for a device that was not probed. */
export function hasQuadsInRow(device: GPUDevice): boolean {
  return found.get(device) ?? true;
}

/**
 * Probes a device with subgroups, once.
 *
 * @param shapes The workgroups that are going to run.
 * @throws DeviceError where the device is lost.
 */
export function probeQuads(device: GPUDevice, shapes: readonly (readonly [width: number, height: number])[]) {
  if (!device.features.has("subgroups")) return Promise.resolve();
  const known = asked.get(device);
  if (known) return known;
  const answer = ask(device, shapes).then((all) => {
    found.set(device, all);
  });
  asked.set(device, answer);
  // After a failure, the next call tries again.
  answer.catch(() => asked.delete(device));
  return answer;
}

/** @throws DeviceError if the device is lost, out of memory or refuses the submission: that says nothing about its quads. */
async function ask(device: GPUDevice, shapes: readonly (readonly [number, number])[]): Promise<boolean> {
  const kernels = await compileAll(device, shapes);
  // There are other kernels.
  if (!kernels) return false;
  const { made, buffers } = await allocate(device, "a probe of quads", (create) =>
    shapes.map(([width, height], i) => {
      const bytes = 16 * width * height;
      const [kernel, buffer] = [kernels[i]!, create(`quads ${i}`, bytes)];
      const dispatch: Dispatch = {
        pipeline: kernel.pipeline,
        bindGroup: kernel.bind([buffer]),
        workgroups: [1, 1],
      };
      return { buffer, offset: 0, bytes, dispatch };
    }),
  );
  try {
    const read = await readParts(device, made, (encoder) => {
      const pass = encoder.beginComputePass({ label: "fallline probe of quads" });
      encodeDispatches(
        pass,
        made.map(({ dispatch }) => dispatch),
      );
      pass.end();
    });
    return read.every((bytes) => new Uint32Array(bytes).every((lane, i) => lane === 4 * Math.floor(i / 16) + (i % 4)));
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** The probe for each shape; undefined if the device refuses it, as it would refuse the kernel itself. */
async function compileAll(device: GPUDevice, shapes: readonly (readonly [number, number])[]) {
  try {
    return await Promise.all(
      shapes.map(([width, height]) => compileKernel(device, source, ["write"], { width, height })),
    );
  } catch (error) {
    if (!(error instanceof DeviceError) || (await learnLoss(device))) throw error;
    return undefined;
  }
}
