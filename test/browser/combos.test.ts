// The built library in Chrome: a short training run by every rule, with and without an average, on the GPU and on the CPU
// reference of the same page. Both test the same parameters, and find the same.
import { expect, it } from "vitest";
import { fallbackFor, usualRate } from "../../src/lab/defaults.ts";
import { rules } from "../../src/rules/index.ts";
import { launchChrome, openPage, serve } from "./chrome.ts";

const configs = rules.flatMap((rule) =>
  [{}, { ema: { decay: 0.7 } }].map((average) => ({
    rule: rule.name,
    lr: usualRate(rule) / 10,
    ...fallbackFor(rule),
    ...average,
  })),
);

interface Outcome {
  readonly role: string;
  readonly testLoss: number;
  readonly losses: readonly number[];
}

it("trains and tests by every rule, with an average and without, as the CPU reference does", {
  timeout: 170_000,
}, async () => {
  const address = await serve("dist");
  const { page, errors } = await openPage(await launchChrome());
  await page.goto(`${address}page/index.html`);
  const run = `(async ([{ requestDevice }, { train, webgpuEngine, cpuEngine, datasets }]) => {
    const inputs = Array.from({ length: 24 }, (_, i) => [Math.sin(i), Math.cos(3 * i), Math.sin(7 * i) / 2]);
    const data = datasets.fromArrays({ inputs, labels: inputs.map(([x, y]) => (x > y ? 1 : 0)) });
    const engines = [webgpuEngine(await requestDevice()), cpuEngine()];
    const outcomes = [];
    for (const optimizer of ${JSON.stringify(configs)}) {
      const config = { model: { layers: [3, 5, 2] }, init: { seed: 3 }, optimizer, batch: 8, steps: 4 };
      const both = [];
      for (const engine of engines) {
        const { role, testLoss, losses } = await train({ engine, ...config, data, test: data });
        both.push({ role, testLoss, losses });
      }
      outcomes.push(both);
    }
    return JSON.stringify(outcomes);
  })`;
  const entries = ["index", "training"].map((name) => `import("${address}lib/src/${name}.js")`);
  const found = (await page.evaluate(`Promise.all([${entries.join(", ")}]).then(${run})`)) as string;
  const outcomes = JSON.parse(found) as [Outcome, Outcome][];
  expect(outcomes).toHaveLength(configs.length);
  for (const [i, config] of configs.entries()) {
    const [gpu, cpu] = outcomes[i]!;
    const name = JSON.stringify(config);
    const evaluates = rules.some((rule) => rule.name === config.rule && rule.evaluation);
    expect(gpu.role, name).toBe("ema" in config ? "ema" : evaluates ? "evaluation" : "params");
    expect(cpu.role, name).toBe(gpu.role);
    expect(gpu.testLoss, name).toBeCloseTo(cpu.testLoss, 4);
    for (const [step, loss] of gpu.losses.entries())
      expect(loss, `${name}, step ${step}`).toBeCloseTo(cpu.losses[step]!, 4);
    // Other parameters than those that are trained.
    if (gpu.role === "ema") expect(gpu.testLoss, name).not.toBe(outcomes[i - 1]![0].testLoss);
  }
  expect(errors).toEqual([]);
  await page.close();
});
