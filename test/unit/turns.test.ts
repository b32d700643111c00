// Whoever computes on the CPU lets others have their turn: a server that trains answers, reads files and handles signals.

import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { findLr } from "../../src/lab/lr_finder.ts";
import { sweep } from "../../src/lab/sweep.ts";
import { arrayDataset } from "../../src/objectives/data/arrays.ts";
import { breathe } from "../../src/objectives/turns.ts";
import { adamw } from "../../src/rules/adam.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { openRun, readRun } from "../../src/train/open_run.ts";
import { train } from "../../src/train/train.ts";

/** What had its turn while work was done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<{ immediates: number; files: number }> {
  const turns = { immediates: 0, files: 0 };
  let done = false;
  const count = () => {
    turns.immediates++;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  const read = async () => {
    for (; !done; turns.files++) await readFile(import.meta.filename);
  };
  const reading = read();
  await work();
  done = true;
  await reading;
  return turns;
}

function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describe("a turn of the event loop", () => {
  it("is had after each 10 ms of work, and costs nothing in between", async () => {
    const worked = await turnsDuring(async () => {
      for (let i = 0; i < 20; i++) {
        busy(11);
        await breathe();
      }
    });
    expect(worked.immediates).toBeGreaterThanOrEqual(20);
    const from = performance.now();
    const idle = await turnsDuring(async () => {
      for (let i = 0; i < 10_000; i++) await breathe();
    });
    expect(idle.immediates).toBeLessThanOrEqual(3 + (performance.now() - from) / 10);
  });

  // A step of these takes more than 10 ms.
  const rows = 512;
  const data = arrayDataset({
    inputs: Float32Array.from({ length: rows * 200 }, (_, i) => Math.sin(i)),
    labels: Array.from({ length: rows }, (_, i) => i % 10),
  });
  const config = { model: { layers: [200, 128, 10] }, optimizer: { rule: adamw }, batch: rows, steps: 6 } as const;
  const engine = cpuEngine();
  it.each<[string, () => Promise<unknown>]>([
    ["training", () => train({ engine, ...config, data })],
    ["a sweep", () => sweep({ engine, ...config, data, trials: [{ lr: 0.01 }, { lr: 0.1 }], halving: null })],
    ["a range test", () => findLr({ engine, ...config, data, ramp: { steps: 6 } })],
    [
      "gradients in a loop",
      async () => {
        const { objective, order } = await openRun(engine, readRun(config, data), data);
        for (let i = 0; i < 6; i++) await objective.gradient(order.next().value);
      },
    ],
  ])("is had in every step of %s", async (_, work) => {
    const { immediates, files } = await turnsDuring(work);
    expect(immediates).toBeGreaterThanOrEqual(6);
    expect(files).toBeGreaterThan(0);
  });
});
