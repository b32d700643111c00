// The training loop's laws on the GPU.
import { webgpuEngine } from "../../src/train/engine.ts";
import { trainingLaws } from "../training.ts";
import { freshDevice } from "./setup.ts";

trainingLaws(async () => {
  const device = await freshDevice();
  return { engine: webgpuEngine(device), lose: () => device.destroy() };
});
