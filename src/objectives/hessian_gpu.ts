// The central differences of gradients of a Hessian-vector product on the GPU (hessian.ts): parameters moved, gradient,
// moved the other way, gradient, and everything put back, in one submission for each stride.

import { OptionError } from "../base/errors.ts";
import { together } from "../base/together.ts";
import { allocate } from "../engines/gpu/allocate.ts";
import { grid } from "../engines/gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import { readParts } from "../engines/gpu/readback.ts";
import { compileVectors } from "../engines/gpu/vectors.ts";
import type { Segment } from "../optimizer/arena.ts";
import type { TensorValues } from "../optimizer/optimizer.ts";
import { extrapolate, type VectorValues } from "./hessian.ts";
import { vectorNorm } from "./objective.ts";
import { perturbSource } from "./sources.ts";
import { createSizes, lanes, tensor } from "./tensors_gpu.ts";

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
  const skipIndex = optimizer.controlIndex("skip", { replica });
  const norm = vectorNorm(tensors, vector);
  const [size] = await together([parametersNorm(optimizer, tensors, replica), optimizer.stats({ replica })]);
  const kernels = await Promise.all(
    [0, 1, 2].map((phase) =>
      compileKernel(device, perturbSource, ["write", "write", "read", "write", "write", "write", "uniform"], { phase }),
    ),
  );
  const { made, buffers } = await allocate(device, "a Hessian-vector product", (create) =>
    tensors.map(({ name, length }) => {
      const bytes = 4 * length;
      const [values, gradients] = [tensor(optimizer, "params", name), tensor(optimizer, "gradients", name)];
      const [direction, difference] = [create(`${name} direction`, bytes), create(`${name} difference`, bytes)];
      const bound = [
        values,
        gradients,
        direction,
        create(`${name} saved`, bytes),
        create(`${name} held`, replicas * bytes),
        difference,
        createSizes(create, [length, values.stride, gradients.stride, replica]),
      ];
      const workgroups = [...grid(device, Math.ceil(length / lanes)), replicas] as const;
      const phases = kernels.map(
        (kernel): Dispatch => ({ pipeline: kernel.pipeline, bindGroup: kernel.bind(bound), workgroups }),
      );
      return { name, bytes, direction, difference, phases };
    }),
  );

  async function differenceAt(stride: number): Promise<VectorValues> {
    for (const { name, direction } of made) {
      const moved = Float32Array.from(vector[name]!, (value) => stride * value);
      device.queue.writeBuffer(direction, 0, moved);
    }
    const phase = (pass: GPUComputePassEncoder, index: number) =>
      encodeDispatches(
        pass,
        made.map(({ phases }) => phases[index]!),
      );
    const reads = [
      { buffer: control, offset: 0, bytes: controlBytes },
      ...made.map(({ difference, bytes }) => ({ buffer: difference, offset: 0, bytes })),
    ];
    const [state, ...differences] = await readParts(device, reads, (encoder) => {
      const pass = encoder.beginComputePass({ label: "fallline Hessian-vector product" });
      phase(pass, 0);
      encodeGradient(pass);
      phase(pass, 1);
      encodeGradient(pass);
      phase(pass, 2);
      pass.end();
    });
    if (new Uint32Array(state!)[skipIndex] === 2) {
      throw new OptionError(`replica ${replica} is halted; hessianVector needs one that is not`);
    }
    const scale = new Float32Array(state!)[optimizer.controlIndex("lossScale", { replica })]!;
    return Object.fromEntries(
      made.map(({ name }, i) => [
        name,
        Float64Array.from(new Float32Array(differences[i]!), (value) => value / (2 * stride * scale)),
      ]),
    );
  }

  try {
    return await extrapolate(differenceAt, (4e-3 * (1 + size)) / norm, 2e-4);
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** The norm of a replica's parameters. */
async function parametersNorm(optimizer: GpuOptimizer, tensors: readonly Segment[], replica: number): Promise<number> {
  const { device } = optimizer;
  const vectors = await compileVectors(
    device,
    tensors.map(({ length }) => length),
  );
  const { made, buffers } = await allocate(device, "the norm of the parameters", (create) => {
    const norm = create("norm", 4);
    const params = tensors.map(({ name }) => ({ ...optimizer.binding("params", name, { replica }), stride: 0 }));
    return { norm, dispatches: vectors(create).norm(params, { buffer: norm }) };
  });
  try {
    const [bytes] = await readParts(device, [{ buffer: made.norm, offset: 0, bytes: 4 }], (encoder) => {
      const pass = encoder.beginComputePass({ label: "fallline norm of the parameters" });
      encodeDispatches(pass, made.dispatches);
      pass.end();
    });
    return new Float32Array(bytes!)[0]!;
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}
