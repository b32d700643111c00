// The page's cascade: what it draws is the logistic map, and the cycles it names are those that are there.
import { expect, it } from "vitest";
import { cascade, periodOf } from "../../src/app/page/views/cascade_runs.ts";
import { cpuEngine } from "../../src/train/engine.ts";

const rates = [2.9, 3.2, 3.5, 3.55, 3.83, 3.9];

async function sampled(samples: number) {
  const values: number[][] = rates.map(() => []);
  const exponents = await cascade({
    engine: cpuEngine(),
    rates,
    settle: 600,
    samples,
    signal: new AbortController().signal,
    onSettle: () => {},
    onSample(each) {
      for (const [i, value] of each.entries()) values[i]!.push(value);
    },
    turn: async () => {},
  });
  return { values, exponents };
}

it("steps the logistic map at each rate, in its own units", async () => {
  const { values } = await sampled(20);
  for (const [i, r] of rates.entries()) {
    for (let k = 1; k < 20; k++) {
      const before = values[i]![k - 1]!;
      expect(values[i]![k]).toBeCloseTo(r * before * (1 - before), 5);
    }
  }
});

it("tells the length of a cycle, and where there is none", async () => {
  const { values, exponents } = await sampled(40);
  expect(values.map(periodOf)).toEqual([1, 2, 4, 8, 3, undefined]);
  expect([...exponents].map(Math.sign)).toEqual([-1, -1, -1, -1, -1, 1]);
});
