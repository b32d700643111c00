// The built command line on WebGPU: what the main job promises of its results, on a smaller network.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ownFolder } from "../folder.ts";
import { spawned } from "../run_cli.ts";

const folder = ownFolder("gpu-cli");

describe("fallline train", () => {
  it("runs on the GPU by default, names the adapter, and measures its distance from the CPU reference", async () => {
    const args = ["train", "--model", "784-32-10", "--steps", "40", "--batch", "32", "--out", folder];
    const { code, stdout } = await spawned(args);
    expect(code).toBe(0);
    expect(stdout.split("\n")[0]).toMatch(/^WebGPU on ./);
    const run = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
    expect(run).toMatchObject({
      backend: "webgpu",
      adapter: {
        vendor: expect.any(String),
        architecture: expect.any(String),
        description: expect.any(String),
        software: expect.any(Boolean),
      },
      versions: { fallline: expect.any(String), node: process.version, webgpu: expect.any(String) },
      interrupted: false,
      skipped: 0,
    });
    expect(stdout).toContain(run.adapter.software ? "a software adapter" : run.adapter.description);
    expect(run.losses).toHaveLength(40);
    expect(run.testAccuracy).toBeGreaterThan(0.6);
    expect(run.parityMaxError).toBeGreaterThan(0);
    expect(run.parityMaxError).toBeLessThan(1e-4);
    expect(stdout).toContain(`after 5 steps: ${run.parityMaxError.toExponential(2)}`);
    expect(stdout).toContain(`test accuracy ${(100 * run.testAccuracy).toFixed(2)} %`);
  });
});

describe("fallline train on a device that is lost", () => {
  it("goes on where its last checkpoint was, on a new one, and says so", async () => {
    const out = join(folder, "lost");
    const preload = `--import=${new URL("../lost_device.mjs", import.meta.url)}`;
    const env = { ...process.env, NODE_OPTIONS: preload, LOSE_AT: "12" };
    const args = ["train", "--model", "784-8-10", "--steps", "20", "--batch", "8", "--test-rows", "20", "--out", out];
    const { code, stdout, stderr } = await spawned(args, undefined, env);
    expect(stderr).not.toContain("fallline:");
    expect(code).toBe(0);
    expect(stdout).toMatch(/the run continues from step [1-9]\d* on a new device$/m);
    expect(JSON.parse(readFileSync(join(out, "run.json"), "utf8"))).toMatchObject({ reason: "finished" });
  });
});

describe("fallline replay", () => {
  it("runs on the GPU by default and passes what it is given", async () => {
    // All cases pass on this GPU in replay.test.ts; here some are enough.
    const recorded = JSON.parse(readFileSync("test/golden/replay.json", "utf8"));
    const ids = ["adafactor", "adamw-options", "clip-global-norm", "parameter-groups"];
    const path = join(folder, "replay.json");
    const cases = recorded.cases.filter(({ id }: { id: string }) => ids.includes(id));
    writeFileSync(path, JSON.stringify({ ...recorded, cases }));
    const { stdout } = await spawned(["replay", path, "--json"]);
    const result = JSON.parse(stdout) as { backend: string; cases: { id: string; ok: boolean }[] };
    expect(result.backend).toBe("webgpu");
    expect(result.cases.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect(result.cases.filter(({ ok }) => !ok)).toEqual([]);
  });
});
