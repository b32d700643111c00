// Names as people type them: what is read as it is meant, and what errors suggest.

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { folded, meant } from "../../src/base/names.ts";
import { didYouMean, editDistance, nearest, readFields, readName } from "../../src/base/words.ts";
import { createLandscape } from "../../src/objectives/landscapes/index.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { readConfig, readRule } from "../../src/optimizer/read_config.ts";
import { ruleHints, rules, ruleWords } from "../../src/rules/index.ts";
import { scheduleAliases, scheduleTypes } from "../../src/schedules/index.ts";
import { readSchedule } from "../../src/schedules/read_schedule.ts";
import { readRunConfig } from "../../src/train/run_config.ts";

const model = (options: object) => createModel({ layers: [2, 2], ...options } as never).config;

describe("a word in another spelling", () => {
  it.each([
    ["AdamW", "adamw"],
    ["adam_w", "adamw"],
    ["Schedule-Free AdamW", "scheduleFreeAdamw"],
    ["SGD", "sgd"],
    ["gradient-descent", "sgd"],
  ])("of a rule: %s", (word, name) => {
    expect(readRule("rule", word).name).toBe(name);
    expect(readConfig({ rule: word }).rule.name).toBe(name);
  });

  it.each([
    [{ activation: "ReLU" }, { activation: "relu" }],
    [{ activation: "swish" }, { activation: "silu" }],
    [{ loss: "MSE" }, { loss: { type: "meanSquaredError" } }],
    [{ loss: "cross-entropy" }, { loss: { type: "softmaxCrossEntropy", labelSmoothing: 0 } }],
    [{ loss: { type: "cross_entropy", labelSmoothing: 0.1 } }, { loss: { labelSmoothing: 0.1 } }],
    [{ type: "MLP" }, { type: "mlp" }],
  ])("of a model: %j", (given, complete) => {
    expect(model(given)).toMatchObject(complete);
  });

  it("of schedules, landscapes, clippings, metrics and initial weights", () => {
    const config = { type: "CosineAnnealingLR", base: 1, steps: 3 };
    expect(JSON.parse(JSON.stringify(readSchedule(config)))).toEqual({ ...config, type: "cosine" });
    expect(createLandscape({ type: "Banana" } as never).config.type).toBe("rosenbrock");
    const run = readRunConfig({
      model: { layers: [784, 10] },
      data: { type: "MNIST" },
      init: { type: "Kaiming_Uniform" },
      optimizer: { rule: "AdamW", clip: { type: "global-norm", maxNorm: 1 } },
      batch: 2,
      steps: 2,
      metric: { type: "accuracy", every: 1 },
    });
    expect(JSON.parse(JSON.stringify(run))).toMatchObject({
      data: { type: "mnist" },
      init: { type: "heUniform" },
      optimizer: { rule: "adamw", clip: { type: "globalNorm" } },
      metric: { type: "testAccuracy" },
    });
  });
});

describe("an unknown word", () => {
  it.each<[() => unknown, string]>([
    [() => readRule("rule", "adamv"), "(did you mean adamw?)"],
    [() => readRule("rule", "momentum"), "(did you mean sgd with momentum?)"],
    [() => readRule("rule", "constructor"), 'rule is "constructor"; it must be one of'],
    [() => model({ activation: "rleu" }), "(did you mean relu?)"],
    [() => model({ loss: "softmax" }), "(did you mean softmaxCrossEntropy?)"],
    [() => model({ hidden: [3] }), "(did you mean layers?)"],
    [() => readConfig({ rule: "adamw", learningRate: 1 }), "(did you mean lr?)"],
    [() => readConfig({ rule: "adamw", weight_decay: 1 }), "(did you mean weightDecay?)"],
    [() => readConfig({ rule: "adamw", betas: [0.9, 0.99] }), "(did you mean beta1?)"],
    [() => readConfig({ rule: "adamw", cautius: true }), "(did you mean cautious?)"],
    [() => readConfig({ rule: "adamw", clip: { type: "golbalNorm" } }), "(did you mean globalNorm?)"],
    [() => readSchedule({ type: "consine", base: 1 }), "(did you mean cosine?)"],
    [() => createLandscape({ type: "rosenbroc" } as never), "(did you mean rosenbrock?)"],
    [() => readRunConfig({ epochs: 3 }), "(did you mean steps?)"],
    [() => readRunConfig({ rule: "adamw" }), "(did you mean optimizer?)"],
  ])("is answered with what may be meant: %s", (work, hint) => {
    expect(work).toThrow(hint);
  });

  it("is no name of an object's own, and none in a list where nothing is near", () => {
    for (const word of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      expect(() => readName("x", word, ["a", "b"], { a: "a" })).toThrow(`x is "${word}"; it must be one of a, b`);
    }
    expect(didYouMean("zebra", ["lr", "momentum"])).toBe("");
    expect(() => readFields("x", { zebra: 1 }, ["lr"])).toThrow(/the options are lr$/);
  });
});

describe("tables of other words", () => {
  it("hold folded words that are no names, for names that there are", () => {
    const tables: readonly (readonly [Readonly<Record<string, string>>, readonly string[]])[] = [
      [ruleWords, rules.map(({ name }) => name)],
      [scheduleAliases, scheduleTypes],
    ];
    for (const [words, names] of tables) {
      for (const [word, name] of Object.entries(words)) {
        expect(folded(word)).toBe(word);
        expect(names).toContain(name);
        expect(names.map(folded)).not.toContain(word);
      }
    }
    for (const word of Object.keys(ruleHints))
      expect(
        meant(
          word,
          rules.map(({ name }) => name),
          ruleWords,
        ),
      ).toBeUndefined();
  });
});

describe("the distance of words", () => {
  const word = fc.string({ maxLength: 12 });
  it("is a count of edits: 0 of a word to itself, the same both ways, no more than the longer one has letters", () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
        expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("counts a letter left out, added, replaced, and two swapped, once each", () => {
    expect(["adaw", "adaamw", "adanw", "adawm"].map((each) => editDistance(each, "adamw"))).toEqual([1, 1, 1, 1]);
    expect(editDistance("kitten", "sitting")).toBe(3);
  });

  it("is not taken of words that no name is as long as", () => {
    expect(nearest("a".repeat(1e6), ["lr"])).toBeUndefined();
    expect(meant("a".repeat(1e6), ["lr"])).toBeUndefined();
  });
});
