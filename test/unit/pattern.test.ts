// Globs and regular expressions over names: what JavaScript's own matcher says, in time that nothing makes long.

import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { globMatches } from "../../src/base/glob.ts";
import { regexMatcher } from "../../src/base/pattern.ts";
import { layoutSegments } from "../../src/optimizer/arena.ts";
import { Hypers } from "../../src/optimizer/hypers.ts";
import { createPlan } from "../../src/optimizer/plan.ts";
import { planConfig } from "../../src/optimizer/plan_config.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { sgd } from "../../src/rules/sgd.ts";

const names = [
  ..."|a|aa|ab|aab|aaab|b|ba|abc|abcabc|\n|a\nb|a\r\nb|é|É|ſ|K|😀|a😀b|x.y|x*y|a1|a_1| |A|AB|foo-bar".split("|"),
  "layers.0.attn.q_proj.weight",
  "layers.11.mlp.fc1.bias",
  "model/conv2d_3/kernel:0",
  "blocks.2.norm1.weight",
  "head.weight",
];

const sources = [
  ..."a ^a a$ ^a$ ^$ . ^.$ ^..$ a* a+b (a|b)+ ^(a|b)*$ (a+)+$ (a*)*b a? a{2} a{2,} ^a{1,2}b (ab){2} [a-c]+ [^a] [] [^] [\\]] [\\^a]".split(
    " ",
  ),
  ..."\\d \\d+ \\w+ \\W \\s \\S \\D \\bweight\\b \\Bb a\\b \\. x\\*y [.*] \\n a\\sb \\x61 \\u0061 \\u{61} \\cJ \\0 \\a \\- { } ] a{ a{,2} x{a} {2}?".split(
    " ",
  ),
  ..."(?:a|aa)+b (?=a)a (?!a). ^(?!.*bias) (?<=a)b (?<!a)b (?<=(?=b)b)a (?<=a+)b (?<=^a)b ((a)) (?<n>a)b (a|)b ()".split(
    " ",
  ),
  ..."layers\\.\\d+\\.(attn|mlp)\\..*weight$ ^(?!head|layers).*weight (?=.*attn)(?=.*weight) a*? a+?b (?:a??)*b (?:^a|b$) (?:\\b)+a (?=a)*b".split(
    " ",
  ),
  "😀",
  "^.😀",
  "[😀é]",
  "\\ud83d\\ude00",
  "^a.b$",
  "^b",
  "a$",
  "k",
  "s",
];

describe("regexMatcher", () => {
  const valid = sources.flatMap((source) =>
    ["", "i", "s", "m", "u", "iu", "gy"].flatMap((flags): [string, string][] => {
      try {
        new RegExp(source, flags);
      } catch {
        return [];
      }
      return [[source, flags]];
    }),
  );

  it("finds what JavaScript finds", () => {
    expect(valid.length).toBeGreaterThan(500);
    for (const [source, flags] of valid) {
      const matches = regexMatcher("params", source, flags);
      for (const name of names) {
        const native = new RegExp(source, flags.replace(/[gy]/g, "")).test(name);
        expect(matches(name), `/${source}/${flags} on ${JSON.stringify(name)}`).toBe(native);
      }
    }
  });

  it("takes no longer for what has many ways to match", () => {
    const name = `${"a".repeat(5000)}!`;
    const start = performance.now();
    for (const source of [
      "^(a+)+$",
      "^(a|a)*$",
      "^(a|aa)+$",
      "(.*)*x",
      "a*a*a*a*a*a*a*a*b",
      "^(?=(a+)+$)b",
      "^((a*)*)*$",
    ]) {
      expect(regexMatcher("params", source, "")(name)).toBe(false);
    }
    expect(globMatches(`${"*a".repeat(10)}*b`, name)).toBe(false);
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it.each([
    ["(a)\\1", "", /must contain no back references$/],
    ["(?<n>a)\\k<n>", "", /must contain no back references/],
    ["a".repeat(1001), "", /must have at most 1000 letters$/],
    ["((a{50}){50}){50}", "", /must take at most 5000 steps$/],
    ["(", "", /which is not a regular expression: /],
    ["a", "v", /; its flags must be some of d, g, i, m, s, u and y$/],
    ["a", "ii", /which is not a regular expression: /],
  ])("refuses /%s/%s", (source, flags, message) => {
    expect(() => regexMatcher("groups[0].params", source, flags)).toThrow(OptionError);
    expect(() => regexMatcher("groups[0].params", source, flags)).toThrow(message);
  });

  it("decides for what a config from JSON names, and for the config that its plan gives back", () => {
    const name = `${"a".repeat(5000)}!`;
    const segments = layoutSegments([{ name, shape: [1] }]);
    const config = readConfig({ rule: "sgd", groups: [{ params: ["*!", { regex: "^(a+)+!" }] }] });
    const plan = createPlan(config, segments);
    const again = createPlan(planConfig(plan, new Hypers(plan)), segments);
    expect(again.groups[0]!.params).toEqual(["*!", { regex: "^(a+)+!" }]);
    const missing = () => readConfig({ rule: "sgd", groups: [{ params: { regex: "^(a+)+$" } }] });
    expect(() => createPlan(missing(), segments)).toThrow(/matches no tensor/);
    expect(() => readConfig({ rule: "sgd", groups: [{ params: { regex: "(a)\\1" } }] })).toThrow(
      /^sgd\.groups\[0\]\.params holds .*; it must contain no back references/,
    );
  });

  it("refuses flags that are not a string, as a config may hold them", () => {
    const segments = layoutSegments([{ name: "w", shape: [1] }]);
    const params = { regex: "w", flags: 5 as unknown as string };
    expect(() => createPlan({ rule: sgd, groups: [{ params }] }, segments)).toThrow(
      /a regular expression is \{ regex: "…", flags: "…" \}/,
    );
  });
});

describe("globMatches", () => {
  it("means what the expression means that it stands for", () => {
    const globs = "* ? a* *a a*b *.weight layers.*.weight ** a**b ?? ?* *? x*y x.y *a*b*".split(" ");
    for (const glob of [...globs, "", "(a)", "[ab]", "a\\*"]) {
      const source = glob
        .replace(/[.+^${}()|[\]\\]/g, "\\$&")
        .replaceAll("*", ".*")
        .replaceAll("?", ".");
      for (const name of names) {
        expect(globMatches(glob, name), `${glob} on ${name}`).toBe(new RegExp(`^${source}$`, "s").test(name));
      }
    }
  });
});
