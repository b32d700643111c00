// The range test on WebGPU: what follows it has the bits of a run that never made one.

import { expect, it } from "vitest";
import { createOptimizer } from "../../src/engines/gpu/optimizer.ts";
import { rangeTest } from "../../src/lab/lr_finder.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { device } from "./setup.ts";

it("leaves nothing behind: parameters, slots, step, a rate that is a function, gradients, the data's order", async () => {
  const optimizer = await createOptimizer(
    device,
    [
      { name: "w", shape: [70], data: Float32Array.from({ length: 70 }, (_, i) => Math.sin(i)) },
      { name: "b", shape: [3], data: [0.1, -0.2, 0.3] },
    ],
    {
      rule: sgd,
      lr: (step) => 0.1 / (1 + step),
      momentum: 0.9,
      groups: [
        { params: "w", lrScale: 0.5 },
        { params: "b", lr: (step: number) => 0.2 / (1 + step) },
      ],
    },
  );
  let at = 0;
  const step = () => {
    at++;
    const values = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(at * 12.9898 + i * 78.233));
    optimizer.write("gradients", { w: values(70), b: values(3) });
    optimizer.step();
    return 1 + Math.cos(at);
  };
  const data = {
    state: () => at,
    restore: (state: number) => {
      at = state;
    },
  };
  const advance = async () => {
    for (let i = 0; i < 7; i++) step();
    return saveCheckpoint(optimizer);
  };
  await advance();
  const before = { state: await saveCheckpoint(optimizer), at, config: configOf(optimizer) };
  const untested = await advance();
  await loadCheckpoint(optimizer, before.state);
  at = before.at;

  const gradients = await optimizer.read("gradients");
  const { points } = await rangeTest(optimizer, step, { ramp: { steps: 20 }, data });
  expect(points).toHaveLength(20);
  expect(await saveCheckpoint(optimizer)).toEqual(before.state);
  expect(await optimizer.read("gradients")).toEqual(gradients);
  expect(configOf(optimizer)).toEqual(before.config);
  expect(await advance()).toEqual(untested);
  optimizer.destroy();
});
