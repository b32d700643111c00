// Runs that go on from a checkpoint, on the GPU, and runs whose device is lost: to the bit as if nothing had happened.

import { describe, expect, it } from "vitest";
import { DeviceError } from "../../src/base/errors.ts";
import { mlp } from "../../src/objectives/models/mlp.ts";
import { asgd } from "../../src/rules/asgd.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { webgpuEngine } from "../../src/train/engine.ts";
import type { RunConfig } from "../../src/train/run_config.ts";
import { type Progress, train } from "../../src/train/train.ts";
import { everything, expectResumed } from "../resume.ts";
import { data } from "../training.ts";
import { device, freshDevice } from "./setup.ts";

const config = {
  ...everything,
  optimizer: { rule: asgd, ...everything.optimizer, ema: {}, skipNonFinite: true },
  steps: 14,
} as RunConfig;

describe("a run that goes on from a checkpoint", () => {
  it("ends as if it had never stopped", async () => {
    const result = await expectResumed(webgpuEngine(device), config, data, 8);
    expect(result.metrics.length).toBeGreaterThan(3);
    expect(result.events.length).toBeGreaterThan(0);
  });
});

describe("a run whose device is lost", () => {
  it("goes on with another, its curve continued", async () => {
    const plain = await train({ engine: webgpuEngine(device), ...config, data, test: data, snapshotAfter: 5 });
    const devices = [await freshDevice()];
    const steps: number[] = [];
    const failures: DeviceError[] = [];
    const lose = new Set([3, 11]);
    const onStep = ({ index }: Progress) => {
      steps.push(index);
      if (lose.delete(index)) devices.at(-1)!.destroy();
    };
    const result = await train({
      engine: webgpuEngine(devices[0]!),
      ...config,
      data,
      test: data,
      snapshotAfter: 5,
      saveEvery: 4,
      onStep,
      async recover(error) {
        failures.push(error);
        devices.push(await freshDevice());
        return webgpuEngine(devices.at(-1)!);
      },
    });
    expect(failures.map((error) => error instanceof DeviceError)).toEqual([true, true]);
    expect(steps).toEqual(Array.from({ length: 14 }, (_, i) => i + 1));
    expect(result).toEqual(plain);
    for (const each of devices) each.destroy();
  });

  it("gives up after three losses without a checkpoint in between", async () => {
    const lost = await freshDevice();
    lost.destroy();
    let asked = 0;
    const recover = async () => {
      asked++;
      return webgpuEngine(lost);
    };
    await expect(train({ engine: webgpuEngine(lost), ...config, data, test: data, recover })).rejects.toThrow(
      DeviceError,
    );
    expect(asked).toBe(3);
  });

  it("does not ask for another where a listener throws", async () => {
    const device = await freshDevice();
    const onStep = () => {
      device.destroy();
      throw new Error("from the listener");
    };
    const recover = () => Promise.reject(new Error("asked"));
    const plain = { model: mlp([4, 3]), optimizer: sgd({ lr: 0.1 }), batch: 8, steps: 2 };
    await expect(train({ engine: webgpuEngine(device), ...plain, data, onStep, recover })).rejects.toThrow(
      "from the listener",
    );
  });
});
