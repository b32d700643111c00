// The structure of the sources: which layer may import which, what every file must begin with, and where WGSL may stand.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

/** Layers from the core outwards; a file imports its own layer and those before it (ARCHITECTURE.md). */
const layers: readonly (readonly string[])[] = [
  [
    "errors.ts",
    "checksum.ts",
    "forms.ts",
    "host_memory.ts",
    "options.ts",
    "random.ts",
    "assemble.ts",
    "slot_format.ts",
    "rule.ts",
    "schedule.ts",
    "config.ts",
    "version.ts",
  ],
  ["rules/", "schedules/"],
  [
    "arena.ts",
    "groups.ts",
    "pattern.ts",
    "read_config.ts",
    "around_plan.ts",
    "plan.ts",
    "table.ts",
    "layout.ts",
    "newton_schulz.ts",
    "struct.ts",
    "safetensors.ts",
    "together.ts",
    "optimizer.ts",
    "optimizer/",
    "data/",
  ],
  ["cpu/", "gpu/", "stages/", "modifiers/", "products/"],
  ["objectives/"],
  ["train/"],
  ["lab/"],
  ["index.ts"],
  ["cli/", "page/"],
];

function filesUnder(folder: string, ending: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => ending.test(path))
    .map((path) => join(folder, path))
    .sort();
}

function layerOf(path: string): number {
  const inside = relative("src", path);
  return layers.findIndex((members) =>
    members.some((member) => (member.endsWith("/") ? inside.startsWith(member) : inside === member)),
  );
}

/** What a source imports, in every form: from "x", import "x", import("x"). */
function imports(text: string): string[] {
  const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
  return [...code.matchAll(/\b(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, specifier]) => specifier!);
}

const sources = filesUnder("src", /\.ts$/);

describe("layers", () => {
  it.each(sources)("%s belongs to one and imports only inwards", (path) => {
    const layer = layerOf(path);
    expect(layer, "add the file to a layer").toBeGreaterThanOrEqual(0);
    const text = readFileSync(join(root, path), "utf8");
    for (const specifier of imports(text)) {
      if (!specifier.startsWith(".")) continue;
      const target = join(dirname(path), specifier);
      if (target.startsWith("shaders") || target.endsWith(".css")) continue;
      if (!target.startsWith("src")) {
        expect(layer, `${path} imports ${target}`).toBe(layers.length - 1);
        continue;
      }
      expect(layerOf(target), `${path} imports ${target}`).toBeLessThanOrEqual(layer);
    }
  });

  it.each(sources.filter((path) => layerOf(path) < layers.length - 1))("%s imports no package", (path) => {
    const text = readFileSync(join(root, path), "utf8");
    expect(imports(text).filter((specifier) => !specifier.startsWith("."))).toEqual([]);
  });
});

describe("buffers", () => {
  it.each([
    ["made", /\.createBuffer\(/, "src/gpu/allocate.ts"],
    ["mapped to be read", /\.mapAsync\(/, "src/gpu/readback.ts"],
  ])("are %s in one place, which sees to failures", (_, call, place) => {
    expect(sources.filter((path) => call.test(readFileSync(join(root, path), "utf8")))).toEqual([place]);
  });
});

describe("every file opens by saying what it is for", () => {
  const files = [
    ...sources,
    ...filesUnder("shaders", /\.wgsl$/),
    ...filesUnder("test", /\.ts$/),
    ...filesUnder("scripts", /\.mjs$/),
  ];
  it.each(files)("%s", (path) => {
    const lines = readFileSync(join(root, path), "utf8").split("\n");
    const first = lines[0]!.startsWith("#!") ? 1 : 0;
    expect(lines[first]).toMatch(/^\/\/ \S/);
  });
});

describe("WGSL", () => {
  it("stands in shaders/ alone, but for what names generate", () => {
    const offenders = sources.filter((path) => /@compute|@group\(/.test(readFileSync(join(root, path), "utf8")));
    expect(offenders).toEqual(["src/stages/generate.ts"]);
    // Of what is not a comment: a function of WGSL in a string.
    const functions = sources.filter((path) => {
      const code = readFileSync(join(root, path), "utf8").replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
      return /["`][^"`]*\bfn \w+\([^"`]*\)[^"`]*\{\s[^"`]*return/.test(code);
    });
    // A custom objective's tensors are where the user says.
    expect(functions.filter((path) => !/^src\/objectives\/(own|custom)/.test(path))).toEqual([
      "src/stages/generate.ts",
    ]);
  });

  it.each(filesUnder("shaders", /\.wgsl$/))("%s is imported by exactly one file", (path) => {
    const all = [...sources, ...filesUnder("bench", /\.ts$/)];
    const users = all.filter((source) => readFileSync(join(root, source), "utf8").includes(`${path}?raw`));
    expect(users).toHaveLength(1);
  });
});
