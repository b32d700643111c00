// `fallline gradients`, and the data that --data and run configs name, on the command line and the CPU reference.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { digest } from "../../src/app/cli/run_id.ts";
import { ownFolder } from "../folder.ts";
import { golden } from "../golden.ts";
import { fallline, spawned } from "../run_cli.ts";

const folder = ownFolder("data");
const [recorded, trained, digits] = ["gradients", "training", "digits"].map((name) => `test/golden/${name}.json`) as [
  string,
  string,
  string,
];

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

describe("fallline gradients", () => {
  const onCpu = (...args: string[]) => fallline(["gradients", ...args, "--backend", "cpu"]);

  it("prints JSON alone, passes every golden case and fails what it does not know by name, with status 1", async () => {
    const { cases, ...rest } = golden<{ cases: { id: string; model: object }[] }>("gradients.json");
    const [first] = cases as [(typeof cases)[0]];
    const unknown = { ...first, id: "unknown", model: { ...first.model, activation: "nosuch" } };
    const path = file("unknown.json", { ...rest, cases: [unknown] });
    const { code, stdout } = await spawned(["gradients", recorded, trained, path, "--backend", "cpu", "--json"]);
    expect(code).toBe(1);
    const result = JSON.parse(stdout) as { backend: string; adapter: object; cases: { id: string; ok: boolean }[] };
    expect(Object.keys(result)).toEqual(["backend", "adapter", "cases"]);
    expect(result.cases.map(({ id }) => id).slice(-3)).toEqual(["adamw-64-32-10", "sgd-64-10", "unknown"]);
    for (const each of result.cases.slice(0, -1)) {
      expect(each).toEqual({ id: each.id, maxAbs: expect.any(Number), maxRel: expect.any(Number), ok: true });
    }
    const error = expect.stringContaining('model.activation is "nosuch"');
    expect(result.cases.at(-1)).toEqual({ id: "unknown", maxAbs: null, maxRel: null, ok: false, error });
  });

  it("prints a line a case, and what it does not check on stderr", async () => {
    const training = golden<{ runs: object[] }>("training.json");
    const path = file("one.json", { ...training, data: undefined, runs: training.runs.slice(1) });
    const { code, stdout, stderr } = await onCpu(path, "--data", digits);
    expect(stdout).toMatch(/^CPU reference/);
    expect(stdout).toMatch(/^case +loss +max rel +accuracy$/m);
    expect(stdout).toMatch(/^sgd-64-10 +\S+e-\d +\S+e-\d +93\.\d\d % {2}pass$/m);
    expect(stdout).toContain("1 of 1 cases pass");
    expect(stderr).toContain("not checked: sharpness of sharpness-64-10, sharpness-64-6-10");
    expect(code).toBe(0);
  });

  it("reads data by an absolute path", async () => {
    const training = golden<{ runs: object[] }>("training.json");
    const path = file("absolute.json", { ...training, data: resolve(digits), runs: training.runs.slice(1) });
    const { code, stdout } = await onCpu(path);
    expect(stdout).toContain("1 of 1 cases pass");
    expect(code).toBe(0);
  });

  const training = golden<object>("training.json");
  it.each<[string, string, string[], string]>([
    ["a file that is not there", join(folder, "nowhere.json"), [], "is not readable"],
    ["another format", "test/golden/replay.json", [], 'replay.json: format is "fallline-replay/1"; it must be'],
    [
      "no data set",
      file("nodata.json", { ...training, data: undefined }),
      [],
      "data is missing; it must name the data",
    ],
    [
      "nothing to check",
      file("nothing.json", { ...training, runs: [] }),
      [],
      "nothing.json: runs is []; there must be",
    ],
    ["data that are not there", file("far.json", { ...training, data: "no.json" }), [], "no.json is not readable"],
    ["data of another kind", trained, ["--data", "README.md"], "README.md is not a data set; it must be a .csv"],
    ["data in another format", trained, ["--data", "package.json"], "package.json: format is undefined"],
  ])("ends with status 2 on %s, in a sentence", async (_, path, args, message) => {
    const { code, stdout, stderr } = await onCpu(path, ...args);
    expect(stderr).toContain(message);
    expect(stderr.trim()).not.toContain("\n");
    expect([code, stdout]).toEqual([2, ""]);
  });
});

describe("custom data", () => {
  const end = ["--backend", "cpu", "--out", join(folder, "out")];
  const onCpu = (command: string, ...args: string[]) => fallline([command, ...args, ...end]);
  const result = (name: string) => JSON.parse(readFileSync(join(folder, "out", name), "utf8"));
  const csv = file(
    "toy.csv",
    `a,b,kind\n${Array.from({ length: 40 }, (_, i) => `${i % 2},${i},${i % 2 ? "odd" : "even"}`).join("\n")}\n`,
  );

  it("train a model whose outer widths fit them", async () => {
    const { code, stdout } = await onCpu(
      "train",
      "--data",
      digits,
      "--test-rows",
      "100",
      "--batch",
      "8",
      "--steps",
      "2",
    );
    expect(stdout).toContain("64-1024-256-10");
    expect(stdout).toContain("2 steps, 8 of 1,697 examples each");
    expect(stdout).toMatch(/test accuracy \S+ % on 100 examples/);
    expect(code).toBe(0);
    const { config } = result("run.json");
    expect(config).toMatchObject({ data: { type: "file", path: digits, rows: null, testRows: 100 } });
    expect(config.model.layers).toEqual([64, 1024, 256, 10]);
  });

  it("are taken as a whole by each step where they are fewer than the default batch", async () => {
    const { stdout } = await fallline(["train", "--data", csv, "--print-config"]);
    expect(JSON.parse(stdout)).toMatchObject({ batch: 32 });
  });

  it("are CSV with options of a run config", async () => {
    const data = { type: "file", path: csv, testRows: 10, label: "kind", inputs: ["a"] };
    const config = { model: { layers: [1, 2] }, data, optimizer: { rule: "sgd", lr: 0.5 }, batch: 4, steps: 2 };
    const { code, stdout } = await onCpu("train", file("csv.json", config));
    expect(stdout).toContain("2 steps, 4 of 30 examples each");
    expect(code).toBe(0);
    expect(result("run.json").config.data).toEqual({
      ...data,
      ...{ rows: null, shuffle: true, seed: 0, standardize: false },
    });
  });

  it("are numbers to predict, which are tested by their loss", async () => {
    const line = file(
      "line.csv",
      `x,y\n${Array.from({ length: 30 }, (_, i) => `${i % 3},${2 * (i % 3)}`).join("\n")}\n`,
    );
    const data = { type: "file", path: line, testRows: 10, targets: "y" };
    const model = { layers: [1, 1], loss: "meanSquaredError" };
    const config = file("line.json", { model, data, optimizer: { rule: "sgd", lr: 0.1 }, batch: 4, steps: 4 });
    const trained = await onCpu("train", config);
    expect(trained.stdout).toMatch(/^test loss \d\S+, RMSE \d\S+ in y, on 10 examples$/m);
    expect(result("run.json")).toMatchObject({ testLoss: expect.any(Number), testAccuracy: null });
    const swept = await onCpu("sweep", config, "--vary", "lr=0.01,0.1", "--no-compare");
    expect(swept.stdout).toMatch(/^best: lr \S+, loss \S+, test loss \d\S+$/m);
    expect(result("sweep.json").trials[0].evaluation).toEqual({
      loss: expect.any(Number),
      accuracy: null,
      error: null,
    });
    const searched = await spawned(["search", config, "--rules", "sgd", "--schedules", "constant", ...end]);
    expect(searched.stdout).toMatch(/^best: sgd \S+ \S+, loss \S+, test loss \d\S+$/m);
  });

  it("are shuffled and divided class by class where a file is sorted, and a class that is missing is reported", async () => {
    const sorted = file(
      "sorted.csv",
      `a,b,kind\n${["x", "y", "z"].flatMap((kind, k) => Array.from({ length: 50 }, (_, i) => `${k},${i % 7},${kind}`)).join("\n")}\n`,
    );
    const shared = ["--batch", "8", "--steps", "2"];
    const model = { layers: [2, 3] };
    const config = (data: object) =>
      file("sorted.json", {
        model,
        data: { type: "file", path: sorted, ...data },
        optimizer: { rule: "sgd" },
        batch: 8,
        steps: 2,
      });
    const shuffled = await onCpu("train", "--data", sorted, ...shared);
    expect(shuffled.stdout).toContain("on 30 examples");
    expect(shuffled.stdout).not.toContain("note:");
    expect(result("run.json")).toMatchObject({ config: { data: { shuffle: true, seed: 0 } }, notes: [] });
    const note = "the test set has class z, which no training row has";
    for (const command of ["train", "sweep"]) {
      const shown = await onCpu(
        command,
        config({ shuffle: false, testRows: 50 }),
        ...(command === "sweep" ? ["--no-compare", "--count", "2"] : []),
      );
      expect(shown.stdout).toContain(`note: ${note}`);
    }
    expect(result("run.json").notes).toEqual([
      "the test set has no row of classes x, y, so its results do not cover all classes",
      note,
    ]);
  });

  it("are swept and searched too, and tested for a rate", async () => {
    const shared = ["--data", csv, "--batch", "4", "--steps", "4"];
    const swept = await onCpu("sweep", ...shared, "--vary", "lr=0.01,0.1", "--no-compare");
    expect(swept.code).toBe(0);
    expect(result("sweep.best.json")).toMatchObject({ data: { type: "file", path: csv } });
    expect((await onCpu("search", ...shared, "--rules", "sgd", "--schedules", "constant")).code).toBe(0);
    const found = await onCpu("find-lr", ...shared, "--test-rows", "4");
    expect(found.code).toBe(0);
    expect(result("lr.json").config.data).toMatchObject({ path: csv, testRows: 4 });
    // The folder holds the results of all three.
    for (const name of ["sweep", "search"]) {
      const best = `${name}.best.json`;
      expect(result(`${name}.json`).files[best]).toBe(digest(readFileSync(join(folder, "out", best))));
    }
  });

  it("are folders of IDX files of any size", async () => {
    const letters = join(folder, "letters");
    mkdirSync(letters);
    for (const [half, count] of [
      ["train", 6],
      ["t10k", 2],
    ] as const) {
      const pixels = Array.from({ length: 3 * count }, (_, i) => i);
      writeFileSync(
        join(letters, `${half}-images-idx3-ubyte`),
        Uint8Array.of(0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 3, 0, 0, 0, 1, ...pixels),
      );
      const labels = Array.from({ length: count }, (_, i) => i % 2);
      writeFileSync(join(letters, `${half}-labels-idx1-ubyte`), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, count, ...labels));
    }
    const { code, stdout } = await onCpu("train", "--data", letters, "--model", "3-2", "--batch", "2", "--steps", "1");
    expect(stdout).toContain("1 steps, 2 of 6 examples each");
    expect(code).toBe(0);
  });

  const config = { model: { layers: [784, 10] }, optimizer: { rule: "sgd" }, batch: 4, steps: 2 };
  const shares = { type: "file", path: file("share.csv", "x,y\n1,1\n2,2\n3,0\n4,1\n5,0\n"), targets: "y" };
  it.each<[string, string[], string, number?]>([
    [
      "a model of other widths",
      ["--data", digits, "--model", "784-10"],
      "is 784; the rows of digits.json have 64 numbers",
    ],
    [
      "a config of other widths",
      [file("mnist.json", config), "--data", digits],
      "the rows of digits.json have 64 numbers",
    ],
    ["more test rows than there are", ["--data", csv, "--test-rows", "40"], "testRows is 40; toy.csv has 40 rows"],
    [
      "a batch larger than the rest",
      ["--data", csv, "--batch", "33"],
      "batch is 33; it must be at most 32, the rows of toy.csv to train on",
    ],
    [
      "amounts for classes",
      ["--data", file("price.csv", "rooms,price\n3,772000\n2,5\n")],
      'price.csv: column "price" would make 772001 classes of 2 rows; to predict numbers, give "targets" instead',
      1,
    ],
    [
      "targets that the loss does not take",
      [file("share.json", { ...config, model: { layers: [1, 1], loss: "sigmoidBinaryCrossEntropy" }, data: shares })],
      "share.csv: row 1 has target 2; sigmoidBinaryCrossEntropy takes targets in [0, 1]",
      1,
    ],
    ["a bad cell", ["--data", file("bad.csv", "a,b\n1,0\n?,1\n")], 'bad.csv line 3, column "a" is "?"', 1],
  ])("are refused with %s, in a sentence", async (_, args, message, status = 2) => {
    const { code, stderr } = await onCpu("train", ...args);
    expect(stderr).toContain(message);
    expect(stderr.trim()).not.toContain("\n");
    expect(code).toBe(status);
  });
});
