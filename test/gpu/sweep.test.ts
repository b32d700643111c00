// Sweeps on the GPU.
import { describe, expect, it } from "vitest";
import { sweep } from "../../src/lab/sweep.ts";
import { webgpuEngine } from "../../src/train/engine.ts";
import { config, data, sweepLaw } from "../sweeps.ts";
import { device } from "./setup.ts";

sweepLaw(async () => webgpuEngine(device));

describe("a sweep larger than the device", () => {
  it("says how many runs fit", async () => {
    const trials = Array.from({ length: 4096 }, () => ({ lr: 0.1 }));
    const wide = { ...config, model: { layers: [4, 100_000, 3] } };
    await expect(sweep({ engine: webgpuEngine(device), ...wide, data, trials })).rejects.toThrow(
      /^4096 parallel runs of a model of 4-100000-3 in batches of 16 do not fit in one buffer of this device: \d+ fit$/,
    );
  });
});
