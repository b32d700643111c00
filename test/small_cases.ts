// The small cases that every learner meets, on whichever engine: what a rate does to a parabola, to the number, and what a
// watch says of it. Gradients are written by hand, so that nothing but the rule is between the rate and the weight.

import { describe, expect, it } from "vitest";
import type { Tensor } from "../src/optimizer/arena.ts";
import type { OptimizerConfig } from "../src/optimizer/config.ts";
import type { Optimizer } from "../src/optimizer/optimizer.ts";
import { sgd } from "../src/rules/sgd.ts";
import { multiStep } from "../src/schedules/multi_step.ts";
import { plateau } from "../src/schedules/plateau.ts";
import { scale } from "../src/schedules/scale.ts";
import { step } from "../src/schedules/step.ts";
import type { WatchEvent } from "../src/train/findings.ts";
import { createWatch, type Verdict } from "../src/train/watch.ts";

type Create = (tensors: readonly Tensor[], config: OptimizerConfig) => Promise<Optimizer>;

interface Run {
  /** The weights before each step and after the last. */
  readonly weights: readonly (readonly number[])[];
  /** Of those weights: Σ λ/2·w². */
  readonly losses: readonly number[];
  readonly events: readonly WatchEvent[];
  readonly verdict: Verdict;
}

/** Runs down Σ λ/2·w², every replica beside the others with a watch of its own. */
async function descend(optimizer: Optimizer, lambdas: readonly number[], steps: number): Promise<Run[]> {
  const read = () =>
    Promise.all(Array.from({ length: optimizer.replicas }, (_, r) => optimizer.read("params", { replica: r }))).then(
      (all) => all.map(({ w }) => [...w!]),
    );
  const watches = Array.from({ length: optimizer.replicas }, () => createWatch());
  const events = watches.map((): WatchEvent[] => []);
  const history = [await read()];
  const lossOf = (w: readonly number[]) => w.reduce((sum, x, i) => sum + (lambdas[i]! / 2) * x * x, 0);
  for (let step = 0; step < steps; step++) {
    history[step]!.forEach((w, r) => {
      const gradient = w.map((x, i) => lambdas[i]! * x);
      const report = {
        loss: lossOf(w),
        gradientNorm: Math.hypot(...gradient),
        lr: optimizer.hyper("lr", step, { group: 0, replica: r }),
      };
      events[r]!.push(...watches[r]!.observe(report));
      optimizer.write("gradients", { w: gradient }, { replica: r });
    });
    optimizer.step();
    history.push(await read());
  }
  return watches.map(({ verdict }, r) => {
    const weights = history.map((replicas) => replicas[r]!);
    return { weights, losses: weights.map(lossOf), events: events[r]!, verdict };
  });
}

/** A step rounds the rate, the product, which may be twice the weight, and the difference: so much of the weight together. */
const rounding = 5 * 2 ** -24;

const kinds = (run: Run) => run.events.map(({ kind, step }) => `${kind} at ${step}`);

export function smallCases(create: Create): void {
  describe("w² from 4", () => {
    it("does at each rate what it does on paper, and the watch says so", async () => {
      const rates = [0.1, 1.5, 1.1, 1, 1e-6, 0.5];
      const optimizer = await create([{ name: "w", shape: [1], data: [4] }], {
        rule: sgd,
        lr: 0.1,
        replicas: rates.map((lr) => ({ lr })),
      });
      const runs = await descend(optimizer, [2], 42);
      optimizer.destroy();
      const [good, wild, slow, edge, tiny, best] = runs as [Run, Run, Run, Run, Run, Run];
      const path = (run: Run, length: number) => run.weights.slice(0, length).map(([w]) => w!);

      const shrinking = [4, 3.2, 2.56, 2.048, 1.6384];
      path(good, 5).forEach((w, t) => {
        expect(Math.abs(w / shrinking[t]! - 1)).toBeLessThanOrEqual(t * rounding);
      });
      expect(good.verdict).toEqual({ state: "converging", since: 5 });
      expect(kinds(good)).toEqual([]);

      expect(path(wild, 5)).toEqual([4, -8, 16, -32, 64]);
      expect(wild.losses.slice(0, 4)).toEqual([16, 64, 256, 1024]);
      expect(kinds(wild)[0]).toBe("diverging at 4");
      expect(wild.verdict).toEqual({ state: "diverged", since: 4 });

      const growing = [4, -4.8, 5.76, -6.912, 8.2944];
      path(slow, 5).forEach((w, t) => {
        expect(Math.abs(w / growing[t]! - 1)).toBeLessThanOrEqual(t * rounding);
      });
      expect(kinds(slow)[0]).toBe("diverging at 6");

      expect(path(edge, 43)).toEqual(Array.from({ length: 43 }, (_, t) => (t % 2 === 0 ? 4 : -4)));
      expect(kinds(edge)).toEqual(["oscillating at 40"]);
      expect(edge.events[0]).toMatchObject({ loss: 16, amplitude: 0, period: 2, expectedFall: 64 });

      expect(path(tiny, 2)[1]).toBeCloseTo(4 - 8e-6, 6);
      expect(kinds(tiny)).toEqual(["stalled at 40"]);
      expect(tiny.verdict.state).toBe("stalled");

      expect(path(best, 3)).toEqual([4, 0, 0]);
      expect(kinds(best)).toEqual([]);
    });
  });

  describe("several curvatures", () => {
    it("converge just under 2/λ of the largest and diverge just over it, by |1 - αλ| a step", async () => {
      const lambdas = [1, 4, 16];
      const bound = 2 / 16;
      const optimizer = await create([{ name: "w", shape: [3], data: [1, 1, 1] }], {
        rule: sgd,
        lr: bound,
        replicas: [{ lr: bound * (1 - 1 / 64) }, { lr: bound * (1 + 1 / 64) }],
      });
      const steps = 64;
      const [under, over] = (await descend(optimizer, lambdas, steps)) as [Run, Run];
      optimizer.destroy();
      for (const [run, factor] of [
        [under, -1 + 1 / 32],
        [over, -1 - 1 / 32],
      ] as const) {
        run.weights.forEach((w, t) => {
          expect(Math.abs(w[2]! / factor ** t - 1), `step ${t}`).toBeLessThanOrEqual((t + 1) * 2 ** -24);
        });
      }
      expect(under.losses.every((loss, t) => t === 0 || loss < under.losses[t - 1]!)).toBe(true);
      expect(under.verdict.state).toBe("converging");
      expect(over.losses[steps]).toBeGreaterThan(20 * over.losses[0]!);
      expect(over.verdict.state).toBe("diverged");
    });
  });

  describe("heavy ball", () => {
    it("is stable up to 2(1+μ)/λ, beyond what plain descent bears", async () => {
      const momentum = 0.5;
      const bound = 2 * (1 + momentum);
      const rates = [bound * (1 - 1 / 64), bound * (1 + 1 / 64)];
      const optimizer = await create([{ name: "w", shape: [1], data: [1] }], {
        rule: sgd,
        lr: bound,
        momentum,
        replicas: rates.map((lr) => ({ lr })),
      });
      const steps = 80;
      const runs = await descend(optimizer, [1], steps);
      optimizer.destroy();
      runs.forEach((run, r) => {
        const rate = rates[r]!;
        // The larger root of z² - (1 + μ - αλ)z + μ, which is what a step multiplies by in the end.
        const sum = 1 + momentum - rate;
        const root = (sum - Math.sqrt(sum * sum - 4 * momentum)) / 2;
        expect(run.weights[steps]![0]! / run.weights[steps - 1]![0]!).toBeCloseTo(root, 5);
        expect(Math.abs(root) < 1).toBe(r === 0);
      });
      expect(Math.abs(runs[0]!.weights[steps]![0]!)).toBeLessThan(1e-3);
      expect(Math.abs(runs[1]!.weights[steps]![0]!)).toBeGreaterThan(1e2);
      expect(runs[1]!.verdict.state).toBe("diverged");
    });
  });

  describe("rates that are taken down", () => {
    it("by halving every k, and from 0.01 to a fifth in three ways", async () => {
      const optimizer = await create([{ name: "w", shape: [1], data: [8] }], {
        rule: sgd,
        lr: 0.01,
        replicas: [
          { lr: { type: step, base: 0.5, every: 3, gamma: 0.5 } },
          { lr: { type: multiStep, base: 0.01, milestones: [2], gamma: 0.2 } },
          { lr: { type: scale, by: 0.2, schedule: 0.01 } },
          { lr: { type: plateau, base: 0.01, factor: 0.2, patience: 0 } },
        ],
      });
      optimizer.write("gradients", { w: [1] });
      const path: number[] = [];
      for (let step = 0; step < 7; step++) {
        // A metric that gets no better from the second value on.
        if (step === 2 || step === 3) optimizer.observe(1);
        optimizer.step();
        path.push((await optimizer.read()).w![0]!);
      }
      expect(path).toEqual([7.5, 7, 6.5, 6.25, 6, 5.75, 5.625]);
      const rates = (replica: number) => [0, 1, 2, 3].map((step) => optimizer.hyper("lr", step, { group: 0, replica }));
      expect(rates(0)).toEqual([0.5, 0.5, 0.5, 0.25]);
      expect(rates(1)[1]).toBe(0.01);
      expect(rates(1)[2]).toBeCloseTo(0.002, 15);
      expect(rates(2)[3]).toBeCloseTo(0.002, 15);
      expect(optimizer.hyper("lr", 7, { group: 0, replica: 3 })).toBeCloseTo(0.002, 15);
      const ends = await Promise.all([1, 2, 3].map((replica) => optimizer.read("params", { replica })));
      const moved = ends.map(({ w }) => 8 - w![0]!);
      optimizer.destroy();
      const distances = [2 * 0.01 + 5 * 0.002, 7 * 0.002, 3 * 0.01 + 4 * 0.002];
      for (const [i, distance] of distances.entries()) expect(moved[i]).toBeCloseTo(distance, 5);
    });
  });
}
