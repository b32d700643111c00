// The error function against values of Abramowitz and Stegun, table 7.1, and of mpmath with 40 digits.
import { expect, it } from "vitest";
import { erf } from "../../src/engines/cpu/erf.ts";

// The first ten digits of each are the table's.
const values = [
  [1e-10, 1.1283791670955126e-10],
  [0.1, 0.1124629160182849],
  [0.5, 0.5204998778130465],
  [1, 0.842700792949715],
  [1.5, 0.966105146475311],
  [2, 0.9953222650189527],
  [2.499999, 0.9995930458042654],
  [2.5, 0.999593047982555],
  [3, 0.9999779095030014],
  [4, 0.9999999845827421],
  [5, 0.9999999999984626],
  [6, 1],
] as const;

it.each(values)("erf(%d) is %d to within 1e-15 of it, and odd", (x, value) => {
  expect(Math.abs(erf(x) / value - 1)).toBeLessThan(1e-15);
  expect(erf(-x)).toBe(-erf(x));
});

it("is its limits at the ends, keeps zeros and the smallest numbers, and ends for NaN", () => {
  expect(erf(Number.POSITIVE_INFINITY)).toBe(1);
  expect(erf(Number.NEGATIVE_INFINITY)).toBe(-1);
  expect(erf(0)).toBe(0);
  expect(erf(-0)).toBe(-0);
  expect(erf(1e-300)).toBe(1.1283791670955126e-300);
  expect(erf(Number.NaN)).toBeNaN();
});

it("has the slope 2/√π exp(-x²) everywhere, also where one formula follows the other", () => {
  const h = 1e-5;
  for (let x = -4; x <= 4; x += 1 / 64) {
    const slope = (erf(x + h) - erf(x - h)) / (2 * h);
    expect(Math.abs(slope - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x))).toBeLessThan(1e-9);
  }
});
