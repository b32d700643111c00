// Memory of batches and replicas: how many rows are computed at once, and how many replicas fit. Arithmetic only, for objectives
// that must refuse and for tools that want to know beforehand.

import { tableBytes } from "../engines/gpu/row_ring.ts";
import { layoutSegments, paddedLength, type Tensor } from "../optimizer/arena.ts";
import type { OptimizerConfig } from "../optimizer/config.ts";
import { layoutRuleSet } from "../optimizer/layout.ts";
import { createPlan } from "../optimizer/plan.ts";
import type { Program, ProgramMemory } from "./program.ts";

/** The limits of a device that decide what fits; `device.limits` has them. */
export type ReplicaLimits = Pick<
  GPUSupportedLimits,
  "maxBufferSize" | "maxStorageBufferBindingSize" | "maxComputeWorkgroupsPerDimension"
>;

/**
 * Rows that an objective's buffers hold: for a model a multiple of 4, so that products over the batch can be blocked; for a
 * recurrent network a multiple of 64, so that the inputs of each step can be bound separately.
 */
export function rowCapacity({ rowMultiple }: Pick<ProgramMemory, "rowMultiple">, rows: number): number {
  return Math.ceil(rows / rowMultiple) * rowMultiple;
}

/** Bytes of the largest buffer of an objective that computes so many rows at once, whether replicas share it or not. */
export function objectiveBytes(memory: ProgramMemory, rows: number, replicas: number): number {
  const capacity = rowCapacity(memory, rows);
  return Math.max(capacity * memory.sharedRowBytes, replicas * replicaBytes(memory, capacity));
}

function replicaBytes({ replicaRowBytes, replicaFixedBytes }: ProgramMemory, capacity: number): number {
  return capacity * replicaRowBytes + replicaFixedBytes;
}

/** How many of a batch's rows the limits of a device allow at once; 0 if not even the fewest fit. */
export function rowsAtOnce(limits: ReplicaLimits, memory: ProgramMemory, batch: number, replicas: number): number {
  const { sharedRowBytes, replicaRowBytes, replicaFixedBytes, rowMultiple } = memory;
  const rowBytes = Math.max(sharedRowBytes, replicas * replicaRowBytes);
  if (rowBytes === 0) return batch;
  const room = Math.max(0, bufferLimit(limits) - replicas * replicaFixedBytes);
  const fit = Math.floor(room / rowBytes / rowMultiple) * rowMultiple;
  if (!memory.divides && fit < batch) return 0;
  return Math.min(batch, fit);
}

/** The largest buffer that can be made and bound. */
export function bufferLimit({ maxBufferSize, maxStorageBufferBindingSize }: ReplicaLimits): number {
  return Math.min(maxBufferSize, maxStorageBufferBindingSize);
}

/**
 * How many replicas of a program, in batches of `batch` rows and with an optimizer of this config, the limits of a device allow:
 * its largest buffers must hold them all, with as many rows at once as a single replica could have. 0 if none fits. The
 * device's total memory shows only when the buffers are made.
 *
 * @throws OptionError for a bad config.
 */
export function replicasThatFit(
  limits: ReplicaLimits,
  program: Program,
  batch: number,
  config: OptimizerConfig,
  start?: unknown,
): number {
  const { memory } = program;
  const rows = rowsAtOnce(limits, memory, batch, 1);
  if (rows === 0) return 0;
  const bytes = Math.max(
    replicaBytes(memory, rowCapacity(memory, rows)),
    optimizerBytes(program.tensors(start), config),
  );
  return Math.min(limits.maxComputeWorkgroupsPerDimension, Math.floor(bufferLimit(limits) / bytes));
}

/** Bytes that one replica takes of the optimizer's largest buffer: an arena, a rule's state, or the rows of its table. */
function optimizerBytes(tensors: readonly Tensor[], config: OptimizerConfig): number {
  const segments = layoutSegments(tensors);
  const plan = createPlan(config, segments);
  // The more replicas, the fewer rows of each the table holds; this many leave the fewest.
  const many = { ...plan, replicas: 2 ** 16 };
  const states = plan.ruleSets.map((ruleSet) => 4 * layoutRuleSet(plan, ruleSet, segments).stateLength);
  return Math.max(4 * paddedLength(segments), tableBytes(many) / many.replicas, ...states);
}
