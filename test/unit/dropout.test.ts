// Dropout's mask on the CPU: the share that it drops, what it depends on; and the version that stored choices go by.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { philox } from "../../src/base/random.ts";
import { version } from "../../src/base/version.ts";
import { type Dropout, dropoutKey, dropoutThreshold, dropped } from "../../src/engines/products/dropout.ts";

const dropout: Dropout = { rate: 0.25, seed: 2 ** 33 + 5, stream: 2 };

describe("dropped", () => {
  it("drops its share", () => {
    let sum = 0;
    for (let row = 0; row < 1000; row++) sum += dropped(dropout, 3, row, 101).reduce((a, b) => a + b);
    // Four standard deviations.
    expect(Math.abs(sum / 101_000 - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / 101_000));
    expect(dropped({ ...dropout, rate: 0 }, 3, 0, 1000).includes(1)).toBe(false);
  });

  it("compares the words of a block with the threshold", () => {
    const words = new Uint32Array(4);
    philox(Uint32Array.of(1, 7, 3, 2), 5, 2, words);
    expect(dropoutKey(dropout.seed)).toEqual([5, 2]);
    expect(dropoutThreshold(0.25)).toBe(2 ** 30);
    const want = Array.from(words, (word) => Number(word < 2 ** 30));
    expect([...dropped(dropout, 3, 7, 8)].slice(4)).toEqual(want);
    // A row that ends within a block begins like a longer one.
    expect([...dropped(dropout, 3, 7, 6)]).toEqual([...dropped(dropout, 3, 7, 8)].slice(0, 6));
  });

  it("is another for another step, row, seed and stream", () => {
    const rows = [
      dropped(dropout, 3, 7, 64),
      dropped(dropout, 4, 7, 64),
      dropped(dropout, 3, 8, 64),
      dropped({ ...dropout, seed: 5 }, 3, 7, 64),
      dropped({ ...dropout, stream: 3 }, 3, 7, 64),
    ].map((row) => row.join(""));
    expect(new Set(rows).size).toBe(rows.length);
  });
});

it("the version is the package's", () => {
  expect(version).toBe(JSON.parse(readFileSync("package.json", "utf8")).version);
});
