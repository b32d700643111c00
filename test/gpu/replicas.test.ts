// Replicas: copies that train side by side with hypers of their own. Each must be what it would be alone, to the bit, on
// either engine, whatever happens to the others.

import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/random.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { configOf } from "../../src/optimizer/plan_config.ts";
import { adafactor } from "../../src/rules/adafactor.ts";
import { adamw } from "../../src/rules/adam.ts";
import { lamb } from "../../src/rules/lamb.ts";
import { lion } from "../../src/rules/lion.ts";
import { muon } from "../../src/rules/muon.ts";
import { prodigy } from "../../src/rules/prodigy.ts";
import { scheduleFreeAdamw } from "../../src/rules/schedule_free.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { createPlan } from "../optimizers.ts";
import { engines } from "./engines.ts";

const random = new Random(13);
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());
const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
const tensors: Tensor[] = [
  { name: "a", shape: [5, 7], data: normals(35) },
  { name: "b", shape: [261], data: normals(261) },
  { name: "c", shape: [], data: [0.5] },
];
const matrices: Tensor[] = [
  { name: "a", shape: [5, 7], data: normals(35) },
  { name: "b", shape: [9, 4], data: normals(36) },
  { name: "c", shape: [3], data: normals(3) },
];
const gradientsOf = (given: readonly Tensor[]) =>
  Object.fromEntries(given.map(({ name, shape }) => [name, normals(size(shape))]));

const stateOf = (optimizer: Optimizer, replica = 0) =>
  Promise.all([
    optimizer.stats({ replica }),
    ...["params", "gradients", "evaluation", ...optimizer.slots].map((role) => optimizer.read(role, { replica })),
  ]);

interface Case {
  readonly shared: Record<string, unknown>;
  readonly replicas: readonly Record<string, unknown>[];
  readonly given: readonly Tensor[];
}

const cases: readonly [string, Case][] = [
  [
    "adamw with clipping, loss scaling, accumulation, averages",
    {
      shared: {
        rule: adamw,
        lr: 0.1,
        clip: { type: "groupNorm", maxNorm: 3 },
        accumulate: 2,
        lossScale: { init: 4, interval: 2 },
        ema: {},
        lookahead: { every: 2 },
        groups: [{ params: "a", weightDecay: 0.3, lrScale: 0.5 }],
      },
      replicas: [{}, { weightDecay: 0.5, beta1: 0 }, { lr: { type: cosine, base: 0.3, steps: 4 } }],
      given: tensors,
    },
  ],
  [
    "lamb with adaptive clipping and a group with a rule of its own",
    {
      shared: {
        rule: lamb,
        clip: { type: "adaptive", clipping: 0.3 },
        groups: [{ params: "b", rule: sgd, momentum: 0.5, lr: 0.1 }],
      },
      replicas: [{ lr: 0.1 }, { lr: 0.05, weightDecay: 0.5, beta2: 0.5 }],
      given: tensors,
    },
  ],
  ["prodigy", { shared: { rule: prodigy }, replicas: [{ d0: 0.01 }, { d0: 0.1, beta3: 0.5 }], given: tensors }],
  [
    "muon with a fallback",
    {
      shared: { rule: muon, fallback: { rule: adamw, lr: 0.1 }, skipNonFinite: true },
      replicas: [
        { lr: 0.1, weightDecay: 2 },
        { lr: 0.2, momentum: 0.5 },
      ],
      given: matrices,
    },
  ],
  [
    "cautious adamw with lion in a group",
    {
      shared: { rule: adamw, cautious: true, groups: [{ params: "a", rule: lion, lr: 0.01 }] },
      replicas: [{ lr: 0.1 }, { lr: 0.2 }],
      given: tensors,
    },
  ],
  ["schedule-free", { shared: { rule: scheduleFreeAdamw }, replicas: [{ lr: 0.1 }, { beta1: 0.5 }], given: tensors }],
  ["adafactor", { shared: { rule: adafactor }, replicas: [{ lr: 0.1 }, { lr: 0.02, d: 0.5 }], given: matrices }],
];

describe.each(engines)("replicas (%s)", (_, create) => {
  it.each(cases)(
    "of %s are each what they are alone, saved and resumed too",
    async (_, { shared, replicas, given }) => {
      const config = { ...shared, replicas } as unknown as OptimizerConfig;
      const together = await create(given, config);
      expect(together.replicas).toBe(replicas.length);
      const alone = await Promise.all(
        replicas.map((hypers) => create(given, { ...shared, ...hypers } as unknown as OptimizerConfig)),
      );
      const gradients = Array.from({ length: 7 }, () => replicas.map(() => gradientsOf(given)));
      // One is skipped once, where skipping is on.
      if (createPlan(configOf(together), together.segments).skipNonFinite) gradients[2]![1]!.b![35] = Number.NaN;
      const stepTogether = (step: number) => {
        gradients[step]!.forEach((g, replica) => {
          together.write("gradients", g, { replica });
        });
        together.step();
      };
      let checkpoint = new Uint8Array();
      for (let step = 0; step < 7; step++) {
        for (const [replica, optimizer] of alone.entries()) {
          optimizer.write("gradients", gradients[step]![replica]!);
          optimizer.step();
        }
        stepTogether(step);
        if (step === 3) checkpoint = await saveCheckpoint(together);
      }
      const expected = await Promise.all(alone.map((optimizer) => stateOf(optimizer)));
      const states = () => Promise.all(alone.map((_, replica) => stateOf(together, replica)));
      expect(await states()).toEqual(expected);
      await loadCheckpoint(together, checkpoint);
      for (const step of [4, 5, 6]) stepTogether(step);
      expect(await states()).toEqual(expected);
      for (const optimizer of [together, ...alone]) optimizer.destroy();
    },
  );

  it("read and write one, or write all", async () => {
    const optimizer = await create(tensors, { rule: sgd, lr: 1, momentum: 0.5, replicas: [{}, { lr: 0.5 }, {}] });
    optimizer.write("params", { c: [4] });
    optimizer.write("params", { c: [8] }, { replica: 1 });
    optimizer.write("gradients", { c: [1] });
    optimizer.write("gradients", { c: [2] }, { replica: 2 });
    optimizer.step();
    const read = (role: string) =>
      Promise.all([0, 1, 2].map(async (r) => (await optimizer.read(role, { replica: r })).c![0]));
    expect(await read("params")).toEqual([3, 7.5, 2]);
    expect(await read("momentum")).toEqual([1, 1, 2]);
    optimizer.set({ lr: 0.25 }, { replica: 2 });
    optimizer.step();
    expect(await read("params")).toEqual([1.5, 6.75, 1.25]);
    for (const replica of [-1, 3, 0.5]) {
      const message = `replica is ${replica}; it must be a whole number in [0, 2]`;
      await expect(optimizer.read("params", { replica })).rejects.toThrow(message);
      await expect(optimizer.stats({ replica })).rejects.toThrow(message);
      expect(() => optimizer.write("params", { c: [0] }, { replica })).toThrow(message);
    }
    expect(await read("params")).toEqual([1.5, 6.75, 1.25]);
    optimizer.destroy();
  });

  it.each([
    [5, 0, 301],
    [3, 1, 4307],
  ])("%i go on when number %i has diverged, for %i steps", async (count, broken, steps) => {
    // Each step's rate is a number of its own, so that a row of another step or replica shows.
    const rate = (scale: number) => (step: number) => (scale * (step % 89)) / 64;
    const scales = Array.from({ length: count }, (_, replica) => 2 ** replica);
    const optimizer = await create([{ name: "x", shape: [3] }], {
      rule: sgd,
      skipNonFinite: true,
      replicas: scales.map((scale) => ({ lr: rate(scale) })),
    });
    optimizer.write("gradients", { x: [1, 0, -1] });
    optimizer.write("gradients", { x: [0, Number.NaN, 0] }, { replica: broken });
    for (let step = 0; step < steps; step++) {
      optimizer.step();
      // Now and then the host learns where they are.
      if (step % 1500 === 1450) await optimizer.stats();
    }
    const sum = Array.from({ length: steps }, (_, step) => rate(1)(step)).reduce((a, b) => a + b, 0);
    for (const [replica, scale] of scales.entries()) {
      const moved = replica === broken ? 0 : scale * sum;
      expect(await optimizer.read("params", { replica })).toEqual({
        x: Float32Array.of(-moved, 0, moved).map((v) => v + 0),
      });
      expect(await optimizer.stats({ replica })).toMatchObject(
        replica === broken ? { step: 0, skipped: steps } : { step: steps, skipped: 0 },
      );
    }
    // Back again, it starts with its first rates.
    optimizer.write("gradients", { x: [1, 0, -1] }, { replica: broken });
    for (let step = 0; step < 10; step++) optimizer.step();
    const begun = scales[broken]! * (45 / 64);
    expect(await optimizer.read("params", { replica: broken })).toEqual({ x: Float32Array.of(-begun, 0, begun) });
    optimizer.destroy();
  });
});
