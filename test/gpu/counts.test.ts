// Counts that hold on any device: dispatches, passes, submits, and what a step must not create.
import { describe, expect, it } from "vitest";
import { createOptimizer } from "../../src/gpu/optimizer.ts";
import { createGpuObjective } from "../../src/objectives/mlp_gpu.ts";
import { createModel, initialTensors } from "../../src/objectives/model.ts";
import { adamw } from "../../src/rules/adam.ts";
import { rules } from "../../src/rules/index.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { countingDevice } from "./counting.ts";

const clip = { type: "globalNorm", maxNorm: 1 } as const;
const tensors = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: `t${i}`, shape: [1 + ((i * 37) % 999)] }));

describe.each(rules)("one step of $name", ({ name }) => {
  it.each([1, 7, 300])("over %i tensors is 1 dispatch, with clipping 3, in 1 pass and 1 submit", async (count) => {
    const { device, count: counted } = await countingDevice();
    for (const [config, dispatches] of [
      [{ rule: name }, 1],
      [{ rule: name, clip }, 3],
    ] as const) {
      const optimizer = await createOptimizer(device, tensors(count), config as never);
      for (let step = 0; step < 3; step++) {
        const counts = await counted(() => optimizer.step());
        expect(counts).toMatchObject({ dispatches, passes: 1, submits: 1, encoders: 1, copies: 0, buffers: 0 });
      }
      optimizer.destroy();
    }
  });

  it("creates nothing after its creation and writes at most rows of the table", async () => {
    const { device, count } = await countingDevice();
    const optimizer = await createOptimizer(device, tensors(5), {
      rule: name,
      lr: cosine({ base: 1, steps: 9 }),
      clip,
    } as never);
    const nothing = { buffers: 0, bindGroups: 0, pipelines: 0, shaderModules: 0, submits: 0 };
    let writes = 0;
    for (let step = 0; step < (name === "adamw" ? 10_000 : 100); step++) {
      const encoder = device.createCommandEncoder();
      const counts = await count(() => optimizer.encode(encoder));
      device.queue.submit([encoder.finish()]);
      expect(counts).toMatchObject(nothing);
      expect(counts.bytesWritten).toBeLessThanOrEqual(4096 * 16 * 4);
      if (step > 0 && counts.writes > 0) writes++;
    }
    // A window of 4,096 rows, half of it history: stretches of 32, 64 … 2,048 rows, then one each 2,048 steps.
    expect(writes).toBeLessThanOrEqual(12);
    optimizer.destroy();
  });

  it("compiles nothing when a hyper is set", async () => {
    const { device, count } = await countingDevice();
    const optimizer = await createOptimizer(device, tensors(5), { rule: name } as never);
    optimizer.step();
    const counts = await count(() => {
      optimizer.set({ lr: 0.5 });
      optimizer.step();
    });
    expect(counts).toMatchObject({
      pipelines: 0,
      shaderModules: 0,
      bindGroups: 0,
      buffers: 0,
      submits: 1,
      dispatches: 1,
    });
    optimizer.destroy();
  });

  it("leaves no buffer behind after destroy", async () => {
    const { device, alive } = await countingDevice();
    const optimizer = await createOptimizer(device, tensors(5), { rule: name, clip } as never);
    optimizer.step();
    await optimizer.read();
    await optimizer.stats();
    await optimizer.load(await optimizer.save());
    expect(alive.size).toBeGreaterThan(0);
    optimizer.destroy();
    expect(alive.size).toBe(0);
  });
});

describe("a caller's own commands", () => {
  it("stand in the same encoder and the same pass", async () => {
    const { device, count } = await countingDevice();
    const optimizer = await createOptimizer(device, tensors(2), adamw({ clip }));
    const counts = await count(() => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      optimizer.encode(pass);
      optimizer.encode(pass);
      pass.end();
      optimizer.encode(encoder);
      device.queue.submit([encoder.finish()]);
    });
    expect(counts).toMatchObject({ passes: 2, dispatches: 9, submits: 1, encoders: 1 });
    expect((await optimizer.stats()).step).toBe(3);
    optimizer.destroy();
  });
});

describe("a training step", () => {
  it("is 1 pass and 1 submit, writes only the rows' numbers, and its dispatches do not grow with the batch", async () => {
    const { device, alive, count } = await countingDevice();
    const model = createModel({ layers: [12, 8, 8, 4] });
    const data = {
      name: "toy",
      count: 64,
      features: 12,
      classes: 4,
      inputs: new Uint8Array(64 * 12).fill(7),
      scale: 1 / 255,
      labels: new Uint8Array(64).fill(1),
    };
    for (const batch of [4, 64]) {
      const optimizer = await createOptimizer(device, initialTensors(model), adamw({ clip }));
      const objective = await createGpuObjective(optimizer, model, data, batch);
      const rows = Uint32Array.from({ length: batch }, (_, i) => i);
      // The first steps make the readback buffers that later steps share.
      await Promise.all([1, 2, 3, 4].map(() => objective.step(rows)));
      const counts = await count(() => objective.step(rows));
      // gather, 3 layers, loss, total, 3 × (weight, bias), 2 deltas; norm, finalize, update
      expect(counts).toMatchObject({ dispatches: 17, passes: 1, submits: 1, buffers: 0, bindGroups: 0, pipelines: 0 });
      expect(counts.bytesWritten).toBe(4 * (1 + batch));
      await objective.evaluate(data);
      objective.destroy();
      optimizer.destroy();
      expect(alive.size).toBe(0);
    }
  });
});
