// The structure of the sources: which layer may import which, what every file must begin with, and where WGSL may stand.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

/** Layers from the core outwards; a file imports its own layer and those before it (ARCHITECTURE.md). */
const layers: readonly (readonly string[])[] = [
  ["base/"],
  ["schedules/"],
  ["rules/", "modifiers/", "optimizer/", "engines/"],
  ["objectives/"],
  ["train/"],
  ["lab/"],
  ["index.ts", "training.ts"],
  ["node.ts", "tfjs.ts"],
  ["app/"],
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
  // Types are gone once it runs, and order nothing.
  const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, "").replace(/^import type [^;]*;/gm, "");
  return [...code.matchAll(/\b(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, specifier]) => specifier!);
}

const sources = filesUnder("src", /\.ts$/);
const textOf = (path: string) => readFileSync(join(root, path), "utf8");

describe("layers", () => {
  it("hold every file, which imports its own and those before it", () => {
    expect(sources.filter((path) => layerOf(path) < 0)).toEqual([]);
    const outwards = sources.flatMap((path) => {
      const targets = imports(textOf(path))
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => join(dirname(path), specifier))
        .filter((target) => !target.startsWith("shaders") && !target.endsWith(".css"));
      // What is not in src/ (package.json, scripts) is for what runs in Node alone, and the page.
      const needs = (target: string) => (target.startsWith("src") ? layerOf(target) : layerOf("src/node.ts"));
      return targets.filter((target) => needs(target) > layerOf(path)).map((target) => `${path} imports ${target}`);
    });
    expect(outwards).toEqual([]);
  });

  it("import no package but for the last", () => {
    const importing = sources.filter(
      (path) =>
        layerOf(path) < layers.length - 1 && imports(textOf(path)).some((specifier) => !specifier.startsWith(".")),
    );
    expect(importing).toEqual([]);
  });
});

describe("buffers", () => {
  it.each([
    ["made", /\.createBuffer\(/, "src/engines/gpu/allocate.ts"],
    ["mapped to be read", /\.mapAsync\(/, "src/engines/gpu/readback.ts"],
  ])("are %s in one place, which handles failures", (_, call, place) => {
    expect(sources.filter((path) => call.test(textOf(path)))).toEqual([place]);
  });
});

describe("every file opens by saying what it is for", () => {
  const files = [
    ...sources,
    ...filesUnder("shaders", /\.wgsl$/),
    ...filesUnder("test", /\.ts$/),
    ...filesUnder("scripts", /\.mjs$/),
  ];
  it("in a comment", () => {
    expect(files.filter((path) => !/^(#!.*\n)?\/\/ \S/.test(textOf(path)))).toEqual([]);
  });
});

describe("WGSL", () => {
  it("is in shaders/ alone, except what names generate", () => {
    const offenders = sources.filter((path) => /@compute|@group\(/.test(textOf(path)));
    expect(offenders).toEqual(["src/engines/stages/generate.ts"]);
    // Of what is not a comment: a function of WGSL in a string.
    const functions = sources.filter((path) => {
      const code = textOf(path).replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
      return /["`][^"`]*\bfn \w+\([^"`]*\)[^"`]*\{\s[^"`]*return/.test(code);
    });
    // A custom objective's tensors are where the user says.
    expect(functions.filter((path) => !/^src\/objectives\/(own|custom)/.test(path))).toEqual([
      "src/engines/stages/generate.ts",
    ]);
  });

  it("is imported by exactly one file", () => {
    const texts = [...sources, ...filesUnder("bench", /\.ts$/), ...filesUnder("probe", /\.ts$/)].map(textOf);
    const usersOf = (path: string) => texts.filter((text) => text.includes(`${path}?raw`)).length;
    expect(filesUnder("shaders", /\.wgsl$/).filter((path) => usersOf(path) !== 1)).toEqual([]);
  });
});
