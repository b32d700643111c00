// Tools over any program on the GPU.
import { webgpuEngine } from "../../src/train/engine.ts";
import { programLaws } from "../programs.ts";
import { device } from "./setup.ts";

programLaws(async () => webgpuEngine(device));
