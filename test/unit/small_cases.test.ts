// The small cases on the CPU reference.
import { createCpuOptimizer } from "../optimizers.ts";
import { smallCases } from "../small_cases.ts";

smallCases(async (tensors, config) => createCpuOptimizer(tensors, config));
