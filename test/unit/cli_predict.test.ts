// `fallline predict`: tables in, the same tables with what a run's model says of each row out; and how it refuses.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ownFolder } from "../folder.ts";
import { fallline } from "../run_cli.ts";

const folder = ownFolder("predict");
const path = (name: string) => join(folder, name);
const write = (name: string, text: string | Buffer) => {
  writeFileSync(path(name), text);
  return path(name);
};
const cpu = ["--backend", "cpu"];
const train = async (out: string, ...args: string[]) => {
  const { code, stdout, stderr } = await fallline(["train", ...args, ...cpu, "--out", path(out)]);
  expect(`${code} ${stderr}`).toMatch(/^0 /);
  return stdout;
};
const runFile = (name: string, config: object) =>
  write(name, JSON.stringify({ optimizer: { rule: "adamw", lr: 0.05 }, batch: 8, steps: 40, ...config }));
const predictions = async (out: string, file: string) => {
  const { stdout, stderr } = await fallline(["predict", path(out), file, "--json", ...cpu]);
  expect(stderr).toBe("");
  return JSON.parse(stdout) as {
    classes?: string[];
    score?: { rows: number; accuracy?: number; rmse?: Record<string, number> };
    predictions: { class?: string | number; probabilities?: number[]; values?: number[] }[];
  };
};

const points = Array.from({ length: 60 }, (_, i) => [Math.sin(i), Math.cos(3 * i)] as const);
const kind = ([x, y]: readonly [number, number]) => (x + y > 0 ? "high, up" : "low");

beforeAll(async () => {
  const rows = points.map(([x, y], i) => `${i},${x},"${kind([x, y])}",${y}`);
  write("kinds.csv", `id,x,kind,y\n${rows.join("\n")}\n`);
  const data = { type: "file", path: path("kinds.csv"), label: "kind", inputs: ["x", "y"] };
  await train("kinds", runFile("kinds.json", { model: { layers: [2, 8, 2] }, data }));
  write("sums.csv", `x,sum,y\n${points.map(([x, y]) => `${x},${x + y},${y}`).join("\n")}\n`);
  const sums = { type: "file", path: path("sums.csv"), targets: "sum" };
  await train(
    "sums",
    runFile("sums.json", { model: { layers: [2, 1], loss: "meanSquaredError" }, data: sums, steps: 150 }),
  );
});

describe("fallline predict", () => {
  it("appends class and probabilities to a table that may lack the label and have its columns elsewhere", async () => {
    const table = write("new.csv", 'y,class,x\n0.9,"a ""b""",0.8\n-0.7,c,-0.9\n');
    const { code, stdout, stderr } = await fallline(["predict", path("kinds"), table, ...cpu]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const [head, first, second, ...rest] = stdout.split("\n");
    expect(head).toMatch(/^y,class,x,predicted_class,("p_high, up",p_low|p_low,"p_high, up")$/);
    expect(first).toMatch(/^0\.9,"a ""b""",0\.8,"high, up",[\d.e-]+,[\d.e-]+$/);
    expect(second).toMatch(/^-0\.7,c,-0\.9,low,/);
    expect(rest).toEqual([""]);
  });

  it("prints JSON with a prediction for each row, in order, right as often as the run's test says", async () => {
    const { classes, score, predictions: found } = await predictions("kinds", path("kinds.csv"));
    expect([...classes!].sort()).toEqual(["high, up", "low"]);
    expect(found).toHaveLength(60);
    const right = found.filter(({ class: name }, row) => name === kind(points[row]!));
    expect(right.length).toBeGreaterThan(50);
    expect(score).toEqual({ rows: 60, accuracy: right.length / 60 });
    for (const { class: name, probabilities } of found) {
      expect(probabilities!.reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 6);
      expect(classes![probabilities!.indexOf(Math.max(...probabilities!))]).toBe(name);
    }
  });

  it("predicts numbers under the targets' names, and writes a file where it is told to", async () => {
    const table = write("sums_new.tsv", "x\ty\n0.25\t0.5\n-1\t0\n");
    const out = path("predicted.tsv");
    const { code, stdout } = await fallline(["predict", path("sums"), table, "--out", out, ...cpu]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    const [head, ...rows] = readFileSync(out, "utf8").trimEnd().split("\n");
    expect(head).toBe("x\ty\tsum");
    const sums = rows.map((row) => Number(row.split("\t")[2]));
    expect(sums).toEqual([expect.closeTo(0.75, 1), expect.closeTo(-1, 1)]);
    const { predictions: found } = await predictions("sums", table);
    expect(found.map(({ values }) => values)).toEqual(sums.map((sum) => [sum]));
    const truth = await fallline(["predict", path("sums"), path("sums.csv"), ...cpu]);
    expect(truth.stdout.split("\n")[0]).toBe("x,sum,y,predicted_sum");
    expect(truth.stderr).toMatch(/^RMSE [\d.e-]+ in sum, on 60 rows\n$/);
    expect((await predictions("sums", write("none.csv", "x,y\n"))).predictions).toEqual([]);
    const none = await fallline(["predict", path("sums"), path("none.csv"), ...cpu]);
    expect(none.stdout).toBe("x,y,sum\n");
  });

  it("reads a table with categories, standardises it, and predicts in its own units", async () => {
    const towns = ["Bonn", "Ulm, old", "Kiel"];
    const price = (area: number, town: number) => 1e5 + 3e3 * area + 5e4 * town;
    const rows = Array.from({ length: 90 }, (_, i) => [60 + ((7 * i) % 50), i % 3] as const);
    const lines = rows.map(([area, town], i) => `${i},${area},"${towns[town]}",${price(area, town)},1`);
    write("houses.csv", `id,area,town,price,w\n${lines.join("\n")}\n`);
    const columns = ["--targets", "price", "--inputs", "area,town", "--weight", "w"];
    const job = ["--model", "4-1", "--steps", "300", "--batch", "24", "--lr", "0.1"];
    const report = await train("houses", "--data", path("houses.csv"), ...columns, ...job);
    const { config, dataset, testLoss, testRmse } = JSON.parse(readFileSync(join(path("houses"), "run.json"), "utf8"));
    expect(config.data).toMatchObject({ standardize: true, targets: "price", inputs: ["area", "town"] });
    expect(config.model.loss).toEqual({ type: "meanSquaredError" });
    expect(dataset).toMatchObject({ features: 4, scale: 1 });
    // Over the rows to train on alone.
    const [area, town] = dataset.columns.inputs;
    expect([...town.categories].sort()).toEqual([...towns].sort());
    expect(area.mean).toBeGreaterThan(70);
    expect(area.mean).not.toBe(rows.reduce((sum, [each]) => sum + each, 0) / 90);
    const { predictions: found } = await predictions(
      "houses",
      write("new_houses.csv", 'town,area\n"Ulm, old",80\nKiel,65\n'),
    );
    expect(Math.abs(found[0]!.values![0]! - price(80, 1))).toBeLessThan(2e3);
    expect(Math.abs(found[1]!.values![0]! - price(65, 2))).toBeLessThan(2e3);
    // The loss is in deviations of the target.
    expect(testRmse.price).toBeCloseTo(Math.sqrt(testLoss) * dataset.columns.targets[0].deviation, 0);
    expect(report).toMatch(/test loss [\d.e-]+, RMSE [\d.e+]+ in price, on 18 examples/);
    const known = "town,area,price\nKiel,65,?\nBonn,70,310000\nKiel,66,\n";
    const { score, predictions: three } = await predictions("houses", write("known.csv", known));
    expect(score).toEqual({ rows: 1, rmse: { price: expect.closeTo(Math.abs(three[1]!.values![0]! - 310000), 0) } });
    const { stderr } = await fallline(["predict", path("houses"), write("far.csv", "town,area\nParis,80\n"), ...cpu]);
    expect(stderr).toContain('far.csv line 2, column "town" is "Paris"; it must be one of Bonn, Ulm, old, Kiel');
  });

  it("scores a class called none like any other, and each row by its weight, as the run's test does", async () => {
    const rows = points.map(([x, y], i) => `${x},${y},${i % 3},${kind([x, y]) === "low" ? "none" : "some"}`);
    const table = write("none.csv", `x,y,w,label\n${rows.join("\n")}\n`);
    const said = await train("none", "--data", table, "--weight", "w", "--steps", "2", "--model", "2-3-2");
    expect(said).toContain('note: "none" is learned as a class of its own');
    expect(said).toContain("48 of 48 examples each");
    const { score, predictions: found } = await predictions("none", table);
    const hits = found.map(({ class: name }, i) => Number(name === rows[i]!.split(",").at(-1)) * (i % 3));
    expect(score).toEqual({ rows: 40, accuracy: expect.closeTo(hits.reduce((sum, hit) => sum + hit) / 60, 12) });
    const { stderr } = await fallline(["predict", path("none"), table, ...cpu]);
    expect(stderr).toMatch(/^accuracy [\d.]+ % on 40 rows, weighted by w\n$/);
    const other = await fallline([
      "predict",
      path("none"),
      write("None.csv", "x,y,label\n1,1,Some\n0,0,some\n"),
      ...cpu,
    ]);
    expect(other.stderr).toMatch(
      /^note: "Some" is no class of the run; rows with such an answer count as wrong\naccuracy/,
    );
  });

  it("takes columns by number where the table had no names, with and without the label", async () => {
    write("bare.csv", `${points.map(([x, y]) => `${kind([x, y]) === "low" ? 1 : 0},${x},${y}`).join("\n")}\n`);
    const data = { type: "file", path: path("bare.csv"), label: 0, header: false };
    await train("bare", runFile("bare.json", { model: { layers: [2, 8, 2] }, data }));
    const { predictions: with0 } = await predictions("bare", write("b3.csv", "0,0.8,0.9\n1,-0.9,-0.7\n"));
    const { predictions: without } = await predictions("bare", write("b2.csv", "0.8,0.9\n-0.9,-0.7\n"));
    expect(without).toEqual(with0);
    const scored = await fallline(["predict", path("bare"), path("b3.csv"), ...cpu]);
    expect(scored.stderr).toBe("accuracy 100.00 % on 2 rows\n");
    expect(without.map((each) => each.class)).toEqual([0, 1]);
    const table = await fallline(["predict", path("bare"), path("b2.csv"), ...cpu]);
    expect(table.stdout).toMatch(/^0\.8,0\.9,0,.*\n-0\.9,-0\.7,1,.*\n$/);
  });

  it("takes the columns in order where the model learned from no table", async () => {
    const model = { type: "pinn", layers: [1, 8, 1], problem: { type: "poisson", k: 1 } };
    await train("pinn", runFile("pinn.json", { model, data: { type: "points", grid: 20 }, batch: 20 }));
    const { predictions: found } = await predictions("pinn", write("at.csv", "x\n0\n0.5\n1\n"));
    expect(found.map(({ values }) => values!.length)).toEqual([1, 1, 1]);
    const { stderr } = await fallline(["predict", path("pinn"), path("b2.csv"), ...cpu]);
    expect(stderr).toBe("fallline: b2.csv has 2 columns of inputs; the model takes 1\n");
  });

  it("takes a data set of JSON, and an IDX file of images, as the model learned from", async () => {
    const json = path("four.json");
    const rows = [
      [0, 16, 0, 16],
      [16, 0, 16, 0],
    ];
    const x = [...rows, ...rows, ...rows].flat();
    const file = { format: "fallline-dataset/1", shape: [2, 2], classes: 2, scale: 16, x, y: [0, 1, 0, 1, 0, 1] };
    writeFileSync(json, JSON.stringify(file));
    const data = { type: "file", path: json, testRows: 2 };
    await train("four", runFile("four_run.json", { model: { layers: [4, 2] }, data, batch: 4, steps: 60 }));
    const { predictions: found } = await predictions("four", json);
    expect(found.map((each) => each.class)).toEqual([0, 1, 0, 1, 0, 1]);
    const images = path("four-images-idx3-ubyte");
    writeFileSync(images, Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, ...rows.flat()));
    const table = await fallline(["predict", path("four"), images, ...cpu]);
    expect(table.stdout).toMatch(/^class,p_0,p_1\n0,.*\n1,.*\n$/);
  });

  it.each<[string, () => string, () => string, number, string]>([
    [
      "a folder without a run",
      () => folder,
      () => path("kinds.csv"),
      2,
      "has no run.json; it must be the folder of a run",
    ],
    [
      "a column that is missing",
      () => path("kinds"),
      () => write("other.csv", "x,z\n1,2\n"),
      1,
      'has no column "y"; its columns are x, z',
    ],
    [
      "a cell that is not a number",
      () => path("kinds"),
      () => write("bad.csv", "x,y\n1,2\n1,?\n"),
      1,
      'bad.csv line 3, column "y" is "?"; it must be a number',
    ],
    [
      "words that are not UTF-8",
      () => path("kinds"),
      () => write("latin1.csv", Buffer.from("x,y,kind\n1,2,j\xe4\n1,3,j\xf6\n", "latin1")),
      1,
      "latin1.csv is not text in UTF-8; it must be saved as UTF-8",
    ],
    ["a file as a folder", () => path("pinn"), () => `${path("kinds.csv")}/`, 2, "kinds.csv/ is not readable: ENOTDIR"],
    [
      "a file that is not a table",
      () => path("kinds"),
      () => "LICENSE",
      2,
      "it must be a .csv or .tsv file, since the",
    ],
    ["a file of another kind", () => path("pinn"), () => "LICENSE", 2, "it must be a .csv, .tsv or .json file"],
    [
      "a data set without columns",
      () => path("kinds"),
      () => write("rows.json", '{"format":"fallline-dataset/1","shape":[2],"classes":2,"x":[1,2],"y":[0]}'),
      2,
      'rows.json"; it must be a .csv or .tsv file, since the run learned from a table',
    ],
    ["a file that is not there", () => path("kinds"), () => path("nowhere.csv"), 2, "nowhere.csv is not readable"],
  ])("refuses %s", async (_, run, file, status, message) => {
    const { code, stdout, stderr } = await fallline(["predict", run(), file(), ...cpu]);
    expect(code).toBe(status);
    expect(stderr).toContain(message);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("refuses points on a landscape, another run's model, and an older run, each in a sentence", async () => {
    await train(
      "bowl",
      write(
        "bowl.json",
        JSON.stringify({ landscape: { type: "rosenbrock" }, optimizer: { rule: "adam", lr: 0.01 }, steps: 2 }),
      ),
    );
    const refusal = async (out: string) => (await fallline(["predict", path(out), path("kinds.csv"), ...cpu])).stderr;
    expect(await refusal("bowl")).toContain("is a run of points on a landscape; predictions need a model");
    mkdirSync(path("mixed"));
    copyFileSync(join(path("kinds"), "run.json"), join(path("mixed"), "run.json"));
    copyFileSync(join(path("sums"), "model.safetensors"), join(path("mixed"), "model.safetensors"));
    expect(await refusal("mixed")).toContain("does not belong to the run in");
    const { dataset: _, ...older } = JSON.parse(readFileSync(join(path("kinds"), "run.json"), "utf8"));
    writeFileSync(join(path("mixed"), "run.json"), JSON.stringify(older));
    expect(await refusal("mixed")).toContain("does not say how its data were read");
  });

  it("ends with status 2 where the command is not understood", async () => {
    expect((await fallline(["predict", path("kinds")])).code).toBe(2);
    expect((await fallline(["predict", path("kinds"), path("kinds.csv"), "--jsn"])).code).toBe(2);
    expect((await fallline(["predict", "--help"])).code).toBe(0);
  });
});
