// The golden trajectories of PyTorch and Optax on the GPU. Its error is held against the source's own float32 error.
import { describe, expect, it } from "vitest";
import { createOptimizer } from "../../src/engines/gpu/optimizer.ts";
import { replayCase } from "../../src/lab/replay.ts";
import { goldenCases } from "../replay_cases.ts";
import { device } from "./setup.ts";

describe("the golden cases on WebGPU", () => {
  it.each(goldenCases())("$replay.id", async ({ file, replay }) => {
    const result = await replayCase(file, replay, (tensors, config) => createOptimizer(device, tensors, config));
    expect(result).toMatchObject({ ok: true });
    expect(result.maxAbs).toBeLessThanOrEqual(3 * replay.float32MaxError! + 1e-7);
  });
});
