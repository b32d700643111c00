// The table of implementations: what holds, what is broken, what is not here, and whose bits are whose; and its page.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Report } from "../matrix/agent.ts";
import { withNumerics } from "../matrix/numerics.ts";
import { type HostRun, joined, type MatrixResult, tableOf, textOf } from "../matrix/table.ts";

type CaseReport = Extract<Report, { type: "case" }>;
const one = (more: Partial<CaseReport>): CaseReport => ({
  ...{ type: "case", shape: "apart-4", group: "laws", name: "a law", outcome: {}, ms: 1, ...more },
});
const host = (implementation: string, ...reports: readonly Report[]): HostRun => ({
  implementation,
  driver: "paper",
  reports: [{ type: "opened", adapter: "", shapes: ["apart-4"], features: [] }, ...reports, { type: "ended" }],
});
const result = (...hosts: readonly HostRun[]): MatrixResult => ({
  ...{ format: "fallline-matrix/1", date: "2026-11-30", quick: false, missing: ["Bun: none"], reference: [], hosts },
});

describe("the table of implementations", () => {
  it("has the worst error of a group, and tells what is absent and left out from what holds", () => {
    const products = { group: "products" } as const;
    const table = tableOf(
      result(
        host(
          "one",
          one({ ...products, name: "a", outcome: { error: 1e-7 } }),
          one({ ...products, name: "b", outcome: { error: 3e-7 } }),
          one({ group: "float16", outcome: { absent: "there is none" } }),
          { type: "left", shape: "apart-4", group: "laws", count: 7 },
        ),
      ),
    );
    expect(table.problems).toEqual([]);
    expect(table.rows[0]!.cells).toMatchObject({
      products: { held: 2, error: 3e-7 },
      float16: { held: 0, absent: 1 },
      laws: { held: 0, left: 7 },
    });
  });

  it("counts what breaks or dies after it opened, not what is unavailable", () => {
    const died = host("two");
    const dead = { ...died, reports: [died.reports[0]!, { type: "ended", problem: "it died" } as const] };
    const none = { ...died, implementation: "three", reports: [{ type: "ended", problem: "no adapter" } as const] };
    const broken = result(host("one", one({ outcome: { problem: "2 is not 3" } })), dead, none);
    expect(tableOf(broken).problems).toEqual(["one, paper, apart-4, laws: a law: 2 is not 3", "two, paper: it died"]);
    const text = textOf(broken);
    for (const line of ["1 of 1 BROKEN", "three, paper: no adapter", "Bun: none", "0 passed, 2 failed"]) {
      expect(text).toContain(line);
    }
  });

  it("compares bits with those of others on the driver, or of all and the reference", () => {
    const pinned = (bits: string) => one({ group: "rules", name: "sgd", same: "driver", outcome: { bits } });
    const whole = (bits: string) => one({ group: "exact", name: "whole", same: "everywhere", outcome: { bits } });
    const reference = [{ group: "exact", name: "whole", outcome: { bits: "1" } }] as const;
    const { rows, problems } = tableOf({
      ...result(host("one", pinned("7"), whole("1")), host("two", pinned("8"), whole("1")), {
        ...host("three", pinned("9"), whole("2")),
        driver: "glass",
      }),
      reference,
    });
    expect(rows.map(({ same }) => same)).toEqual([
      { equal: 2, compared: 2 },
      { equal: 1, compared: 2 },
      { equal: 0, compared: 1 },
    ]);
    expect(problems).toEqual([
      "two, paper, apart-4, rules: sgd: its bits differ from those of one, paper",
      "three, glass, apart-4, exact: whole: its bits differ from those of the CPU reference",
    ]);
  });

  it("joins runs of different parts, the later instead of the earlier", () => {
    const [a, b] = [one({ name: "a" }), one({ name: "b", outcome: { problem: "off" } })];
    const later = {
      ...host("one", one({ name: "b" })),
      reports: [...host("one", one({ name: "b", shape: "joined-64" })).reports, one({ name: "b" })],
    };
    const whole = joined([result(host("one", a, b)), result(later, host("two", a))]);
    expect(tableOf(whole).problems).toEqual([]);
    expect(tableOf(whole).rows.map(({ implementation, cells }) => [implementation, cells.laws?.held])).toEqual([
      ["one", 2],
      ["two", 1],
    ]);
  });

  it("judges rules by float64, and losses by the first that ran", () => {
    const rule = (value: number) => one({ group: "rules", name: "sgd", outcome: { values: { 25: [value] } } });
    const loss = (value: number) => one({ group: "steps", name: "job", outcome: { values: { 20: [value] } } });
    const { rows, problems } = tableOf({
      ...result(host("one", rule(0.5 + 1e-6), loss(2)), host("two", rule(0.6), loss(2.1))),
      reference: [{ group: "rules", name: "sgd", outcome: { values: { 25: [0.5] } } }],
    });
    expect(rows[0]!.cells.rules!.error).toBeCloseTo(1e-6);
    expect(rows[1]!.cells.steps!.error).toBeCloseTo(0.1);
    expect(problems).toHaveLength(2);
  });
});

describe("docs/numerics.md", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/numerics.md"), "utf8");

  it("is written between its marks, the rest as it was", () => {
    const written = withNumerics(page, result(host("one", one({}))));
    expect(written).toContain("| one | paper | apart-4 | 1 | alone |");
    expect(withNumerics(written, result())).toBe(withNumerics(page, result()));
    const rest = (text: string) => text.replace(/<!-- matrix -->[\s\S]*<!-- \/matrix -->/, "");
    expect(rest(written)).toBe(rest(page));
    expect(() => withNumerics("", result())).toThrow("the page lacks <!-- matrix -->");
  });
});
