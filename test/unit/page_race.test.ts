// The page's race: the numbers that it shows step by step, and what it says of each run.
import { describe, expect, it } from "vitest";
import { losses, racers, run } from "../../src/app/page/views/race_runs.ts";

const onSquare = { loss: "w²", rule: "sgd", start: 4, steps: 30 };

describe("the race on w² from 4", () => {
  it("has the exact places", async () => {
    const [slow, fast] = await run({ ...onSquare, steps: 3, rates: [0.1, 1.5] });
    for (const [i, w] of [4, 3.2, 2.56, 2.048].entries()) expect(slow!.places[i]).toBeCloseTo(w, 5);
    expect(fast!.places).toEqual([4, -8, 16, -32]);
    expect(fast!.losses).toEqual([16, 64, 256, 1024]);
  });

  it.each([
    [1.5, "diverging", /rose from 16 to \S+; each step multiplies the distance by −2 on average/],
    [1.1, "diverging", /by −1\.2 on average/],
    [1, "oscillating", /29 of 30 steps, the loss is still 16; .* by −1 on average/],
    [0.9, "oscillating", /and settles: .* by −0\.8 on average/],
    [0.5, "just right", /1 % of the first loss after 1 steps/],
    [0.1, "just right", /after 11 steps; .* by 0\.8 on average/],
    [0.001, "crawling", /still 88\.7 % of the first; about 1,151 steps/],
    [1e5, "diverging", /no longer finite after step \d+/],
  ] as const)("says of a rate of %d that it is %s", async (rate, state, why) => {
    const [found] = await run({ ...onSquare, rates: [rate] });
    expect(found!.state).toBe(state);
    expect(found!.why).toMatch(why);
  });

  it("says of a run that begins at the minimum that it does", async () => {
    const [found] = await run({ ...onSquare, start: 0, rates: [0.1] });
    expect(found!.why).toMatch(/it began at the minimum/);
  });

  it("runs each rate as it would alone", async () => {
    const rates = [0.3, 0.02];
    const together = await run({ ...onSquare, rule: "adam", rates });
    for (const [i, rate] of rates.entries()) {
      const [alone] = await run({ ...onSquare, rule: "adam", rates: [rate] });
      expect(together[i]).toEqual(alone);
    }
  });
});

it.each(Object.keys(losses))("races every rule on %s", async (loss) => {
  for (const rule of Object.keys(racers)) {
    const [found] = await run({ loss, rule, start: 1.5, steps: 40, rates: [0.002] });
    expect(found!.places).toHaveLength(41);
    expect(found!.losses[40]).toBeLessThan(found!.losses[0]!);
  }
});
