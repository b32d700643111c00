// The golden trajectories of PyTorch and Optax on the GPU. Its error is held against the source's own float32 error.
import { describe, expect, it } from "vitest";
import { createOptimizer } from "../../src/gpu/optimizer.ts";
import { readReplay, replayCase } from "../../src/lab/replay.ts";
import { goldenText } from "../golden.ts";
import { promisedCases } from "../replay_cases.ts";
import { device } from "./setup.ts";

const file = readReplay(goldenText("replay.json"));

describe("replay.json on WebGPU", () => {
  it.each(promisedCases(file))("$id", async (replay) => {
    const result = await replayCase(file, replay, (tensors, config) => createOptimizer(device, tensors, config));
    expect(result).toMatchObject({ ok: true });
    expect(result.maxAbs).toBeLessThanOrEqual(3 * replay.float32MaxError! + 1e-7);
  });
});
