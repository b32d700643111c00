// docs/rules.md against the registry that it is generated from, and what every rule of the registry brings with it: a
// source, its formula, its options' types and its function form.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as library from "../../src/index.ts";
import { optionSets } from "../../src/lab/option_sets.ts";
import { ruleTable, ruleTableMarkdown, slotsUnder } from "../../src/lab/rule_table.ts";
import { modifierNotes, modifiers } from "../../src/modifiers/index.ts";
import { rules } from "../../src/rules/index.ts";
import { namedRules } from "../rules.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describe("docs/rules.md", () => {
  it("is what the registry says now; if not, run: npm run docs", () => {
    expect(read("docs/rules.md")).toBe(ruleTableMarkdown());
  });

  it("lists every slot that some set of options keeps", () => {
    for (const [index, { slots, changes }] of ruleTable().entries()) {
      const documented = [...slots, ...changes.flatMap(({ adds }) => adds)];
      const kept = optionSets(rules[index]!).flatMap((options) => slotsUnder(rules[index]!, options));
      expect(documented).toEqual(expect.arrayContaining(kept));
    }
  });

  it.each([
    ["sgd", 0, 12, 1],
    ["adamw", 8, 28, 1],
    ["adan", 16, 44, 1],
    ["lars", 4, 32, 3],
    ["lamb", 8, 40, 3],
    ["dog", 4, 28, 3],
    ["prodigy", 16, 64, 3],
    ["madgrad", 12, 32, 1],
    ["adafactor", 0, 28, 4],
    ["muon", 8, 56, 4],
  ])("%s keeps %i bytes a parameter, moves %i and takes %i dispatches", (rule, state, moved, dispatches) => {
    expect(ruleTable().find(({ name }) => name === rule)).toMatchObject({ state, moved, dispatches });
  });
});

describe.each(modifiers.map((modifier, index) => ({ modifier, name: modifier.name, notes: modifierNotes[index]! })))(
  "$name",
  ({ modifier, name, notes }) => {
    it("has notes with its name, its source and a config that has it", () => {
      expect(modifierNotes).toHaveLength(modifiers.length);
      expect(notes.call).toMatch(new RegExp(`^${name}\\(`));
      expect(notes.source).toMatch(/\d{4}|^torch\.|^definition$/);
      for (const { examples } of notes.costs)
        for (const example of examples) expect(example).toHaveProperty(modifier.key);
      expect(notes.costs).not.toHaveLength(0);
    });
  },
);

const files = readdirSync(new URL("../../src/rules", import.meta.url)).map((name) => read(`src/rules/${name}`));

describe.each(namedRules)("%s", (_, { name, source, wgsl }) => {
  it("names its source", () => {
    expect(source).toMatch(/\d{4}.*; \S/);
  });

  it("stands in a file that opens with its formula, and so does its WGSL with a comment", () => {
    const [file, ...others] = files.filter((text) => new RegExp(`^export const ${name}\\b`, "m").test(text));
    expect(others).toEqual([]);
    const opening = /^(\/\/.*\n)+/.exec(file!)?.[0];
    expect(opening).toMatch(/^\/\/ \S/);
    expect(opening).toContain("←");
    expect(wgsl).toMatch(/^\/\/ \S/);
  });

  it("is exported by its name, which stands for it in JSON", () => {
    const rule = (library as unknown as Record<string, (options?: object) => object>)[name]!;
    expect(rule.name).toBe(name);
    expect(rule()).toEqual({ rule });
    expect(JSON.stringify(rule({ lr: 0.5 }))).toBe(`{"lr":0.5,"rule":"${name}"}`);
  });
});
