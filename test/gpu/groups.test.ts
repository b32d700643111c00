// Groups on the GPU, held to the CPU reference: updates counted by group from its thaw on, also where steps were skipped that
// the host has not learned of, sums over all tensors, fallbacks that go with their group, and checkpoints on the way.

import { expect, it } from "vitest";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { adam, adamw } from "../../src/rules/adam.ts";
import { dog } from "../../src/rules/dog.ts";
import { hypergradientAdam } from "../../src/rules/hypergradient_adam.ts";
import { muon } from "../../src/rules/muon.ts";
import { nadam } from "../../src/rules/nadam.ts";
import { prodigy } from "../../src/rules/prodigy.ts";
import { radam } from "../../src/rules/radam.ts";
import { scheduleFreeAdamw } from "../../src/rules/schedule_free.ts";
import { createCpuOptimizer, createOptimizer } from "../optimizers.ts";
import { device } from "./setup.ts";

const tensors = [
  { name: "a.weight", shape: [5, 3] },
  { name: "a.bias", shape: [5] },
  { name: "b.weight", shape: [3, 5] },
  { name: "b.bias", shape: [3] },
].map((tensor, t) => {
  const length = tensor.shape.reduce((product, size) => product * size, 1);
  return { ...tensor, data: Array.from({ length }, (_, i) => Math.fround(Math.sin(3 * t + i))) };
});

function step(optimizer: Optimizer, index: number, bad = false): void {
  const values = tensors.map(({ name, data }, t) => {
    const gradient = data.map((_, i) => Math.fround(Math.cos(5 * t + 2 * i + 0.7 * index)));
    if (bad) gradient[0] = Number.NaN;
    return [name, gradient] as const;
  });
  optimizer.write("gradients", Object.fromEntries(values));
  optimizer.step();
}

async function mustAgree(gpu: Optimizer, cpu: Optimizer, tolerance = 2e-5): Promise<void> {
  for (const role of ["params", "evaluation", ...cpu.slots]) {
    const [got, wanted] = [await gpu.read(role), await cpu.read(role)];
    for (const [name, values] of Object.entries(wanted)) {
      const most = Math.max(1e-3, ...values.map(Math.abs));
      const worst = Math.max(...values.map((value, i) => Math.abs(value - got[name]![i]!)));
      expect([role, name, worst / most < tolerance]).toEqual([role, name, true]);
    }
  }
}

const frozen = { groups: [{ params: "a.*", frozen: true }] };
it.each<[string, OptimizerConfig]>([
  ["radam with averages", { rule: radam, ema: { decay: 0.5 }, lookahead: { every: 2 }, ...frozen }],
  ["nadam", { rule: nadam, lr: 0.01, ...frozen }],
  ["scheduleFreeAdamw", { rule: scheduleFreeAdamw, lr: 0.01, ...frozen }],
  ["prodigy, which sums over all groups", { rule: prodigy, d0: 0.01, ...frozen }],
  ["dog, of which all was frozen", { rule: dog, groups: [{ params: "*", frozen: true }] }],
  ["hypergradientAdam", { rule: hypergradientAdam, lr: 0.01, hyperLr: 1e-5, ...frozen }],
  ["adafactor", { rule: adafactor, lr: 0.01, ...frozen }],
  ["muon with a fallback", { rule: muon, lr: 0.01, fallback: { rule: adamw, lr: 0.01 }, ...frozen }],
] as [string, OptimizerConfig][])("counts a group's own updates: %s", async (_, config) => {
  const [cpu, first] = [createCpuOptimizer(tensors, config), await createOptimizer(device, tensors, config)];
  const all = [cpu, first];
  for (let i = 0; i < 12; i++) {
    for (const optimizer of all) {
      if (i === 4) optimizer.thaw({ group: 0 });
      if (i === 7) optimizer.freeze({ group: 0 });
      if (i === 9) optimizer.thaw({ group: 0 });
      step(optimizer, i);
    }
    if (i === 5 || i === 8) await mustAgree(first, cpu);
  }
  await mustAgree(first, cpu);
  const second = await createOptimizer(device, tensors, config);
  await loadCheckpoint(second, await saveCheckpoint(first));
  for (const optimizer of [first, second]) for (let i = 12; i < 14; i++) step(optimizer, i);
  expect(await second.read()).toEqual(await first.read());
  for (const optimizer of [first, second]) optimizer.destroy();
});

it("counts them also after steps skipped before the host learned of it", async () => {
  const config: OptimizerConfig = { rule: adam, lr: 0.01, skipNonFinite: true, ...frozen };
  const [cpu, gpu] = [createCpuOptimizer(tensors, config), await createOptimizer(device, tensors, config)];
  for (const optimizer of [cpu, gpu]) {
    for (let i = 0; i < 9; i++) step(optimizer, i, i % 3 === 1);
    optimizer.thaw({ group: 0 });
  }
  for (let i = 9; i < 15; i++) {
    for (const optimizer of [cpu, gpu]) step(optimizer, i, i === 11);
    await mustAgree(gpu, cpu);
  }
  gpu.destroy();
});
