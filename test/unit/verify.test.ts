// verifyRule on rules that are wrong in ways that no comparison of the two halves would show.
import { describe, expect, it } from "vitest";
import { verifyRule } from "../../src/lab/verify.ts";
import { defineRule } from "../../src/rules/custom.ts";
import type { Rule } from "../../src/rules/rule.ts";
import { sgd } from "../../src/rules/sgd.ts";

describe("verifyRule", () => {
  it.each<[string, Partial<Rule>, string]>([
    [
      "a default out of range",
      { hypers: { ...sgd.hypers, lr: { default: -1, range: { min: 0 } } } },
      "the default of bad.lr is -1; it must be a finite number >= 0",
    ],
  ])("refuses %s", async (_, change, message) => {
    await expect(verifyRule(defineRule({ ...sgd, name: "bad", ...change } as never))).rejects.toThrow(message);
  });

  it("reports what a twin throws as a problem", async () => {
    const update = () => {
      throw new TypeError("boo");
    };
    const results = await verifyRule(defineRule({ ...sgd, name: "bad", update } as never));
    expect(results.filter(({ problem }) => problem === "it throws TypeError: boo").length).toBeGreaterThan(0);
  });

  it("reports each law as it is done", async () => {
    const received: string[] = [];
    const results = await verifyRule(sgd, { onResult: ({ law }) => received.push(law) });
    expect(results.filter(({ problem }) => problem)).toEqual([]);
    expect(received).toEqual(results.map(({ law }) => law));
  });
});
