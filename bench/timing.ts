// Counts and times the steps of one engine.

import { type Counts, countCalls } from "./counting.ts";
import { submitPass } from "./device.ts";
import type { Runner } from "./suite.ts";

/** The most steps of one turn: a queue's contents must stay bounded. */
const mostSteps = 200;

export async function oneStep(runner: Runner): Promise<void> {
  await runner.prepare?.();
  await runner.step();
  await runner.wait();
}

/** The calls of a step on the runner's device, if it has one. */
export async function countStep(runner: Runner): Promise<Counts | undefined> {
  if (!runner.device) return undefined;
  await runner.prepare?.();
  const counting = countCalls(runner.device);
  try {
    return await counting.count(async () => {
      await runner.step();
      await runner.wait();
    });
  } finally {
    counting.stop();
  }
}

/**
 * The number of steps that take about `turnMs`, where one took `ms`. Waiting for one step takes as long as for many, and one may
 * be slow by chance, so an estimate is tested: engines with turns of unequal length would spread their waits unequally.
 */
export async function stepsOfTurn(runner: Runner, ms: number, turnMs: number): Promise<number> {
  const fitting = (each: number) => Math.max(1, Math.min(mostSteps, Math.round(turnMs / each)));
  let steps = fitting(ms);
  for (let tries = 0; tries < 3 && ms < turnMs; tries++) {
    const next = fitting(await time(runner, steps));
    const settled = next <= 1.5 * steps && steps <= 1.5 * next;
    steps = next;
    if (settled) break;
  }
  return steps;
}

/** Milliseconds per step, over this many steps that are started in sequence and waited for once. */
export async function time(runner: Runner, steps: number): Promise<number> {
  await runner.wait();
  if (runner.time) return runner.time(steps);
  if (runner.prepare) {
    let ms = 0;
    for (let i = 0; i < steps; i++) {
      await runner.prepare();
      const start = performance.now();
      await runner.step();
      await runner.wait();
      ms += performance.now() - start;
    }
    return ms / steps;
  }
  const start = performance.now();
  for (let i = 0; i < steps; i++) await runner.step();
  await runner.wait();
  return (performance.now() - start) / steps;
}

/** The least number of steps of a long turn for the slope, and of a short one. */
export const fewestOfLaunch = 4;
export const fewOf = (steps: number) => Math.round(steps / 4);

/** Milliseconds per step of about this many in one call, if the engine can. */
export async function timeTogether(runner: Runner, steps: number): Promise<number | undefined> {
  const { device, encode, together } = runner;
  await runner.wait();
  const start = performance.now();
  if (device && encode) {
    submitPass(device, (pass) => {
      for (let i = 0; i < steps; i++) encode(pass);
    });
    await runner.wait();
    return (performance.now() - start) / steps;
  }
  if (!together) return undefined;
  const calls = Math.ceil(steps / together.steps);
  for (let i = 0; i < calls; i++) await together.start();
  await runner.wait();
  return (performance.now() - start) / (calls * together.steps);
}
