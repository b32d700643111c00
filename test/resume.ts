// Runs that were stopped and went on, on whichever engine: their results against those of a run that never stopped.

import { expect } from "vitest";
import type { Dataset } from "../src/objectives/data/dataset.ts";
import { linear } from "../src/schedules/linear.ts";
import { plateau } from "../src/schedules/plateau.ts";
import type { Engine } from "../src/train/engine.ts";
import type { WatchEvent } from "../src/train/findings.ts";
import type { RunCheckpoint } from "../src/train/run_checkpoint.ts";
import type { RunConfig } from "../src/train/run_config.ts";
import { type Progress, type TrainResult, train } from "../src/train/train.ts";

/** Everything at once: a plateau, batches that grow, accumulation, clipping, averages, dropout, metric, stopping, watch. */
export const everything: Omit<RunConfig, "optimizer"> & { readonly optimizer: Record<string, unknown> } = {
  model: { layers: [4, 8, 3], dropout: 0.25 },
  optimizer: {
    lr: { type: plateau, base: 0.05, factor: 0.5, patience: 0, threshold: 0.05 },
    clip: { type: "globalNorm", maxNorm: 1 },
    accumulate: 3,
  },
  batch: { type: linear, start: 4, end: 12, steps: 16 },
  steps: 20,
  seed: 3,
  metric: { type: "testLoss", every: 4 },
  stop: { patience: 4 },
  watch: { every: 2, window: 8, largeUpdate: 1e-4 },
};

/** A run, what its listeners received, and every checkpoint that it made. */
export async function checkpointed(
  engine: Engine,
  config: RunConfig,
  data: Dataset,
  { saveEvery = 1, resume }: { readonly saveEvery?: number; readonly resume?: Uint8Array } = {},
) {
  const checkpoints: RunCheckpoint[] = [];
  const received: (Progress | WatchEvent | { readonly value: number })[] = [];
  const result = await train({
    engine,
    ...config,
    data,
    test: data,
    saveEvery,
    onCheckpoint: (checkpoint) => {
      checkpoints.push(checkpoint);
    },
    onStep: (progress) => received.push(progress),
    onEvent: (event) => received.push(event),
    onMetric: (point) => received.push(point),
    ...(resume ? { resume } : {}),
  });
  return { result, checkpoints, received };
}

/** Runs on from each of a run's checkpoints, and holds each against the run that never stopped. */
export async function expectResumed(
  engine: Engine,
  config: RunConfig,
  data: Dataset,
  saveEvery = 1,
): Promise<TrainResult> {
  const plain = await train({ engine, ...config, data, test: data });
  const whole = await checkpointed(engine, config, data, { saveEvery });
  expect(whole.result).toEqual(plain);
  for (const { step, bytes } of whole.checkpoints) {
    const rest = await checkpointed(engine, config, data, { saveEvery: 100, resume: bytes });
    expect(rest.result, `on from step ${step}`).toEqual(plain);
    const offset = whole.received.length - rest.received.length;
    expect(rest.received, `received from step ${step} on`).toEqual(whole.received.slice(offset));
  }
  return plain;
}
