// Hessian-vector products on the GPU, as the central difference of two gradients along the vector: parameters moved, gradient,
// moved the other way, gradient, and everything put back, in one submission.
import type { Segment } from "../arena.ts";
import { OptionError } from "../errors.ts";
import { allocate, bytesOf } from "../gpu/allocate.ts";
import { grid } from "../gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches } from "../gpu/kernel.ts";
import type { GpuOptimizer } from "../gpu/optimizer.ts";
import { readParts } from "../gpu/readback.ts";
import type { TensorValues } from "../optimizer.ts";
import { createSizes, lanes, tensor } from "./shared_gpu.ts";
import { perturbSource } from "./sources.ts";

/**
 * @param encodeGradient Encodes the gradients of all replicas.
 * @throws OptionError for a replica that there is not, or that is halted.
 */
export async function differenceOfGradients(
  optimizer: GpuOptimizer,
  tensors: readonly Segment[],
  vector: TensorValues,
  replica: number,
  encodeGradient: (pass: GPUComputePassEncoder) => void,
): Promise<TensorValues> {
  const { device, replicas, control, controlBytes } = optimizer;
  const skipIndex = optimizer.skipIndex(replica);
  const params = await optimizer.read("params", replica);
  const towards = strideAlong(tensors, params, vector);
  const kernels = await Promise.all(
    [0, 1, 2].map((phase) =>
      compileKernel(device, perturbSource, ["write", "write", "read", "write", "write", "write", "uniform"], { phase }),
    ),
  );
  const { made, buffers } = await allocate(device, "a Hessian-vector product", (create) =>
    tensors.map(({ name, length }) => {
      const bytes = 4 * length;
      const [values, gradients] = [tensor(optimizer, "params", name), tensor(optimizer, "gradients", name)];
      const product = create(`${name} product`, bytes);
      const bound = [
        values,
        gradients,
        create(`${name} direction`, bytes, bytesOf(vector[name]!)),
        create(`${name} saved`, bytes),
        create(`${name} held`, replicas * bytes),
        product,
        createSizes(create, [length, values.stride, gradients.stride, replica], [towards]),
      ];
      const workgroups = [...grid(device, Math.ceil(length / lanes)), replicas] as const;
      const phases = kernels.map(
        (kernel): Dispatch => ({ pipeline: kernel.pipeline, bindGroup: kernel.bind(bound), workgroups }),
      );
      return { name, length, product, phases };
    }),
  );
  try {
    const encoder = device.createCommandEncoder({ label: "fallline Hessian-vector product" });
    const pass = encoder.beginComputePass({ label: "fallline Hessian-vector product" });
    const phase = (index: number) =>
      encodeDispatches(
        pass,
        made.map(({ phases }) => phases[index]!),
      );
    phase(0);
    encodeGradient(pass);
    phase(1);
    encodeGradient(pass);
    phase(2);
    pass.end();
    device.queue.submit([encoder.finish()]);
    const [state, ...products] = await readParts(device, [
      { buffer: control, offset: 0, bytes: controlBytes },
      ...made.map(({ product, length }) => ({ buffer: product, offset: 0, bytes: 4 * length })),
    ]);
    if (new Uint32Array(state!)[skipIndex] === 2) {
      throw new OptionError(`replica ${replica} is halted; hessianVector needs one that is not`);
    }
    const scale = new Float32Array(state!)[optimizer.lossScaleIndex(replica)]!;
    return Object.fromEntries(
      made.map(({ name }, i) => [name, new Float32Array(products[i]!).map((value) => value / scale)]),
    );
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** How far to go: the cube root of float32's precision times the size of the parameters, which balances rounding and curvature. */
function strideAlong(tensors: readonly Segment[], params: TensorValues, vector: TensorValues): number {
  const norm = (values: TensorValues) =>
    Math.sqrt(tensors.reduce((sum, { name }) => sum + values[name]!.reduce((s, x) => s + x * x, 0), 0));
  return (4e-3 * (1 + norm(params))) / norm(vector);
}
