// Arguments of the wrong kind on a device: every method of what is made there, and every function that takes one.

import { describe, expect, it } from "vitest";
import { isOptions } from "../../src/base/options.ts";
import { layerStats } from "../../src/modifiers/layer_stats.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { curve, peaks } from "../custom_objectives.ts";
import { type Call, complaints, hostile, methodComplaints } from "../hostile.ts";
import { library as fallline, publicFunctions } from "../library.ts";
import { device } from "./setup.ts";

const { createOptimizer, createModel } = fallline;
const { beale, create: createLandscape } = fallline.landscapes;
const config = { rule: sgd } as const;

describe("a hostile argument of a method on a device", () => {
  it("of an optimizer", async () => {
    const optimizer = await createOptimizer(device, [{ name: "w", shape: [2] }], {
      ...config,
      modifiers: [layerStats()],
    });
    expect(await methodComplaints("optimizer", optimizer)).toEqual([]);
    optimizer.destroy();
  });

  it("of a network, a landscape and a custom objective", async () => {
    const model = createModel({ layers: [2, 2] });
    const data = fallline.datasets.fromArrays({ inputs: [0, 1, 1, 0], labels: [1, 0] });
    const landscape = createLandscape(beale());
    const made = await Promise.all(
      [fallline.initialTensors(model), fallline.initialTensors(landscape), peaks.tensors].map((tensors) =>
        createOptimizer(device, tensors, config),
      ),
    );
    const objectives = [
      await fallline.createObjective(made[0]!, model, { data, batch: 2 }),
      await fallline.createObjective(made[1]!, landscape),
      await fallline.createObjective(made[2]!, peaks, { data: curve(2), batch: 2 }),
    ];
    for (const objective of objectives) {
      expect(await methodComplaints(objective.constructor.name, objective)).toEqual([]);
      objective.destroy();
    }
    const onCpu = fallline.createCpuOptimizer(fallline.initialTensors(model), config);
    await expect(fallline.createObjective(onCpu as never, model, { data, batch: 2 })).rejects.toThrow(
      "it must be an optimizer, such as createOptimizer() makes",
    );
    for (const optimizer of made) optimizer.destroy();
  });
});

describe("a hostile argument behind a device", () => {
  it.each(["createOptimizer", "kernels.pin", "kernels.tune", "kernels.tuneUpdate", "kernels.keep"])(
    "of %s",
    async (name) => {
      const call = publicFunctions.get(name) as Call;
      // With the standard options tuning would begin.
      const isStandard = (value: unknown) =>
        value === undefined || (isOptions(value) && Object.keys(value).length === 0);
      const all = hostile.filter((value) => !isStandard(value)).map((value) => [device, value]);
      expect(await complaints(name, call, all)).toEqual([]);
    },
  );
});
