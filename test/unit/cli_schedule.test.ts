// `fallline schedule`: what it prints, what it writes (as built), how it refuses (in this process, which is faster).

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { scheduleCommand } from "../../src/app/cli/schedule.ts";
import { FalllineError } from "../../src/base/errors.ts";
import { readSchedule } from "../../src/schedules/read_schedule.ts";
import type { ScheduleConfig } from "../../src/schedules/schedule.ts";
import { createSchedule } from "../../src/schedules/schedule.ts";
import { ownFolder } from "../folder.ts";
import { golden } from "../golden.ts";
import { fallline, spawned } from "../run_cli.ts";

const folder = ownFolder("schedule");

/** A file of JSON in the test's own folder. */
function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

const cosine = { type: "cosine", base: 0.1, min: 0.001, steps: 60 };
const valuesOf = (config: object, steps: number) => {
  const { at } = createSchedule(readSchedule(config));
  return Array.from({ length: steps }, (_, step) => at(step));
};

describe("fallline schedule", () => {
  it("prints the values of a config as JSON and nothing else", async () => {
    const { code, stdout, stderr } = await spawned(["schedule", JSON.stringify(cosine), "--steps", "70", "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(`${JSON.stringify({ values: valuesOf(cosine, 70) })}\n`);
  });

  it("takes the learning rate and the steps of a run's config, and says so", async () => {
    const model = { layers: [784, 10] };
    const run = { model, optimizer: { rule: "sgd", lr: cosine }, batch: 4, steps: 5 };
    const path = file("run.json", { config: run, losses: [] });
    const { stdout, stderr } = await fallline(["schedule", path, "--json"]);
    expect(stderr).toBe(`config.optimizer.lr, the learning rate of the run in ${path}\n`);
    expect(JSON.parse(stdout)).toEqual({ values: valuesOf(cosine, 5) });
    const config = file("config.json", { ...run, optimizer: { rule: "sgd" } });
    const { stdout: plotted } = await fallline(["schedule", config, "--steps", "2"]);
    expect(plotted).toContain("optimizer.lr, the learning rate of");
    expect(plotted).toContain("first 0.001, last 0.001");
  });

  it("lets the plateau of a run observe what it observed in the run, at the same steps", async () => {
    const lr = { type: "plateau", base: 0.5, factor: 0.5, patience: 0, threshold: 0 };
    const config = { model: { layers: [784, 10] }, optimizer: { rule: "sgd", lr }, batch: 4, steps: 8 };
    const metrics = [1, 1, 0.5].map((value, i) => ({ step: 3 * (i + 1), value }));
    const path = file("observed.json", {
      config: { ...config, metric: { type: "loss", every: 3 } },
      losses: [],
      metrics,
    });
    const { stdout } = await fallline(["schedule", path, "--json"]);
    expect(JSON.parse(stdout)).toEqual({ values: [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25] });
    // A metric that was not finite is null in JSON, and no improvement.
    const broken = { ...JSON.parse(readFileSync(path, "utf8")), metrics: [null, null, 1].map((value) => ({ value })) };
    const after = await fallline(["schedule", file("broken.json", broken), "--json"]);
    expect(JSON.parse(after.stdout)).toEqual({ values: [0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125] });
  });

  it("lets a plateau observe the metrics", async () => {
    const { schedule, metrics, values } = golden<{
      plateau: { schedule: ScheduleConfig; metrics: number[]; values: number[] }[];
    }>("schedules.json").plateau[0]!;
    const args = ["schedule", file("plateau.json", schedule), "--metrics", file("metrics.json", metrics), "--json"];
    expect(JSON.parse((await fallline(args)).stdout)).toEqual({ values });
    const fewer = await fallline([...args, "--steps", "20"]);
    expect(JSON.parse(fewer.stdout)).toEqual({ values: values.slice(0, 20) });
  });

  it("plots in 80 columns, or writes a chart", async () => {
    const { stdout } = await fallline(["schedule", JSON.stringify(cosine), "--steps", "60"]);
    expect(stdout).toMatch(/^cosine\n/);
    expect(stdout).toMatch(/\nfirst 0\.1, last 0\.00106784, min 0\.00106784, max 0\.1\n$/);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    const svg = join(folder, "lr.svg");
    const charted = await fallline(["schedule", "0.1", "--steps", "3", "--svg", svg]);
    expect(charted.stdout).toBe(`first 0.1, last 0.1, min 0.1, max 0.1\nwrote ${svg}\n`);
    expect(readFileSync(svg, "utf8")).toMatch(/^<svg[\s\S]*<\/svg>\s*$/);
  });

  it.each<[string, () => string[], string | RegExp]>([
    ["no steps", () => ["0.1"], "steps is missing; it must be a whole number in [1, 1000000]"],
    ["no whole number of steps", () => ["0.1", "--steps", "2.5"], "steps is 2.5; it must be a whole number"],
    ["no steps at all", () => ["0.1", "--steps", "0"], "steps is 0; it must be a whole number"],
    ["what is not JSON", () => ['{"type":', "--steps", "3"], "is not JSON"],
    ["a file that is not there", () => [join(folder, "nowhere.json"), "--steps", "3"], "nowhere.json is not readable"],
    ["an unknown type", () => ['{"type":"zigzag"}', "--steps", "3"], 'schedule.type is "zigzag", which is not'],
    [
      "a run that is none",
      () => [file("no_run.json", { optimizer: {} }), "--steps", "3"],
      "model is missing; a run needs a model",
    ],
    [
      "a plateau without metrics",
      () => ['{"type":"scale","by":2,"schedule":{"type":"plateau","base":1}}', "--steps", "3"],
      "metrics is missing; a schedule that observes needs a file of the values to observe",
    ],
    [
      "metrics without a plateau",
      () => ["0.1", "--steps", "1", "--metrics", file("m.json", [1])],
      /metrics is ".*m\.json"; it must be left out of a schedule that observes nothing/,
    ],
    [
      "more steps than metrics",
      () => ['{"type":"plateau","base":1}', "--steps", "3", "--metrics", file("m.json", [1, 2])],
      "steps is 3; it must be a whole number in [1, 2]",
    ],
    [
      "metrics that are no numbers",
      () => ['{"type":"plateau","base":1}', "--metrics", file("m.json", [1, null])],
      /m\.json\[1\] is null; it must be a finite number/,
    ],
    [
      "two kinds of output",
      () => ["0.1", "--steps", "3", "--json", "--svg", join(folder, "both.svg")],
      /svg is ".*"; with --json it must be left out/,
    ],
    [
      "a value without bounds",
      () => ['{"type":"exponential","base":1,"gamma":10}', "--steps", "400"],
      "schedule is Infinity at step 309; it must be a finite number",
    ],
  ])("refuses %s in one sentence", async (_, args, message) => {
    const refused = scheduleCommand().parseAsync(args(), { from: "user" });
    await expect(refused).rejects.toThrow(FalllineError);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toThrow(/^[^\n]+$/);
    expect(existsSync(join(folder, "both.svg"))).toBe(false);
  });

  it("ends with status 2 and the sentence on stderr where it refuses", async () => {
    const { code, stdout, stderr } = await fallline(["schedule", "0.1", "--json"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe("fallline: steps is missing; it must be a whole number in [1, 1000000]\n");
  });
});
