// The golden trajectories of PyTorch and Optax, on the GPU.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createOptimizer } from "../../src/gpu/optimizer.ts";
import { readReplay, replayCase } from "../../src/lab/replay.ts";
import { rules } from "../../src/rules/index.ts";
import { device } from "./setup.ts";

const file = readReplay(readFileSync(new URL("../golden/replay.json", import.meta.url), "utf8"));

describe("replay.json on WebGPU", () => {
  for (const replay of file.cases) {
    const { rule } = replay.optimizer as { rule: string };
    if (!rules.some(({ name }) => name === rule)) continue;
    it(replay.id, async () => {
      const result = await replayCase(file, replay, (tensors, config) => createOptimizer(device, tensors, config));
      console.log(JSON.stringify(result));
      expect(result).toMatchObject({ ok: true });
    });
  }
});
