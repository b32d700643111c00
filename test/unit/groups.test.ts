// Parameter groups, replicas and modifiers in a config: which tensors a pattern means, what helpers make,
// how the whole comes back as JSON, and every way in which it can be wrong. The same checks stand before both engines.

import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../../src/base/errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/base/safetensors.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import { isBiasOrNorm, layerwiseDecay, noDecay } from "../../src/optimizer/groups.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { adam, adamw } from "../../src/rules/adam.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { lion } from "../../src/rules/lion.ts";
import { muon } from "../../src/rules/muon.ts";
import { nadam } from "../../src/rules/nadam.ts";
import { prodigy } from "../../src/rules/prodigy.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { constant } from "../../src/schedules/constant.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { linear } from "../../src/schedules/linear.ts";
import { createCpuOptimizer } from "../optimizers.ts";

const tensors: Tensor[] = [
  { name: "embed", shape: [7, 3] },
  { name: "layers.0.weight", shape: [3, 5] },
  { name: "layers.0.bias", shape: [5] },
  { name: "layers.1.weight", shape: [5, 5] },
  { name: "layers.1.norm.weight", shape: [5, 2] },
  { name: "layers.10.weight", shape: [5, 3] },
  { name: "layers.10.scale", shape: [1, 5] },
  { name: "head*", shape: [] },
].map((tensor, t) => ({
  ...tensor,
  data: Float32Array.from({ length: tensor.shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(3 * t + i)),
}));
const names = tensors.map(({ name }) => name);

const create = (config: unknown, given: readonly Tensor[] = tensors) => createCpuOptimizer(given, readConfig(config));

/** The group of each tensor, told apart by rates that are powers of two. */
async function groupsOf(params: readonly unknown[]) {
  const groups = params.map((pattern, index) => ({ params: pattern, lr: 2 ** -(index + 1) }));
  const optimizer = create({ rule: sgd, lr: 1, groups });
  const ones = Object.fromEntries(optimizer.segments.map(({ name, length }) => [name, Array(length).fill(1)]));
  optimizer.write("params", Object.fromEntries(Object.keys(ones).map((name) => [name, ones[name]!.map(() => 0)])));
  optimizer.write("gradients", ones);
  optimizer.step();
  const after = await optimizer.read();
  return names.map((name) => -Math.log2(-after[name]![0]!) - 1);
}

describe("patterns", () => {
  it.each<[string, readonly unknown[], readonly number[]]>([
    ["a name", ["embed"], [0, -1, -1, -1, -1, -1, -1, -1]],
    ["a list", [["embed", "layers.0.bias"], "layers.1.weight"], [0, -1, 0, 1, -1, -1, -1, -1]],
    ["a star", ["layers.*.weight"], [-1, 0, -1, 0, 0, 0, -1, -1]],
    ["a question mark, with dots that are dots", ["layers.?.weight"], [-1, 0, -1, 0, -1, -1, -1, -1]],
    ["a name with a star in it before a glob", ["head*", "*1*"], [-1, -1, -1, 1, 1, 1, 1, 0]],
    ["an expression found anywhere", [/bias|norm/], [-1, -1, 0, -1, 0, -1, -1, -1]],
    ["an expression with anchors", [/^layers\.1\./], [-1, -1, -1, 0, 0, -1, -1, -1]],
    ["an expression with flags, g among them", [/WEIGHT$/gi], [-1, 0, -1, 0, 0, 0, -1, -1]],
    ["an expression as JSON", [{ regex: "^EMB", flags: "i" }], [0, -1, -1, -1, -1, -1, -1, -1]],
    ["overlap within one group", [["layers.0.*", "*.bias", /0/]], [-1, 0, 0, -1, -1, 0, 0, -1]],
  ])("%s", async (_, params, groups) => {
    expect(await groupsOf(params)).toEqual(groups);
  });

  it("stay as they are in the config, expressions as JSON", () => {
    const { groups } = configOf(create({ rule: sgd, groups: [{ params: [/Emb/i, "layers.?.*"] }] }));
    expect(groups![0]!.params).toEqual([{ regex: "Emb", flags: "i" }, "layers.?.*"]);
  });

  it.each<[unknown, RegExp]>([
    [
      ["layers.2.*"],
      /^sgd\.groups\[0\]\.params names "layers\.2\.\*", which matches no tensor; the tensors are embed,/,
    ],
    [[/q$/], /^sgd\.groups\[0\]\.params names \/q\$\/, which matches no tensor/],
    [["embed", 5], /^sgd\.groups\[0\]\.params holds 5; it must hold tensor names, globs or regular expressions$/],
    [[{ regex: "(" }], /^sgd\.groups\[0\]\.params holds \{"regex":"\("\}, which is not a regular expression: /],
    [[{ regex: "a", flags: "k" }], /^sgd\.groups\[0\]\.params holds .*, which is not a regular expression: /],
    [[{ regexp: "a" }], /^sgd\.groups\[0\]\.params has an unknown option "regexp"/],
    [[{}], /^sgd\.groups\[0\]\.params/],
    [[{ flags: "i" }], /^sgd\.groups\[0\]\.params/],
    [[{ regex: 5 }], /^sgd\.groups\[0\]\.params/],
    [[null], /^sgd\.groups\[0\]\.params holds null/],
    [[], /^sgd\.groups\[0\]\.params is \[\]; it must name at least one tensor$/],
    [undefined, /^sgd\.groups\[0\]\.params is missing/],
  ])("%j are refused", (params, message) => {
    expect(() => create({ rule: sgd, groups: [{ params }] })).toThrow(message);
    expect(() => create({ rule: sgd, groups: [{ params }] })).toThrow(OptionError);
  });

  it("that overlap are refused, with the tensor and the group that has it", () => {
    expect(() => create({ rule: sgd, groups: [{ params: "layers.*" }, { params: /bias/ }] })).toThrow(
      'sgd.groups[1].params names "layers.0.bias", which groups[0] already names; a tensor belongs to one group',
    );
  });
});

describe("helpers", () => {
  it("tell biases, norms, vectors and scalars", () => {
    expect(names.filter((_, i) => isBiasOrNorm(tensors[i]!))).toEqual([
      "layers.0.bias",
      "layers.1.norm.weight",
      "layers.10.scale",
      "head*",
    ]);
    const named = (name: string) => isBiasOrNorm({ name, shape: [3, 3] });
    expect(["ln_1.w", "block/bn2/w", "rel_bias", "LayerNorm.w"].map(named)).toEqual([true, true, true, true]);
    expect(["kiln.w", "subnet.w", "conv1.w"].map(named)).toEqual([false, false, false]);
  });

  it("noDecay makes one group, or none", async () => {
    expect(noDecay(tensors)).toEqual([
      { params: ["layers.0.bias", "layers.1.norm.weight", "layers.10.scale", "head*"], weightDecay: 0 },
    ]);
    expect(noDecay([{ name: "w", shape: [2, 2] }])).toEqual([]);
    const optimizer = create({ rule: adamw, lr: 0.5, weightDecay: 0.5, groups: noDecay(tensors) });
    const before = await optimizer.read();
    optimizer.step();
    const after = await optimizer.read();
    for (const [i, name] of names.entries()) {
      const factor = isBiasOrNorm(tensors[i]!) ? 1 : 0.75;
      expect([...after[name]!]).toEqual([...before[name]!].map((p) => Math.fround(p * factor)));
    }
  });

  it("layerwiseDecay counts from the head, embeddings before all", () => {
    expect(layerwiseDecay(tensors, { decay: 0.5 })).toEqual([
      { params: ["head*"], lrScale: 1 },
      { params: ["layers.10.weight", "layers.10.scale"], lrScale: 0.5 },
      { params: ["layers.1.weight", "layers.1.norm.weight"], lrScale: 0.25 },
      { params: ["layers.0.weight", "layers.0.bias"], lrScale: 0.125 },
      { params: ["embed"], lrScale: 0.0625 },
    ]);
    const spared = layerwiseDecay(tensors, {
      decay: 0.5,
      noDecay: true,
      layerOf: (name) => (name === "head*" ? 99 : Number(/\d+/.exec(name)?.[0] ?? -1)),
    });
    expect(spared).toEqual([
      { params: ["head*"], lrScale: 1, weightDecay: 0 },
      { params: ["layers.10.weight"], lrScale: 0.5 },
      { params: ["layers.10.scale"], lrScale: 0.5, weightDecay: 0 },
      { params: ["layers.1.weight"], lrScale: 0.25 },
      { params: ["layers.1.norm.weight"], lrScale: 0.25, weightDecay: 0 },
      { params: ["layers.0.weight"], lrScale: 0.125 },
      { params: ["layers.0.bias"], lrScale: 0.125, weightDecay: 0 },
      { params: ["embed"], lrScale: 0.0625 },
    ]);
    const optimizer = create({ rule: adamw, lr: 0.5, groups: spared });
    expect(spared.map((_, group) => optimizer.hyper("lr", 0, { group }))).toEqual(spared.map((g) => 0.5 * g.lrScale!));
    for (const decay of [0, 1.5, Number.NaN]) {
      expect(() => layerwiseDecay(tensors, { decay })).toThrow(`layerwiseDecay.decay is ${decay}; it must be`);
    }
  });
});

/** Steps with gradients that go by the parameters. */
async function trajectory(config: unknown, given: readonly Tensor[] = tensors) {
  const optimizer = create(config, given);
  for (let step = 0; step < 5; step++) {
    for (let replica = 0; replica < optimizer.replicas; replica++) {
      const params = await optimizer.read("params", { replica });
      const gradients = Object.entries(params).map(([name, p]) => [name, p.map((v, i) => v + Math.cos(i + step))]);
      optimizer.write("gradients", Object.fromEntries(gradients), { replica });
    }
    optimizer.step();
  }
  return Promise.all(Array.from({ length: optimizer.replicas }, (_, replica) => optimizer.read("params", { replica })));
}

const roundTrips: readonly [string, OptimizerConfig][] = [
  [
    "groups with patterns, lrScale, frozen",
    {
      rule: adamw,
      lr: { type: cosine, base: 0.1, steps: 7 },
      amsgrad: true,
      maximize: true,
      cautious: true,
      watch: true,
      accumulate: 2,
      clip: { type: "groupNorm", maxNorm: 2, norm: 1 },
      lossScale: { init: 4 },
      ema: { decay: { type: linear, start: 0.1, end: 0.9, steps: 3 } },
      swa: { start: 1 },
      lookahead: { share: 0.25 },
      groups: [
        { params: /bias/i, weightDecay: 0, lrScale: 0.5 },
        { params: ["layers.?.weight"], frozen: true },
        { params: "embed", lr: 0.3, lrScale: 0 },
      ],
    },
  ],
  [
    "a group's own rule with a flag",
    {
      rule: sgd,
      lr: 0.1,
      momentum: 0.9,
      nesterov: true,
      groups: [
        { params: "embed", rule: adam, amsgrad: true, lr: 0.02 },
        { params: "layers.*", rule: lion, lr: 0.01 },
      ],
    },
  ],
  ["every tensor in a group", { rule: sgd, lr: 0.1, groups: [{ params: "*", momentum: 0.5 }] }],
  [
    "muon with a fallback",
    {
      rule: muon,
      lr: 0.05,
      matchRms: true,
      fallback: { rule: adamw, lr: 0.01, amsgrad: true },
      groups: [{ params: "layers.1*", lr: 0.1 }],
    },
  ],
  [
    "a group with muon and its fallback",
    {
      rule: adam,
      lr: 0.01,
      groups: [{ params: "layers.0.*", rule: muon, lr: 0.1, fallback: sgd({ lr: 0.2 }) }],
    },
  ],
  ["replicas", { rule: adamw, lr: 0.1, replicas: [{}, { lr: 0.2 }, { weightDecay: 0.5, beta1: 0.5 }] }],
  [
    "replicas and groups",
    {
      rule: adamw,
      lr: 0.1,
      replicas: [{}, { lr: 0.2 }],
      groups: [
        { params: "embed", weightDecay: 0.7 },
        { params: "layers.0.*", rule: sgd, lr: 0.3 },
      ],
    },
  ],
  [
    "replicas and every tensor in a group",
    {
      rule: adamw,
      lr: 0.1,
      replicas: [{}, { lr: 0.2 }],
      groups: [{ params: "*", weightDecay: 0.7 }],
    },
  ],
];

describe("config", () => {
  it.each(roundTrips)("of %s goes through JSON and rebuilds the same optimizer", async (_, config) => {
    const first = create(config);
    const complete = JSON.parse(JSON.stringify(configOf(first)));
    const second = create(complete);
    expect(JSON.parse(JSON.stringify(configOf(second)))).toEqual(complete);
    expect(second.replicas).toBe(first.replicas);
    expect(await trajectory(complete)).toEqual(await trajectory(config));
  });

  it("holds what was set, of fallbacks too, and what was frozen", async () => {
    const config = { rule: muon, lr: 0.05, fallback: { rule: adamw, lr: 0.01 }, groups: [{ params: "embed" }] };
    const optimizer = create(config);
    // Groups: embed, the other matrices, the fallback's.
    optimizer.set({ lr: 0.25 }, { group: 2 });
    expect(optimizer.hyper("lr", 0, { group: 2 })).toBe(0.25);
    const rebuilt = create(JSON.parse(JSON.stringify(configOf(optimizer))));
    expect(rebuilt.hyper("lr", 0, { group: 2 })).toBe(0.25);
    optimizer.freeze();
    const frozen = await trajectory(JSON.parse(JSON.stringify(configOf(optimizer))));
    expect(frozen).toEqual([await create(config).read()]);
  });

  it("holds the replicas' hypers apart from those of groups, set and loaded ones too", async () => {
    const [one, rest] = [["embed"], names.slice(1)];
    for (const groups of [[{ params: one }], [{ params: one }, { params: rest }]]) {
      const config = { rule: sgd, groups, replicas: [{ lr: 0.1 }, { lr: 0.2 }] };
      const rates = (optimizer: ReturnType<typeof create>) =>
        [0, 1].map((group) => [0, 1].map((replica) => optimizer.hyper("lr", 0, { group, replica })));
      for (const group of [0, 1]) {
        const first = create({ ...config, replicas: [{ lr: 0.3 }, { lr: 0.3 }] });
        first.set({ lr: 0.7 }, { group });
        const rebuilt = create(JSON.parse(JSON.stringify(configOf(first))));
        expect(rates(rebuilt)).toEqual(rates(first));
        const second = create(config);
        await loadCheckpoint(second, await saveCheckpoint(first), { hypers: "saved" });
        expect(configOf(second)).toEqual(configOf(first));
        // Checkpoints from before these were saved.
        const { metadata, tensors: saved } = decodeSafetensors(await saveCheckpoint(first));
        const { shared: _, fallback: __, created: ___, made: ____, groups: described, ...others } = metadata;
        const older = JSON.stringify(JSON.parse(described!).map(({ own: _, ...group }: { own: unknown }) => group));
        const third = create(config);
        await loadCheckpoint(third, encodeSafetensors({ metadata: { ...others, groups: older }, tensors: saved }));
        expect(rates(third)).toEqual(rates(first));
      }
    }
  });
});

describe("set", () => {
  const config: OptimizerConfig = {
    rule: adam,
    groups: [{ params: "embed" }, { params: "layers.0.*", rule: sgd, momentum: 0.5 }],
    replicas: [{}, { beta1: 0.5 }],
  };

  it("of all groups names the one whose rule lacks the hyper, and changes nothing", () => {
    const optimizer = create(config);
    const before = JSON.stringify(configOf(optimizer));
    expect(() => optimizer.set({ lr: 0.5, beta1: 0.3 })).toThrow(
      /^set of group 1 \(sgd\) has an unknown option "beta1"; the options are lr, momentum, dampening, weightDecay$/,
    );
    expect(() => optimizer.set({ momentum: 0.3 }, { group: 0 })).toThrow(
      /^set of group 0 \(adam\) has an unknown option/,
    );
    expect(JSON.stringify(configOf(optimizer))).toBe(before);
    expect(optimizer.hyper("lr", 0, { group: 0 })).toBe(0.001);
  });

  it("reaches one group, one replica, or all", () => {
    const optimizer = create(config);
    const rates = () => [0, 1].map((replica) => [0, 1, 2].map((group) => optimizer.hyper("lr", 9, { group, replica })));
    const lr = 0.001;
    expect(rates()).toEqual([
      [lr, lr, lr],
      [lr, lr, lr],
    ]);
    optimizer.set({ lr: 0.5 }, { group: 0 });
    expect(rates()).toEqual([
      [0.5, lr, lr],
      [0.5, lr, lr],
    ]);
    optimizer.set({ lr: 0.25 }, { replica: 1 });
    expect(rates()).toEqual([
      [0.5, lr, lr],
      [0.25, 0.25, 0.25],
    ]);
    optimizer.set({ lr: 0.125 }, { group: 2, replica: 0 });
    expect(rates()).toEqual([
      [0.5, lr, 0.125],
      [0.25, 0.25, 0.25],
    ]);
    expect(optimizer.hyper("beta1", 0, { group: 0, replica: 0 })).toBe(0.9);
    expect(optimizer.hyper("beta1", 0, { group: 0, replica: 1 })).toBe(0.5);
    expect(() => optimizer.set({ lr: 1 }, { group: 0, replica: 2 })).toThrow(
      "set.replica is 2; it must be a whole number in [0, 1]",
    );
    expect(() => optimizer.hyper("lr", 0, { group: 0, replica: 5 })).toThrow(
      "replica is 5; it must be a whole number in [0, 1]",
    );
    expect(() => optimizer.hyper("lr", 1.5)).toThrow("step is 1.5; it must be a whole number >= 0");
  });
});

describe("bad options beside a rule's", () => {
  it.each<[object, RegExp]>([
    [{ ema: { decay: 1 } }, /^sgd\.ema\.decay is 1; it must be a finite number in \[0, 1\)$/],
    [{ ema: { decay: -0.1 } }, /^sgd\.ema\.decay is -0\.1; it must be/],
    [{ ema: { decay: "x" } }, /^sgd\.ema\.decay is "x"; it must be a number, a schedule or a function/],
    [{ ema: { decay: { type: constant, value: 2 } } }, /ema\.decay is 2 at step 0; it must be a finite number in/],
    [{ ema: { warmup: 1 } }, /^sgd\.ema\.warmup is 1; it must be true or false$/],
    [{ ema: { rate: 1 } }, /^sgd\.ema has an unknown option "rate"; the options are decay, warmup$/],
    [{ ema: 0.9 }, /^sgd\.ema is 0\.9; it must be an object with decay, warmup$/],
    [{ swa: { start: -1 } }, /^sgd\.swa\.start is -1; it must be a whole number >= 0$/],
    [{ swa: { every: 0 } }, /^sgd\.swa\.every is 0; it must be a whole number >= 1$/],
    [{ swa: { every: 1.5 } }, /^sgd\.swa\.every is 1\.5; it must be a whole number/],
    [{ lookahead: { every: 0 } }, /^sgd\.lookahead\.every is 0; it must be a whole number >= 1$/],
    [{ lookahead: { share: 1.1 } }, /^sgd\.lookahead\.share is 1\.1; it must be a finite number in \[0, 1\]$/],
    [{ lookahead: { share: null } }, /^sgd\.lookahead\.share is null/],
    [{ lossScale: { init: 0 } }, /^sgd\.lossScale\.init is 0; it must be a finite number/],
    [{ lossScale: { init: 1, min: 2 } }, /^sgd\.lossScale\.init is 1; it must be >= sgd\.lossScale\.min, which is 2$/],
    [{ lossScale: { init: 1e39 } }, /^sgd\.lossScale\.init is 1e\+39; it must be/],
    [{ lossScale: { init: 1e-50, min: 1e-50 } }, /^sgd\.lossScale\.(init|min) is 1e-50; it must be/],
    [{ lossScale: { growth: 0.5 } }, /^sgd\.lossScale\.growth is 0\.5; it must be a finite number >= 1$/],
    [{ lossScale: { growth: 1e39 } }, /^sgd\.lossScale\.growth is 1e\+39; it must be/],
    [{ lossScale: { backoff: 1 } }, /^sgd\.lossScale\.backoff is 1; it must be a finite number in \(0, 1\)$/],
    [{ lossScale: { interval: 0 } }, /^sgd\.lossScale\.interval is 0; it must be a whole number/],
    [{ lossScale: { interval: 2 ** 32 } }, /^sgd\.lossScale\.interval is 4294967296; it must be/],
    [
      { lossScale: {}, skipNonFinite: false },
      /^skipNonFinite is false; with lossScale, which relies on skips, it must be true/,
    ],
    [{ accumulate: 0 }, /^sgd\.accumulate is 0; it must be a whole number in \[1, 65536\]$/],
    [{ accumulate: 2.5 }, /^sgd\.accumulate is 2\.5/],
    [{ cautious: 1 }, /^sgd\.cautious is 1; it must be true or false$/],
    [{ clip: { type: "value" } }, /^clip\.maxValue is missing; it must be a finite number > 0$/],
    [{ clip: { type: "value", maxValue: -1 } }, /^clip\.maxValue is -1/],
    [{ clip: { type: "value", maxNorm: 1 } }, /^clip has an unknown option "maxNorm"; the options are type, maxValue$/],
    [{ clip: { type: "adaptive", clipping: 0 } }, /^clip\.clipping is 0; it must be a finite number > 0$/],
    [{ clip: { type: "adaptive", clipping: 1, eps: 0 } }, /^clip\.eps is 0; it must be a finite number > 0$/],
    [{ clip: { type: "groupNorm", maxNorm: 1, norm: "2" } }, /^clip\.norm is "2"; it must be 1, 2 or "inf"$/],
    [{ clip: { type: "globalNorm", maxNorm: 1e39 } }, /^clip\.maxNorm is 1e\+39; it must be/],
    [{ clip: { type: "adaptive", clipping: 1e39 } }, /^clip\.clipping is 1e\+39; it must be/],
    [{ replicas: [] }, /^sgd\.replicas is \[\]; it must have at least one entry$/],
    [{ replicas: 3 }, /^sgd\.replicas is 3; it must be an array of hypers, one entry for each copy$/],
    [{ replicas: [{}, { beta1: 0.5 }] }, /^sgd\.replicas\[1\] has an unknown option "beta1"; the options are lr,/],
    [{ replicas: [{ lr: -1 }] }, /^sgd\.replicas\[0\]\.lr is -1; it must be a finite number >= 0$/],
    [{ replicas: [{}, { lr: () => Number.NaN }] }, /^sgd\.lr is NaN at step 0/],
    [{ groups: [{ params: "*", lrScale: -1 }] }, /^sgd\.groups\[0\]\.lrScale is -1; it must be a finite number >= 0$/],
    [{ groups: [{ params: "*", frozen: 0 }] }, /^sgd\.groups\[0\]\.frozen is 0; it must be true or false$/],
    [{ groups: [{ params: "*", rule: "sdg" }] }, /^sgd\.groups\[0\]\.rule is "sdg"; it must be one of sgd, /],
    [
      { groups: [{ params: "*", rule: adam, momentum: 0.5 }] },
      /^sgd\.groups\[0\] has an unknown option "momentum"; the options are params, lrScale, frozen, rule, lr, beta1,/,
    ],
    [{ groups: [{ params: "*", rule: adam, eps: -1 }] }, /^sgd\.groups\[0\]\.eps is -1/],
    [
      { groups: [{ params: "layers.*", rule: muon }] },
      /^muon\.fallback is missing; the rule muon takes matrices, and "layers\.0\.bias" has shape \[5\]: give a rule/,
    ],
    [
      { groups: [{ params: "*", rule: muon, fallback: { rule: muon } }] },
      /^muon\.fallback\.rule is "muon"; it must be a rule for tensors of every shape$/,
    ],
    [
      { groups: [{ params: "*", rule: muon, fallback: { rule: adam, momentum: 1 } }] },
      /^muon\.fallback has an unknown option "momentum"; the options are rule, lr, beta1,/,
    ],
    [{ fallback: { rule: adam } }, /^rule sgd has an unknown option "fallback"/],
  ])("%j", (options, message) => {
    const config = { rule: sgd, ...options };
    expect(() => create(config)).toThrow(message);
    expect(() => create(config)).toThrow(OptionError);
  });

  it.each<[object, RegExp]>([
    [{ rule: muon }, /^muon\.fallback is missing; the rule muon takes matrices, and "layers\.0\.bias" has shape \[5\]/],
    [{ rule: muon, fallback: { rule: muon } }, /^muon\.fallback\.rule is "muon"; it must be a rule for tensors/],
    [{ rule: muon, fallback: { rule: "x" } }, /^muon\.fallback\.rule is "x"; it must be one of sgd, /],
    [{ rule: muon, fallback: {} }, /^muon\.fallback\.rule is missing/],
    [{ rule: muon, fallback: { rule: adam, lr: -1 } }, /^muon\.fallback\.lr is -1/],
  ])("%j", (config, message) => {
    expect(() => create(config)).toThrow(message);
    expect(() => create(config)).toThrow(OptionError);
  });

  it("names of tensors that are a checkpoint's keys of others", () => {
    const two = (name: string) => [
      { name: "w", shape: [2] },
      { name, shape: [1] },
    ];
    expect(() => create({ rule: sgd, ema: {} }, two("w:ema"))).toThrow('a tensor is called "w:ema", which checkpoints');
    expect(() => create({ rule: sgd, accumulate: 2 }, two("w:accumulated"))).toThrow('is called "w:accumulated"');
    expect(() => create({ rule: lamb }, two("w:ratio"))).toThrow('is called "w:ratio"');
    expect(() => create({ rule: sgd, cautious: true }, two("w:cautious"))).toThrow('is called "w:cautious"');
    expect(() => create({ rule: prodigy }, two(":d"))).toThrow('is called ":d"');
  });

  it("names of roles that every object has", async () => {
    const optimizer = create({ rule: sgd });
    await expect(optimizer.read("constructor")).rejects.toThrow('role is "constructor"; it must be one of params');
    expect(() => optimizer.write("toString", {})).toThrow(OptionError);
  });
});

describe("checkpoints of another set-up", () => {
  const given = [
    { name: "w", shape: [2, 3], data: [1, 2, 3, 4, 5, 6] },
    { name: "b", shape: [3], data: [7, 8, 9] },
  ];
  it.each<[OptimizerConfig, OptimizerConfig, RegExp]>([
    [{ rule: sgd, replicas: [{}, {}] }, { rule: sgd }, /^the checkpoint's flags is .*"replicas":1.*; this optimizer's/],
    [{ rule: sgd, accumulate: 2 }, { rule: sgd, accumulate: 3 }, /^the checkpoint's flags is .*"accumulate":3/],
    [{ rule: sgd, cautious: true }, { rule: sgd }, /^the checkpoint's flags is /],
    [
      { rule: sgd, groups: [{ params: "w", rule: adam }] },
      { rule: sgd, groups: [{ params: "w", rule: lion }] },
      /^the checkpoint's groups' rules are \["lion","sgd"\]; this optimizer's are \["adam","sgd"\]$/,
    ],
    [
      { rule: sgd, groups: [{ params: "w", rule: adam }] },
      { rule: sgd, groups: [{ params: "w", rule: adam, amsgrad: true }] },
      /^the checkpoint's groups' flags are /,
    ],
    [{ rule: sgd, ema: {} }, { rule: sgd }, /^the checkpoint has no "w:ema"$/],
    [{ rule: sgd }, { rule: sgd, swa: {} }, /^the checkpoint has "w:swa", which this optimizer does not$/],
  ])("%j refuses %j, and nothing changes", async (ours, theirs, message) => {
    const optimizer = create(ours, given);
    const before = await saveCheckpoint(optimizer);
    const other = await saveCheckpoint(create(theirs, given));
    const error = await loadCheckpoint(optimizer, other).catch((caught: unknown) => caught as Error);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toMatch(message);
    expect(await saveCheckpoint(optimizer)).toEqual(before);
  });

  it("whose hypers do not fit, of this very optimizer too, changes nothing", async () => {
    const optimizer = create({ rule: sgd, lr: 0.25, groups: [{ params: "w" }] }, given);
    const saved = await saveCheckpoint(optimizer);
    // In place: from this very array functions come back.
    const { metadata, tensors } = decodeSafetensors(saved);
    const changed = Object.entries(metadata).map(([key, text]) => [key, text.replaceAll('lr":0.25', 'lr":-9.5')]);
    saved.set(encodeSafetensors({ metadata: Object.fromEntries(changed), tensors }));
    const lr = (step: number) => 1 / (1 + step);
    optimizer.set({ lr });
    await expect(loadCheckpoint(optimizer, saved, { hypers: "saved" })).rejects.toThrow(
      /^the checkpoint's hypers do not fit: set\.lr is -9\.5/,
    );
    expect([0, 1].map((group) => optimizer.hyper("lr", 1, { group }))).toEqual([0.5, 0.5]);
  });

  it.each([
    ["groups", "[null]", /^the checkpoint's groups are \[null\]; they must be an array/],
    ["shared", "{}", /^the checkpoint's shared hypers are \{\}; they must be an array$/],
    ["shared", '[{"lr":-1}]', /^the checkpoint's hypers do not fit: shared\.lr is -1/],
    ["micro", "3", /^the checkpoint's micro is 3; it must be/],
    ["micro", "-1", /^the checkpoint's micro is -1; it must be/],
    ["lossScale", "0", /^the checkpoint's lossScale is 0/],
    ["lossScale", "1e40", /^the checkpoint's lossScale is 1e40/],
    ["goodSteps", "x", /^the checkpoint's goodSteps is x/],
    ["carried", "[[[{}]]]", /^the checkpoint's carried values are \[\[\[\{\}\]\]\], which do not fit/],
  ])("with the %s %j are refused", async (key, text, message) => {
    const config: OptimizerConfig = { rule: nadam, accumulate: 3, lossScale: {} };
    const optimizer = create(config, given);
    const before = await saveCheckpoint(optimizer);
    const { metadata, tensors: saved } = decodeSafetensors(before);
    const broken = encodeSafetensors({ metadata: { ...metadata, [key]: text }, tensors: saved });
    await expect(loadCheckpoint(optimizer, broken)).rejects.toThrow(message);
    expect(await saveCheckpoint(optimizer)).toEqual(before);
  });
});
