// Physics-informed networks on the GPU.
import { webgpuEngine } from "../../src/train/engine.ts";
import { pinnLaws } from "../pinns.ts";
import { device } from "./setup.ts";

pinnLaws(webgpuEngine(device));
