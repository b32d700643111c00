// What the page's view of training computes: runs from its fields, tables, rates once they are multiplied, curves that are thinned
// out, and drawings as a network reads them.
import { describe, expect, it } from "vitest";
import { imageKindOf, imageOf, inkOf } from "../../src/app/page/drawing.ts";
import {
  type RunWords,
  readTable,
  rowsOf,
  runConfigOf,
  Series,
  scaledRates,
} from "../../src/app/page/views/train_run.ts";
import { predictedTable } from "../../src/app/predicted_table.ts";
import { createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { muon } from "../../src/rules/muon.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { readRunConfig } from "../../src/train/run_config.ts";

const words: RunWords = {
  ...{ data: "digits", model: "64-32-10", rule: "adamw", lr: 0.01, batch: 8, steps: 20, seed: 1 },
  ...{ target: "", kind: "auto", schedule: "", every: 5, sharpness: 0, config: "" },
};
const noMnist = () => Promise.reject(new Error("not asked for"));

describe("the run that the fields say", () => {
  it("has the watch, the tests and the sharpness that are asked for, and the schedule in place of the rate", () => {
    const plain = readRunConfig(runConfigOf(words, null));
    expect(plain).toMatchObject({ watch: { every: 10 }, metric: { type: "testAccuracy", every: 5 }, curvature: null });
    const schedule = JSON.stringify({ type: "cosine", base: 0.5, steps: 20 });
    const other = readRunConfig(runConfigOf({ ...words, every: 0, sharpness: 7, schedule }, null));
    expect(other).toMatchObject({ metric: null, curvature: { every: 7 } });
    expect(JSON.parse(JSON.stringify(other.optimizer.lr))).toMatchObject({ type: "cosine", base: 0.5 });
  });

  it("is the run config where there is one, and says in a sentence what is none", () => {
    const whole = readRunConfig(runConfigOf(words, null));
    expect(readRunConfig(runConfigOf({ ...words, model: "1-1", config: JSON.stringify(whole) }, null))).toEqual(whole);
    const refused = (config: string) => () => runConfigOf({ ...words, config }, null);
    expect(refused("{")).toThrow('the run config is "{"; it must be JSON: ');
    expect(refused("[]")).toThrow(/^the run config is \[\]/);
    expect(refused('{"steps":3}')).toThrow("model is missing");
    expect(() => runConfigOf({ ...words, data: "table" }, null)).toThrow("there is no table yet; drop a .csv file");
  });

  it("takes the digits, split; and a file only once it is there", async () => {
    const config = readRunConfig(runConfigOf(words, null));
    const halves = await rowsOf(config, "digits", null, noMnist);
    expect([halves!.train.count, halves!.test.count]).toEqual([1437, 360]);
    const table = readTable({ name: "t.csv", text: "a,b\n1,x\n2,y\n3,x\n4,y\n5,x\n" }, "", "auto");
    const run = readRunConfig(runConfigOf({ ...words, data: "table", model: "1-4-2", batch: 2 }, table));
    await expect(rowsOf(run, "table", null, noMnist)).rejects.toThrow(
      'data.path is "t.csv"; drop that file on the page',
    );
    const rows = await rowsOf(run, "table", table.file, noMnist);
    expect(rows!.train.count + rows!.test.count).toBe(5);
    expect(rows!.train.columns!.inputs[0]!.deviation).toBeGreaterThan(0);
  });
});

describe("a table", () => {
  const text = "x;size;side\n1;1.5;up\n2;2.5;down\n3;3.5;up\n4;4.5;down\n";
  it.each([
    ["", "auto", "classes", "side", 2],
    ["size", "auto", "numbers", "size", 3],
    ["x", "auto", "numbers", "x", 3],
    ["side", "classes", "classes", "side", 2],
  ] as const)("with the column %j read as %s has %s in %s", (target, kind, found, column, features) => {
    const { data, target: predicted, columns } = readTable({ name: "t.csv", text }, target, kind);
    expect(data.labels ? "classes" : "numbers").toBe(found);
    expect([predicted, data.features]).toEqual([column, features]);
    expect([...columns].sort()).toEqual(["side", "size", "x"]);
  });

  it("takes names that are numbers for names, and a quoted name that holds the delimiter for one", () => {
    const numbered = { name: "t.csv", text: ",0,1\n0,5.5,1.5\n1,6.5,2.5\n" };
    expect(readTable(numbered, "0", "numbers")).toMatchObject({ target: "0", config: { targets: "0" } });
    const quoted = { name: "t.csv", text: '"a, b",label,c\n1,2.5,3\n4,5.5,6\n' };
    expect(readTable(quoted, "", "numbers").target).toBe("label");
  });

  it("without names is known by the numbers of its columns; rubbish is answered in a sentence", () => {
    const { target, data } = readTable({ name: "t.csv", text: "1,2,0.5\n3,4,0.7\n5,6,1.5\n" }, "", "auto");
    expect([target, data.targets?.length]).toEqual(["2", 3]);
    expect(() => readTable({ name: "t.csv", text: "\u0000\u0001PNG" }, "", "auto")).toThrow(/^t\.csv /);
    expect(() => readTable({ name: "t.csv", text }, "nosuch", "auto")).toThrow('t.csv has no column "nosuch"');
  });

  it("gets what a model says of its rows appended", () => {
    const dataset = { name: "t", features: 1, scale: 1, classes: 2, classNames: ["no", "yes,sir"] };
    const predictions = [{ class: "yes,sir", probabilities: [0.25, 0.75] }];
    const { head, text } = predictedTable({ names: ["x", "class"], rows: [["1", "a"]] }, predictions, dataset, ",");
    expect(head).toEqual(["predicted_class", "p_no", "p_yes,sir"]);
    const again = { names: ["x", "class", ...head], rows: [] };
    expect(predictedTable(again, [], dataset, ",").head[0]).toBe("predicted_predicted_class");
    expect(text).toBe('x,class,predicted_class,p_no,"p_yes,sir"\n1,a,"yes,sir",0.25,0.75\n');
  });
});

it("multiplies the rates of all groups, and that of a fallback, by a factor", () => {
  const tensors = [
    { name: "w", shape: [2, 2] },
    { name: "b", shape: [2] },
  ];
  const rates = (config: Parameters<typeof createCpuOptimizer>[1], groups: number) => {
    const optimizer = createCpuOptimizer(tensors, config);
    for (const { lr, where } of scaledRates(configOf(optimizer), 0.5)) optimizer.set({ lr }, where);
    return Array.from({ length: groups }, (_, group) => optimizer.hyper("lr", 0, { group }));
  };
  expect(rates(sgd({ lr: 0.1 }), 1)).toEqual([0.05]);
  expect(rates({ ...sgd({ lr: 0.1 }), groups: [{ params: ["b"], lr: 0.4 }] }, 2)).toEqual([0.2, 0.05]);
  expect(rates({ ...muon({ lr: 0.2 }), fallback: adamw(0.02) }, 2)).toEqual([0.1, 0.01]);
});

it("thins curves out, and leaves out what is not finite", () => {
  const series = new Series(10);
  for (let step = 1; step <= 1000; step++) series.add(step, [step, Number.NaN]);
  expect(series.steps.length).toBeGreaterThan(5);
  expect(series.steps.length).toBeLessThanOrEqual(10);
  const [steps, first, second] = series.data(2);
  expect(first).toEqual(steps);
  expect(new Set(second)).toEqual(new Set([null]));
});

describe("a drawing", () => {
  const [size, white] = [40, 255];
  /** A stroke, dark on light or light on dark, from one corner of a box to the other. */
  const drawn = (ink: number, paper: number) => {
    const rgba = new Uint8ClampedArray(4 * size * size);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const isInk = x >= 4 && x < 8 && y >= 2 && y < 22;
        rgba.set([...Array(3).fill(isInk ? ink : paper), white], 4 * (y * size + x));
      }
    }
    return inkOf(rgba, size);
  };

  it.each([
    [0, 255],
    [255, 0],
  ])("of %i on %i is cut out and centred, as tall as the digits of the data set", (ink, paper) => {
    const image = imageOf(drawn(ink, paper), size, imageKindOf(784)!)!;
    const rows = Array.from({ length: 28 }, (_, y) =>
      image.slice(28 * y, 28 * (y + 1)).reduce((sum, each) => sum + each, 0),
    );
    expect(rows.map((row) => row > 0.5)).toEqual(Array.from({ length: 28 }, (_, y) => y >= 4 && y < 24));
    const across = Array.from({ length: 28 }, (_, x) => image[28 * 14 + x]! > 0.5);
    expect(across.flatMap((isInk, x) => (isInk ? [x] : []))).toEqual([12, 13, 14, 15]);
    const small = imageOf(drawn(ink, paper), size, imageKindOf(64)!)!;
    expect(small[3]).toBeGreaterThan(0.5);
    expect(small[8 * 7 + 3]).toBeGreaterThan(0.5);
    expect(small[0]).toBe(0);
  });

  it("that is empty is none, and other rows are no digits", () => {
    expect(imageOf(drawn(255, 255), size, imageKindOf(784)!)).toBeNull();
    expect(imageKindOf(100)).toBeUndefined();
  });
});
