// The perf test as CI has it: what a step costs on any device, counted, is what bench/baseline.json says, exactly; and a kernel
// that was slowed on purpose is noticed by its ratio to the stream kernel.
import { describe, expect, it } from "vitest";
import { pageCases, titleOf } from "../../bench/cases.ts";
import { benchDevice } from "../../bench/device.ts";
import { baselineCase, countOurs, countRegressions, oursOf, perfCases, regressionsOf } from "../../bench/perf.ts";
import { readBaseline } from "../../bench/perf_run.ts";
import { runCases } from "../../bench/run_cases.ts";
import type { Case, Runner } from "../../bench/suite.ts";
import { keep } from "../../scripts/webgpu.mjs";
import { note } from "../../src/engines/products/probes.ts";
import { memoryProbes } from "../../src/engines/products/variants.ts";
import { createOptimizer, defineRule } from "../../src/index.ts";
import { adamw } from "../../src/rules/adam.ts";
import { gpu, openNull } from "./setup.ts";

/** What the benchmark finds in a browser. */
const found = (gpu: GPU) => Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });

const baseline = await readBaseline();
const cases = pageCases.filter((each) => perfCases.includes(titleOf(each)));

describe("the perf test", () => {
  it("has a baseline of every case that it names", () => {
    expect(baseline.cases.map((each) => each.case)).toEqual(perfCases);
  });

  it("finds the counts of the baseline, exactly", async () => {
    // Any device tells: this one runs none of it, so it is asked for nothing that a probe would have to find.
    const idleGpu = await openNull();
    const adapter = (await idleGpu.requestAdapter())!;
    Object.defineProperty(adapter, "features", { value: new Set() });
    keep(adapter);
    found(Object.create(idleGpu, { requestAdapter: { value: async () => adapter } }));
    const idle = await benchDevice();
    for (const { probe } of memoryProbes) note(idle, probe, true);
    const ours = oursOf(cases, await countOurs(cases));
    idle.destroy();
    await idle.lost;
    found(gpu);
    expect([...ours.keys()].sort()).toEqual([...perfCases].sort());
    for (const before of baseline.cases) {
      const row = ours.get(before.case)!;
      expect(row.error, before.case).toBeUndefined();
      expect(countRegressions(row, before)).toEqual([]);
    }
  });

  it("fails for a kernel that was slowed on purpose", async () => {
    const title = "update: adamw 1x64k";
    const of = cases.find((each) => titleOf(each) === title)!;
    const find = (engine: string) => of.contenders.find((contender) => contender.engine === engine)!;
    // The same formula behind a few hundred roots.
    const wgsl = adamw.wgsl.replace(
      "return y;",
      "for (var i = 0u; i < 500u; i++) { y.m = sqrt(y.m * y.m + h.eps); }\n  return y;",
    );
    const slow = defineRule({ ...adamw, name: "slowAdamw", wgsl });
    const slowed = async (): Promise<Runner> => {
      const device = await benchDevice();
      const optimizer = await createOptimizer(device, [{ name: "w", shape: [of.n] }], { rule: slow });
      return {
        device,
        step: () => optimizer.step(),
        wait: () => device.queue.onSubmittedWorkDone(),
        destroy: () => optimizer.destroy(),
      };
    };
    const contenders = [{ engine: "fallline", load: slowed }, find("stream")];
    const asIs: Case = { ...of, contenders: [find("fallline"), find("stream")] };
    const rows = await runCases([{ ...of, contenders }, asIs], { quick: true, rounds: 3 });
    const [found, normal] = rows.filter(({ engine }) => engine === "fallline");
    const regressions = regressionsOf(found, baseline.cases.find((each) => each.case === title)!, baseline.allowance);
    expect(regressions.map(({ what }) => what).join("; ")).toMatch(/times the stream kernel's time; at most/);
    // Against itself as it is, so that the baseline of another machine is not what decides.
    const slower = regressionsOf(found, baselineCase(normal!), baseline.allowance);
    expect(slower.some(({ what }) => /times the stream kernel's time/.test(what))).toBe(true);
  });
});
