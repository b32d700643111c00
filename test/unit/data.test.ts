// IDX, MNIST, data sets and batches: what is read, and how corrupt files are refused.
import { describe, expect, it } from "vitest";
import { batches, checkDataset, type Dataset } from "../../src/data/dataset.ts";
import { parseIdx } from "../../src/data/idx.ts";
import { mnistDataset } from "../../src/data/mnist.ts";

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
    ["an empty file", new Uint8Array(0), /^f is truncated: 0 bytes, its header alone needs 8$/],
    ["another magic number", idx(0x803, [1], [1]), /its magic number is 0x00000803, not 0x00000801/],
    ["a gzip file", Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0), /its magic number is 0x1f8b0800/],
    ["too few values", idx(0x801, [4], [1, 2, 3]), /^f is truncated: its shape \[4\] needs 4 bytes of data, it has 3$/],
    ["too many values", idx(0x801, [2], [1, 2, 3]), /^f is too long/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => parseIdx("f", bytes, 1)).toThrow(message);
  });
});

describe("mnistDataset", () => {
  it("refuses files of another size or with labels beyond 9", () => {
    const images = idx(0x803, [2, 28, 28], Array(2 * 784).fill(0));
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
