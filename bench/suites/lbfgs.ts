// Suite "lbfgs": one iteration of L-BFGS with a full history on a quadratic canyon, next to the two-loop recursion of textbooks:
// one dot product at a time, each waited for.
import { openVectors } from "../../src/engines/open_vectors.ts";
import { alone, at, copy, type VectorSpace } from "../../src/engines/vectors.ts";
import { createCpuOptimizer, createOptimizer, type Optimizer, sgd } from "../../src/index.ts";
import {
  createCpuObjective,
  createLbfgs,
  createObjective,
  initialTensors,
  type LbfgsReport,
  landscapes,
  type Objective,
} from "../../src/training.ts";
import { benchDevice, runnerOn } from "../device.ts";
import { type Keep, keeping } from "../engines/keeping.ts";
import type { Answer, Case, Tier } from "../suite.ts";

const sizes: readonly { readonly name: string; readonly n: number; readonly tier: Tier }[] = [
  { name: "1M", n: 1_000_000, tier: "full" },
  { name: "64k", n: 65_536, tier: "quick" },
];

const history = 10;

/** Iterations until the history is full. */
const warmUp = history + 1;

/** The traffic of an iteration's objective, in vectors: reads the parameters and curvatures, writes gradients. */
const gradientVectors = 3;

/** For ours: see test/gpu/lbfgs.test.ts, which counts them. */
export const ourVectors = (pairs: number) => 5 * pairs + 22;

/**
 * For the recursion: a dot product (2) and an axpy (3) for each s and each y; in addition a copy and a scaling of the gradient,
 * both parts of a pair and their dot products, a step, and the stored gradient.
 */
export const textbookVectors = (pairs: number) => 10 * pairs + 20;

const canyon = (n: number) => landscapes.create({ type: "quadratic", dimension: n, condition: 1000 });

interface Bound {
  readonly optimizer: Optimizer;
  readonly objective: Objective;
}

async function bindGpu(keep: Keep, n: number): Promise<Bound & { readonly device: GPUDevice }> {
  const device = await benchDevice();
  const landscape = canyon(n);
  const optimizer = keep(await createOptimizer(device, initialTensors(landscape), sgd()));
  return { device, optimizer, objective: keep(await createObjective(optimizer, landscape)) };
}

/**
 * Iterates until the history is full, and returns by what share the loss fell. Single losses would not do: the first search
 * starts with a step so short that float32 rounds its change of the loss, and may stop at another point.
 */
async function answerOf(step: () => Promise<LbfgsReport>): Promise<Answer> {
  const { startLoss } = await step();
  let { loss } = await step();
  for (let i = 2; i < warmUp; i++) ({ loss } = await step());
  return { numbers: [1 - loss / startLoss], values: [] };
}

async function lbfgsOn(keep: Keep, { optimizer, objective }: Bound): Promise<() => Promise<LbfgsReport>> {
  const lbfgs = keep(
    await createLbfgs(optimizer, { history, maxIterations: 1, gradientTolerance: 0, changeTolerance: 0 }),
  );
  return () => lbfgs.step(objective);
}

const fallline = keeping(async (keep, n: number) => {
  const bound = await bindGpu(keep, n);
  const step = await lbfgsOn(keep, bound);
  return {
    ...runnerOn(bound.device),
    bytes: 4 * n * (ourVectors(history) + gradientVectors),
    async step() {
      await step();
    },
    answer: () => answerOf(step),
  };
});

const textbook = keeping(async (keep, n: number) => {
  const { device, optimizer, objective } = await bindGpu(keep, n);
  const space = keep(await openVectors(optimizer));
  const step = await twoLoop(space, objective);
  for (let i = 0; i < warmUp; i++) await step();
  return {
    ...runnerOn(device),
    note: "not checked: the two-loop recursion with full steps, no line search, and a readback for each dot product",
    bytes: 4 * n * (textbookVectors(history) + gradientVectors),
    async step() {
      await step();
    },
  };
});

/** Nocedal and Wright 2006, algorithm 7.4; all steps but the first are 1. A call is an iteration and returns the loss after it. */
async function twoLoop(space: VectorSpace, objective: Objective): Promise<() => Promise<number>> {
  const block = await space.create(2 * history + 4);
  const [s, y] = [(i: number) => at(block, i), (i: number) => at(block, history + i)];
  const [point, gradient] = [at(block, 2 * history), at(block, 2 * history + 1)];
  const [direction, next] = [at(block, 2 * history + 2), at(block, 2 * history + 3)];
  const dot = async (a: typeof point, b: typeof point) => {
    space.dots(alone(a), b, 0);
    return (await space.scalars(0, 1))[0]![0]!;
  };
  const axpy = (factor: number, a: typeof point, b: typeof point) => space.combine(b, 1, alone(a), [factor]);
  const evaluate = async (into: typeof point) => {
    const [loss] = await objective.gradient();
    space.load("gradients", into);
    return loss!;
  };
  const kept: { readonly slot: number; readonly sy: number; readonly yy: number }[] = [];
  let made = 0;
  space.load("params", point);
  await evaluate(gradient);
  return async () => {
    copy(space, gradient, direction);
    const alphas: number[] = [];
    for (const { slot, sy } of kept.toReversed()) {
      const alpha = (await dot(s(slot), direction)) / sy;
      alphas.unshift(alpha);
      axpy(-alpha, y(slot), direction);
    }
    const last = kept.at(-1);
    space.combine(direction, last ? last.sy / last.yy : 1, alone(gradient), [0]);
    for (const [i, { slot, sy }] of kept.entries()) {
      const beta = (await dot(y(slot), direction)) / sy;
      axpy(alphas[i]! - beta, s(slot), direction);
    }
    axpy(-1, direction, point);
    space.store(point);
    await space.submit();
    const loss = await evaluate(next);
    const slot = made++ % history;
    if (kept.length === history) kept.shift();
    space.combine(s(slot), 0, alone(direction), [-1]);
    copy(space, next, y(slot));
    axpy(-1, gradient, y(slot));
    copy(space, next, gradient);
    kept.push({ slot, sy: await dot(s(slot), y(slot)), yy: await dot(y(slot), y(slot)) });
    return loss;
  };
}

export const lbfgsCases: readonly Case[] = sizes.map(({ name, n, tier }) => ({
  ...{ suite: "lbfgs", name: `L-BFGS step history ${history} ${name}`, tier, n, tensors: 1 },
  async expected() {
    const landscape = canyon(n);
    const optimizer = createCpuOptimizer(initialTensors(landscape), sgd());
    const made: { destroy(): void }[] = [optimizer];
    const keep: Keep = (one) => {
      made.push(one);
      return one;
    };
    try {
      return await answerOf(await lbfgsOn(keep, { optimizer, objective: createCpuObjective(optimizer, landscape) }));
    } finally {
      for (const one of made.reverse()) one.destroy();
    }
  },
  tolerance: { number: 2e-3, values: 0 },
  contenders: [
    { engine: "fallline", load: () => fallline(n) },
    { engine: "textbook", load: () => textbook(n) },
  ],
  ours: "fallline",
}));
