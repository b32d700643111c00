// What the view that trains runs: a run whose rate can be changed and which can be held before each of its steps.
import { OptionError } from "../../../base/errors.ts";
import type { Optimizer, Role, TensorValues } from "../../../optimizer/optimizer.ts";
import type { CurvaturePoint } from "../../../train/curvature.ts";
import type { Halves } from "../../../train/data.ts";
import type { Engine } from "../../../train/engine.ts";
import type { MetricPoint } from "../../../train/metric.ts";
import type { RunCheckpoint } from "../../../train/run_checkpoint.ts";
import { type CompleteRunConfig, readRunConfig } from "../../../train/run_config.ts";
import { type LayersPoint, type Reason, train } from "../../../train/train.ts";
import type { WatchEvent } from "../../../train/watch.ts";
import { defineTask } from "../task.ts";
import { scaledRates } from "./train_run.ts";

export interface TrainGiven {
  /** A run config as JSON. */
  readonly config: string;
  readonly halves: Halves | undefined;
  /** The checkpoint to go on from. */
  readonly bytes?: Uint8Array<ArrayBuffer> | undefined;
}

/** What holds before a step. */
export interface Turn {
  /** What rates are multiplied by. */
  readonly factor: number;
  /** Whether the run is to wait before it. */
  readonly isHeld: boolean;
}

export interface Step {
  readonly index: number;
  readonly loss: number;
  readonly lr: number;
  readonly gradientNorm: number;
}

export interface TrainListeners {
  started(): void;
  /** Awaited before every step. */
  turn(): Promise<Turn>;
  /** Awaited by a run that is held, with what it has learned so far; gives what holds once it goes on. */
  held(index: number, params: TensorValues): Promise<Turn>;
  /** A rate that a rule refuses; the run goes on with what it has. */
  refused(message: string): void;
  step(step: Step): void;
  layers(point: LayersPoint): void;
  event(event: WatchEvent): void;
  curvature(point: CurvaturePoint): void;
  metric(point: MetricPoint): void;
  tested(rows: number): void;
  checkpoint(checkpoint: RunCheckpoint): Promise<void>;
  /** Another engine once the device was lost. */
  recover(): Promise<Engine>;
}

export interface TrainEnd {
  readonly params: TensorValues;
  readonly role: Role;
  readonly testLoss: number | null;
  readonly testAccuracy: number | null;
  readonly skipped: number;
  readonly reason: Reason;
  readonly interrupted: boolean;
}

export const trainTask = defineTask({
  name: "train",
  async run({ config: json, halves, bytes }: TrainGiven, listeners: TrainListeners, engine, signal): Promise<TrainEnd> {
    const config = readRunConfig(JSON.parse(json));
    let applied: { readonly optimizer: Optimizer; readonly factor: number } | null = null;
    const { params, role, testLoss, testAccuracy, skipped, reason, interrupted } = await train({
      engine,
      ...config,
      data: halves && { ...halves, config: config.data },
      signal,
      ...(bytes ? { resume: bytes } : {}),
      onStart: () => void listeners.started(),
      async beforeStep({ index, optimizer, settle }) {
        let turn = await listeners.turn();
        if (turn.isHeld) {
          await settle();
          turn = await listeners.held(index, await optimizer.read("evaluation"));
        }
        const { factor } = turn;
        if (applied?.optimizer !== optimizer) applied = { optimizer, factor: 1 };
        if (applied.factor === factor) return;
        applied = { optimizer, factor };
        await settle();
        setRates(optimizer, config, factor, (message) => void listeners.refused(message));
      },
      onStep: ({ index, loss, lr, gradientNorm }) => void listeners.step({ index, loss, lr, gradientNorm }),
      onLayers: (point) => void listeners.layers(point),
      onEvent: (event) => void listeners.event(event),
      onCurvature: (point) => void listeners.curvature(point),
      onMetric: (point) => void listeners.metric(point),
      onTest: (rows) => void listeners.tested(rows),
      onCheckpoint: (checkpoint) => listeners.checkpoint(checkpoint),
      recover: () => listeners.recover(),
    });
    return { params, role, testLoss, testAccuracy, skipped, reason, interrupted };
  },
});

/** Multiplies the rates of a run. */
function setRates(
  optimizer: Optimizer,
  config: CompleteRunConfig,
  factor: number,
  refused: (message: string) => void,
): void {
  try {
    for (const { lr, where } of scaledRates(config.optimizer, factor)) optimizer.set({ lr }, where);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    refused(error.message);
  }
}
