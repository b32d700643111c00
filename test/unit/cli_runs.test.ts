// Runs of the command line that something ends, or tries to: they keep what there is, say what they could not keep, and go
// on to the same end.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeSafetensors } from "../../src/base/safetensors.ts";
import { ownFolder } from "../folder.ts";
import { type Finished, fallline, root } from "../run_cli.ts";

const folder = ownFolder("runs");

const rows = Array.from({ length: 60 }, (_, i) => `${Math.sin(i)},${Math.cos(3 * i)},${i % 3}`);
writeFileSync(join(folder, "rows.csv"), `x,y,label\n${rows.join("\n")}\n`);
const config = {
  model: { layers: [2, 8, 3], dropout: 0.1 },
  data: { type: "file", path: join(folder, "rows.csv") },
  optimizer: { rule: "adamw", lr: { type: "plateau", base: 0.05, patience: 3 }, ema: { decay: 0.9 } },
  batch: 8,
  steps: 200,
  seed: 3,
  metric: { type: "testLoss", every: 20 },
  watch: true,
};
const write = (name: string, content: object) => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
};
const job = write("job.json", config);
const long = write("long.json", { ...config, steps: 1e7 });
const sgd = { rule: "sgd", lr: 0.1 };
const short = write("short.json", { ...config, optimizer: sgd, steps: 3, metric: null, watch: false });
const train = (path: string, out: string, ...more: string[]) => [
  "train",
  path,
  "--backend",
  "cpu",
  "--out",
  out,
  ...more,
];

const cli = join(root, "dist/cli.js");
const preload = (name: string) => ["--import", pathToFileURL(join(root, "test", name)).href];
const json = (out: string) => JSON.parse(readFileSync(join(out, "run.json"), "utf8"));
const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

/** Runs with other streams or another Node than a user's. */
function start(
  args: readonly string[],
  {
    node = [],
    stdout = "pipe",
    env = {},
  }: { node?: readonly string[]; stdout?: number | "pipe"; env?: NodeJS.ProcessEnv } = {},
): { child: ChildProcess; ended: Promise<Finished> } {
  const child = spawn(process.execPath, [...node, cli, ...args], {
    stdio: ["ignore", stdout, "pipe"],
    env: { ...process.env, ...env },
  });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.on("data", (chunk) => {
      texts[name] += chunk;
    });
  }
  return { child, ended: new Promise((resolve) => child.on("close", (code) => resolve({ code, ...texts }))) };
}

async function until(test: () => boolean): Promise<void> {
  while (!test()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("fallline train --save-every", () => {
  const whole = join(folder, "whole");
  const killed = join(folder, "killed");
  const results = ["best.safetensors", "loss.svg", "model.safetensors"];
  beforeAll(async () => {
    await start(train(job, whole)).ended;
    const { child, ended } = start(train(job, killed, "--save-every", "20"));
    await until(() => existsSync(join(killed, "checkpoint.previous.safetensors")));
    child.kill("SIGKILL");
    await ended;
  }, 120_000);
  const timeless = (out: string) => ({ ...json(out), seconds: 0, trainingSeconds: 0 });

  it("after a kill ends with an uninterrupted run's files, from the previous checkpoint if the last is damaged", async () => {
    const newest = join(killed, "checkpoint.safetensors");
    const bytes = readFileSync(newest);
    bytes[bytes.length - 9]! ^= 4;
    writeFileSync(newest, bytes);
    const { code, stdout, stderr } = await fallline(["train", "--resume", killed]);
    expect(stderr).not.toContain("fallline:");
    expect(code).toBe(0);
    expect(stdout).toContain(`${newest} cannot be used: safetensors: the data of`);
    expect(stdout).toMatch(/^continues from .*checkpoint\.previous\.safetensors, at step [1-9]\d*0$/m);
    for (const name of results) expect(readFileSync(join(killed, name)), name).toEqual(readFileSync(join(whole, name)));
    expect(timeless(killed)).toEqual(timeless(whole));
    expect(readdirSync(killed).sort()).toEqual(
      [...results, "checkpoint.previous.safetensors", "checkpoint.safetensors", "run.json"].sort(),
    );
  });

  it("goes on with more steps, and without keeping what another run's config says", async () => {
    const { code, stdout } = await fallline(["train", "--resume", killed, "--steps", "210"]);
    expect(code).toBe(0);
    expect(stdout).toContain("at step 200");
    const { losses } = json(whole);
    expect(json(killed).losses).toHaveLength(210);
    expect(json(killed).losses.slice(0, 200)).toEqual(losses);
    const lessSteps = await fallline(["train", "--resume", killed, "--steps", "100"]);
    expect(lessSteps.stderr).toMatch(/^fallline: steps is 100; it must be at least 210, the steps of the run of .*$/m);
    const otherRun = await fallline(["train", short, "--resume", killed]);
    expect(otherRun.stderr).toMatch(/^fallline: optimizer\.rule is "sgd"; it must be "adamw", as in the run of /m);
    // An option is held against what it sets, and nothing else.
    const otherRate = await fallline(["train", "--resume", killed, "--batch", "8", "--lr", "0.5"]);
    expect(otherRate.stderr).toMatch(/^fallline: optimizer\.lr is .*; it must be .*, as in the run of/m);
    const otherModel = await fallline(["train", "--resume", killed, "--model", "2-9-3"]);
    expect(otherModel.stderr).toMatch(/^fallline: model\.layers is \[2,9,3\]; it must be \[2,8,3\], as in the run of/m);
    const sameBatch = await fallline(["train", "--resume", killed, "--batch", "8", "--steps", "100"]);
    expect(sameBatch.stderr).toMatch(/^fallline: steps is 100; it must be at least 210/m);
    const otherFolder = await fallline(["train", "--resume", killed, "--out", join(folder, "x")]);
    expect(otherFolder.stderr).toMatch(/^fallline: out is ".*x"; with --resume it must be left out/);
    const nothing = await fallline(["train", "--resume", join(folder, "nowhere")]);
    expect(nothing.stderr).toMatch(/^fallline: .*nowhere holds no checkpoint\.safetensors/);
    expect([lessSteps, otherRun, otherFolder, nothing].map(({ code }) => code)).toEqual([2, 2, 2, 2]);
    expect(existsSync(join(folder, "nowhere"))).toBe(false);
    expect(json(killed).losses).toHaveLength(210);
  });

  it("has its folder to itself, recreates it if removed, and stops when its terminal hangs up", async () => {
    const out = join(folder, "owned");
    const newest = join(out, "checkpoint.safetensors");
    const { child, ended } = start(train(long, out, "--save-every", "20"));
    await until(() => existsSync(newest));
    const { code, stderr } = await fallline(train(short, out));
    expect(code).toBe(2);
    expect(stderr).toContain(
      `fallline: out is "${out}", which belongs to a run with checkpoints (process ${child.pid})`,
    );
    renameSync(out, join(folder, "moved"));
    await until(() => existsSync(newest));
    child.kill("SIGHUP");
    const owner = await ended;
    expect(owner.code).toBe(0);
    expect(json(out)).toMatchObject({ interrupted: true, reason: "interrupted" });
    expect(readdirSync(out)).not.toContain(".fallline-owner");
    expect(json(out).files["best.safetensors"]).toBe(digest(join(out, "best.safetensors")));
    const again = await fallline(train(short, out, "--save-every", "2"));
    expect(again.stdout).toMatch(
      /^note: .*checkpoint\.safetensors is from step \d+ of 10000000 of another run, and this one replaces it at step 2; to/m,
    );
    const third = await fallline(train(short, out, "--save-every", "2"));
    expect(third.stdout).not.toContain("note: ");
  });
});

describe("what a run cannot keep", () => {
  it("is said, where the disk is full, and the rest is kept, also on stdout", async () => {
    const out = join(folder, "full");
    mkdirSync(out);
    writeFileSync(join(out, "model.safetensors"), "old");
    const { code, stdout, stderr } = await start(train(short, out, "--json", "--save-every", "1"), {
      node: preload("no_room.mjs"),
      env: { ROOM: "25000" },
    }).ended;
    expect([code, json(out)]).toEqual([0, JSON.parse(stdout)]);
    const small = await start(train(short, out, "--json", "--save-every", "1"), {
      node: preload("no_room.mjs"),
      env: { ROOM: "700" },
    }).ended;
    expect(stderr).not.toContain("could not be kept");
    expect(small.code).toBe(1);
    expect(small.stderr).toMatch(
      /^the checkpoint of step 3 could not be kept \(ENOSPC: .*\); there is no earlier one$/m,
    );
    for (const name of ["run.json", "loss.svg"]) {
      expect(small.stderr).toContain(`fallline: ${join(out, name)} could not be kept: ENOSPC: no space left on device`);
    }
    expect(JSON.parse(small.stdout).losses).toEqual(json(out).losses);
  });

  it.each(["stdout", "stderr"] as const)("is what was to be said on %s, where its reader has gone", async (name) => {
    const out = join(folder, `closed-${name}`);
    const { child, ended } = start(train(job, out));
    child[name]!.destroy();
    expect((await ended).code).toBe(1);
    expect(json(out).losses).toHaveLength(200);
  });

  it("is what does not fit on stdout", async () => {
    const out = join(folder, "full-stdout");
    const full = existsSync("/dev/full") ? openSync("/dev/full", "w") : openSync(job, "r");
    const { code, stderr } = await start(train(short, out, "--json"), { stdout: full }).ended;
    expect(code).toBe(1);
    expect(stderr).toContain("fallline: not all output could be written to stdout: ");
    expect(json(out).losses).toHaveLength(3);
    const help = await start(["--help"], { stdout: full }).ended;
    expect(help.code).toBe(1);
  });
});

describe("what a run says", () => {
  it("keeps the files of a run that diverged and has numbers to predict", async () => {
    const model = { layers: [2, 3, 1], loss: "meanSquaredError" };
    const data = { ...config.data, inputs: [0, 1], targets: 2 };
    const lost = write("lost.json", { model, data, optimizer: { ...sgd, lr: 1e38 }, batch: 8, steps: 6 });
    const out = join(folder, "lost");
    const { code, stdout } = await fallline(train(lost, out));
    expect([code, json(out).reason, json(out).testRmse]).toEqual([0, "diverged", null]);
    expect(stdout).toMatch(/^diverged at step \d, /m);
  });

  it("sweeps the rates of a plateau, which goes by the metric of each run and of the best alone", async () => {
    const plateaus = write("plateaus.json", {
      ...config,
      steps: 30,
      metric: { type: "testLoss", every: 5 },
      watch: null,
    });
    const out = join(folder, "plateaus");
    const { code, stdout } = await fallline([
      "sweep",
      plateaus,
      "--backend",
      "cpu",
      "--vary",
      "lr=0.05,5",
      "--out",
      out,
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain("alone, the best has the same losses to the bit");
    expect(existsSync(join(out, "sweep.json"))).toBe(true);
  });

  it("has no escape sequences on a terminal that knows none", async () => {
    const args = ["sweep", short, "--backend", "cpu", "--count", "2", "--out", join(folder, "sweep")];
    const node = preload("as_terminal.mjs");
    const said = async (env: NodeJS.ProcessEnv) => {
      const { stdout, stderr } = await start(args, { node, env: { NO_COLOR: "", ...env } }).ended;
      return stdout + stderr;
    };
    const sequence = "\u001b";
    expect(await said({ TERM: "xterm" })).toContain(sequence);
    expect(await said({ TERM: "dumb" })).not.toContain(sequence);
    const { run, files } = JSON.parse(readFileSync(join(folder, "sweep/sweep.json"), "utf8"));
    expect(readFileSync(join(folder, "sweep/sweep.svg"), "utf8")).toContain(`fallline run ${run}`);
    for (const name of ["sweep.svg", "sweep.best.json"]) expect(files[name]).toBe(digest(join(folder, "sweep", name)));
  });

  it("says and draws at which step it diverged, says what was tested, and its files name the run", async () => {
    const out = join(folder, "diverged");
    const wild = write("wild.json", {
      ...config,
      optimizer: { ...sgd, lr: 1e30, ema: { decay: 0.9 } },
      steps: 20,
      metric: null,
      watch: false,
    });
    const { code, stdout } = await fallline(train(wild, out));
    expect(code).toBe(0);
    const { divergedAt, run, files } = json(out);
    expect(divergedAt).toBeGreaterThan(1);
    expect(stdout).toContain(`the loss is NaN at step ${divergedAt}; try a lower learning rate`);
    expect(stdout).toMatch(new RegExp(`^diverged at step ${divergedAt}, .*try a lower learning rate`, "m"));
    expect(decodeSafetensors(readFileSync(join(out, "model.safetensors"))).metadata.run).toBe(run);
    const chart = readFileSync(join(out, "loss.svg"), "utf8");
    expect(chart).toContain(`<desc>fallline run ${run}</desc>`);
    expect(chart).toContain(`diverged at step ${divergedAt}`);
    expect(json(out).role).toBe("ema");
    expect(stdout).toContain("tested with the average (ema), which is the one to use");
    for (const name of ["model.safetensors", "loss.svg"]) expect(files[name]).toBe(digest(join(out, name)));
  });
});
