// The benchmark's cases of curvature and of the cascade: engines answer as the reference, a warm measurement of sharpness takes no
// more gradients than is promised, and a map step of all rates is three dispatches.
import { describe, expect, it } from "vitest";
import { runCases } from "../../bench/run_cases.ts";
import type { Row } from "../../bench/suite.ts";
import { cascadeCases } from "../../bench/suites/cascade.ts";
import { curvatureCases } from "../../bench/suites/curvature.ts";
import { gpu } from "./setup.ts";

// What the benchmark finds in a browser.
Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });

const rowsOf = (cases: typeof cascadeCases): Promise<readonly Row[]> =>
  runCases(
    cases.filter(({ tier }) => tier === "quick"),
    { quick: true, rounds: 0 },
  );

describe("the benchmark's rows", () => {
  it("of sharpness agree with Lanczos on the CPU, and say how many gradients warm measurements take", async () => {
    const rows = await rowsOf(curvatureCases);
    expect(rows.map(({ engine, agrees, error }) => [engine, agrees, error])).toEqual([
      ["fallline", true, undefined],
      ["gradient", null, undefined],
    ]);
    const [ours, gradient] = rows as [Row, Row];
    const [, ...warm] = [...ours.note!.matchAll(/\d+/g)].map(Number);
    expect(warm).toHaveLength(2);
    for (const gradients of warm) expect(gradients).toBeLessThanOrEqual(40);
    expect(gradient).toMatchObject({ passes: 1, submits: 1, bindGroups: 0 });
    // Each product waits for its scalars once at most.
    expect(ours.submits).toBeLessThanOrEqual(40);
  });

  it("of the cascade agree with the CPU engine, in three dispatches a map step", async () => {
    const rows = await rowsOf(cascadeCases);
    expect(rows.map(({ engine, agrees, error }) => [engine, agrees, error])).toEqual([
      ["fallline", true, undefined],
      ["plain", true, undefined],
      ["maps", null, undefined],
    ]);
    expect(rows[0]).toMatchObject({ dispatches: 3, passes: 1, submits: 1, bindGroups: 0, hostBytes: 0 });
    expect(rows[0]!.bytesPerParam).toBe(48);
  });
});
