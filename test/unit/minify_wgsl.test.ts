// The WGSL of the build against that of shaders/: as many lines, the same words but for locals, and less of the rest.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { minifyWgsl } from "../../scripts/minify_wgsl.mjs";

const folder = resolve(import.meta.dirname, "../../shaders");
const shaders = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".wgsl"))
  .map((name) => readFileSync(join(folder, name), "utf8"));

/** Words, numbers and signs of a line without comments; names of locals do not count, and so no name of one letter. */
const wordsOf = (line: string) => line.match(/\w+|[^\s\w]/g) ?? [];

it("keeps every word in its line, locals apart", () => {
  expect(shaders.length).toBeGreaterThan(50);
  const minified = shaders.map(minifyWgsl);
  const wrong = shaders.flatMap((text, k) => {
    const [lines, shorter] = [text.split("\n"), minified[k]!.split("\n")];
    if (shorter.length !== lines.length) return [`${shorter.length} lines for ${lines.length}`];
    return lines.filter((line, i) => {
      const [words, kept] = [wordsOf(line.replace(/\/\/.*/, "")), wordsOf(shorter[i]!)];
      return words.length !== kept.length || words.some((word, j) => word !== kept[j] && !/^[a-zA-Z]$/.test(kept[j]!));
    });
  });
  expect(wrong).toEqual([]);
  expect(minified.join("").length).toBeLessThan(0.65 * shaders.join("").length);
});

it.each([
  ["comments and blanks", "// why\n  let x = /* a\nb */ 1u;  // so\n", "\nlet x=\n1u;\n"],
  ["blanks between what would become one", "a - -b; a & &c; return x;", "a- -b;a& &c;return x;"],
  ["numbers with signs in them", "const c = 0x1p-80f + 1e-3 - 1;", "const c=0x1p-80f+1e-3-1;"],
])("minds %s", (_, text, minified) => {
  expect(minifyWgsl(text)).toBe(minified);
});

it.each([
  [
    "parameters and variables",
    "fn f(first: u32) -> u32 { var sum = first; return sum; }",
    "fn f(a:u32)->u32{var b=a;return b;}",
  ],
  [
    "no members",
    "fn f(x: Cell) -> f32 { let rate = x.rate; return rate; }",
    "fn f(x:Cell)->f32{let a=x.rate;return a;}",
  ],
  [
    "no function of the same name",
    "fn f() { let inside = inside(1); use(inside); }",
    "fn f(){let inside=inside(1);use(inside);}",
  ],
  [
    "nothing that the file declares",
    "var<private> total: f32;\nfn f() { var total = 1.0; }",
    "var<private>total:f32;\nfn f(){var total=1.0;}",
  ],
  ["nothing that was something else before", "fn f() { g = size; let size = 1; }", "fn f(){g=size;let size=1;}"],
  ["no letter that the file uses", "fn f(a: f32, second: f32) { g(a, second); }", "fn f(a:f32,b:f32){g(a,b);}"],
  [
    "no case of a switch",
    "fn f(kind: u32) { switch kind { case one, two: { } default: { } } }",
    "fn f(a:u32){switch a{case one,two:{}default:{}}}",
  ],
])("shortens %s", (_, text, minified) => {
  expect(minifyWgsl(text)).toBe(minified);
});
