// What the perf test calls a regression: any other count, a ratio beyond its allowance, an error, a case that is missing.
import { describe, expect, it } from "vitest";
import { type BaselineCase, baselineCase, regressionsOf } from "../../bench/perf.ts";
import { emptyRow, type Row } from "../../bench/suite.ts";

const work = { suite: "update", name: "adamw 1x1M", n: 2 ** 20, tensors: 1 };
const row: Row = {
  ...emptyRow(work, "fallline"),
  ...{ ms: 10, dispatches: 1, passes: 1, submits: 1, bindGroups: 0, hostBytes: 0, bytesPerParam: 28 },
  ratioToStream: 1.04321,
  ratioTo: { tfjs: 9.1234, plain: 0.7 },
};
const before: BaselineCase = baselineCase(row);
const allowance = { ratioToStream: 1.2, ratioTo: 1.5 };
const found = (changes: Partial<Row>) =>
  regressionsOf({ ...row, ...changes }, before, allowance).map(({ what, noisy }) => [what, noisy]);

describe("regressions", () => {
  it("are none of the baseline itself, which keeps counts, three digits of ratios, and no CPU's time", () => {
    expect(before).toEqual({
      case: "update: adamw 1x1M",
      counts: { dispatches: 1, passes: 1, submits: 1, bindGroups: 0, hostBytes: 0, bytesPerParam: 28 },
      ratioToStream: 1.04,
      ratioTo: { tfjs: 9.12 },
    });
    expect(found({})).toEqual([]);
  });

  it("are counts that differ at all, fewer too", () => {
    expect(found({ dispatches: 2 })).toEqual([["dispatches 2 instead of 1", false]]);
    expect(found({ bytesPerParam: 24, bindGroups: 1 })).toEqual([
      ["bindGroups 1 instead of 0", false],
      ["bytesPerParam 24 instead of 28", false],
    ]);
  });

  it("are ratios beyond their allowance, not within it, and ratios that are gone", () => {
    expect(found({ ratioToStream: 1.24, ratioTo: { tfjs: 6.1 } })).toEqual([]);
    expect(found({ ratioToStream: 1.26 })).toEqual([["1.26 times the stream kernel's time; at most 1.25", true]]);
    expect(found({ ratioTo: { tfjs: 6 } })).toEqual([["tfjs takes only 6.00 times as long; at least 6.08", true]]);
    expect(found({ ratioToStream: null, ratioTo: {} })).toEqual([
      ["no ratio to the stream kernel", true],
      ["no ratio to tfjs", true],
    ]);
  });

  it("are errors and missing cases, by themselves", () => {
    expect(found({ error: "its device was lost", dispatches: 2 })).toEqual([["its device was lost", false]]);
    expect(regressionsOf(undefined, before, allowance)).toEqual([
      { case: "update: adamw 1x1M", what: "the run has no such case", noisy: false },
    ]);
  });
});
