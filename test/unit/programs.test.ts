// Tools over any program on the CPU, and from the command line.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mlp } from "../../src/objectives/models/mlp.ts";
import { rnn } from "../../src/objectives/models/rnn.ts";
import type { OptimizerConfig, OptimizerJson } from "../../src/optimizer/config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { train } from "../../src/train/train.ts";
import { ownFolder } from "../folder.ts";
import { programLaws } from "../programs.ts";
import { fallline } from "../run_cli.ts";
import { data } from "../training.ts";

programLaws(async () => cpuEngine());

describe("a run in one line", () => {
  it("has a rate that suits the rule, and says what it ran on", async () => {
    const run = await train({ model: mlp([4, 8, 3]), data, optimizer: adamw(), batch: 8, steps: 200 });
    const mean = (losses: readonly number[]) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    expect(mean(run.losses.slice(-20))).toBeLessThan(mean(run.losses.slice(0, 20)));
    expect(run).toMatchObject({ backend: "cpu", config: { model: { type: "mlp", layers: [4, 8, 3] } } });
  });

  it("has the rate that suits the rule, unless it is given", async () => {
    const rateOf = async (optimizer: OptimizerConfig | OptimizerJson) =>
      (await train({ model: mlp([4, 3]), data, optimizer, batch: 8, steps: 1 })).config.optimizer.lr;
    expect(await rateOf(sgd())).toBe(0.1);
    expect(await rateOf(sgd({ lr: 0.3 }))).toBe(0.3);
    // A file means what it always meant.
    expect(await rateOf({ rule: "sgd" })).toBe(1e-3);
  });

  it("has a model as JSON says it", () => {
    expect(JSON.parse(JSON.stringify(mlp([2, 2], { l2: 0.1 })))).toEqual({ type: "mlp", layers: [2, 2], l2: 0.1 });
    const sizes = { inputs: 1, steps: 2, hidden: 3, outputs: 4 };
    expect(JSON.parse(JSON.stringify(rnn(sizes)))).toEqual({ type: "rnn", ...sizes });
    expect(() => mlp([2, 2], { activations: "relu" } as never)).toThrow('mlp has an unknown option "activations"');
  });
});

describe("the command line on a landscape", () => {
  const folder = ownFolder("landscape");
  const file = join(folder, "config.json");
  const config = {
    landscape: { type: "rosenbrock", dimension: 4 },
    init: [-1, 1, -1, 1],
    optimizer: { rule: "adam", lr: 0.05 },
    steps: 40,
  };
  writeFileSync(file, JSON.stringify(config));
  const backend = ["--backend", "cpu", "--out", folder];
  const written = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));

  it("trains, and goes on from a checkpoint", async () => {
    const { code, stdout } = await fallline(["train", file, ...backend, "--save-every", "10"]);
    expect(code).toBe(0);
    expect(stdout).toContain("rosenbrock, 4 parameters, adam, 40 steps, seed 0");
    expect(written("run.json")).toMatchObject({ config, reason: "finished", testLoss: null });
    const longer = await fallline(["train", "--resume", folder, "--backend", "cpu", "--steps", "50"]);
    expect(longer).toMatchObject({ code: 0 });
    expect(written("run.json").losses).toHaveLength(50);
  });

  it("sweeps", async () => {
    const swept = await fallline(["sweep", file, ...backend, "--vary", "lr=1e-3,0.05"]);
    expect(swept).toMatchObject({ code: 0 });
    expect(written("sweep.json")).toMatchObject({ best: 1, config });
    expect(written("sweep.best.json")).toMatchObject({ landscape: config.landscape, init: config.init });
  });

  it("finds a rate", async () => {
    const found = await fallline(["find-lr", file, ...backend, "--steps", "60", "--start", "1e-5"]);
    expect(found).toMatchObject({ code: 0 });
    expect(found.stdout).toContain("suggested rate");
  });

  it("searches", async () => {
    const searched = await fallline(["search", file, ...backend, "--rules", "adam,sgd", "--budget", "200"]);
    expect(searched).toMatchObject({ code: 0 });
    expect(written("search.json")).toMatchObject({ interrupted: false });
  });

  it("has no custom objectives, and says why", async () => {
    const other = join(folder, "custom.json");
    writeFileSync(other, JSON.stringify({ objective: { name: "mine" }, optimizer: { rule: sgd }, steps: 2 }));
    const { code, stderr } = await fallline(["train", other, ...backend]);
    expect(code).toBe(2);
    expect(stderr).toContain("which a file cannot hold");
  });
});
