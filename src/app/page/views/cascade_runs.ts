// The logistic map at many rates side by side, as descent on the lab's ladder: it settles, then each step gives one value per rate.

import { logisticLadder } from "../../../lab/experiments/logistic_ladder.ts";
import { makeSteps, trainee } from "../../../lab/experiments/steps.ts";
import { pointsName } from "../../../objectives/landscape.ts";
import { landscapeOf } from "../../../objectives/landscapes/define.ts";
import { sgd } from "../../../rules/sgd.ts";
import type { Engine } from "../../../train/engine.ts";

/** The values of r at which cycles of 2, 4, 8 and 16 start, and the window of 3 opens (Hao 1989). */
export const landmarks = [
  { name: "2", at: 3 },
  { name: "4", at: 3.44949 },
  { name: "8", at: 3.54409 },
  { name: "16", at: 3.564407 },
  { name: "3", at: 3.828427 },
] as const;

export interface CascadeOptions {
  readonly engine: Engine;
  /** The values of r, which is 1 + lr. */
  readonly rates: readonly number[];
  /** Steps before anything is shown. */
  readonly settle: number;
  /** Steps that each give one value per rate. */
  readonly samples: number;
  readonly signal: AbortSignal;
  /** Called with the share of the settling steps that is done. */
  onSettle(done: number): void;
  /** Called with the values after a step, of the map y → r·y·(1 - y), rate after rate, and how many steps were shown. */
  onSample(values: Float32Array, count: number): void;
  /** Awaited between steps: yields to the page, and pauses. */
  turn(): Promise<void>;
}

/** The mean of ln|derivative| of each rate since it settled: the Lyapunov exponent. */
export type Exponents = Float64Array;

/** Runs until all samples are taken, or the signal stops it. @returns The exponents of the samples so far. */
export async function cascade(options: CascadeOptions): Promise<Exponents> {
  const { engine, rates, settle, samples, signal, turn } = options;
  const n = rates.length;
  const descents = rates.map((r) => r - 1);
  const start = Float32Array.from({ length: 2 * n }, (_, i) => (i < n ? (0.3 * rates[i]!) / descents[i]! : 0));
  const lab = { engine };
  const landscape = landscapeOf(logisticLadder({ rates: descents }));
  const made = await trainee(lab, landscape, sgd({ lr: 1 }), { start });
  try {
    await makeSteps(made, settle, async (step) => {
      options.onSettle(step / settle);
      await turn();
      signal.throwIfAborted();
    });
    const read = async () => (await made.optimizer.read())[pointsName]!;
    const before = (await read()).slice(n);
    let count = 0;
    let points: Float32Array = before;
    while (count < samples && !signal.aborted) {
      await makeSteps(made, 1, turn);
      points = await read();
      count++;
      options.onSample(
        Float32Array.from({ length: n }, (_, i) => (points[i]! * descents[i]!) / rates[i]!),
        count,
      );
    }
    return Float64Array.from({ length: n }, (_, i) =>
      count === 0 ? Number.NaN : (points[n + i]! - before[i]!) / count,
    );
  } finally {
    made.destroy();
  }
}

/** The distance within which two values of a cycle count as the same. */
const same = 1e-3;

/** The length of the cycle that values repeat, at most 16; undefined where they do not. */
export function periodOf(values: readonly number[]): number | undefined {
  return [1, 2, 3, 4, 5, 6, 8, 12, 16].find(
    (period) =>
      values.length >= 2 * period && values.slice(period).every((value, i) => Math.abs(value - values[i]!) < same),
  );
}
