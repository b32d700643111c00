// The lab: every experiment at small options on the CPU, the command line over a registry, claims that fail, bad input.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chartSvg } from "../../src/app/cli/chart.ts";
import { kebab, labCommand } from "../../src/app/cli/lab.ts";
import { DataError, OptionError } from "../../src/base/errors.ts";
import { labChart } from "../../src/lab/chart.ts";
import { absolute, atLeast, atMost, defineExperiment, number, relative } from "../../src/lab/experiments/experiment.ts";
import { experiments } from "../../src/lab/experiments/index.ts";
import { runExperiment } from "../../src/lab/experiments/run.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { ownFolder } from "../folder.ts";
import { smallLab } from "../lab.ts";
import { fallline, runHere } from "../run_cli.ts";

const folder = ownFolder("lab");
const context = { engine: cpuEngine() };

describe.each(experiments.map((experiment) => [experiment.name, experiment] as const))("%s", (name, experiment) => {
  it("holds at small options, and is drawn", async () => {
    const seen: number[] = [];
    const options = smallLab[name]!;
    const found = await runExperiment(name, options, { ...context, onProgress: (done) => seen.push(done) });
    expect(found.config).toMatchObject(options);
    expect(found.claims.length).toBeGreaterThan(0);
    expect(found.claims.filter(({ ok }) => !ok)).toEqual([]);
    expect(found.claims.filter((claim) => !Number.isFinite(claim.found + claim.predicted + claim.allowance))).toEqual(
      [],
    );
    expect(seen.every((done) => done >= 0 && done <= 1)).toBe(true);
    expect(chartSvg(found.chart)).not.toMatch(/NaN|Infinity/);
  });

  it("has a name, a sentence and options that say what they may be", () => {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(experiment.title).toMatch(/^[A-Z].*[^.]$/);
    expect(experiment.options.map((option) => option.name)).toContain("seed");
    for (const { meaning, allowed } of experiment.options) expect([meaning, allowed]).not.toContain("");
    // What an option is by default is in its range.
    expect(experiment.read({})).toEqual(
      Object.fromEntries(experiment.options.map((each) => [each.name, each.default])),
    );
  });
});

const echo = defineExperiment({
  name: "echo",
  title: "A rate is what it is",
  options: { lr: number("the rate", 0.1, { above: 0, below: 1 }), perStep: number("what is added", 0) },
  run: async ({ lr, perStep }, { progress }) => {
    await progress(0.5);
    return {
      claims: [relative("the rate", lr + perStep, lr, 0.01)],
      chart: labChart({
        title: "echo",
        panels: [
          {
            x: { name: "x" },
            y: { name: "y", log: true },
            curves: [
              {
                name: "c",
                points: [
                  [0, 1],
                  [1, Number.NaN],
                ],
              },
            ],
          },
        ],
      }),
      notes: ["a note"],
    };
  },
});
const lab = (...args: string[]) =>
  runHere(async () => {
    await labCommand([echo]).parseAsync([...args, "--backend", "cpu"], { from: "user" });
  });

describe("fallline lab", () => {
  it("lists the experiments, each with its sentence and its command", async () => {
    const { code, stdout } = await fallline(["lab"]);
    expect(code).toBe(0);
    for (const { name, title } of experiments) {
      expect(stdout).toContain(title);
      expect(stdout).toContain(`fallline lab ${name}\n`);
    }
  });

  it("prints what was found beside what was predicted, and writes both files", async () => {
    const { code, stdout } = await lab("echo", "--lr", "0.2", "--out", folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^✓ the rate +0\.2 +0\.2 +0 +0\.01$/m);
    expect(stdout).toContain("a note");
    const result = JSON.parse(readFileSync(join(folder, "result.json"), "utf8"));
    expect(result).toMatchObject({
      format: "fallline-lab/1",
      config: { lr: 0.2, perStep: 0, seed: 0 },
      notes: ["a note"],
    });
    expect(readFileSync(join(folder, "echo.svg"), "utf8")).toContain(`fallline run ${result.run}`);
  });

  it("prints JSON alone, and has status 1 where a claim fails", async () => {
    const { code, stdout } = await lab("echo", "--per-step", "0.01", "--json");
    expect(code).toBe(1);
    const result = JSON.parse(stdout);
    expect(Object.keys(result)).toEqual(["format", "name", "backend", "adapter", "config", "claims", "seconds"]);
    expect(result.claims).toEqual([
      { what: "the rate", found: expect.closeTo(0.11, 12), predicted: 0.1, allowance: 0.01, ok: false },
    ]);
  });

  it.each([
    [["nope"], "name is"],
    [["nope", "--json"], 'name is "nope"; it must be one of'],
    [["--json", "edge"], "unknown option '--json'"],
    [["edge", "--lr", "5", "--backend", "cpu", "--json"], "lr is 5; it must be in ["],
    [["speed-limit", "--nope", "1"], "unknown option '--nope'"],
    [["speed-limit", "--curvature", "-1"], "curvature is -1; it must be a finite number in [0.05, 20]"],
    [["speed-limit", "--curvature", "much"], 'curvature is "much"; it must be'],
    [["speed-limit", "--replicas", "2.5"], "replicas is 2.5; it must be a whole number"],
    [["--nope"], "unknown option '--nope'"],
  ])("has status 2 for %j", async (args, message) => {
    const { code, stdout, stderr } = await fallline(["lab", ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
  });

  it("writes options in kebab-case", () => {
    expect(kebab("boundaryWeight")).toBe("boundary-weight");
  });
});

describe("an experiment", () => {
  it("stops when it is told to", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(runExperiment(echo, {}, { ...context, signal })).rejects.toThrow("enough");
  });

  it("refuses in handover what is too little for several half waves", async () => {
    const message = "width is 16; with k = 3 it must be at least 24";
    await expect(runExperiment("handover", { k: 3 }, context)).rejects.toThrow(message);
    const wide = { k: 3, width: 24, gradients: 1000 };
    await expect(runExperiment("handover", wide, context)).rejects.toThrow("gradients is 1000; with k = 3");
    await expect(runExperiment("handover", { k: 2 }, context)).rejects.toThrow("k is 2; it must be 1 or 3");
  });

  it("refuses what it does not know, before anything runs", async () => {
    await expect(runExperiment("nope", {}, context)).rejects.toThrow(OptionError);
    await expect(runExperiment(echo, { rate: 1 }, context)).rejects.toThrow('options has an unknown option "rate"');
    await expect(runExperiment(echo, { lr: 1 }, context)).rejects.toThrow(
      "lr is 1; it must be a finite number in (0, 1)",
    );
    await expect(runExperiment({} as never, {}, context)).rejects.toThrow(OptionError);
    await expect(runExperiment(echo, {}, {} as never)).rejects.toThrow("engine is missing");
  });

  it("claims within an allowance, relative or absolute, and nothing that is not finite", () => {
    expect(relative("r", 101, 100, 0.01).ok).toBe(true);
    expect(relative("r", 101.1, 100, 0.01).ok).toBe(false);
    expect(absolute("a", 0.01, 0, 0.02)).toMatchObject({ what: "a (absolute allowance)", ok: true });
    expect(absolute("a", 0.03, 0, 0.02).ok).toBe(false);
    expect([atLeast("l", 2, 2).ok, atLeast("l", 1.9, 2).ok, atMost("m", 2, 2).ok, atMost("m", 2.1, 2).ok]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(() => relative("r", Number.NaN, 1, 0.1)).toThrow(DataError);
  });
});
