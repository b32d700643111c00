// Runs that go on from a checkpoint, on the CPU: to the bit as if they had never stopped.
import { describe, expect, it } from "vitest";
import { rules } from "../../src/rules/index.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import type { RunConfig } from "../../src/train/run_config.ts";
import { everything, expectResumed } from "../resume.ts";
import { data } from "../training.ts";

describe("a run that goes on from a checkpoint", () => {
  it("ends as if it had never stopped, from every step", async () => {
    const config = { ...everything, optimizer: { rule: "adamw", ...everything.optimizer } } as RunConfig;
    const result = await expectResumed(cpuEngine(), config, data);
    expect(result.metrics.length).toBeGreaterThan(3);
    expect(result.events.length).toBeGreaterThan(0);
  });

  it.each(rules.map(({ name }) => name))("does so with %s", async (rule) => {
    const fallback = rule === "muon" ? { fallback: { rule: "adamw" } } : {};
    const config = { ...everything, optimizer: { rule, ...fallback, ...everything.optimizer } } as RunConfig;
    // In the middle of an update, right after a value of the metric.
    await expectResumed(cpuEngine(), { ...config, steps: 14 }, data, 8);
  });
});
