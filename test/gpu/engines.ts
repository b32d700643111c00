// Optimizers on either engine, for tests of what both do alike.
import type { Tensor } from "../../src/optimizer/arena.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { createCpuOptimizer, createOptimizer } from "../optimizers.ts";
import { device } from "./setup.ts";

type Create = (tensors: readonly Tensor[], config: OptimizerConfig) => Promise<Optimizer>;

export const engines: readonly [string, Create][] = [
  ["cpu", async (tensors, config) => createCpuOptimizer(tensors, config)],
  ["webgpu", (tensors, config) => createOptimizer(device, tensors, config)],
];
