// The WGSL against the host: every assembled source is parsed by an independent reflector, and the bindings and layouts
// that the host relies on are compared with what it finds.
import { describe, expect, it } from "vitest";
import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { layoutSegments } from "../../src/arena.ts";
import {
  assembleAccumulate,
  assembleConclude,
  assembleLines,
  assembleMeasure,
  assembleNorm,
  assemblePrepare,
  assembleUpdate,
  finalizeSource,
  locate,
  newtonSchulzSource,
  type PartSources,
  phasesOf,
  type Source,
  snakeCase,
} from "../../src/assemble.ts";
import { chunkWords, lineWords, numberChunks } from "../../src/gpu/chunks.ts";
import { controlBytes, controlOffsets } from "../../src/gpu/control.ts";
import { sizesOf } from "../../src/gpu/sizes.ts";
import { optionSets } from "../../src/lab/option_sets.ts";
import { layoutPart } from "../../src/layout.ts";
import { assembleProduct, kernelNames } from "../../src/objectives/product_sources.ts";
import { sizeFields } from "../../src/objectives/products.ts";
import * as objectives from "../../src/objectives/sources.ts";
import { clipBins, createPlan } from "../../src/plan.ts";
import { type OptimizerConfig, rules } from "../../src/rules/index.ts";
import { tableColumns } from "../../src/table.ts";

const segments = layoutSegments([{ name: "w", shape: [8, 3] }]);
/** What stands around a rule and has WGSL of its own; all but the first beside one set of options. */
const arounds: readonly object[] = [
  {},
  { cautious: true, ema: {}, swa: {}, lookahead: {}, clip: { type: "value", maxValue: 1 } },
  { clip: { type: "adaptive", clipping: 0.1 }, replicas: [{}, {}], watch: true },
  { clip: { type: "groupNorm", maxNorm: 1 }, groups: [{ params: "w" }] },
];
const cases: readonly PartSources[] = rules.flatMap((rule) =>
  optionSets(rule).flatMap((options, set) =>
    (set === 0 ? arounds : arounds.slice(0, 1)).flatMap((around) => {
      const plan = createPlan({ rule: rule.name, ...options, ...around } as OptimizerConfig, segments);
      return plan.parts.flatMap((part) =>
        (["vec4", "scalar"] as const).map((access) => ({
          plan,
          part,
          layout: layoutPart(plan, part, segments),
          access,
        })),
      );
    }),
  ),
);
const plain = cases.filter(({ plan, access }) => access === "vec4" && !plan.clip && !plan.cautious);

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
    (["none", "forward", "delta", "gradient"] as const).flatMap((epilogue) =>
      [false, true].map((dropout) => {
        const code = { kernel, access, epilogue, dropout };
        return { code, source: assembleProduct(code) };
      }),
    ),
  ),
);

describe("bindings", () => {
  const cell = [
    "0 params read_write",
    "1 gradients read",
    "2 state read_write",
    "3 chunks read",
    "4 table read",
    "5 control read_write",
  ];

  it("of every update are the same six, the scalars where there are any, and what is noted where it is", () => {
    for (const sources of cases) {
      const scalars = sources.layout.scalars.length > 0 ? ["7 scalars read_write"] : [];
      const noted = sources.plan.watch ? [`${7 + scalars.length} noted read_write`] : [];
      expect(storage(assembleUpdate(sources))).toEqual([...cell, ...scalars, ...noted]);
      expect(uniforms(assembleUpdate(sources))).toEqual(["6 sizes"]);
    }
  });

  it("of the kernels before the update are at most eight", () => {
    for (const sources of cases) {
      const { plan, part } = sources;
      expect(storage(assembleNorm(sources))).toEqual([
        "0 partials read_write",
        "1 gradients read",
        "2 chunks read",
        "3 table read",
        "4 control read_write",
      ]);
      for (const phase of phasesOf(plan, part)) {
        const measure = [...cell, "7 scalars read_write", "8 partials read_write"];
        expect(storage(assembleMeasure(sources, phase))).toEqual(measure);
        expect(storage(assembleConclude(sources, phase))).toEqual([
          "0 partials read",
          "1 control read_write",
          "2 table read",
          "4 bins read",
          "5 scalars read_write",
        ]);
        expect(uniforms(assembleMeasure(sources, phase))).toEqual(["6 sizes"]);
        expect(uniforms(assembleConclude(sources, phase))).toEqual(["3 sizes"]);
      }
      const lines = cell.map((binding) => (binding.startsWith("3") ? "3 tasks read" : binding));
      if (part.rule.factored) expect(storage(assembleLines(sources, "factor"))).toEqual(lines);
      if (plan.clip?.type === "adaptive") expect(storage(assembleLines(sources, "unitClip"))).toEqual(lines);
      if (part.rule.orthogonalises) {
        const prepare = [...cell, "7 scalars read_write", "8 prepared read_write"];
        expect(storage(assemblePrepare(sources))).toEqual(prepare);
      }
    }
  });

  it.each([
    [finalizeSource, ["0 partials read", "1 bins read", "2 control read_write", "4 table read"]],
    [assembleAccumulate("vec4"), ["0 sums read_write", "1 gradients read", "2 chunks read", "4 control read_write"]],
    [newtonSchulzSource, ["0 a read", "1 b read", "2 d read", "3 c read_write", "4 product read"]],
    [objectives.gatherSource, ["0 batch read", "1 data read", "2 inputs read_write"]],
    ...[objectives.softmaxCrossEntropySource, objectives.elementwiseLossSource].map((source): [Source, string[]] => [
      source,
      [
        ...["0 batch read", "1 answers read", "2 weights read", "3 outputs read_write"],
        ...["4 outcomes read_write", "5 control read"],
      ],
    ]),
    [objectives.totalSource, ["0 batch read", "1 outcomes read", "2 totals read_write", "3 control read"]],
    [objectives.penaltySource, ["0 weight read", "1 gradient read_write", "2 outcomes read_write", "3 control read"]],
    [
      objectives.perturbSource,
      [
        ...["0 params read_write", "1 gradients read_write", "2 direction read"],
        ...["3 saved read_write", "4 held read_write", "5 difference read_write"],
      ],
    ],
  ])("$name", (source, bindings) => {
    expect(storage(source)).toEqual(bindings);
  });

  it("of every product are among the same eight, the sizes first", () => {
    const all = ["1 a read", "2 b read", "3 c read_write", "4 control read", "5 side read", "6 extra read_write"];
    for (const { code, source } of products) {
      const drops = code.dropout && (code.epilogue === "forward" || code.epilogue === "delta");
      expect(storage(source)).toEqual(drops ? [...all, "7 batch read"] : all);
      expect(reflect(source).uniforms.map(({ binding, name }) => `${binding} ${name}`)).toEqual(["0 sizes"]);
    }
  });
});

describe("layouts", () => {
  const struct = (source: Source, name: string) => {
    const found = reflect(source).structs.find((candidate) => candidate.name === name);
    if (!found) throw new Error(`${source.name} has no struct ${name}`);
    return found;
  };

  it("the control buffer's is the host's", () => {
    const control = struct(finalizeSource, "Control");
    const offsets = control.members.map(({ name, offset }) => [name, offset]);
    expect(offsets).toEqual(Object.entries(controlOffsets).map(([name, offset]) => [snakeCase(name), offset]));
    for (const { plan } of [cases[0]!, cases.find(({ plan: { clip } }) => clip?.type === "groupNorm")!]) {
      expect(control.size * clipBins(plan)).toBe(controlBytes(plan));
    }
  });

  it("the sizes are those that the host writes, whole numbers first", () => {
    const { plan, layout } = plain[0]!;
    const { whole, others } = sizesOf(plan, 0, layout, segments, numberChunks([layout]), 1);
    const fields = (names: object, type: string) => Object.keys(names).map((name) => [snakeCase(name), type]);
    const members = struct(finalizeSource, "Sizes").members.map(({ name, type }) => [name, type.name]);
    expect(members).toEqual([...fields(whole, "u32"), ...fields(others, "f32")]);
  });

  it("and numbers are no constants: sources differ by rule, access and surroundings alone", () => {
    const other = layoutSegments([
      { name: "w", shape: [700, 9] },
      { name: "x", shape: [5] },
    ]);
    for (const around of arounds) {
      const sources = [
        { config: { ...around, rule: "adafactor" }, tensors: segments },
        { config: { ...around, rule: "adafactor", replicas: [{}, {}, {}], groups: [{ params: "x" }] }, tensors: other },
      ].map(({ config, tensors }): PartSources => {
        const plan = createPlan(config as OptimizerConfig, tensors);
        const part = plan.parts[0]!;
        return { plan, part, layout: layoutPart(plan, part, tensors), access: "vec4" };
      });
      const [one, another] = sources.map((each) =>
        [assembleNorm(each), assembleUpdate(each), assembleLines(each, "factor"), assembleMeasure(each, "rule")].concat(
          assembleConclude(each, "rule"),
        ),
      );
      expect(another).toEqual(one);
    }
  });

  it("the norm's and the units' sources are the same for every rule", () => {
    for (const around of [{}, { clip: { type: "adaptive", clipping: 0.1 } }]) {
      const sources = rules.map((rule) => {
        const plan = createPlan({ ...around, rule: rule.name } as OptimizerConfig, segments);
        return {
          plan,
          part: plan.parts[0]!,
          layout: layoutPart(plan, plan.parts[0]!, segments),
          access: "vec4",
        } as const;
      });
      expect(new Set(sources.map((each) => assembleNorm(each).code)).size).toBe(1);
      expect(new Set(sources.map((each) => assembleLines(each, "unitClip").code)).size).toBe(1);
    }
  });

  it("the table's row is its columns, in order", () => {
    for (const sources of cases) {
      const columns = tableColumns(sources.plan, sources.part);
      const source = assembleUpdate(sources);
      expect(struct(source, "Row").members.map(({ name }) => name)).toEqual(columns.map(snakeCase));
      expect(struct(source, "Row").size).toBe(4 * columns.length);
    }
  });

  it("of table entries is that of the words which the host writes", () => {
    expect(struct(assembleUpdate(plain[0]!), "Chunk").size).toBe(4 * chunkWords);
    const adaptive = cases.find(({ plan: { clip } }) => clip?.type === "adaptive")!;
    expect(struct(assembleLines(adaptive, "unitClip"), "Lines").size).toBe(4 * lineWords);
    expect(struct(assembleNorm(plain[0]!), "Partial").size).toBe(12);
    expect(struct(newtonSchulzSource, "Product").size).toBe(84);
    const sizes = struct(products[0]!.source, "Sizes");
    expect(sizes.members.map(({ name }) => name)).toEqual(sizeFields.map(snakeCase));
    expect(sizes.size).toBe(4 * sizeFields.length);
  });
});

describe("entry points", () => {
  const sources: Source[] = [
    ...plain.map(assembleUpdate),
    assembleNorm(plain[0]!),
    finalizeSource,
    newtonSchulzSource,
    ...Object.values(objectives).filter((source): source is Source => "code" in source),
    ...products.filter(({ code }) => code.access === "any" && code.dropout).map(({ source }) => source),
  ];
  it.each(sources)("of $name is main alone", (source) => {
    const { compute } = reflect(source).entry;
    expect(compute.map(({ name }) => name)).toEqual(["main"]);
  });
});

describe("locate", () => {
  it("finds the part and its line for every line of a source", () => {
    const source = assembleUpdate(plain[0]!);
    const lines = source.code.split("\n");
    for (const [i, text] of lines.slice(0, -1).entries()) {
      const { part, line } = locate(source, i + 1);
      // The generated header is in two pieces, before and behind the rule's own.
      const found = source.parts.filter(({ name }) => name === part).map((piece) => piece.text.split("\n")[line - 1]);
      expect(found).toContain(text);
    }
  });
});
