// Optimizers of configs in which names of rules and the keys of modifiers may stand as in JSON, as tests like to write them.

import { createCpuOptimizer as createCpu } from "../src/engines/cpu/optimizer.ts";
import type { StreamShape } from "../src/engines/gpu/kernel_shapes.ts";
import { createOptimizer as createGpu, createShaped as createGpuShaped } from "../src/engines/gpu/optimizer.ts";
import { modifiers } from "../src/modifiers/index.ts";
import type { Segment, Tensors } from "../src/optimizer/arena.ts";
import type { OptimizerConfig } from "../src/optimizer/config.ts";
import { createPlan as plan } from "../src/optimizer/plan.ts";
import { readConfig } from "../src/optimizer/read_config.ts";

const read = (config: OptimizerConfig) =>
  typeof Object(config).rule === "string" || modifiers.some(({ key }) => Object.hasOwn(Object(config), key))
    ? readConfig(config)
    : config;

export const createCpuOptimizer = (tensors: Tensors, config: OptimizerConfig) => createCpu(tensors, read(config));

export const createOptimizer = async (device: GPUDevice, tensors: Tensors, config: OptimizerConfig) =>
  createGpu(device, tensors, read(config));

export const createShaped = async (device: GPUDevice, tensors: Tensors, config: OptimizerConfig, shape?: StreamShape) =>
  createGpuShaped(device, tensors, read(config), shape);

export const createPlan = (config: OptimizerConfig, segments: readonly Segment[]) => plan(read(config), segments);
