// Vectors over any optimizer's parameters, on its engine.

import { type Optimizer, readOptimizer } from "../optimizer/optimizer.ts";
import type { CpuOptimizer } from "./cpu/optimizer.ts";
import { createCpuVectors } from "./cpu/vectors.ts";
import type { GpuOptimizer } from "./gpu/optimizer.ts";
import { createVectors } from "./gpu/vectors.ts";
import type { VectorOptions, VectorSpace } from "./vectors.ts";

/**
 * Vectors over tensors of an optimizer: dot products and linear combinations of whole parameter vectors. Only scalars leave the
 * device.
 *
 * @throws OptionError for unknown tensors or an unknown replica; DeviceError for an optimizer that is destroyed,
 * and if the device runs out of memory.
 */
export async function openVectors(optimizer: Optimizer, options: VectorOptions = {}): Promise<VectorSpace> {
  const { backend } = readOptimizer(optimizer);
  return backend === "cpu"
    ? createCpuVectors(optimizer as CpuOptimizer, options)
    : createVectors(optimizer as GpuOptimizer, options);
}
