// Vectors over any optimizer's parameters, on the engine that it is on.

import { type Optimizer, readOptimizer } from "../optimizer/optimizer.ts";
import type { CpuOptimizer } from "./cpu/optimizer.ts";
import { createCpuVectors } from "./cpu/vectors.ts";
import type { GpuOptimizer } from "./gpu/optimizer.ts";
import { createVectors } from "./gpu/vectors.ts";
import type { VectorOptions, VectorSpace } from "./vectors.ts";

/**
 * Vectors over tensors of an optimizer: dot products and linear combinations of whole parameter vectors, of which nothing but
 * scalars leaves the device.
 *
 * @throws OptionError for tensors or a replica that are not there; DeviceError where the device has no memory for it.
 */
export async function openVectors(optimizer: Optimizer, options: VectorOptions = {}): Promise<VectorSpace> {
  const { backend } = readOptimizer(optimizer);
  return backend === "cpu"
    ? createCpuVectors(optimizer as CpuOptimizer, options)
    : createVectors(optimizer as GpuOptimizer, options);
}
