// Steps in flight: a few run at once, are reported in order, and none is left behind when something fails.

import { breathe } from "./turns.ts";

/** Steps in flight at once: enough to keep a GPU busy, few enough to stop soon. */
const inFlight = 4;

export interface Pipeline<Report> {
  /** Starts a step once fewer than four are in flight; throws the errors of earlier steps and their listener. */
  start(step: () => Promise<Report>): Promise<void>;
  /** Resolves when every started step has been reported. */
  drain(): Promise<void>;
  /** Adds another promise that {@link Pipeline.close} waits for, such as a read that is awaited later. */
  track<T>(promise: Promise<T>): Promise<T>;
  /** Resolves when nothing is in flight any more, even after a failure; for `finally`. */
  close(): Promise<void>;
}

/** @param report is called with each step's report, in the order in which the steps were started. */
export function createPipeline<Report>(report: (report: Report) => void): Pipeline<Report> {
  const pending: Promise<Report>[] = [];
  // A step in flight may fail before it is awaited; keeping it here stops Node from ending the process then.
  const underWay = new Set<Promise<unknown>>();
  const track = <T>(promise: Promise<T>): Promise<T> => {
    const settled: Promise<unknown> = promise.then(
      () => underWay.delete(settled),
      () => underWay.delete(settled),
    );
    underWay.add(settled);
    return promise;
  };
  const next = async () => report(await pending.shift()!);
  return {
    async start(step) {
      if (pending.length === inFlight) await next();
      pending.push(track(step()));
      // On the CPU a step is finished by now: four in a row without a turn would block four times as long.
      await breathe();
    },
    async drain() {
      while (pending.length > 0) await next();
    },
    track,
    async close() {
      await Promise.all(underWay);
    },
  };
}
