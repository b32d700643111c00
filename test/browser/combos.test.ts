// The built library in Chrome: a short training run by every rule with an average, and without where a rule evaluates at
// points of its own, on the GPU and on the CPU reference of the same page. Both test the same parameters, and find the same.
import { expect, it } from "vitest";
import { fallbackFor, usualRate } from "../../src/lab/defaults.ts";
import { rules } from "../../src/rules/index.ts";
import { launchChrome, openPage, serve } from "./chrome.ts";

/** Each run, and whether it is made on the GPU too: compiling a kernel takes the time of many runs on the CPU. */
const runs = rules.flatMap((rule) => {
  const plain = { rule: rule.name, lr: usualRate(rule) / 10, ...fallbackFor(rule) };
  return [
    { optimizer: plain, both: rule.evaluation !== undefined || rule.name === "adamw" },
    { optimizer: { ...plain, ema: { decay: 0.7 } }, both: true },
  ];
});

interface Outcome {
  readonly role: string;
  readonly testLoss: number;
  readonly losses: readonly number[];
}

it("trains and tests with every rule and an average as the CPU reference does, and other parameters than without", {
  timeout: 170_000,
}, async () => {
  const address = await serve("dist");
  const { page, errors } = await openPage(await launchChrome(), `${address}page/index.html`);
  const run = `(async ([{ requestDevice }, { train, webgpuEngine, cpuEngine, datasets }]) => {
    const inputs = Array.from({ length: 24 }, (_, i) => [Math.sin(i), Math.cos(3 * i), Math.sin(7 * i) / 2]);
    const data = datasets.fromArrays({ inputs, labels: inputs.map(([x, y]) => (x > y ? 1 : 0)) });
    const cpu = cpuEngine();
    const engines = [cpu, webgpuEngine(await requestDevice())];
    const outcomes = [];
    for (const { optimizer, both } of ${JSON.stringify(runs)}) {
      const config = { model: { layers: [3, 5, 2] }, init: { seed: 3 }, optimizer, batch: 8, steps: 4 };
      const found = [];
      for (const engine of both ? engines : [cpu]) {
        const { role, testLoss, losses } = await train({ engine, ...config, data, test: data });
        found.push({ role, testLoss, losses });
      }
      outcomes.push(found);
    }
    return JSON.stringify(outcomes);
  })`;
  const entries = ["index", "training"].map((name) => `import("${address}lib/src/${name}.js")`);
  const found = (await page.evaluate(`Promise.all([${entries.join(", ")}]).then(${run})`)) as string;
  const outcomes = JSON.parse(found) as [cpu: Outcome, gpu?: Outcome][];
  expect(outcomes).toHaveLength(runs.length);
  for (const [i, { optimizer, both }] of runs.entries()) {
    const [cpu, gpu] = outcomes[i]!;
    const name = JSON.stringify(optimizer);
    const evaluates = rules.some((rule) => rule.name === optimizer.rule && rule.evaluation);
    expect(cpu.role, name).toBe("ema" in optimizer ? "ema" : evaluates ? "evaluation" : "params");
    // Other parameters than those that are trained.
    if (cpu.role === "ema") expect(cpu.testLoss, name).not.toBe(outcomes[i - 1]![0].testLoss);
    expect(gpu !== undefined, name).toBe(both);
    if (!gpu) continue;
    expect(gpu.role, name).toBe(cpu.role);
    expect(gpu.testLoss, name).toBeCloseTo(cpu.testLoss, 4);
    for (const [step, loss] of gpu.losses.entries())
      expect(loss, `${name}, step ${step}`).toBeCloseTo(cpu.losses[step]!, 4);
  }
  expect(errors).toEqual([]);
  await page.close();
});
