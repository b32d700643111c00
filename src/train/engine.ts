// An engine: what a run needs of a backend. Training, replays, tools and the page take one and run on both.
import type { Tensor } from "../arena.ts";
import { createCpuOptimizer } from "../cpu/optimizer.ts";
import type { Dataset } from "../data/dataset.ts";
import { DeviceError } from "../errors.ts";
import { type AdapterDescription, adapterLine, describeAdapter, deviceLoss, readDevice } from "../gpu/device.ts";
import { createOptimizer } from "../gpu/optimizer.ts";
import { type ReplicaLimits, replicasThatFit } from "../objectives/memory.ts";
import { type Model, modelTitle } from "../objectives/model.ts";
import { createCpuObjective } from "../objectives/network_cpu.ts";
import { createGpuObjective } from "../objectives/network_gpu.ts";
import type { Objective, ObjectiveOptions } from "../objectives/objective.ts";
import type { Optimizer } from "../optimizer.ts";
import { readNothing } from "../options.ts";
import type { OptimizerConfig } from "../rules/index.ts";

/** A model in training: its optimizer and its objective, made for each other. */
export interface Trainee {
  readonly optimizer: Optimizer;
  readonly objective: Objective;
  destroy(): void;
}

export interface Engine {
  readonly backend: "webgpu" | "cpu";
  /** What really runs. */
  readonly adapter: AdapterDescription;
  optimizer(tensors: readonly Tensor[], config: OptimizerConfig): Promise<Optimizer>;
  /**
   * Refuses what this engine cannot hold, by arithmetic alone, before anything is made.
   *
   * @throws DeviceError that says how many replicas fit.
   */
  mustFit(model: Model, config: OptimizerConfig, batch: number, replicas: number): void;
  trainee(
    model: Model,
    tensors: readonly Tensor[],
    config: OptimizerConfig,
    data: Dataset,
    batch: number,
    options?: ObjectiveOptions,
  ): Promise<Trainee>;
  /**
   * Why its device is gone, or null while it is there. To be asked after a failure: it waits a moment, since what was on its
   * way may fail before the loss itself is told. An engine without one cannot be lost.
   */
  lost?(): Promise<string | null>;
}

/**
 * Everything on this WebGPU device.
 *
 * @throws OptionError for what is no GPUDevice.
 */
export function webgpuEngine(device: GPUDevice): Engine {
  readDevice(device);
  return {
    backend: "webgpu",
    adapter: describeAdapter(device.adapterInfo),
    optimizer: (tensors, config) => createOptimizer(device, tensors, config),
    mustFit: (model, config, batch, replicas) => mustFit(device.limits, "this device", model, config, batch, replicas),
    async trainee(model, tensors, config, data, batch, options) {
      const optimizer = await createOptimizer(device, tensors, config);
      try {
        return trainee(optimizer, await createGpuObjective(optimizer, model, data, batch, options));
      } catch (error) {
        optimizer.destroy();
        throw error;
      }
    },
    async lost() {
      const waited = new Promise<null>((resolve) => setTimeout(resolve, lossDelay, null));
      const info = deviceLoss(device).info ?? (await Promise.race([device.lost, waited]));
      return info && `${info.reason}: ${info.message}`;
    },
  };
}

/** Milliseconds in which the loss of a device is told after the first thing that it makes fail. */
const lossDelay = 250;

/** The largest arrays of the CPU reference: twice as many bytes are more than most processes may have. */
const cpuLimits: ReplicaLimits = {
  maxBufferSize: 2 ** 31,
  maxStorageBufferBindingSize: 2 ** 31,
  maxComputeWorkgroupsPerDimension: 65_535,
};

function mustFit(
  limits: ReplicaLimits,
  holder: string,
  model: Model,
  config: OptimizerConfig,
  batch: number,
  replicas: number,
): void {
  const fit = replicasThatFit(limits, model, batch, { ...config, replicas: undefined });
  if (replicas <= fit) return;
  const what = `of a model of ${modelTitle(model.config)} in batches of ${batch}`;
  throw new DeviceError(
    replicas === 1
      ? `a run ${what} is more than ${holder} can hold in one buffer`
      : `${replicas} runs side by side ${what} are more than ${holder} can hold in one buffer: ${fit} fit`,
  );
}

/** Everything in JavaScript: the reference, and the engine where there is no WebGPU. */
export function cpuEngine(...none: []): Engine {
  readNothing("cpuEngine", none);
  return {
    backend: "cpu",
    adapter: { vendor: "", architecture: "", description: "CPU reference in JavaScript", software: true },
    optimizer: async (tensors, config) => createCpuOptimizer(tensors, config),
    mustFit: (model, config, batch, replicas) =>
      mustFit(cpuLimits, "the CPU reference", model, config, batch, replicas),
    async trainee(model, tensors, config, data, batch, options) {
      const optimizer = createCpuOptimizer(tensors, config);
      return trainee(optimizer, createCpuObjective(optimizer, model, data, batch, options));
    },
  };
}

function trainee(optimizer: Optimizer, objective: Objective): Trainee {
  return {
    optimizer,
    objective,
    destroy() {
      objective.destroy();
      optimizer.destroy();
    },
  };
}

/** What runs, in one line for a terminal or a page. */
export function engineLine({ backend, adapter }: Engine): string {
  return backend === "cpu" ? adapter.description : `WebGPU on ${adapterLine(adapter)}`;
}
