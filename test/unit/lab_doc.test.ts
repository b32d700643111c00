// docs/lab.md against the registry and the recorded runs that it is generated from.
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { experiments } from "../../src/lab/experiments/index.ts";
import { isCurrent, type LabRecord, labMarkdown } from "../../src/lab/experiments/page.ts";
import { runExample } from "../library.ts";

const at = (path: string) => new URL(`../../docs/${path}`, import.meta.url);
const recordOf = (name: string): LabRecord | undefined => {
  const path = at(`lab/${name}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
};

it("is what the registry says now; if not, run: npm run docs", () => {
  expect(readFileSync(at("lab.md"), "utf8")).toBe(labMarkdown(recordOf));
});

it.each(experiments.map((experiment) => [experiment.name, experiment] as const))(
  "has a figure and a run at its defaults of %s, in which every claim holds; if not, run: npm run docs",
  (name, experiment) => {
    const record = recordOf(name);
    expect(isCurrent(experiment, record)).toBe(true);
    expect(record!.claims.filter(({ ok }) => !ok)).toEqual([]);
    expect(readFileSync(at(`lab/${name}.svg`), "utf8")).toMatch(/^<svg/);
  },
);

it("has an example that runs", async () => {
  const [, example] = /```js\n([\s\S]*?)```/.exec(labMarkdown(recordOf))!;
  expect(await runExample(example!)).toEqual(["true"]);
});
