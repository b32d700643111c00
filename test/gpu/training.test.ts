// The training loop's laws on the GPU.
import { webgpuEngine } from "../../src/train/engine.ts";
import { trainingLaws } from "../training.ts";
import { device, freshDevice } from "./setup.ts";

trainingLaws(webgpuEngine(device), async () => {
  const made = await freshDevice();
  return { engine: webgpuEngine(made), lose: () => made.destroy() };
});
