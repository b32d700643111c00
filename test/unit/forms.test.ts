// The function forms of rules, schedules and landscapes: rates by position, and what is no object of options.
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Rule } from "../../src/rules/rule.ts";
import { library as fallline, publicFunctions } from "../library.ts";
import { createCpuOptimizer } from "../optimizers.ts";

const { adamw, rules, sgd } = fallline;
const { cosine } = fallline.schedules;

type Form = (...given: readonly unknown[]) => OptimizerConfig;
const forms = rules.map(({ name }) => [name, (fallline as unknown as Record<string, Form>)[name]!] as const);

const noOptions = [
  null,
  true,
  "0.1",
  "",
  5n,
  [0.1],
  [],
  new Map([["lr", 1]]),
  new Float32Array(1),
  Promise.resolve({}),
];

describe.each(forms)("%s", (name, form) => {
  const rule = rules.find((each) => each.name === name)!;

  it("takes a rate by position, and other options after it", () => {
    expect(form()).toEqual({ rule });
    expect(form({ lr: 0.5, accumulate: 2 })).toEqual({ rule, lr: 0.5, accumulate: 2 });
    expect(form(0.5)).toEqual({ rule, lr: 0.5 });
    expect(form(0.5, { accumulate: 2 })).toEqual({ rule, lr: 0.5, accumulate: 2 });
    const half = () => 0.5;
    expect(form(half)).toEqual({ rule, lr: half });
    const rate = cosine({ base: 0.5, steps: 9 });
    expect(form(rate, { accumulate: 2 })).toEqual({ rule, lr: rate, accumulate: 2 });
    expect(form(undefined, { accumulate: 2 })).toEqual({ rule, accumulate: 2 });
    // What the rate is read as is what the optimizer trains with.
    const optimizer = createCpuOptimizer([{ name: "w", shape: [2, 2] }], form(0.25));
    expect(optimizer.hyper("lr", 0)).toBe(0.25);
  });

  it("refuses everything else by name", () => {
    for (const value of noOptions) {
      expect(() => form(value), String(value)).toThrow(OptionError);
      expect(() => form(value), String(value)).toThrow(
        new RegExp(`^${name} was given .*; it must be an object of options`),
      );
      expect(() => form(0.1, value), String(value)).toThrow(OptionError);
    }
    for (const given of [
      [0.1, 0.9],
      [{}, {}],
      [{ lr: 0.1 }, 0.9],
      [0.1, {}, 1],
      [0.1, { lr: 0.2 }],
      [Number.NaN],
      [-1],
      [{ rule: "nosuch" }],
    ]) {
      expect(() => form(...given), JSON.stringify(given)).toThrow(OptionError);
    }
  });
});

it("rates by position have their types", () => {
  const config: { rule: Rule; weightDecay?: unknown } = adamw(3e-4, { weightDecay: 0.1 });
  expect(config.weightDecay).toBe(0.1);
  // @ts-expect-error a word is no rate
  expect(() => sgd("0.1")).toThrow('sgd was given "0.1"; it must be an object of options, or a rate');
  // @ts-expect-error the rate is given already
  expect(() => sgd(0.1, { lr: 0.2 })).toThrow("sgd was given the rate 0.1 and lr 0.2; give one of them");
});

/** Those that make a config of their options; beale and himmelblau have none. */
const typed = [...publicFunctions.keys()].filter((name) =>
  /^(schedules|landscapes)\.(?!create|halveEvery|oneCycleMomentum|beale|himmelblau)/.test(name),
);

describe.each(typed)("%s", (type) => {
  const form = publicFunctions.get(type) as (options?: unknown) => unknown;
  it("refuses anything but its options in an object", () => {
    for (const value of [...noOptions, 0.1]) expect(() => form(value), String(value)).toThrow(OptionError);
    expect(() => form({ type: "nosuch" })).toThrow(OptionError);
    expect(JSON.parse(JSON.stringify(form({ version: 1 })))).toEqual({ type: type.split(".")[1], version: 1 });
  });
});
