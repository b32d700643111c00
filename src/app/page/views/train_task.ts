// The task of the view that trains: a run whose rate can be changed and which can be held before each step.
import { OptionError } from "../../../base/errors.ts";
import type { Optimizer, Role, TensorValues } from "../../../optimizer/optimizer.ts";
import type { CurvaturePoint } from "../../../train/curvature.ts";
import type { Halves } from "../../../train/data.ts";
import type { Engine } from "../../../train/engine.ts";
import type { WatchEvent } from "../../../train/findings.ts";
import type { MetricPoint } from "../../../train/metric.ts";
import type { RunCheckpoint } from "../../../train/run_checkpoint.ts";
import { type CompleteRunConfig, readRunConfig } from "../../../train/run_config.ts";
import { type LayersPoint, type Reason, train } from "../../../train/train.ts";
import { defineTask } from "../task.ts";
import { scaledRates } from "./train_run.ts";

export interface TrainGiven {
  /** A run config as JSON. */
  readonly config: string;
  readonly halves: Halves | undefined;
  /** The checkpoint to continue from. */
  readonly bytes?: Uint8Array<ArrayBuffer> | undefined;
}

/** The settings for a step. */
export interface Turn {
  /** The factor of all rates. */
  readonly factor: number;
  /** Whether the run waits before the step. */
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
  /** Awaited by a held run, with its current parameters; resolves to the settings with which it continues. */
  held(index: number, params: TensorValues): Promise<Turn>;
  /** Called for a rate that a rule refuses; the run keeps its current one. */
  refused(message: string): void;
  step(step: Step): void;
  layers(point: LayersPoint): void;
  event(event: WatchEvent): void;
  curvature(point: CurvaturePoint): void;
  metric(point: MetricPoint): void;
  tested(rows: number): void;
  checkpoint(checkpoint: RunCheckpoint): Promise<void>;
  /** Opens another engine after the loss of the device. */
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
  /** What to know about the data. */
  readonly notes: readonly string[];
}

export const trainTask = defineTask({
  name: "train",
  async run({ config: json, halves, bytes }: TrainGiven, listeners: TrainListeners, engine, signal): Promise<TrainEnd> {
    const config = readRunConfig(JSON.parse(json));
    let applied: { readonly optimizer: Optimizer; readonly factor: number } | null = null;
    const { params, role, testLoss, testAccuracy, skipped, reason, interrupted, notes } = await train({
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
    return { params, role, testLoss, testAccuracy, skipped, reason, interrupted, notes };
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
