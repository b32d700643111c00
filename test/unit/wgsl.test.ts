// The WGSL against the host: every assembled source is parsed by an independent reflector, and the bindings and layouts
// that the host relies on are compared with what it finds.
import { describe, expect, it } from "vitest";
import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { layoutSegments } from "../../src/arena.ts";
import {
  assembleAccumulate,
  assembleConclude,
  assembleFinalize,
  assembleLines,
  assembleMeasure,
  assembleNorm,
  assemblePrepare,
  assembleUpdate,
  locate,
  newtonSchulzSource,
  type PartSources,
  phasesOf,
  type Source,
  snakeCase,
} from "../../src/assemble.ts";
import { chunkWords, lineWords } from "../../src/gpu/chunks.ts";
import { controlBytes, controlOffsets } from "../../src/gpu/control.ts";
import { optionSets } from "../../src/lab/option_sets.ts";
import { layoutPart } from "../../src/layout.ts";
import * as objectives from "../../src/objectives/sources.ts";
import { createPlan } from "../../src/plan.ts";
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
      const scalars = sources.layout.scalars.length > 0 ? ["6 scalars read_write"] : [];
      const noted = sources.plan.watch ? [`${6 + scalars.length} noted read_write`] : [];
      expect(storage(assembleUpdate(sources))).toEqual([...cell, ...scalars, ...noted]);
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
        const measure = [...cell, "6 scalars read_write", "7 partials read_write"];
        expect(storage(assembleMeasure(sources, phase))).toEqual(measure);
        expect(storage(assembleConclude(sources, phase))).toEqual([
          "0 partials read",
          "1 control read_write",
          "2 table read",
          "3 bins read",
          "4 scalars read_write",
        ]);
      }
      const lines = cell.map((binding) => (binding.startsWith("3") ? "3 tasks read" : binding));
      if (part.rule.factored) expect(storage(assembleLines(sources, "factor"))).toEqual(lines);
      if (plan.clip?.type === "adaptive") expect(storage(assembleLines(sources, "unitClip"))).toEqual(lines);
      if (part.rule.orthogonalises) {
        const prepare = [...cell, "6 scalars read_write", "7 prepared read_write"];
        expect(storage(assemblePrepare(sources))).toEqual(prepare);
      }
    }
  });

  it.each([
    [assembleFinalize(plain[0]!.plan), ["0 partials read", "1 bins read", "2 control read_write"]],
    [assembleAccumulate("vec4"), ["0 sums read_write", "1 gradients read", "2 chunks read"]],
    [newtonSchulzSource, ["0 a read", "1 b read", "2 d read", "3 c read_write", "4 product read"]],
    [objectives.gatherSource, ["0 batch read", "1 data read", "2 inputs read_write"]],
    [objectives.productSource, ["0 a read", "1 b read", "2 c read_write", "3 bias read", "4 control read"]],
    [objectives.productAnySource, ["0 a read", "1 b read", "2 c read_write", "3 bias read", "4 control read"]],
    [objectives.columnSumSource, ["0 matrix read", "1 sums read_write", "2 control read"]],
    [
      objectives.softmaxCrossEntropySource,
      ["0 batch read", "1 labels read", "2 logits read_write", "3 outcomes read_write", "4 control read"],
    ],
    [objectives.totalSource, ["0 batch read", "1 outcomes read", "2 totals read_write", "3 control read"]],
  ])("%o", (source, bindings) => {
    expect(storage(source)).toEqual(bindings);
  });
});

describe("layouts", () => {
  const struct = (source: Source, name: string) => {
    const found = reflect(source).structs.find((candidate) => candidate.name === name);
    if (!found) throw new Error(`${source.name} has no struct ${name}`);
    return found;
  };

  it("the control buffer's is the host's", () => {
    for (const { plan } of [cases[0]!, cases.find(({ plan: { clip } }) => clip?.type === "groupNorm")!]) {
      const control = struct(assembleFinalize(plan), "Control");
      const offsets = new Map(control.members.map(({ name, offset }) => [name, offset]));
      for (const [name, offset] of Object.entries(controlOffsets)) expect(offsets.get(snakeCase(name))).toBe(offset);
      expect([...offsets.keys()]).toEqual([...Object.keys(controlOffsets).map(snakeCase), "scales"]);
      expect(control.size).toBe(controlBytes(plan));
    }
  });

  it("the table's row is its columns, in order", () => {
    for (const sources of cases) {
      const columns = tableColumns(sources.plan, sources.part);
      const source = assembleUpdate(sources);
      expect(struct(source, "Row").members.map(({ name }) => name)).toEqual(columns.map(snakeCase));
      expect(struct(source, "Row").size).toBe(4 * columns.length);
      const rows = struct(source, "Table").members.find(({ name }) => name === "rows");
      expect(rows?.offset).toBe(8 * sources.plan.replicas);
    }
  });

  it("of table entries is that of the words which the host writes", () => {
    expect(struct(assembleUpdate(plain[0]!), "Chunk").size).toBe(4 * chunkWords);
    const adaptive = cases.find(({ plan: { clip } }) => clip?.type === "adaptive")!;
    expect(struct(assembleLines(adaptive, "unitClip"), "Lines").size).toBe(4 * lineWords);
    expect(struct(assembleNorm(plain[0]!), "Partial").size).toBe(12);
    expect(struct(newtonSchulzSource, "Product").size).toBe(84);
  });
});

describe("entry points", () => {
  const sources: Source[] = [
    ...plain.map(assembleUpdate),
    assembleNorm(plain[0]!),
    assembleFinalize(plain[0]!.plan),
    newtonSchulzSource,
    ...(Object.values(objectives) as Source[]),
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
