// Early stopping on its own: what counts as an improvement, when it says stop, what it refuses.
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { createStopping, type StoppingOptions } from "../../src/train/stopping.ts";

function run(options: StoppingOptions, metrics: readonly number[]) {
  const stopping = createStopping(options);
  return metrics.map((metric) => stopping.observe(metric));
}

describe("early stopping", () => {
  it("stops at the value that makes patience without an improvement, and knows the best", () => {
    const reports = run({ patience: 2 }, [3, 2, 2.5, 1, 1, 4]);
    expect(reports.map(({ improved }) => improved)).toEqual([true, true, false, true, false, false]);
    expect(reports.map(({ stop }) => stop)).toEqual([false, false, false, false, false, true]);
    expect(reports.map(({ waited }) => waited)).toEqual([0, 0, 1, 0, 1, 2]);
    expect(reports[5]).toMatchObject({ best: 1, bestIndex: 3 });
  });

  it("maximises with mode max", () => {
    const reports = run({ patience: 1, mode: "max" }, [0.1, 0.5, 0.4]);
    expect(reports[2]).toEqual({ improved: false, stop: true, best: 0.5, bestIndex: 1, waited: 1 });
  });

  it("asks for more than minDelta, measured from the best", () => {
    const improved = (mode: "min" | "max", metrics: number[]) =>
      run({ minDelta: 0.5, mode }, metrics).map((report) => report.improved);
    expect(improved("min", [4, 3.5, 3.25, 2.5])).toEqual([true, false, true, true]);
    expect(improved("max", [1, 1.5, 1.75, 2.25])).toEqual([true, false, true, false]);
  });

  it("takes a value that is not finite for no improvement, and waits for ever without patience", () => {
    const reports = run({}, [Number.NaN, Number.NEGATIVE_INFINITY, 5, Number.NaN, ...Array<number>(50).fill(6)]);
    expect(reports[1]).toEqual({ improved: false, stop: false, best: null, bestIndex: null, waited: 2 });
    expect(reports.at(-1)).toEqual({ improved: false, stop: false, best: 5, bestIndex: 2, waited: 51 });
  });

  it.each<[unknown, string]>([
    [{ patience: 0 }, "stopping.patience is 0; it must be a whole number >= 1"],
    [{ patience: 1, minDelta: -1 }, "stopping.minDelta is -1; it must be a finite number >= 0"],
    [{ mode: "low" }, 'stopping.mode is "low"; it must be one of min, max'],
    [{ patiance: 3 }, 'stopping has an unknown option "patiance"'],
  ])("refuses %j", (options, message) => {
    expect(() => createStopping(options as StoppingOptions)).toThrow(message);
  });

  it("refuses a metric that is not a number and continues as if it had not come", () => {
    const stopping = createStopping({ patience: 1 });
    stopping.observe(1);
    expect(() => stopping.observe("2" as unknown as number)).toThrow(OptionError);
    expect(stopping.observe(0.5)).toMatchObject({ improved: true, bestIndex: 1 });
  });
});
