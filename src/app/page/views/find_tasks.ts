// Tasks of the view that finds a rate: a range test, and a sweep of rates side by side.
import { type JobOptions, jobConfig } from "../../../lab/defaults.ts";
import { findLr, type RangeProgress, type RangeTestResult, type TrialProgress } from "../../../lab/lr_finder.ts";
import type { Entrant } from "../../../lab/race.ts";
import { gridTrials, sweep } from "../../../lab/sweep.ts";
import type { Dataset } from "../../../objectives/data/dataset.ts";
import type { Engine } from "../../../train/engine.ts";
import { defineTask } from "../task.ts";

interface Given {
  readonly job: JobOptions;
  readonly data: Dataset;
}

interface Turns {
  /** Awaited before every step. */
  turn(): Promise<void>;
}

/** The same engine, whose steps wait for their turn. */
function inTurn(engine: Engine, { turn }: Turns): Engine {
  return {
    ...engine,
    async objective(optimizer, program, options) {
      const made = await engine.objective(optimizer, program, options);
      return {
        async step(rows) {
          await turn();
          return made.step(rows);
        },
        gradient: (rows) => made.gradient(rows),
        evaluate: (data, onProgress) => made.evaluate(data, onProgress),
        hessianVector: (vector, options) => made.hessianVector(vector, options),
        field: (options) => made.field(options),
        destroy: () => made.destroy(),
      };
    },
  };
}

interface RangeListeners extends Turns {
  point(progress: RangeProgress): void;
  trial(progress: TrialProgress): void;
}

export const rangeTask = defineTask({
  name: "range",
  run({ job, data, steps }: Given & { readonly steps: number }, listeners: RangeListeners, engine, signal) {
    return findLr({
      engine: inTurn(engine, listeners),
      ...jobConfig(job),
      data,
      ramp: { steps },
      signal,
      onPoint: (progress) => void listeners.point(progress),
      onTrial: (progress) => void listeners.trial(progress),
    }) as Promise<RangeTestResult>;
  },
});

/** Milliseconds between two reports of a sweep's runs. */
const leastPause = 150;

interface SweepListeners extends Turns {
  /** Reports the state of every run, now and then and after the last step. */
  step(entrants: readonly Entrant[], step: number): void;
}

export const sweepTask = defineTask({
  name: "sweep",
  async run(
    { job, data, lrs }: Given & { readonly lrs: readonly number[] },
    listeners: SweepListeners,
    engine,
    signal,
  ) {
    let shownAt = 0;
    let latest: readonly [entrants: readonly Entrant[], step: number] = [[], 0];
    // Plain copies of their current state, without the objects that compute it.
    const show = ([entrants, step]: typeof latest) =>
      listeners.step(
        entrants.map(({ trial, losses, score, verdict, stopped }) => ({ trial, losses, score, verdict, stopped })),
        step,
      );
    const { best, interrupted } = await sweep({
      engine: inTurn(engine, listeners),
      ...jobConfig(job),
      data,
      trials: gridTrials({ lr: lrs }),
      signal,
      onStep(entrants, step) {
        latest = [entrants, step];
        if (performance.now() - shownAt < leastPause) return;
        shownAt = performance.now();
        show(latest);
      },
    });
    show(latest);
    return { best, interrupted };
  },
});
