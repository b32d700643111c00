// The generator against Random123's published known answers, its normals against the normal distribution, and the fact
// that all of it is the same everywhere.
import { describe, expect, it } from "vitest";
import { philox, Random } from "../../src/base/random.ts";
import { initialWeight, initTypes } from "../../src/objectives/init.ts";

describe("Philox4x32-10", () => {
  // Random123's kat_vectors: counter, key, result.
  it.each([
    ["00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    ["ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    ["243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ])("counter %s, key %s", (counter, key, result) => {
    const words = (text: string) => Uint32Array.from(text.split(" "), (word) => Number.parseInt(word, 16));
    const out = new Uint32Array(4);
    const [k0, k1] = words(key);
    philox(words(counter), k0!, k1!, out);
    expect(out).toEqual(words(result));
  });
});

describe("Random", () => {
  it("gives the same normals everywhere, to the bit", () => {
    const random = new Random(1);
    const normals = Float32Array.from({ length: 4 }, () => random.normal());
    expect(Buffer.from(normals.buffer).toString("hex")).toMatchInlineSnapshot(`"c2972a3fa135d23fcc7cbc3e1efd4c3f"`);
  });

  it("is normal: mean, variance, kurtosis and tails of 200,000 draws", () => {
    const random = new Random(7);
    const draws = Array.from({ length: 200_000 }, () => random.normal());
    const moment = (power: number) => draws.reduce((sum, x) => sum + x ** power, 0) / draws.length;
    expect(Math.abs(moment(1))).toBeLessThan(0.01);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.015);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.12);
    const beyond2 = draws.filter((x) => Math.abs(x) > 2).length / draws.length;
    expect(Math.abs(beyond2 - 0.0455)).toBeLessThan(0.002);
  });

  it("permutes without loss, differently by seed and stream", () => {
    const order = new Random(3).permutation(1000);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(new Random(3).permutation(1000)).toEqual(order);
    expect(new Random(4).permutation(1000)).not.toEqual(order);
    expect(new Random(3, 1).permutation(1000)).not.toEqual(order);
  });

  it("draws below n evenly", () => {
    const random = new Random(5);
    const counts = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 60_000; i++) counts[random.below(6)]! += 1;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });

  it("refuses a seed that is not a whole number", () => {
    expect(() => new Random(-1)).toThrow(/seed is -1; it must be a whole number in \[0, 9007199254740991\]/);
    expect(() => new Random(Number.NaN)).toThrow(/seed is NaN/);
  });
});

describe("initial weights", () => {
  it.each(initTypes)("%s has the variance of its paper", (type) => {
    const [fanIn, fanOut] = [300, 200];
    const weight = initialWeight({ type, seed: 2 }, fanIn, fanOut, 0);
    const variance = weight.reduce((sum, w) => sum + w * w, 0) / weight.length;
    const [paper] = /^[a-z]+/.exec(type)!;
    const expected = { he: 2 / fanIn, glorot: 2 / (fanIn + fanOut), lecun: 1 / fanIn }[paper]!;
    expect(Math.abs(variance / expected - 1)).toBeLessThan(0.02);
    if (type.endsWith("Uniform")) {
      expect(Math.max(...weight.map(Math.abs))).toBeLessThanOrEqual(Math.fround(Math.sqrt(3 * expected)));
    }
  });
});
