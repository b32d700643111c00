// Which parameters are evaluated and returned, on the GPU.
import { webgpuEngine } from "../../src/train/engine.ts";
import { evaluatedLaw, optimizers } from "../evaluated.ts";
import { device } from "./setup.ts";

const names = ["scheduleFreeAdamw, replicas of it", "swa", "lookahead"];
evaluatedLaw(
  webgpuEngine(device),
  optimizers.filter(([name]) => names.includes(name)),
);
