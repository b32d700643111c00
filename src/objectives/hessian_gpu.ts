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
import { vectorNorm } from "./objective.ts";
import { perturbSource } from "./sources.ts";
import { createSizes, lanes, tensor } from "./tensors_gpu.ts";
import { breathe } from "./turns.ts";

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

/** Values by tensor name, in whichever precision. */
type VectorValues = Readonly<Record<string, Float32Array | Float64Array>>;

/** From one stride to the next. */
const factor = 4;

/** Strides that are tried at most. */
const most = 10;

/**
 * @param at The central difference of two gradients at a distance from the parameters, in units of the vector.
 * @param start The longest distance.
 * @param enough How well two differences agree, relative to the product, where it is pointless to go on.
 */
async function extrapolate(
  at: (stride: number) => VectorValues | Promise<VectorValues>,
  start: number,
  enough: number,
): Promise<TensorValues> {
  let stride = start;
  let wide = await at(stride);
  let [best, least] = [wide, Number.POSITIVE_INFINITY];
  for (let tried = 1; tried < most; tried++) {
    stride /= factor;
    await breathe();
    const narrow = await at(stride);
    const off = distance(narrow, wide);
    // What is left once truncation is gone is rounding, which grows as the stride shrinks.
    if (off > least) break;
    [best, least] = [between(narrow, wide), off];
    if (off <= enough) break;
    wide = narrow;
  }
  return Object.fromEntries(Object.entries(best).map(([name, values]) => [name, Float32Array.from(values)]));
}

/** The 2-norm of the difference, relative to the first. */
function distance(a: VectorValues, b: VectorValues): number {
  let [difference, size] = [0, 0];
  for (const [name, values] of Object.entries(a)) {
    const others = b[name]!;
    for (let i = 0; i < values.length; i++) {
      difference += (values[i]! - others[i]!) ** 2;
      size += values[i]! ** 2;
    }
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}

/** The error of a central difference goes with the square of its stride: what both say of a stride of nothing. */
function between(narrow: VectorValues, wide: VectorValues): VectorValues {
  return Object.fromEntries(
    Object.entries(narrow).map(([name, values]) => {
      const others = wide[name]!;
      return [name, Float64Array.from(values, (value, i) => value + (value - others[i]!) / (factor * factor - 1))];
    }),
  );
}
