// An engine: what a run needs from a backend, whatever it trains. Training, replays, tools and the page take one, so they run on
// both.

import { DeviceError } from "../base/errors.ts";
import { readNothing } from "../base/options.ts";
import { type CpuOptimizer, createCpuOptimizer } from "../engines/cpu/optimizer.ts";
import {
  type AdapterDescription,
  adapterLine,
  describeAdapter,
  deviceLoss,
  readDevice,
} from "../engines/gpu/device.ts";
import { createOptimizer, type GpuOptimizer } from "../engines/gpu/optimizer.ts";
import { type ReplicaLimits, replicasThatFit } from "../objectives/memory.ts";
import type { Objective, ObjectiveOptions } from "../objectives/objective.ts";
import { createCpuObjective } from "../objectives/objective_cpu.ts";
import { createObjective } from "../objectives/objective_gpu.ts";
import { programOf, type Trainable } from "../objectives/program.ts";
import type { Tensor } from "../optimizer/arena.ts";
import type { OptimizerConfig } from "../optimizer/config.ts";
import { type Optimizer, readOptimizer } from "../optimizer/optimizer.ts";
import { readEngine } from "./arguments.ts";

/** A program in training: its optimizer and its objective, made for each other. */
export interface Trainee {
  /** The optimizer. */
  readonly optimizer: Optimizer;
  /** The objective, bound to it. */
  readonly objective: Objective;
  /** Frees both. */
  destroy(): void;
}

/** Where a run's optimizer and objective live: WebGPU, or the CPU reference. */
export interface Engine {
  /** WebGPU or the CPU reference. */
  readonly backend: "webgpu" | "cpu";
  /** The adapter that really runs it. */
  readonly adapter: AdapterDescription;
  /** The limits that decide how much fits. */
  readonly limits: ReplicaLimits;
  /** Creates an optimizer. */
  optimizer(tensors: readonly Tensor[], config: OptimizerConfig): Promise<Optimizer>;
  /** Binds a model, a landscape or a custom objective to one of this engine's optimizers. */
  objective(optimizer: Optimizer, program: Trainable, options?: ObjectiveOptions): Promise<Objective>;
  /**
   * Why its device is lost, or null while it is not. Call it after a failure: it waits a moment, since work in flight may fail
   * before the loss itself is reported. An engine without this method cannot be lost.
   */
  lost?(): Promise<string | null>;
}

/**
 * Everything on this WebGPU device.
 *
 * @throws OptionError for anything but a GPUDevice.
 */
export function webgpuEngine(device: GPUDevice): Engine {
  readDevice(device);
  return {
    backend: "webgpu",
    adapter: describeAdapter(device.adapterInfo),
    limits: device.limits,
    optimizer: (tensors, config) => createOptimizer(device, tensors, config),
    objective: (optimizer, program, options) =>
      createObjective(readOptimizer(optimizer, "webgpu") as GpuOptimizer, program, options),
    async lost() {
      const waited = new Promise<null>((resolve) => setTimeout(resolve, lossDelay, null));
      const info = deviceLoss(device).info ?? (await Promise.race([device.lost, waited]));
      return info && `${info.reason}: ${info.message}`;
    },
  };
}

/** Milliseconds within which a device loss is reported after the first failure that it causes. */
const lossDelay = 250;

/** The largest arrays of the CPU reference: twice as many bytes are more than most processes may use. */
const cpuLimits: ReplicaLimits = {
  maxBufferSize: 2 ** 31,
  maxStorageBufferBindingSize: 2 ** 31,
  maxComputeWorkgroupsPerDimension: 65_535,
};

/**
 * Refuses programs that an engine cannot hold, by arithmetic alone, before anything is made.
 *
 * @param start Where the program starts, if the shapes of its tensors depend on it.
 * @throws DeviceError that says how many replicas fit.
 */
export function mustFit(
  { backend, limits }: Engine,
  trainable: Trainable,
  { config, batch, replicas, start }: FitOptions,
): void {
  const program = programOf(trainable);
  const fit = replicasThatFit(limits, program, batch, { ...config, replicas: undefined }, start);
  if (replicas <= fit) return;
  const holder = backend === "cpu" ? "the CPU reference" : "this device";
  const what = program.needsData ? `of a model of ${program.title} in batches of ${batch}` : `of ${program.title}`;
  throw new DeviceError(
    replicas === 1
      ? `a run ${what} does not fit in one buffer of ${holder}`
      : `${replicas} parallel runs ${what} do not fit in one buffer of ${holder}: ${fit} fit`,
  );
}

interface FitOptions {
  readonly config: OptimizerConfig;
  readonly batch: number;
  readonly replicas: number;
  readonly start?: unknown;
}

/** Everything in JavaScript: the reference, and the engine where there is no WebGPU. */
export function cpuEngine(...none: []): Engine {
  readNothing("cpuEngine", none);
  return {
    backend: "cpu",
    adapter: { vendor: "", architecture: "", description: "CPU reference in JavaScript", software: true },
    limits: cpuLimits,
    optimizer: async (tensors, config) => createCpuOptimizer(tensors, config),
    objective: async (optimizer, program, options) =>
      createCpuObjective(readOptimizer(optimizer, "cpu") as CpuOptimizer, program, options),
  };
}

/**
 * An optimizer of these tensors and an objective for it.
 *
 * @throws OptionError, DataError and DeviceError like both of them; nothing is left behind then.
 */
export async function createTrainee(
  engine: Engine,
  program: Trainable,
  tensors: readonly Tensor[],
  config: OptimizerConfig,
  options: ObjectiveOptions = {},
): Promise<Trainee> {
  const optimizer = await readEngine(engine).optimizer(tensors, config);
  try {
    const objective = await engine.objective(optimizer, program, options);
    return {
      optimizer,
      objective,
      destroy() {
        objective.destroy();
        optimizer.destroy();
      },
    };
  } catch (error) {
    optimizer.destroy();
    throw error;
  }
}

/** The engine in one line, for a terminal or a page. */
export function engineLine({ backend, adapter }: Engine): string {
  return backend === "cpu" ? adapter.description : `WebGPU on ${adapterLine(adapter)}`;
}
