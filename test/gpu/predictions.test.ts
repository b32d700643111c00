// Predictions on the GPU.
import { webgpuEngine } from "../../src/train/engine.ts";
import { predictionLaws } from "../predictions.ts";
import { device } from "./setup.ts";

predictionLaws(async () => webgpuEngine(device));
