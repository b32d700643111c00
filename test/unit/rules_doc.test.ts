// docs/rules.md against the registry that it is generated from, and what every rule of the registry brings with it: a
// source, its formula, its options' types and its function form.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as library from "../../src/index.ts";
import { optionSets } from "../../src/lab/option_sets.ts";
import { ruleTable, ruleTableMarkdown, slotsUnder } from "../../src/lab/rule_table.ts";
import { type RuleOptions, rules } from "../../src/rules/index.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** The function form of every rule that has options; a missing one, or one of another rule, does not compile. */
const forms: {
  readonly [Name in keyof RuleOptions]: (options?: RuleOptions[Name]) => RuleOptions[Name] & { rule: Name };
} = library;

describe("docs/rules.md", () => {
  it("is what the registry says now; if not, run: npm run docs", () => {
    expect(read("docs/rules.md")).toBe(ruleTableMarkdown());
  });

  it("tells of every slot that some set of options keeps", () => {
    for (const [index, { slots, changes }] of ruleTable().entries()) {
      const told = [...slots, ...changes.flatMap(({ adds }) => adds)];
      const kept = optionSets(rules[index]!).flatMap((options) => slotsUnder(rules[index]!, options));
      expect(told).toEqual(expect.arrayContaining(kept));
    }
  });

  it.each([
    ["sgd", 0, 12, 1],
    ["adamw", 8, 28, 1],
    ["adan", 16, 44, 1],
    ["lars", 4, 32, 3],
    ["adafactor", 0, 36, 4],
    ["muon", 8, 64, 4],
  ])("%s keeps %i bytes a parameter, moves %i and takes %i dispatches", (rule, state, moved, dispatches) => {
    expect(ruleTable().find(({ name }) => name === rule)).toMatchObject({ state, moved, dispatches });
  });
});

const files = readdirSync(new URL("../../src/rules", import.meta.url)).map((name) => read(`src/rules/${name}`));

describe.each(rules)("$name", ({ name, source, wgsl }) => {
  it("names its source", () => {
    expect(source).toMatch(/\d{4}.*; \S/);
  });

  it("stands in a file that opens with its formula, and so does its WGSL with a comment", () => {
    const [file, ...others] = files.filter((text) => new RegExp(`^export const ${name}Rule\\b`, "m").test(text));
    expect(others).toEqual([]);
    const opening = /^(\/\/.*\n)+/.exec(file!)?.[0];
    expect(opening).toMatch(/^\/\/ \S/);
    expect(opening).toContain("←");
    expect(wgsl).toMatch(/^\/\/ \S/);
  });

  it("has options by its name", () => {
    const fields = /export interface RuleOptions \{\n([^}]*)\}/.exec(read("src/rules/index.ts"))![1];
    expect(fields).toMatch(new RegExp(`^ {2}${name}: \\w+Options;$`, "m"));
  });

  it("has a function form of that name", () => {
    const form = forms[name as keyof RuleOptions] as (options?: object) => object;
    expect(form()).toEqual({ rule: name });
    expect(form({ lr: 0.5 })).toEqual({ rule: name, lr: 0.5 });
  });
});
