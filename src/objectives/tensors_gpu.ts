// The host's part that all kernels of objectives share: sizes, replicas, tensors, sums of losses.
import { bytesOf, type CreateBuffer } from "../engines/gpu/allocate.ts";
import { compileKernel, type Dispatch, type Kernel } from "../engines/gpu/kernel.ts";
import { joinConstants } from "../engines/gpu/kernel_shapes.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import type { Operand } from "../engines/products/product.ts";
import { totalSource } from "./sources.ts";

/** Invocations of a workgroup of the kernels that shaders/objectives/linear.wgsl counts. */
export const lanes = 64;

/** The constants by which kernels find halted replicas (shaders/objectives/replicas.wgsl). */
export function replicaConstants(optimizer: GpuOptimizer): Record<string, number> {
  return {
    control_stride: optimizer.controlBytes / optimizer.replicas / 4,
    skip_index: optimizer.controlIndex("skip"),
  };
}

/** A tensor of all replicas in one binding. */
export function tensor(optimizer: GpuOptimizer, role: "params" | "gradients", name: string): Operand {
  const first = optimizer.binding(role, name);
  if (optimizer.replicas === 1) return { ...first, stride: 0 };
  const stride = optimizer.binding(role, name, { replica: 1 }).offset - first.offset;
  return { ...first, size: first.size! + stride * (optimizer.replicas - 1), stride: stride / 4 };
}

/** The uniform buffer of a kernel's sizes: integers first, then floats. Other sizes do not recompile it. */
export function createSizes(create: CreateBuffer, whole: readonly number[], others: readonly number[] = []): GPUBuffer {
  const bytes = new Uint8Array(4 * (whole.length + others.length));
  bytes.set(bytesOf(Uint32Array.from(whole)));
  bytes.set(bytesOf(Float32Array.from(others)), 4 * whole.length);
  return create("sizes", bytes.length, bytes, "uniform");
}

/** The kernel that sums outcomes. */
export function compileTotal(optimizer: GpuOptimizer): Promise<Kernel> {
  return compileKernel(optimizer.device, totalSource, ["read", "read", "write", "read", "uniform"], {
    ...replicaConstants(optimizer),
    ...joinConstants(optimizer.device),
  });
}

/** Sums the outcomes of a batch, for every replica. */
export async function totalDispatch(
  optimizer: GpuOptimizer,
  batch: GPUBufferBinding,
  outcomes: GPUBuffer,
  totals: GPUBuffer,
  sizes: GPUBuffer,
): Promise<Dispatch> {
  const { replicas, control } = optimizer;
  const { pipeline, bind } = await compileTotal(optimizer);
  return {
    pipeline,
    bindGroup: bind([batch, outcomes, totals, control, sizes]),
    workgroups: [1, 1, replicas],
  };
}
