// The CPU reference of an optimizer: its creation, and what only an engine of plain arrays offers.

import { OptionError } from "../../base/errors.ts";
import { inMemory } from "../../base/host_memory.ts";
import { layoutSegments, packArena, pagesOf, readTensors, type Tensors } from "../../optimizer/arena.ts";
import type { OptimizerConfig } from "../../optimizer/config.ts";
import { Hypers } from "../../optimizer/hypers.ts";
import { checkKeys } from "../../optimizer/keys.ts";
import { layoutRuleSet } from "../../optimizer/layout.ts";
import { locationOf } from "../../optimizer/locations.ts";
import type { InReplica, Optimizer, Role } from "../../optimizer/optimizer.ts";
import { createPlan, readRole } from "../../optimizer/plan.ts";
import { createShell, readOneReplica } from "../../optimizer/shell.ts";
import { ArrayStore } from "./store.ts";

/** An optimizer on the CPU, whose arenas are plain arrays. */
export interface CpuOptimizer extends Optimizer {
  /** Always "cpu". */
  readonly backend: "cpu";
  /** The arena of the parameters, replica after replica; a segment is `params.subarray(offset, offset + length)`. */
  readonly params: Float32Array<ArrayBuffer>;
  /** The arena of the gradients. */
  readonly gradients: Float32Array<ArrayBuffer>;
  /** Progress of a replica (default: the first), without waiting. */
  progress(where?: InReplica): ReplicaProgress;
  /**
   * One tensor's part of an arena or a slot, as a live view.
   *
   * @throws OptionError for an unknown role, tensor or replica.
   */
  view(role: Role, name: string, where?: InReplica): Float32Array<ArrayBuffer>;
}

/** Progress of a replica. */
export interface ReplicaProgress {
  /** Updates made. */
  readonly step: number;
  /** Factor for the next loss; 1 without loss scaling. */
  readonly lossScale: number;
  /** Whether it was halted; it takes no further steps. */
  readonly halted: boolean;
}

/**
 * Creates the CPU reference of an optimizer.
 *
 * @throws OptionError for bad tensors or a bad config; DeviceError if the process runs out of memory.
 */
export function createCpuOptimizer(tensors: Tensors, config: OptimizerConfig): CpuOptimizer {
  return createPaged(tensors, config);
}

/** Like {@link createCpuOptimizer}, with arenas in pages of `pageLength` elements; `params` and `gradients` are the first pages. */
export function createPaged(tensors: Tensors, config: OptimizerConfig, pageLength?: number): CpuOptimizer {
  const list = readTensors(tensors);
  const segments = layoutSegments(list, pageLength);
  const external = segments.find((segment) => segment.external);
  if (external) {
    throw new OptionError(`tensor "${external.name}" is in a GPUBuffer, which only a GPU optimizer can update`);
  }
  const plan = createPlan(config, segments);
  const hypers = new Hypers(plan);
  checkKeys(plan, segments);
  const layouts = plan.ruleSets.map((ruleSet) => layoutRuleSet(plan, ruleSet, segments));
  const store = inMemory(
    `${segments.reduce((sum, { length }) => sum + length, 0)} parameters and their state, ${plan.replicas} × as float32`,
    () => {
      const initial = pagesOf(segments).map((page) => packArena(segments, list, page));
      return new ArrayStore(plan, hypers, layouts, segments, initial);
    },
  );
  return createShell({ plan, hypers, layouts, segments, store }, (locate) => ({
    backend: "cpu" as const,
    params: store.params[0]!,
    gradients: store.gradients[0]!,
    progress(where) {
      const { clock, halted } = store.replicas[readOneReplica(plan, "progress", where)]!;
      return { step: clock.step, lossScale: clock.lossScale, halted };
    },
    view(role, name, where) {
      readRole(plan, role);
      return store.view(locationOf(locate(role), "view", name), readOneReplica(plan, "view", where));
    },
  }));
}
