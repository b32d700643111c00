// docs/landscapes.md against the registry that it is generated from, its examples, its picture, and what every landscape of
// the registry brings with it.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chartSvg } from "../../src/app/cli/chart.ts";
import { contour, heightsOf, levelsOf } from "../../src/lab/contour.ts";
import { landscapesChart, landscapeTableMarkdown } from "../../src/lab/landscape_table.ts";
import { landscapeDefinitions } from "../../src/objectives/landscapes/index.ts";
import { runExample } from "../library.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const folder = "src/objectives/landscapes";
const files = readdirSync(new URL(`../../${folder}`, import.meta.url)).map((name) => read(`${folder}/${name}`));

describe("docs/landscapes.md", () => {
  it("is what the registry says now; if not, run: npm run docs", () => {
    expect(read("docs/landscapes.md")).toBe(landscapeTableMarkdown());
  });

  const examples = [...landscapeTableMarkdown().matchAll(/```js\n([\s\S]*?)```/g)].map(([, text]) => text!);
  it.each(examples)("example %#", async (example) => {
    expect(await runExample(example)).toEqual([...example.matchAll(/\/\/ → (.*)/g)].map(([, line]) => line));
  });

  it("has a picture of every type", () => {
    const drawn = chartSvg(landscapesChart());
    for (const { type } of landscapeDefinitions) {
      expect(drawn).toContain(`>${type}</text>`);
      expect(read("docs/landscapes.svg")).toContain(`>${type}</text>`);
    }
  });
});

describe("lines of equal height", () => {
  const heights = heightsOf(
    (x, y) => x * x + y * y,
    [
      [-2, 2],
      [-1, 3],
    ],
    40,
  );

  it("lie where the height is theirs, closed or from border to border", () => {
    const lines = contour(heights, 1.5 ** 2);
    expect(lines).toHaveLength(1);
    const [line] = lines;
    for (const [x, y] of line!) expect(Math.hypot(x, y)).toBeCloseTo(1.5, 2);
    for (const [x, y] of [line![0]!, line![line!.length - 1]!])
      expect(Math.min(2 - Math.abs(x), y + 1)).toBeCloseTo(0, 12);
    const [closed, ...others] = contour(heights, 0.25);
    expect(others).toEqual([]);
    expect(closed![closed!.length - 1]).toEqual(closed![0]);
  });

  it("rise", () => {
    const levels = levelsOf(heights, 5);
    expect(levels).toEqual([...levels].sort((a, b) => a - b));
  });
});

describe.each(landscapeDefinitions.map((definition) => [definition.type, definition] as const))(
  "%s",
  (type, definition) => {
    const { formula, source, options } = definition;
    it("has a formula of its options, and a source", () => {
      expect(source).toMatch(/\d{4}|^definition$/);
      for (const { name } of options) if (name !== "dimension" && name !== "spacing") expect(formula).toContain(name);
    });

    it("stands in a file of its own, with a docstring on every option", () => {
      const holders = files.filter((text) => new RegExp(`^export const ${type}\\b\\b`, "m").test(text));
      expect(holders).toHaveLength(1);
      for (const { name } of options) expect(holders[0]).toMatch(new RegExp(`\\*/\\n  ${name}\\?: `));
    });
  },
);
