// IDX, MNIST, the digits, arrays, data sets and batches: what is read, and how corrupt files are refused.
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { type ArrayDatasetOptions, arrayDataset } from "../../src/objectives/data/arrays.ts";
import { parseCsv } from "../../src/objectives/data/csv.ts";
import {
  batches,
  checkDataset,
  classNotes,
  type Dataset,
  firstRows,
  sliceRows,
  splitRows,
} from "../../src/objectives/data/dataset.ts";
import { digitsDataset } from "../../src/objectives/data/digits.ts";
import { idxDataset, parseIdx } from "../../src/objectives/data/idx.ts";
import { mnistDataset } from "../../src/objectives/data/mnist.ts";
import { standardizeRows } from "../../src/objectives/data/standardize.ts";
import { uciDigits } from "../../src/objectives/data/uci_digits.ts";
import { targetsOf } from "../../src/objectives/loss.ts";
import { readData, takeRows } from "../../src/train/data.ts";
import { golden, goldenText } from "../golden.ts";

function idx(magic: number, shape: number[], values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + values.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic);
  for (const [i, size] of shape.entries()) view.setUint32(4 + 4 * i, size);
  bytes.set(values, 4 + 4 * shape.length);
  return bytes;
}

describe("parseIdx", () => {
  it("reads shape and values, also from a view into a larger buffer", () => {
    const file = idx(0x802, [2, 3], [1, 2, 3, 4, 5, 6]);
    const shifted = new Uint8Array(file.length + 5);
    shifted.set(file, 5);
    const { shape, values } = parseIdx("f", shifted.subarray(5), 2);
    expect(shape).toEqual([2, 3]);
    expect([...values]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", new Uint8Array(0), /^f is truncated: 0 bytes, its header needs 8$/],
    ["another magic number", idx(0x803, [1], [1]), /its magic number is 0x00000803, not 0x00000801/],
    ["a gzip file", Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0), /its magic number is 0x1f8b0800/],
    ["too few values", idx(0x801, [4], [1, 2, 3]), /^f is truncated: its shape \[4\] needs 4 bytes of data, it has 3$/],
    ["too many values", idx(0x801, [2], [1, 2, 3]), /^f is too long/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => parseIdx("f", bytes, 1)).toThrow(message);
  });
});

describe("idxDataset", () => {
  const labels = idx(0x801, [2], [0, 4]);
  it("takes examples of any shape, with as many classes as there are", () => {
    const data = idxDataset("letters", idx(0x804, [2, 1, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]), labels);
    expect(data).toEqual({
      name: "letters",
      count: 2,
      features: 4,
      inputs: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      scale: 1 / 255,
      classes: 5,
      labels: Uint8Array.of(0, 4),
    });
    expect(idxDataset("rows", idx(0x802, [2, 1], [1, 2]), labels, { classes: 9, scale: 1 })).toMatchObject({
      features: 1,
      classes: 9,
      scale: 1,
    });
  });

  it("refuses files that do not fit each other, naming them", () => {
    const images = idx(0x802, [2, 1], [1, 2]);
    expect(() => idxDataset("a", images, idx(0x801, [1], [1]))).toThrow("a (labels) has 1 labels for 2 images");
    expect(() => idxDataset("a", images, labels, { classes: 4 })).toThrow(
      "a (labels): row 1 has label 4; labels are 0 to 3",
    );
    expect(() => idxDataset("a", images, labels, { classes: 257 })).toThrow("classes is 257");
    expect(() => idxDataset("a", images, labels, { scale: 0 })).toThrow("scale is 0; it must be a finite number > 0");
    expect(() => idxDataset("a", idx(0x802, [0, 1], []), idx(0x801, [0], []))).toThrow("a (labels) is empty");
    expect(() => idxDataset("a", Uint8Array.of(1, 2, 3), labels)).toThrow("a (images) is truncated");
    const files = { images: "i.idx", labels: "l.idx" };
    expect(() => idxDataset("a", images, Uint8Array.of(0, 0), { files })).toThrow("l.idx is truncated");
  });
});

describe("uciDigits", () => {
  it("has the images of the recorded data set", async () => {
    const { name: _, ...recorded } = digitsDataset(goldenText("digits.json"));
    expect(await uciDigits()).toEqual({ name: "digits", ...recorded });
  });
});

describe("digitsDataset", () => {
  const good = {
    format: "fallline-dataset/1",
    name: "d",
    shape: [2],
    classes: 2,
    scale: 16,
    x: [0, 16, 8, 4],
    y: [1, 0],
  };
  it("reads the digits as bytes", () => {
    const digits = digitsDataset(goldenText("digits.json"));
    const { name, x, y } = golden<{ name: string; x: number[]; y: number[] }>("digits.json");
    expect(digits).toMatchObject({ name, count: 1797, features: 64, classes: 10, scale: 1 / 16 });
    expect(digits.inputs).toEqual(Uint8Array.from(x));
    expect(digits.labels).toEqual(Uint8Array.from(y));
  });

  it("reads other numbers in float32", () => {
    const text = JSON.stringify({ ...good, scale: undefined, x: [0.5, -1, 300, 2] });
    expect(digitsDataset(text, "f")).toMatchObject({ name: "f", scale: 1, inputs: Float32Array.of(0.5, -1, 300, 2) });
  });

  it.each<[string, unknown, string]>([
    ["another format", { ...good, format: "x" }, 'f.json: format is "x"; it must be "fallline-dataset/1"'],
    ["no object", null, "f.json: format is missing"],
    ["no shape", { ...good, shape: [] }, "f.json: shape is []; it must hold whole numbers >= 1"],
    ["no classes", { ...good, classes: 0 }, "f.json: classes is 0; it must be a whole number >= 1"],
    ["no scale", { ...good, scale: 0 }, "f.json: scale is 0; it must be a finite number > 0"],
    ["no rows", { ...good, x: [], y: [] }, "f.json: y is []; there must be a label for each example"],
    ["a word", { ...good, x: [0, "1", 8, 4] }, 'f.json: x[1] is "1"; it must be a number'],
    ["an input too large", { ...good, x: [0, 1, 2, 1e39] }, "f.json: row 1 has 1e+39 as input 1"],
    ["inputs too few", { ...good, x: [0, 1, 2] }, "f.json: x has 3 numbers; 2 rows of shape [2] need 4"],
    ["a label out of range", { ...good, y: [1, 2] }, "f.json: the label of row 1 is 2; labels are 0 to 1"],
    [
      "half a label",
      { ...good, y: [0.5, 1] },
      "f.json: the label of row 0 is 0.5; a label must be a whole number >= 0",
    ],
  ])("refuses %s", (_, file, message) => {
    expect(() => digitsDataset(JSON.stringify(file), "f.json")).toThrow(message);
  });

  it("refuses what is not JSON", () => {
    expect(() => digitsDataset("{", "f.json")).toThrow(/^f\.json: not JSON: /);
  });
});

describe("arrayDataset", () => {
  it("takes nested and flat arrays, plain and typed", () => {
    const nested = arrayDataset({ inputs: [[1, 2], Float64Array.of(3, 4.5)], labels: ["no", "yes"], name: "toy" });
    expect(nested).toEqual({
      name: "toy",
      count: 2,
      features: 2,
      inputs: Float32Array.of(1, 2, 3, 4.5),
      scale: 1,
      classes: 2,
      classNames: ["no", "yes"],
      labels: Uint8Array.of(0, 1),
    });
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const flat = arrayDataset({ inputs: bytes, labels: [3, 0], classes: 5, scale: 0.5 });
    expect(flat).toMatchObject({ name: "data", features: 2, scale: 0.5, classes: 5, labels: Uint8Array.of(3, 0) });
    expect(flat.inputs).toBe(bytes);
    const targets = { outputs: 1, targets: Float32Array.of(5, 6) };
    expect(arrayDataset({ inputs: [1, 2, 3, 4], targets: [[5], [6]] })).toMatchObject({ features: 2, ...targets });
    expect(arrayDataset({ inputs: [1, 2, 3, 4], targets: [5, 6], count: 2 })).toMatchObject(targets);
    expect(arrayDataset({ inputs: [1, 2, 3, 4], targets: [5, 6], weights: [1, 0] })).toMatchObject({
      ...targets,
      weights: Float32Array.of(1, 0),
    });
  });

  it.each<[string, object, string]>([
    ["an unknown option", { input: [] }, 'the data set has an unknown option "input"'],
    ["no answers", { inputs: [[1]] }, "data has no labels and no targets; give one or the other"],
    [
      "two answers",
      { inputs: [[1]], labels: [0], targets: [1] },
      "data has both labels and targets; give one or the other",
    ],
    ["inputs that are none", { inputs: 3, labels: [0] }, "inputs is 3; it must be an array of numbers"],
    ["flat arrays of unknown length", { inputs: [1], targets: [1] }, "count is missing; with flat inputs and targets"],
    ["nothing", { inputs: [], labels: [] }, "data is empty"],
    ["ragged rows", { inputs: [[1, 2], [3]], labels: [0, 0] }, "data: row 1 has 1 inputs; row 0 has 2"],
    [
      "records",
      { inputs: [{ x: 1 }, { x: 2 }], labels: [0, 0] },
      'data: row 0 is {"x":1}; it must be an array of inputs',
    ],
    [
      "bigints as weights",
      { inputs: [[1]], labels: [0], weights: BigInt64Array.of(1n) },
      "weights is BigInt64Array(1); it must be an array of numbers, not of bigints",
    ],
    ["rows of nothing", { inputs: [[], []], labels: [0, 0] }, "data: row 0 has no inputs"],
    [
      "inputs that make no rows",
      { inputs: [1, 2, 3], labels: [0, 0] },
      "data has 3 inputs, which do not divide into 2 rows",
    ],
    [
      "NaN",
      {
        inputs: [
          [1, 2],
          [3, Number.NaN],
        ],
        labels: [0, 0],
      },
      "data: row 1 has NaN as input 1",
    ],
    [
      "NaN in an array that is not copied",
      { inputs: Float32Array.of(1, Number.NaN), labels: [0] },
      "row 0 has NaN as input 1",
    ],
    ["infinity", { inputs: [[1], [3]], targets: [[1], [1e39]] }, "data: row 1 has 1e+39 as target 0"],
    ["words", { inputs: [["1"]], labels: [0] }, 'data: row 0 has "1" as input 0'],
    ["labels too few", { inputs: [[1], [2]], labels: [0] }, "data has 1 labels for 2 rows"],
    ["targets too few", { inputs: [[1], [2]], targets: [[0]] }, "data has 1 rows of targets; there must be 2"],
    [
      "a label out of range",
      { inputs: [[1], [2]], labels: [0, 2], classes: 2 },
      "data: the label of row 1 is 2; labels are 0 to 1",
    ],
    [
      "amounts as labels",
      { inputs: [[1], [2]], labels: [0, 2] },
      'data: labels would make 3 classes of 2 rows; to predict numbers, give "targets" instead of "labels"',
    ],
    ["a scale of nothing", { inputs: [[1]], labels: [0], scale: 0 }, "scale is 0; it must be a finite number > 0"],
    [
      "a label below 0",
      { inputs: [[1]], labels: [-1] },
      "data: the label of row 0 is -1; a label must be a whole number",
    ],
    [
      "a weight below 0",
      { inputs: [[1]], labels: [0], weights: [-1] },
      "data: row 0 has weight -1; weights are finite and >= 0",
    ],
    ["weights too few", { inputs: [[1], [2]], labels: [0, 0], weights: [1] }, "data has 1 weights for 2 rows"],
    ["an infinite weight", { inputs: [[1]], labels: [0], weights: [1e39] }, "row 0 has weight Infinity"],
  ])("refuses %s", (_, options, message) => {
    expect(() => arrayDataset(options as ArrayDatasetOptions)).toThrow(message);
  });
});

describe("mnistDataset", () => {
  it("refuses files of another size or with labels beyond 9", () => {
    const images = idx(0x803, [2, 28, 28], Array(2 * 784).fill(0));
    expect(() => mnistDataset("valid" as "test", images, images)).toThrow(
      'half is "valid"; it must be one of train, test',
    );
    expect(() => mnistDataset("test", images, idx(0x801, [2], [1, 2]))).toThrow(
      "t10k-images-idx3-ubyte has shape [2, 28, 28]; MNIST's is [10000, 28, 28]",
    );
    const all = idx(0x803, [10_000, 28, 28], []);
    const full = new Uint8Array(16 + 10_000 * 784);
    full.set(all);
    const labels = Array(10_000).fill(3);
    expect(mnistDataset("test", full, idx(0x801, [10_000], labels)).count).toBe(10_000);
    labels[77] = 10;
    expect(() => mnistDataset("test", full, idx(0x801, [10_000], labels))).toThrow(
      "t10k-labels-idx1-ubyte: row 77 has label 10; labels are 0 to 9",
    );
    expect(() => mnistDataset("test", full, idx(0x801, [9], Array(9).fill(0)))).toThrow(
      "has 9 labels for 10000 images",
    );
  });
});

describe("data sets", () => {
  const data: Dataset = {
    name: "toy",
    count: 2,
    features: 2,
    classes: 3,
    inputs: Float32Array.of(1, 2, 3, 4),
    scale: 1,
    labels: Uint8Array.of(0, 2),
  };
  it("are checked", () => {
    expect(() => checkDataset(data)).not.toThrow();
    expect(() => checkDataset({ ...data, count: 0 })).toThrow("toy is empty");
    expect(() => checkDataset({ ...data, features: 3 })).toThrow("toy has 4 inputs; 2 rows of 3 need 6");
    expect(() => checkDataset({ ...data, labels: Uint8Array.of(0) })).toThrow("toy has 1 labels for 2 rows");
    expect(() => checkDataset({ ...data, labels: Uint8Array.of(0, 3) })).toThrow(
      "row 1 has label 3; labels are 0 to 2",
    );
  });

  it("are divided into rows to train on and, where nothing is shuffled, the last, to test with", () => {
    const { train, test, notes } = splitRows({ ...data, weights: Float32Array.of(1, 2) }, 1, { shuffle: false });
    expect(train).toMatchObject({ count: 1, inputs: Float32Array.of(1, 2), labels: Uint8Array.of(0) });
    expect(test).toMatchObject({ count: 1, inputs: Float32Array.of(3, 4), weights: Float32Array.of(2) });
    expect(train.inputs.buffer).toBe(data.inputs.buffer);
    expect(notes).toEqual([
      "the test set has no row of class 0, so its results do not cover all classes",
      "the test set has class 2, which no training row has",
    ]);
    expect(() => splitRows(data, 2)).toThrow("testRows is 2; toy has 2 rows, and at least one must train");
    expect(() => splitRows(data, 0)).toThrow("testRows is 0; it must be a whole number >= 1");
  });

  /** Rows sorted by class, as many as `sizes` says; each has its number in everything that goes with it. */
  const sorted = (sizes: readonly number[], named = false) => {
    const labels = sizes.flatMap((size, label) => Array<number>(size).fill(label));
    return arrayDataset({
      name: "sorted",
      inputs: labels.map((label, row) => [row, label, -1]),
      labels: named ? labels.map((label) => `c${label}`) : labels,
      weights: labels.map((_, row) => row / 2),
      classes: named ? sizes.map((_, label) => `c${label}`) : sizes.length,
    });
  };
  const countsOf = ({ labels }: Dataset, classes: number) =>
    Array.from({ length: classes }, (_, label) => labels!.filter((each) => each === label).length);

  it.each<[string, number[], number, number[]]>([
    ["equal classes", [50, 50, 50], 30, [10, 10, 10]],
    ["classes of different sizes", [60, 30, 10], 20, [12, 6, 2]],
    ["a share that is not a whole number", [5, 5, 5], 4, [2, 1, 1]],
    ["a rare class, which has a row on each side", [97, 2, 1], 20, [19, 1, 0]],
    ["a rare class that most rows test of", [97, 3], 95, [93, 2]],
    ["fewer rows than classes", [4, 4, 4, 4], 2, [1, 1, 0, 0]],
    ["classes of one row, which train", [1, 1, 1, 3], 2, [0, 0, 0, 2]],
    ["more test rows than that leaves", [1, 1, 2], 2, [1, 0, 1]],
    ["a class without rows", [4, 0, 4], 2, [1, 0, 1]],
  ])("give the test set its share of %s", (_, sizes, testRows, tested) => {
    const data = sorted(sizes);
    const { train, test } = splitRows(data, testRows);
    expect(countsOf(test, sizes.length)).toEqual(tested);
    expect(countsOf(train, sizes.length)).toEqual(sizes.map((size, label) => size - tested[label]!));
  });

  it("are shuffled and dealt by class, everything with its row, by the seed alone", () => {
    for (const named of [false, true]) {
      const data = sorted([300, 120, 30], named);
      const { train, test, notes } = splitRows(data, 90);
      expect(notes).toEqual([]);
      expect([train.count, test.count, countsOf(test, 3)]).toEqual([360, 90, [60, 24, 6]]);
      const rows = [train, test].flatMap((half) =>
        Array.from({ length: half.count }, (_, i) => {
          const [row, label, last] = half.inputs.subarray(3 * i, 3 * i + 3);
          expect([label, last, half.weights![i]]).toEqual([half.labels![i], -1, row! / 2]);
          expect(half.rowNumbers![i]).toBe(row);
          return row;
        }),
      );
      expect([...rows].sort((a, b) => a! - b!)).toEqual(Array.from({ length: 450 }, (_, row) => row));
      expect(train).toMatchObject({ classes: 3, scale: 1, ...(named ? { classNames: ["c0", "c1", "c2"] } : {}) });
      // The first rows are of all classes too.
      expect(countsOf(firstRows(train, 40), 3).every((count) => count > 0)).toBe(true);
      expect(splitRows(data, 90, { seed: 0, shuffle: true, stratify: true })).toEqual({ train, test, notes });
      expect(splitRows(data, 90, { seed: 1 }).test.inputs).not.toEqual(test.inputs);
    }
    // Known, so that a run stays the same from version to version.
    expect([...splitRows(sorted([6, 4]), 3).test.rowNumbers!]).toEqual([9, 2, 0]);
  });

  it("are dealt by class without a shuffle, shuffled without classes, and bytes stay bytes", () => {
    const data = sorted([4, 2]);
    expect(splitRows(data, 3, { shuffle: false, stratify: true })).toMatchObject({
      train: { labels: Uint8Array.of(0, 0, 1) },
      test: { labels: Uint8Array.of(0, 0, 1), rowNumbers: Uint32Array.of(2, 3, 5) },
    });
    const inputs = Uint8Array.from({ length: 40 }, (_, i) => i);
    const amounts = arrayDataset({ inputs, targets: Array.from({ length: 20 }, (_, i) => [i, 2 * i]) });
    const { train, test, notes } = splitRows(amounts, 5);
    expect(notes).toEqual([]);
    for (const half of [train, test]) {
      expect(half.inputs).toBeInstanceOf(Uint8Array);
      half.rowNumbers!.forEach((row, i) => {
        expect([...half.inputs.subarray(2 * i, 2 * i + 2)]).toEqual([2 * row, 2 * row + 1]);
        expect([...half.targets!.subarray(2 * i, 2 * i + 2)]).toEqual([row, 2 * row]);
      });
    }
    expect([...test.rowNumbers!]).not.toEqual([15, 16, 17, 18, 19]);
    // Divided once more, rows keep their numbers.
    const again = splitRows(train, 3);
    again.test.rowNumbers!.forEach((row, i) => {
      expect(again.test.targets![2 * i]).toBe(row);
    });
    expect(sliceRows(amounts, 7, 9).rowNumbers).toEqual(Uint32Array.of(7, 8));
    const weights = Float32Array.from(train.rowNumbers!, (row) => (row === 8 ? -1 : 1));
    expect(() => checkDataset({ ...train, weights })).toThrow("data: row 8 has weight -1");
    const loss = { type: "sigmoidBinaryCrossEntropy", labelSmoothing: 0 } as const;
    const bad = { ...train, targets: Float32Array.from(train.targets!, (target) => (target === 15 ? 2 : 1)) };
    expect(train.rowNumbers).toContain(15);
    expect(() => targetsOf(loss, 2, bad as Dataset)).toThrow("data: row 15 has target 2");
  });

  it.each<[string, unknown, string]>([
    ["null", null, "options is null; it must be an object with seed, shuffle, stratify"],
    ["a number", 3, "options is 3; it must be an object"],
    ["an unknown option", { random: 1 }, 'options has an unknown option "random"'],
    ["half a seed", { seed: 0.5 }, "seed is 0.5; it must be a whole number in [0, 9007199254740991]"],
    ["a seed without a shuffle that is none", { seed: -1, shuffle: false }, "seed is -1"],
    ["a word", { shuffle: "yes" }, 'shuffle is "yes"; it must be true or false'],
    ["a number for true", { stratify: 1 }, "stratify is 1; it must be true or false"],
  ])("are not divided with %s for options", (_, options, message) => {
    expect(() => splitRows(data, 1, options as object)).toThrow(OptionError);
    expect(() => splitRows(data, 1, options as object)).toThrow(message);
    const amounts = arrayDataset({ inputs: [[1], [2]], targets: [[1], [2]] });
    expect(() => splitRows(amounts, 1, { stratify: true })).toThrow("stratify is true; data has targets, not classes");
  });

  it("of a table's column with one value become 0, however its mean is rounded, and other values stay near it", () => {
    const rows = Array.from({ length: 24 }, (_, i) => `${i},0.1,${i % 2}\n`);
    const { train, test } = standardizeRows(parseCsv(`a,k,label\n${rows.join("")}`), parseCsv("a,k,label\n1,0.2,0\n"));
    expect(train.inputs.filter((_, i) => i % 2 === 1)).toEqual(new Float32Array(24));
    expect(test.inputs[1]).toBeCloseTo(0.1, 6);
  });

  it("name classes that are on one side alone", () => {
    const [all, some] = [sorted([3, 3, 3], true), sorted([2, 0, 0], true)];
    expect(classNotes(all, all)).toEqual([]);
    expect(classNotes(all, some)).toEqual([
      "the test set has no row of classes c1, c2, so its results do not cover all classes",
    ]);
    expect(classNotes(some, all)).toEqual(["the test set has classes c1, c2, which no training row has"]);
    expect(classNotes(some, some)).toEqual(["all rows have class c0"]);
    const many = sorted(Array<number>(15).fill(1));
    expect(classNotes(many, sliceRows(many, 0, 1))[0]).toContain("classes 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more");
  });

  it("are cut into rows that there are", () => {
    expect(sliceRows(data, 1, 2)).toMatchObject({ count: 1, inputs: Float32Array.of(3, 4), labels: Uint8Array.of(2) });
    expect(sliceRows(data, 2, 2).count).toBe(0);
    expect(firstRows(data, 1)).toMatchObject({ count: 1, inputs: Float32Array.of(1, 2) });
    expect(firstRows(data, 3)).toBe(data);
    expect(() => sliceRows(data, -1, 2)).toThrow("start is -1; it must be a whole number in [0, 2]");
    expect(() => sliceRows(data, 0.5, 2)).toThrow("start is 0.5; it must be a whole number in [0, 2]");
    expect(() => sliceRows(data, 1, 0)).toThrow("end is 0; it must be a whole number in [1, 2]");
    expect(() => sliceRows(data, 0, 3)).toThrow("end is 3; it must be a whole number in [0, 2]");
    expect(() => firstRows(data, -1)).toThrow("rows is -1; it must be a whole number >= 0");
    expect(() => firstRows(data, 2.5)).toThrow("rows is 2.5; it must be a whole number >= 0");
  });

  it("are visited in whole batches, every row once an epoch, in another order each", () => {
    const order = batches(10, 3, 1);
    const epoch = () => [0, 1, 2].flatMap(() => [...order.next().value]);
    const [first, second] = [epoch(), epoch()];
    expect(new Set(first).size).toBe(9);
    expect(new Set(second).size).toBe(9);
    expect(first).not.toEqual(second);
    const again = batches(10, 3, 1);
    expect([...again.next().value]).toEqual(first.slice(0, 3));
    expect(() => batches(10, 11, 1).next()).toThrow("batch is 11; the data set has 10 rows");
  });
});

describe("the data of a run config", () => {
  const file = { type: "file", path: "a.csv" } as const;
  it("are read, with null for what the file must say", () => {
    expect(readData({ type: "mnist", rows: 5 })).toEqual({ type: "mnist", rows: 5, testRows: 10_000 });
    const standard = { rows: null, testRows: null, shuffle: true, seed: 0, standardize: false };
    expect(readData(file)).toEqual({ ...file, ...standard });
    const given = { rows: 7, testRows: 3, shuffle: false, seed: 5, standardize: "inputs" as const };
    const csv = { ...file, ...given, label: "y", scale: 0.5, header: true };
    expect(readData(csv)).toEqual(csv);
    expect(readData(readData(csv))).toEqual(csv);
  });

  it.each<[string, object, string]>([
    ["no type", { path: "a.csv" }, "data.type is missing; it must be one of mnist, file"],
    ["no path", { type: "file" }, "data.path is missing; it must be the path of a file"],
    ["an empty path", { type: "file", path: "" }, 'data.path is ""'],
    ["a path of MNIST", { type: "mnist", path: "x" }, 'data has an unknown option "path"'],
    ["no rows", { ...file, rows: 0 }, "data.rows is 0; it must be a whole number >= 1"],
    [
      "an option of CSV for another file",
      { type: "file", path: "a.json", label: 1 },
      "data.label was given for a.json",
    ],
    ["a bad option of CSV", { ...file, label: -1 }, "data.label is -1; it must be a column's name"],
    ["a shuffle that is none", { ...file, shuffle: 1 }, "data.shuffle is 1; it must be true or false"],
    ["a seed that is none", { ...file, seed: 0.5 }, "data.seed is 0.5; it must be a whole number in [0, 90071992547"],
    ["a shuffle of MNIST", { type: "mnist", shuffle: true }, 'data has an unknown option "shuffle"'],
    ["two answers", { ...file, label: 1, targets: 2 }, "data.targets is 2 beside data.label; give one or the other"],
  ])("are refused with %s", (_, value, message) => {
    expect(() => readData(value)).toThrow(message);
  });

  it("take the rows they say, of a file or of a data set with a test set of its own", () => {
    const data = arrayDataset({
      inputs: Array.from({ length: 10 }, (_, i) => [i]),
      labels: Array(10).fill(0),
      name: "ten",
    });
    const counts = (more: object, of: Parameters<typeof takeRows>[1] = data) => {
      const config = readData({ ...file, shuffle: false, ...more }) as Parameters<typeof takeRows>[0];
      const { train, test } = takeRows(config, of);
      return [[...train.inputs].join(), [...test.inputs].join()];
    };
    expect(counts({})).toEqual(["0,1,2,3,4,5,6,7", "8,9"]);
    expect(counts({ rows: 2, testRows: 3 })).toEqual(["0,1", "7,8,9"]);
    expect(counts({ rows: 2, testRows: 3 }, { train: data, test: data })).toEqual(["0,1", "0,1,2"]);
    const { train, test } = splitRows(data, 2, { seed: 3 });
    expect(counts({ shuffle: true, seed: 3 })).toEqual([train, test].map(({ inputs }) => [...inputs].join()));
    expect(counts({ shuffle: true, seed: 3 })).not.toEqual(counts({}));
    expect(counts({ shuffle: true }, { train: data, test: data })).toEqual(counts({}, { train: data, test: data }));
    expect(() => counts({ rows: 9 })).toThrow("data.rows is 9; ten has 8 rows to train on");
    expect(() => counts({ testRows: 10 })).toThrow("testRows is 10; ten has 10 rows, and at least one must train");
    expect(() => counts({ testRows: 11 }, { train: data, test: data })).toThrow("ten has 10 rows to test with");
  });
});
