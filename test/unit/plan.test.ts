// An optimizer's config: what it becomes, and every way in which it can be wrong. The same checks stand before both
// engines; the CPU's is used here.

import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { stages } from "../../src/index.ts";
import { layoutSegments } from "../../src/optimizer/arena.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import { Hypers } from "../../src/optimizer/hypers.ts";
import { configOf, planConfig } from "../../src/optimizer/plan_config.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { adam, adamw } from "../../src/rules/adam.ts";
import { defineRule } from "../../src/rules/custom.ts";
import { rules } from "../../src/rules/index.ts";
import { muon } from "../../src/rules/muon.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { constant } from "../../src/schedules/constant.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { plateau } from "../../src/schedules/plateau.ts";
import { createCpuOptimizer, createPlan } from "../optimizers.ts";
import { namedRules } from "../rules.ts";

const tensors = [
  { name: "w", shape: [2, 3], data: [1, 2, 3, 4, 5, 6] },
  { name: "b", shape: [3] },
];
const create = (config: unknown) => createCpuOptimizer(tensors, readConfig(config));

describe("config", () => {
  it("comes back complete and rebuilds itself", () => {
    const config = readConfig({
      rule: adamw,
      lr: cosine({ base: 0.1, steps: 9 }),
      amsgrad: true,
      clip: { type: "globalNorm", maxNorm: 2 },
      groups: [{ params: ["b"], weightDecay: 0 }],
    });
    const complete = configOf(create(config));
    expect(JSON.parse(JSON.stringify(complete))).toEqual({
      rule: "adamw",
      lr: { type: "cosine", base: 0.1, min: 0, steps: 9 },
      beta1: 0.9,
      beta2: 0.999,
      eps: 1e-8,
      weightDecay: 0.01,
      amsgrad: true,
      maximize: false,
      skipNonFinite: true,
      clip: { type: "globalNorm", maxNorm: 2, norm: 2 },
      cautious: false,
      watch: false,
      accumulate: 1,
      lossScale: null,
      ema: null,
      swa: null,
      lookahead: null,
      groups: [{ params: ["b"], weightDecay: 0 }],
    });
    expect(configOf(create(JSON.parse(JSON.stringify(complete))))).toEqual(complete);
  });

  it.each([
    [sgd(), []],
    [sgd({ momentum: 0.9 }), ["momentum"]],
    [sgd({ groups: [{ params: ["w"], momentum: 0.5 }] }), ["momentum"]],
    [adam(), ["m", "v"]],
    [adamw({ amsgrad: true }), ["m", "v", "vMax"]],
  ] as const)("%j keeps the slots %j", (config, slots) => {
    expect(create(config).slots).toEqual(slots);
  });
});

describe("bad config", () => {
  it.each<[unknown, RegExp]>([
    [
      { rule: "adamx" },
      new RegExp(
        `^rule is "adamx"; it must be one of ${rules.map(({ name }) => name).join(", ")} \\(did you mean adamw\\?\\)$`,
      ),
    ],
    [{ lr: 0.1 }, /^rule is missing/],
    [undefined, /^rule is missing/],
    [{ rule: adamw, learningRate: 1 }, /^rule adamw has an unknown option "learningRate"; the options are .*lr, beta1/],
    [{ rule: adam, betas: [0.9, 0.99] }, /unknown option "betas"/],
    [{ rule: sgd, amsgrad: true }, /unknown option "amsgrad"/],
    [adamw({ amsgrad: 1 as unknown as boolean }), /^adamw\.amsgrad is 1; it must be true or false$/],
    [sgd({ nesterov: true }), /^sgd\.nesterov is true, which needs momentum > 0$/],
    [sgd({ nesterov: true, momentum: 0.9, dampening: 0.1 }), /^sgd\.nesterov is true, which needs dampening 0$/],
    [sgd({ dampening: 1.5 }), /^sgd\.dampening is 1\.5; it must be a finite number in \[0, 1\]$/],
    [adam({ lr: { type: constant, value: -1 } }), /^adam\.lr is -1 at step 0; it must be a finite number >= 0$/],
    [adam({ lr: 1e39 }), /^adam\.lr is 1e\+39 at step 0; it must be/],
    [{ rule: {} }, /^rule is \{\}; it must be one of sgd, /],
    [{ rule: adam, lr: { type: "saw" } }, /^adam\.lr\.type is "saw", which is not a known schedule/],
    [{ rule: adam, clip: { type: "globalNorm", maxNorm: 0 } }, /^clip\.maxNorm is 0; it must be a finite number > 0$/],
    [{ rule: adam, clip: { type: "globalNorm" } as never }, /^clip\.maxNorm is missing/],
    [
      { rule: adam, clip: { type: "sum" } as never },
      /^clip\.type is "sum", which is not a known clipping; the known ones are/,
    ],
    [{ rule: adam, clip: { type: "globalNorm", maxNorm: 1, norm: 3 } as never }, /^clip\.norm is 3/],
    [{ rule: adam, skipNonFinite: "yes" as never }, /^adam\.skipNonFinite is "yes"; it must be true or false/],
    [adam({ groups: [{ params: ["x"] }] }), /^adam\.groups\[0\]\.params names "x", which matches no tensor; .* w, b$/],
    [adam({ groups: [{ params: [] }] }), /^adam\.groups\[0\]\.params is \[\]/],
    [adam({ groups: [{} as never] }), /^adam\.groups\[0\]\.params is missing/],
    [adam({ groups: "all" as never }), /^adam\.groups is "all"; it must be an array of groups/],
    [
      adam({ groups: [{ params: ["w"] }, { params: ["b", "w"] }] }),
      /^adam\.groups\[1\]\.params names "w", which groups\[0\] already names/,
    ],
    [adam({ groups: [{ params: ["w"], lr: -1 }] }), /^adam\.groups\[0\]\.lr is -1; it must be a finite number >= 0$/],
    [
      adam({ groups: [{ params: ["w"], amsgrad: true } as never] }),
      /^adam\.groups\[0\] has an unknown option "amsgrad"/,
    ],
  ])("%j", (config, message) => {
    expect(() => create(config)).toThrow(message);
    expect(() => create(config)).toThrow(OptionError);
  });

  it.each([
    [{ name: "" }, /^defineRule was given .*; it must have name, hypers with lr/],
    [{ row: (h: { lr: number }) => ({ lr: h.lr, frozen: 0 }) }, /^the rule mine has a column "frozen", a name that/],
    [{ row: (h: { lr: number }) => ({ lr: h.lr, ema: 0 }) }, /^the rule mine has a column "ema"/],
    [{ slots: ["m", "m"] }, /^the rule mine has a slot "m" twice; names must differ$/],
    [{ reduction: { stage: stages.reduction, scalars: { m: 0 } } }, /^the rule mine has a slot or scalar "m" twice/],
    [{ reduction: { stage: stages.reduction, sums: ["count"] } }, /^the rule mine has a sum "count", a name that/],
    [{ flags: { lr: false } }, /^the rule mine has an option "lr" twice/],
    [{ flags: { frozen: false } }, /^the rule mine has an option "frozen", a name that/],
    [{ hypers: { lr: { default: 1 } } }, /^the hyper "lr" of the rule mine is .*; it must be \{ default, range \}$/],
    [{ starts: { m: "more" } }, /^starts of the rule mine has "more" for "m"; it must have a number, "p" or a column/],
    [{ starts: { n: 0 } }, /^starts of the rule mine has 0 for "n"/],
    [
      { carry: { names: ["c"], start: () => ({ c: 1 }), next: () => ({}) } },
      /^the carry of the rule mine is undefined in its value "c"; it must be a number$/,
    ],
  ])("refuses a rule of the caller's own with %j, which would be wrong in silence", (wrong, message) => {
    const mine = {
      ...{ name: "mine", source: "", hypers: { lr: { default: 1, range: { min: 0 } } }, flags: {}, slots: ["m"] },
      ...{ row: (h: { lr: number }) => ({ lr: h.lr }), wgsl: "", update() {} },
    };
    expect(() => defineRule(mine as never)).not.toThrow();
    expect(() => defineRule({ ...mine, ...wrong } as never)).toThrow(message);
  });

  it("refuses a column that is no number at a later step", () => {
    const mine = {
      ...{ name: "mine", source: "", hypers: { lr: { default: 1, range: { min: 0 } } }, flags: {}, slots: [] },
      ...{ row: (h: { lr: number }, t: number) => (t > 1 ? {} : { lr: h.lr }), wgsl: "", update() {} },
    };
    const optimizer = createCpuOptimizer([{ name: "w", shape: [1] }], { rule: defineRule(mine as never) });
    optimizer.step();
    expect(() => optimizer.step()).toThrow(
      /^mine\.lr is undefined at step 1, from its hypers; it must be a number that float32 holds/,
    );
  });

  it("refuses rules of the caller's own whose slots or scalars are roles; no rule of ours is one", () => {
    for (const rule of rules) {
      const fallback = rule.only ? { fallback: { rule: sgd } } : {};
      expect(() => create({ rule, ...fallback })).not.toThrow();
    }
    const dog = rules.find(({ name }) => name === "dog")!;
    const reduction = { ...dog.reduction, scalars: { gradients: 0 } };
    expect(() => create({ rule: defineRule({ ...dog, reduction } as never) })).toThrow(
      /^the rule dog has a scalar "gradients", a name that the optimizer reserves$/,
    );
    expect(() => create({ rule: defineRule({ ...dog, slots: ["ema"] } as never) })).toThrow(
      /^the rule dog has a slot "ema"/,
    );
    expect(() => create({ rule: defineRule({ ...dog, starts: {} } as never) })).toThrow(
      /^fixed of the rule dog has "params0"; it must name slots that have an entry in starts$/,
    );
    expect(() =>
      create({ rule: defineRule({ ...dog, reduction: { ...dog.reduction, advances: dog.slots } } as never) }),
    ).toThrow(/^reduction\.advances of the rule dog has "params0"; it must name slots that start with 0$/);
    const muon = rules.find(({ name }) => name === "muon")!;
    const formats = { [muon.orthogonalises!.slot]: { name: "half", words: 2, encode: () => new Uint32Array() } };
    expect(() => defineRule({ ...muon, formats } as never)).toThrow(
      /^rule "muon" stores slot "orthogonal" as half; factored and orthogonal slots must be float32$/,
    );
  });

  describe.each(namedRules)("every hyper of %s", (_, { name, hypers }) => {
    it.each(Object.entries(hypers))(
      "%s refuses NaN, infinity, what is out of range, null and words",
      (hyper, { range }) => {
        // Every hyper is bounded below at 0 or above at 0.
        const beyond = range.max === 0 ? 1 : -1;
        for (const value of [Number.NaN, Number.POSITIVE_INFINITY, beyond, null, "0.1"]) {
          expect(() => create({ rule: name, [hyper]: value })).toThrow(
            new RegExp(`^${name}\\.${hyper} is (NaN|Infinity|-?1|null|"0\\.1"); it must be`),
          );
        }
      },
    );
  });

  it.each(["beta1", "beta2"])("%s must be below 1", (beta) => {
    expect(() => create({ rule: adam, [beta]: 1 })).toThrow(`adam.${beta} is 1; it must be a finite number in [0, 1)`);
  });

  it("names the step at which a schedule leaves its range, and leaves everything as it was", async () => {
    const optimizer = create({ rule: sgd, lr: (step: number) => (step < 2 ? 0.1 : Number.NaN) });
    optimizer.write("gradients", { w: [1, 1, 1, 1, 1, 1] });
    optimizer.step();
    optimizer.step();
    const before = await optimizer.read();
    expect(() => optimizer.step()).toThrow("sgd.lr is NaN at step 2; it must be a finite number >= 0");
    expect(await optimizer.read()).toEqual(before);
    expect((await optimizer.stats()).step).toBe(2);
  });
});

describe("sgd without momentum", () => {
  it("ignores dampening, and keeps what momentum there is while a schedule holds it at 0, as torch does", async () => {
    const run = async (config: OptimizerConfig, steps: number) => {
      const optimizer = createCpuOptimizer([{ name: "x", shape: [1], data: [1] }], config);
      for (let step = 0; step < steps; step++) {
        optimizer.write("gradients", { x: [0.1] });
        optimizer.step();
      }
      return (await optimizer.read()).x![0]!;
    };
    expect(await run(sgd({ lr: 1, dampening: 0.5 }), 2)).toBeCloseTo(0.8, 6);
    expect(await run(sgd({ lr: 1, momentum: (step) => (step === 0 ? 0 : 0.9) }), 2)).toBeCloseTo(0.8, 6);
    // 0.1; 0.19; 0.1 with the buffer held at 0.19; 0.9 · 0.19 + 0.1
    const momentum = (step: number) => (step === 2 ? 0 : 0.9);
    expect(await run(sgd({ lr: 1, momentum }), 4)).toBeCloseTo(1 - 0.1 - 0.19 - 0.1 - 0.271, 6);
  });
});

describe("bad tensors", () => {
  const make = (...given: unknown[]) => createCpuOptimizer(given as never, sgd());
  it.each<[string, unknown[], RegExp]>([
    ["none", [], /^tensors is \[\]; it must be an array of at least one/],
    [
      "a name twice",
      [
        { name: "a", shape: [1] },
        { name: "a", shape: [2] },
      ],
      /^tensors\[1\]\.name is "a", as is an earlier tensor's; names must differ/,
    ],
    ["no name", [{ shape: [1] }], /^tensors\[0\]\.name is missing; it must be a non-empty string/],
    ["an empty name", [{ name: "", shape: [1] }], /^tensors\[0\]\.name is ""/],
    [
      "a zero length",
      [{ name: "a", shape: [3, 0] }],
      /^the shape of tensor "a" is \[3,0\]; it must hold whole numbers >= 1/,
    ],
    ["a broken shape", [{ name: "a", shape: [1.5] }], /^the shape of tensor "a" is \[1\.5\]/],
    ["no shape", [{ name: "a" }], /^the shape of tensor "a" is undefined/],
    [
      "a shape that the data denies",
      [{ name: "a", shape: [2, 2], data: [1, 2, 3] }],
      /^the data of tensor "a" has 3 elements; its shape \[2,2\] holds 4/,
    ],
    ["null", [null], /^tensors\[0\] is null; it must be an object with name, shape, data/],
    ["words for numbers", [{ name: "a", shape: [2], data: [1, "x"] }], /^the data of tensor "a" holds "x" at 1/],
    [
      "data that is no array",
      [{ name: "a", shape: [2], data: 3 }],
      /^the data of tensor "a" is 3; it must be an array/,
    ],
    [
      "a reserved name",
      [{ name: "__metadata__", shape: [1] }],
      /^tensors\[0\]\.name is "__metadata__", which safetensors/,
    ],
    ["empty data", [{ name: "a", shape: [1], data: [] }], /^the data of tensor "a" has 0 elements/],
  ])("%s", (_, given, message) => {
    expect(() => make(...given)).toThrow(message);
  });
});

describe("set", () => {
  it("changes the hyper from the next step on, in one group or all", async () => {
    const optimizer = create(sgd({ lr: 1, groups: [{ params: ["b"] }] }));
    const gradients = { w: [1, 1, 1, 1, 1, 1], b: [1, 1, 1] };
    optimizer.write("gradients", gradients);
    optimizer.step();
    optimizer.set({ lr: 0.5 }, { group: 0 });
    optimizer.step();
    optimizer.set({ lr: 0 });
    optimizer.step();
    const { w, b } = await optimizer.read();
    expect([...b!]).toEqual([-1.5, -1.5, -1.5]);
    expect([...w!]).toEqual([-1, 0, 1, 2, 3, 4]);
    expect(optimizer.hyper("lr", 7)).toBe(0);
  });

  it.each<[object, number | undefined, RegExp]>([
    [{ lr: -1 }, undefined, /^set\.lr is -1; it must be a finite number >= 0/],
    [{ rate: 1 }, undefined, /^set has an unknown option "rate"; the options are lr, momentum/],
    [{ lr: 1 }, 4, /^set\.group is 4; it must be a whole number in \[0, 0\]/],
    [{ momentum: 0.9 }, undefined, /^set is \{"momentum":0\.9\}, which needs the slot "momentum"; this optimizer was/],
  ])("refuses %j in group %j and changes nothing", (change, group, message) => {
    const optimizer = create(sgd({ lr: 1 }));
    const before = configOf(optimizer);
    expect(() => optimizer.set(change as never, { group })).toThrow(message);
    expect(configOf(optimizer)).toEqual(before);
  });
});

describe("write and read", () => {
  it("refuse names and lengths that do not fit, and change nothing", async () => {
    const optimizer = create(sgd());
    expect(() => optimizer.write("gradients", { w: [1, 2] })).toThrow(
      'gradients of "w" has 2 elements; the tensor has 6',
    );
    expect(() => optimizer.write("gradients", { b: [1, 1, 1], x: [1] })).toThrow(
      'gradients names "x", which is not a tensor',
    );
    expect(() => optimizer.write("velocity", { b: [1, 1, 1] })).toThrow(
      'role is "velocity"; it must be one of params, gradients',
    );
    expect(() => optimizer.write("gradients", null as never)).toThrow(
      "gradients is null; it must be an object of arrays",
    );
    expect(() => optimizer.write("gradients", { b: undefined as never })).toThrow('gradients of "b" is missing');
    expect(() => optimizer.hyper("speed", 0)).toThrow('hyper is "speed"; it must be one of lr, momentum');
    expect(() => optimizer.hyper("lr", 0, { group: 9 })).toThrow("group is 9; it must be a whole number in [0, 0]");
    await expect(optimizer.read("m")).rejects.toThrow('role is "m"; it must be one of params, gradients');
    expect((await optimizer.read("gradients")).b).toEqual(new Float32Array(3));
  });

  it("end with destroy", () => {
    const optimizer = create(sgd());
    optimizer.destroy();
    expect(() => optimizer.step()).toThrow("step() was called on a destroyed optimizer");
  });
});

it("a plan does not change, whatever becomes of its hypers", () => {
  const freeze = <T>(value: T): T => {
    if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
    for (const inside of Object.values(value)) freeze(inside);
    return Object.freeze(value);
  };
  const config = muon({
    lr: plateau({ base: 0.1, patience: 0 }),
    fallback: adamw({ lr: 0.01 }),
    groups: [{ params: "v", lr: 0.2 }],
    replicas: [{}, { lr: 0.3, groups: [{ lr: 0.4 }], fallback: { lr: 0.05 } }],
  });
  const segments = layoutSegments([
    { name: "v", shape: [2, 2] },
    { name: "w", shape: [2, 2] },
    { name: "b", shape: [2] },
  ]);
  const plan = freeze(createPlan(config, segments));
  const before = JSON.stringify(planConfig(plan, new Hypers(plan)));
  const hypers = new Hypers(plan);
  const { state } = hypers;
  hypers.set({ lr: 0.5 }, undefined, undefined, 0);
  hypers.set({ lr: 0.6 }, 1, 1, 0);
  expect([0, 1, 2].map((group) => [0, 1].map((replica) => hypers.at(group, "lr", 0, replica)))).toEqual([
    [0.5, 0.5],
    [0.5, 0.6],
    [0.5, 0.6],
  ]);
  hypers.observe(1, undefined, "metric");
  hypers.setFrozen(true, 0);
  expect(plan.groups.map((_, group) => hypers.isFrozen(group))).toEqual([true, false, false]);
  hypers.state = state;
  expect(hypers.at(1, "lr", 0, 1)).toBe(0.3);
  expect(JSON.stringify(planConfig(plan, new Hypers(plan)))).toBe(before);
});
