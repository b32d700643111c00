// Descent on a function of one number at several rates side by side, and a verdict on each run: it diverges, oscillates, crawls, or
// is just right.

import { short } from "../../../base/short.ts";
import { createCpuOptimizer } from "../../../engines/cpu/optimizer.ts";
import { pointsName } from "../../../objectives/landscape.ts";
import { type Landscape, landscapeOf } from "../../../objectives/landscapes/define.ts";
import { quadratic } from "../../../objectives/landscapes/quadratic.ts";
import { quartic } from "../../../objectives/landscapes/quartic.ts";
import { rastrigin } from "../../../objectives/landscapes/rastrigin.ts";
import { createCpuObjective } from "../../../objectives/objective_cpu.ts";
import type { OptimizerConfig } from "../../../optimizer/config.ts";
import { adam } from "../../../rules/adam.ts";
import { lion } from "../../../rules/lion.ts";
import { rmsprop } from "../../../rules/rmsprop.ts";
import { sgd } from "../../../rules/sgd.ts";

/** The functions to race on, by name; each has its minimum at 0. */
export const losses: Readonly<Record<string, { readonly landscape: () => Landscape }>> = {
  "w²": { landscape: () => landscapeOf(quadratic({ spectrum: [2] })) },
  "w⁴": { landscape: () => landscapeOf(quartic({ dimension: 1 })) },
  bumps: { landscape: () => landscapeOf(rastrigin({ dimension: 1 })) },
};

/** The rules to race with, by name, for a rate. */
export const racers: Readonly<Record<string, (lr: number) => OptimizerConfig>> = {
  sgd: (lr) => sgd(lr),
  "sgd with momentum": (lr) => sgd(lr, { momentum: 0.9 }),
  nesterov: (lr) => sgd(lr, { momentum: 0.9, nesterov: true }),
  rmsprop: (lr) => rmsprop(lr),
  adam: (lr) => adam(lr),
  lion: (lr) => lion(lr, { weightDecay: 0 }),
};

export interface Race {
  readonly loss: string;
  readonly rule: string;
  readonly start: number;
  readonly steps: number;
  readonly rates: readonly number[];
}

export type State = "diverging" | "oscillating" | "crawling" | "just right";

/** One rate's run. */
export interface Run {
  readonly rate: number;
  /** Its place before the first step and after each; the list ends where a number is no longer finite. */
  readonly places: readonly number[];
  readonly losses: readonly number[];
  readonly state: State;
  /** The numbers behind the verdict, in one clause. */
  readonly why: string;
}

/** Runs all rates, each a replica of one optimizer. */
export async function run({ loss, rule, start, steps, rates }: Race): Promise<readonly Run[]> {
  const landscape = losses[loss]!.landscape();
  const { lr, ...config } = racers[rule]!(rates[0]!);
  const optimizer = createCpuOptimizer(
    { [pointsName]: { shape: [1, 1], data: [start] } },
    { ...config, lr, replicas: rates.map((rate) => ({ lr: rate })) },
  );
  try {
    const objective = createCpuObjective(optimizer, landscape);
    const height = (w: number) => landscape.value([w]);
    const places = rates.map(() => [start]);
    for (let step = 0; step < steps; step++) {
      await objective.step();
      for (const [replica, way] of places.entries()) {
        const w = (await optimizer.read("params", { replica }))[pointsName]![0]!;
        if (way.length === step + 1 && Number.isFinite(w) && Number.isFinite(height(w))) way.push(w);
      }
    }
    objective.destroy();
    return places.map((way, i) => judge(rates[i]!, way, way.map(height), steps));
  } finally {
    optimizer.destroy();
  }
}

/** A run has arrived at this share of its first loss. */
const arrived = 0.01;

/** The verdict on a run whose function has its minimum, 0, at 0. */
function judge(rate: number, places: readonly number[], heights: readonly number[], steps: number): Run {
  const made = places.length - 1;
  const [first, last] = [heights[0]!, heights[made]!];
  const best = Math.min(...heights);
  const moves = places.slice(1).map((w, i) => w - places[i]!);
  const turns = moves.filter((move, i) => i > 0 && move * moves[i - 1]! < 0).length;
  const turning = made > 2 && turns >= 0.6 * (made - 1);
  const factor = (places[made]! / places[0]!) ** 2 === 0 ? 0 : Math.abs(places[made]! / places[0]!) ** (1 / made);
  const each =
    places[0] === 0
      ? "it began at the minimum"
      : `each step multiplies the distance by ${turning ? "−" : ""}${short(factor)}${made > 1 ? " on average" : ""}`;
  const result = (state: State, why: string): Run => ({ rate, places, losses: heights, state, why });
  if (made < steps) return result("diverging", `no longer finite after step ${made}; ${each}`);
  if (last > 1.0001 * first)
    return result("diverging", `the loss rose from ${short(first)} to ${short(last)}; ${each}`);
  if (turning) {
    const end =
      last <= arrived * first ? `and settles: the loss is ${short(last)}` : `the loss is still ${short(last)}`;
    return result("oscillating", `it jumps over the minimum in ${turns} of ${made} steps, ${end}; ${each}`);
  }
  if (best > arrived * first) {
    const needed = Math.ceil(Math.log(Math.sqrt(arrived)) / Math.log(factor));
    const when =
      factor < 1 && Number.isFinite(needed)
        ? `about ${needed.toLocaleString("en")} steps would bring it to 1 %`
        : "it stands still";
    return result("crawling", `the loss is still ${short((100 * last) / first)} % of the first; ${when}`);
  }
  const at = heights.findIndex((height) => height <= arrived * first);
  return result("just right", `1 % of the first loss after ${at} steps; ${each}`);
}
