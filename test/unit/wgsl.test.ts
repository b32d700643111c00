// The WGSL against the host: every assembled source is parsed by an independent reflector, and the bindings and layouts
// that the host relies on are compared with what it finds.

import { describe, expect, it } from "vitest";
import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { assemble, locate, type Source, snakeCase } from "../../src/base/assemble.ts";
import { defineStruct, type Struct } from "../../src/base/struct.ts";
import { controlBytes, controlRecord } from "../../src/engines/gpu/control.ts";
import { vectorSources } from "../../src/engines/gpu/vector_kernels.ts";
import {
  assembleProduct,
  bindingsOf,
  kernelNames,
  sizesStruct as productSizes,
} from "../../src/engines/products/sources.ts";
import { sourceOf } from "../../src/engines/stages/compile.ts";
import { gradientStages, ruleStages, stepStages } from "../../src/engines/stages/list.ts";
import { scalarAccess, vec4Access } from "../../src/engines/stages/snippets.ts";
import type { KernelContext, Pass } from "../../src/engines/stages/stage.ts";
import { binStruct, chunkStruct, linesStruct, placesStruct, sizesStruct } from "../../src/engines/stages/structs.ts";
import { optionSets } from "../../src/lab/option_sets.ts";
import { meanLossSource } from "../../src/objectives/field_gpu.ts";
import * as objectives from "../../src/objectives/sources.ts";
import { layoutSegments } from "../../src/optimizer/arena.ts";
import { layoutRuleSet } from "../../src/optimizer/layout.ts";
import { clipBins } from "../../src/optimizer/plan.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { tableColumns } from "../../src/optimizer/table.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { rules } from "../../src/rules/index.ts";
import type { Rule } from "../../src/rules/rule.ts";
import { createPlan } from "../optimizers.ts";

const segments = layoutSegments([{ name: "w", shape: [8, 3] }]);
/** Modifiers with WGSL. */
const modifierSets: readonly object[] = [
  {},
  { cautious: true, ema: {}, swa: {}, lookahead: {}, centralize: true, clip: { type: "value", maxValue: 1 } },
  { clip: { type: "adaptive", clipping: 0.1 }, replicas: [{}, {}], watch: true, centralize: true },
  { clip: { type: "groupNorm", maxNorm: 1 }, groups: [{ params: "w" }] },
];
const contextOf = (config: object, tensors = segments, index = 0, access = vec4Access) => {
  const plan = createPlan(readConfig(config), tensors);
  const ruleSet = plan.ruleSets[index]!;
  return { plan, ruleSet, layout: layoutRuleSet(plan, ruleSet, tensors), access };
};
/** Beside which modifiers a rule is tried: what has stages of its own beside all of them, others beside some in turn. */
const modifiersBeside = (rule: Rule, number: number) =>
  rule.reduction || rule.factored || rule.orthogonalises
    ? modifierSets
    : [modifierSets[0]!, modifierSets[1 + (number % (modifierSets.length - 1))]!];
/** Every set of options alone, and one beside modifiers and element by element: parsing is what takes the time. */
const cases: readonly KernelContext[] = rules.flatMap((rule, number) =>
  optionSets(rule).flatMap((options, set) =>
    (set === 0 ? modifiersBeside(rule, number) : modifierSets.slice(0, 1)).flatMap((modifiers) => {
      const config = { rule, ...options, ...modifiers };
      const { plan } = contextOf(config);
      const accesses = set === 0 ? [vec4Access, scalarAccess] : [vec4Access];
      return plan.ruleSets.flatMap((_, index) => accesses.map((access) => contextOf(config, segments, index, access)));
    }),
  ),
);
const plain = cases.filter(({ plan, access }) => access === vec4Access && plan.modifiers.length === 0);

/** Every pass of a plan, by the names of its stage and its own. */
function passesOf({ plan, ruleSet }: KernelContext): ReadonlyMap<string, Pass> {
  const stages = [...gradientStages(plan), ...stepStages(plan), ...ruleStages(plan, ruleSet)];
  return new Map(stages.flatMap(({ name, passes }) => passes.map((pass) => [`${name} ${pass.name}`, pass] as const)));
}

/** The source of a pass, by those names. */
function source(context: KernelContext, name: string): Source {
  return sourceOf(passesOf(context).get(name)!, context);
}

/** The sources of all passes. */
const sourcesOf = (context: KernelContext) =>
  [...passesOf(context).values()].map((pass) => ({ pass, source: sourceOf(pass, context) }));

/** Many cases assemble the same text, and parsing is what takes the time. */
const reflections = new Map<string, WgslReflect>();
function reflect({ code }: Source): WgslReflect {
  const known = reflections.get(code) ?? new WgslReflect(code);
  reflections.set(code, known);
  return known;
}

const storage = (source: Source) =>
  [...reflect(source).storage]
    .sort((a, b) => a.binding - b.binding)
    .map(({ binding, name, access }) => `${binding} ${name} ${access}`);

const uniforms = (source: Source) => reflect(source).uniforms.map(({ binding, name }) => `${binding} ${name}`);

/** Products in all that picks code. */
const products = kernelNames.flatMap((kernel) =>
  (["vec4", "any"] as const).flatMap((access) =>
    (["none", "forward", "delta", "gradient", "combine"] as const).flatMap((epilogue) =>
      [false, true].map((dropout) => {
        const code = { kernel, access, epilogue, dropout };
        return { code, source: assembleProduct(code) };
      }),
    ),
  ),
);

describe("bindings", () => {
  it("of every kernel are those that its stage lists, by their places in the list, eight storage buffers at most", () => {
    for (const context of cases) {
      for (const { pass, source } of sourcesOf(context)) {
        const listed = pass.bindings(context).map(({ name, use }, index) => ({ index, name, use }));
        const access = { read: "read", write: "read_write" };
        expect(storage(source)).toEqual(
          listed.flatMap(({ index, name, use }) => (use === "uniform" ? [] : [`${index} ${name} ${access[use]}`])),
        );
        expect(uniforms(source)).toEqual(
          listed.flatMap(({ index, name, use }) => (use === "uniform" ? [`${index} ${name}`] : [])),
        );
        expect(storage(source).length).toBeLessThanOrEqual(8);
      }
    }
  });

  it("of every update are the same seven, then the scalars and what its chunks file where there are any", () => {
    for (const context of cases) {
      const names = passesOf(context)
        .get("update update")!
        .bindings(context)
        .map(({ name }) => name);
      const scalars = context.layout.scalars.length > 0 ? ["scalars"] : [];
      const filed = context.plan.watch ? ["partials"] : [];
      const cell = ["params", "gradients", "state", "chunks", "table", "control", "sizes"];
      expect(names).toEqual([...cell, ...scalars, ...filed]);
    }
  });

  it.each([
    [objectives.gatherSource, ["0 batch read", "1 data read", "2 inputs read_write"]],
    ...Object.values(objectives.lossSources).map((source): [Source, string[]] => [
      source,
      [
        ...["0 batch read", "1 answers read", "2 weights read", "3 outputs read_write"],
        ...["4 outcomes read_write", "5 control read"],
      ],
    ]),
    [objectives.totalSource, ["0 batch read", "1 partials read", "2 totals read_write", "3 control read"]],
    [objectives.penaltySource, ["0 weight read", "1 gradient read_write", "2 outcomes read_write", "3 control read"]],
    [meanLossSource, ["0 totals read", "1 control read", "2 scalars read_write"]],
    [vectorSources.dots, ["0 partials read_write", "1 x read", "2 y read"]],
    [vectorSources.dotsConclude, ["0 partials read", "1 scalars read_write"]],
    [vectorSources.combineApart, ["0 y read_write", "1 factors read", "2 x read"]],
    [vectorSources.combineWithin, ["0 y read_write", "1 factors read"]],
    [vectorSources.load, ["0 vectors read_write", "1 held read", "2 control read"]],
    [vectorSources.store, ["0 vectors read", "1 held read_write"]],
  ])("$name", (source, bindings) => {
    expect(storage(source)).toEqual(bindings);
  });

  it("of every product are among the same eight, the sizes first, and listed where its code names them", () => {
    const named = (code: string, call: RegExp) => [...code.matchAll(call)].length > 1;
    const all = ["1 a read", "2 b read", "3 c read_write", "4 control read", "5 side read", "6 extra read_write"];
    for (const { code, source } of products) {
      const drops = code.dropout && (code.epilogue === "forward" || code.epilogue === "delta");
      expect(storage(source)).toEqual(drops ? [...all, "7 batch read"] : all);
      // Once where they are declared.
      const [side, extra] = [named(source.code, /\bfour_side\(/g), named(source.code, /\bstore_extra\(/g)];
      expect(bindingsOf(code)).toEqual([
        ...["uniform", "read", "read", "write", "read"],
        ...[side ? "read" : undefined, extra ? "write" : undefined, drops ? "read" : undefined],
      ]);
      expect(reflect(source).uniforms.map(({ binding, name }) => `${binding} ${name}`)).toEqual(["0 sizes"]);
    }
  });
});

describe("layouts", () => {
  const found = (source: Source, name: string) => {
    const struct = reflect(source).structs.find((candidate) => candidate.name === name);
    if (!struct) throw new Error(`${source.name} has no struct ${name}`);
    return struct;
  };

  it.each<Struct>([
    controlRecord,
    sizesStruct,
    binStruct,
    chunkStruct(placesStruct(["units", "centers"])),
    linesStruct(placesStruct([])),
    productSizes,
    defineStruct("Mixed", { a: "u32", b: "vec2f", c: "i32", d: "vec4f", e: controlRecord, f: "f32" }),
  ])("of struct $name are those of its WGSL, and what is written is read", (struct) => {
    const declared = found(assemble(struct.name, [{ name: struct.name, text: struct.wgsl }]), struct.name);
    const offsets = declared.members.map(({ name, offset }) => [name, offset]);
    expect(offsets).toEqual(Object.keys(struct.fields).map((name) => [snakeCase(name), 4 * struct.index(name)]));
    expect(declared.size).toBe(struct.bytes);
    const filled = (fields: Struct["fields"], from: number): object =>
      Object.fromEntries(
        Object.entries(fields).map(([name, type], i) => {
          const at = from + i;
          if (typeof type !== "string") return [name, filled(type.fields, at + 100)];
          const width = Number(/^vec(.)/.exec(type)?.[1] ?? 1);
          return [name, width === 1 ? at : Array.from({ length: width }, (_, k) => at + k / 2)];
        }),
      );
    const values = [filled(struct.fields, 1), filled(struct.fields, 7)];
    const bytes = struct.encode(values);
    expect(bytes.byteLength).toBe(2 * struct.bytes);
    const view = new DataView(bytes.buffer);
    const readBack = (of: Struct, at: number): object =>
      Object.fromEntries(
        Object.entries(of.fields).map(([name, type]) => {
          const first = at + 4 * of.index(name);
          if (typeof type !== "string") return [name, readBack(type, first)];
          const width = Number(/^vec(.)/.exec(type)?.[1] ?? 1);
          if (width === 1) return [name, of.number(view, at, name)];
          const word = type.endsWith("f") ? "getFloat32" : "getUint32";
          return [name, Array.from({ length: width }, (_, k) => view[word](first + 4 * k, true))];
        }),
      );
    expect([readBack(struct, 0), readBack(struct, struct.bytes)]).toEqual(values);
  });

  it("a replica has a control record for each bin of clipping", () => {
    for (const { plan } of [cases[0]!, cases.find(({ plan: { clipNorm } }) => clipNorm?.byGroup)!]) {
      expect(controlRecord.bytes * clipBins(plan)).toBe(controlBytes(plan));
    }
  });

  it("and numbers are no constants: sources differ by rule, access and modifiers alone", () => {
    const other = layoutSegments([
      { name: "w", shape: [700, 9] },
      { name: "x", shape: [5] },
    ]);
    for (const modifiers of modifierSets) {
      const [one, another] = [
        contextOf({ ...modifiers, rule: adafactor }),
        contextOf({ ...modifiers, rule: adafactor, replicas: [{}, {}, {}], groups: [{ params: "x" }] }, other),
      ].map((context) => sourcesOf(context).map(({ source }) => source));
      expect(another).toEqual(one);
    }
  });

  it("the sources of the norm, of units and of caution's conclusion are the same for every rule", () => {
    for (const [modifiers, name] of [
      [{ skipNonFinite: true }, "norm norm"],
      [{ clip: { type: "adaptive", clipping: 0.1 } }, "norm norm"],
      [{ clip: { type: "adaptive", clipping: 0.1 } }, "unitClip unitClip"],
    ] as const) {
      const codes = rules.map((rule) => source(contextOf({ ...modifiers, rule }), name).code);
      expect(new Set(codes).size).toBe(1);
    }
    const codes = rules
      .filter(({ reduction }) => !reduction)
      .map((rule) => source(contextOf({ cautious: true, rule }), "cautious conclude").code);
    expect(new Set(codes).size).toBe(1);
  });

  it("the table's row is its columns, in order", () => {
    for (const context of cases) {
      const columns = tableColumns(context.plan, context.ruleSet);
      const row = found(source(context, "update update"), "Row");
      expect(row.members.map(({ name }) => name)).toEqual(columns.map(snakeCase));
      expect(row.size).toBe(4 * columns.length);
    }
  });
});

describe("workgroup memory", () => {
  it("of kernels that stream is three quarters of what every device promises at most", () => {
    const watched = contextOf({
      rule: adafactor,
      watch: true,
      cautious: true,
      clip: { type: "adaptive", clipping: 0.1 },
    });
    const lanes = 256;
    for (const { source } of [...plain, watched].flatMap(sourcesOf)) {
      const sum = reflect(source).structs.find(({ name }) => name === "Sum")?.size ?? 0;
      const joins = source.code.includes("var<workgroup> lanes") ? lanes * sum : 0;
      const means = source.code.includes("var<workgroup> mean_lanes") ? 4 * lanes : 0;
      expect(joins + means, source.name).toBeLessThanOrEqual((16_384 * 3) / 4);
    }
  });
});

describe("entry points", () => {
  const sources: Source[] = [
    ...plain.flatMap((context) => sourcesOf(context).map(({ source }) => source)),
    ...Object.values(objectives).filter((source): source is Source => "code" in source),
    ...products.filter(({ code }) => code.access === "any" && code.dropout).map(({ source }) => source),
  ];
  it.each(sources)("of $name is main alone", (source) => {
    const { compute } = reflect(source).entry;
    expect(compute.map(({ name }) => name)).toEqual(["main"]);
  });
});

describe("locate", () => {
  it("finds the snippet and its line for every line of a source", () => {
    const text = source(plain[0]!, "update update");
    const lines = text.code.split("\n");
    for (const [i, content] of lines.slice(0, -1).entries()) {
      const { snippet, line } = locate(text, i + 1);
      const found = text.snippets
        .filter(({ name }) => name === snippet)
        .map((piece) => piece.text.split("\n")[line - 1]);
      expect(found).toContain(content);
    }
  });
});
