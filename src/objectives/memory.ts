// What replicas take of a device: the largest of the buffers that grow with their number, and so how many of them fit.
// Arithmetic alone, for objectives that must refuse and for tools that would rather know before.
import { layoutSegments, paddedLength } from "../arena.ts";
import { tableBytes } from "../gpu/window.ts";
import { layoutPart } from "../layout.ts";
import { createPlan } from "../plan.ts";
import type { OptimizerConfig } from "../rules/index.ts";
import { type Model, modelTensors } from "./model.ts";

/** The limits of a device that decide how many replicas fit; `device.limits` has them. */
export type ReplicaLimits = Pick<
  GPUSupportedLimits,
  "maxBufferSize" | "maxStorageBufferBindingSize" | "maxComputeWorkgroupsPerDimension"
>;

/** Rows that an objective's buffers hold: a multiple of 4, so that the products over the batch can be blocked. */
export function rowCapacity(batch: number): number {
  return Math.ceil(batch / 4) * 4;
}

/** Bytes that one replica takes of the objective's largest buffer: a layer's outputs, or the examples' losses and hits. */
export function objectiveBytes({ layers }: Model, batch: number): number {
  return rowCapacity(batch) * Math.max(8, ...layers.map(({ outputs }) => 4 * outputs));
}

/**
 * How many replicas of a model, in batches of `batch` rows and with an optimizer of this config, the limits of a device
 * allow: its largest buffers must hold them all. 0 where not even one fits. How much memory there is in all only shows when
 * the buffers are made.
 *
 * @throws OptionError for a bad config.
 */
export function replicasThatFit(limits: ReplicaLimits, model: Model, batch: number, config: OptimizerConfig): number {
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension } = limits;
  const bytes = Math.max(objectiveBytes(model, batch), optimizerBytes(model, config));
  return Math.min(
    maxComputeWorkgroupsPerDimension,
    Math.floor(Math.min(maxBufferSize, maxStorageBufferBindingSize) / bytes),
  );
}

/** Bytes that one replica takes of the optimizer's largest buffer: an arena, a rule's state, or the rows of its table. */
function optimizerBytes(model: Model, config: OptimizerConfig): number {
  const segments = layoutSegments(modelTensors(model));
  const plan = createPlan(config, segments);
  // The more replicas, the fewer rows of each the table holds; of so many, the fewest.
  const many = { ...plan, replicas: 2 ** 16 };
  const parts = plan.parts.flatMap((part) => [
    4 * layoutPart(plan, part, segments).stateLength,
    tableBytes(many, part) / many.replicas,
  ]);
  return Math.max(4 * paddedLength(segments), ...parts);
}
