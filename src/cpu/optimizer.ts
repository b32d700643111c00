// The CPU reference of an optimizer: what only an engine of plain arrays offers, and how it is made.
import { layoutSegments, packArena, paddedLength, type Tensor } from "../arena.ts";
import { OptionError } from "../errors.ts";
import { inMemory } from "../host_memory.ts";
import { layoutPart } from "../layout.ts";
import { checkKeys } from "../optimizer/keys.ts";
import { createShell } from "../optimizer/shell.ts";
import type { Optimizer } from "../optimizer.ts";
import { createPlan, readReplica } from "../plan.ts";
import type { OptimizerConfig } from "../rules/index.ts";
import { ArrayStore } from "./store.ts";

/** An optimizer on the CPU, whose arenas are plain arrays. */
export interface CpuOptimizer extends Optimizer {
  readonly backend: "cpu";
  /** The arena of the parameters, replica after replica; a segment is `params.subarray(offset, offset + length)`. */
  readonly params: Float32Array<ArrayBuffer>;
  /** The arena of the gradients. */
  readonly gradients: Float32Array<ArrayBuffer>;
  /** What the next loss of a replica (default: the first) is to be multiplied by; 1 without loss scaling. */
  lossScaleOf(replica?: number): number;
  /** Updates that a replica (default: the first) has made. */
  stepOf(replica?: number): number;
  isHalted(replica: number): boolean;
}

/**
 * Creates the CPU reference of an optimizer.
 *
 * @throws OptionError for bad tensors or a bad config; DeviceError where the process has no memory for them.
 */
export function createCpuOptimizer(tensors: readonly Tensor[], config: OptimizerConfig): CpuOptimizer {
  const segments = layoutSegments(tensors);
  const external = segments.find((segment) => segment.own);
  if (external) {
    throw new OptionError(
      `tensor "${external.name}" is in a GPUBuffer, which only an optimizer on a device can update`,
    );
  }
  const plan = createPlan(config, segments);
  checkKeys(plan, segments);
  const layouts = plan.parts.map((part) => layoutPart(plan, part, segments));
  const store = inMemory(
    `${paddedLength(segments)} parameters and their state, ${plan.replicas} × as float32`,
    () => new ArrayStore(plan, layouts, segments, packArena(segments, tensors)),
  );
  const replicaOf = (replica: number) => store.replicas[readReplica(plan, "replica", replica)]!;
  return createShell({ plan, layouts, segments, store }, () => ({
    backend: "cpu" as const,
    params: store.params,
    gradients: store.gradients,
    lossScaleOf: (replica = 0) => replicaOf(replica).clock.lossScale,
    stepOf: (replica = 0) => replicaOf(replica).clock.step,
    isHalted: (replica) => replicaOf(replica).halted,
  }));
}
