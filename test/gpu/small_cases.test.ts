// The small cases on the GPU.
import { createOptimizer } from "../../src/engines/gpu/optimizer.ts";
import { smallCases } from "../small_cases.ts";
import { device } from "./setup.ts";

smallCases((tensors, config) => createOptimizer(device, tensors, config));
