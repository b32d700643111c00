// docs/schedules.md against the registry that it is generated from, and what every schedule of the registry brings with it.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { coupled, scheduleTableMarkdown } from "../../src/lab/schedule_table.ts";
import { scheduleDefinitions } from "../../src/schedules/index.ts";
import { readSchedule } from "../../src/schedules/read_schedule.ts";
import { createSchedule } from "../../src/schedules/schedule.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const folder = "src/schedules";
const files = readdirSync(new URL(`../../${folder}`, import.meta.url)).map((name) => read(`${folder}/${name}`));

describe("docs/schedules.md", () => {
  it("is what the registry says now; if not, run: npm run docs", () => {
    expect(read("docs/schedules.md")).toBe(scheduleTableMarkdown());
  });

  it("shows a rate that does what is said of it", () => {
    const { at } = createSchedule(readSchedule(coupled));
    for (const step of [0, 99, 100, 399]) expect(at(step)).toBeCloseTo(0.1, 15);
    expect(at(400)).toBeCloseTo(0.05, 15);
  });
});

describe.each(scheduleDefinitions)("$type", ({ type, formula, source, options }) => {
  it("has a formula of its options, and a source", () => {
    expect(source).toMatch(/\d{4}|torch|optax|^definition$/);
    for (const { name } of options.filter((option) => option.default === undefined && !option.optional)) {
      expect(formula).toContain(name);
    }
  });

  it("stands in a file of its own, with a docstring on every option", () => {
    const holders = files.filter((text) => new RegExp(`^export const ${type}\\b`, "m").test(text));
    expect(holders).toHaveLength(1);
    for (const { name } of options) expect(holders[0]).toMatch(new RegExp(`\\*/\\n    ${name}[:,]`));
  });
});
