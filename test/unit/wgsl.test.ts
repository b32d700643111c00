// The WGSL against the host: every assembled source is parsed by an independent reflector, and the bindings and layouts
// that the host relies on are compared with what it finds.
import { describe, expect, it } from "vitest";
import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { layoutSegments } from "../../src/arena.ts";
import { assembleUpdate, finalizeSource, gradNormSource, locate, type Source, snakeCase } from "../../src/assemble.ts";
import { controlBytes, controlOffsets } from "../../src/gpu/control.ts";
import * as objectives from "../../src/objectives/sources.ts";
import { createPlan } from "../../src/plan.ts";
import { type OptimizerConfig, rules } from "../../src/rules/index.ts";
import { tableColumns, tableHeaderWords } from "../../src/table.ts";
import { optionSets } from "../option_sets.ts";

const segments = layoutSegments([{ name: "w", shape: [8] }]);
const plans = rules.flatMap((rule) =>
  optionSets(rule).map((options) => createPlan({ rule: rule.name, ...options } as OptimizerConfig, segments)),
);

const storage = (source: Source) =>
  [...new WgslReflect(source.code).storage]
    .sort((a, b) => a.binding - b.binding)
    .map(({ binding, name, access }) => `${binding} ${name} ${access}`);

describe("bindings", () => {
  it.each(plans)("of the update of $rule.name with slots $slots are the same six", (plan) => {
    expect(storage(assembleUpdate(plan))).toEqual([
      "0 params read_write",
      "1 gradients read",
      "2 state read_write",
      "3 chunks read",
      "4 table read",
      "5 control read_write",
    ]);
  });

  it.each([
    [gradNormSource, ["0 gradients read", "1 chunks read", "2 partials read_write"]],
    [finalizeSource, ["0 partials read", "1 control read_write"]],
    [objectives.gatherSource, ["0 batch read", "1 data read", "2 inputs read_write"]],
    [objectives.productSource, ["0 a read", "1 b read", "2 c read_write", "3 bias read"]],
    [objectives.productAnySource, ["0 a read", "1 b read", "2 c read_write", "3 bias read"]],
    [objectives.columnSumSource, ["0 matrix read", "1 sums read_write"]],
    [
      objectives.softmaxCrossEntropySource,
      ["0 batch read", "1 labels read", "2 logits read_write", "3 outcomes read_write"],
    ],
    [objectives.totalSource, ["0 batch read", "1 outcomes read", "2 totals read_write"]],
  ])("%o", (source, bindings) => {
    expect(storage(source)).toEqual(bindings);
  });
});

describe("layouts", () => {
  const struct = (source: Source, name: string) => {
    const found = new WgslReflect(source.code).structs.find((candidate) => candidate.name === name);
    if (!found) throw new Error(`${source.name} has no struct ${name}`);
    return found;
  };

  it("the control buffer's is the host's", () => {
    const control = struct(finalizeSource, "Control");
    const expected = Object.fromEntries(
      Object.entries(controlOffsets).map(([name, offset]) => [snakeCase(name), offset]),
    );
    expect(Object.fromEntries(control.members.map(({ name, offset }) => [name, offset]))).toEqual(expected);
    expect(control.size).toBe(controlBytes);
  });

  it.each(plans)("the table's row of $rule.name is its columns, in order", (plan) => {
    const source = assembleUpdate(plan);
    expect(struct(source, "Row").members.map(({ name }) => name)).toEqual(tableColumns(plan).map(snakeCase));
    expect(struct(source, "Row").size).toBe(4 * tableColumns(plan).length);
    const rows = struct(source, "Table").members.find(({ name }) => name === "rows");
    expect(rows?.offset).toBe(4 * tableHeaderWords);
  });

  it("a partial's is 12 bytes", () => {
    expect(struct(gradNormSource, "Partial").size).toBe(12);
  });
});

describe("entry points", () => {
  const sources: Source[] = [
    ...plans.map(assembleUpdate),
    gradNormSource,
    finalizeSource,
    ...(Object.values(objectives) as Source[]),
  ];
  it.each(sources)("of $name is main alone", ({ code }) => {
    const { compute } = new WgslReflect(code).entry;
    expect(compute.map(({ name }) => name)).toEqual(["main"]);
  });
});

describe("locate", () => {
  it("finds the part and its line for every line of a source", () => {
    const source = assembleUpdate(plans[0]!);
    const lines = source.code.split("\n");
    for (const [i, text] of lines.slice(0, -1).entries()) {
      const { part, line } = locate(source, i + 1);
      const found = source.parts.find(({ name }) => name === part)!;
      expect(found.text.split("\n")[line - 1]).toBe(text);
    }
  });
});
