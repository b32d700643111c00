// The training loop: a run config and an engine in, a trained model out. It starts steps without waiting for the ones
// before: up to `inFlight` are on their way, and their losses come back in order.
import { batches, type Dataset } from "../data/dataset.ts";
import { OptionError, show } from "../errors.ts";
import type { InitConfig } from "../objectives/init.ts";
import { completeInit, createModel, initialTensors, type ModelConfig } from "../objectives/model.ts";
import { checkFit, type StepReport } from "../objectives/objective.ts";
import type { TensorValues } from "../optimizer.ts";
import { readNumber } from "../options.ts";
import type { OptimizerConfig } from "../rules/index.ts";
import type { Engine } from "./engine.ts";

/** A run as JSON. */
export interface RunConfig {
  readonly model: ModelConfig;
  readonly init?: InitConfig;
  readonly optimizer: OptimizerConfig;
  /** Examples per step; a whole number >= 1. */
  readonly batch: number;
  /** A whole number >= 1. */
  readonly steps: number;
  /** Seed of the data's order, a whole number in [0, 2^53); default 0. */
  readonly seed?: number;
}

/** A step's report with what the host knows about it. */
export interface Progress extends StepReport {
  /** 1-based number of the training step. */
  readonly index: number;
  readonly lr: number;
}

export interface TrainOptions {
  /** Called for every step, in order, once its loss has come back. */
  readonly onStep?: (progress: Progress) => void;
  /** Called once everything is made, before the first step. */
  readonly onStart?: () => void;
  /** Stops the run after the steps that are on their way; what there is is returned. */
  readonly signal?: AbortSignal;
  /** Also return the parameters as they were after this many steps. */
  readonly snapshotAfter?: number;
  /** Evaluated at the end, unless the run was stopped. */
  readonly test?: Dataset;
  /** Hears how many rows of the test set are done. */
  readonly onTest?: (rows: number) => void;
}

export interface TrainResult {
  /** The config with every default filled in. */
  readonly config: Required<RunConfig>;
  /** The loss of every step that ran, before its update. */
  readonly losses: number[];
  readonly params: TensorValues;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly snapshot: TensorValues | undefined;
  /** Accuracy on the test set; null without one, or when the run was stopped. */
  readonly testAccuracy: number | null;
  readonly skipped: number;
  readonly interrupted: boolean;
}

/** Steps on their way at once: enough to keep a GPU busy, few enough to stop soon. */
const inFlight = 4;

/**
 * Reads everything of a run config but its optimizer, which is read when it is made.
 *
 * @throws OptionError for values out of range, and where config and data do not fit each other.
 */
export function readRun(config: RunConfig, data: Dataset) {
  const steps = readNumber("steps", config.steps, { min: 1, integer: true });
  const batch = readNumber("batch", config.batch, { min: 1, integer: true });
  const seed = readNumber("seed", config.seed ?? 0, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  if (batch > data.count) throw new OptionError(`batch is ${show(batch)}; ${data.name} has ${data.count} rows`);
  const model = createModel(config.model);
  const init = completeInit(model, config.init ?? {});
  checkFit(model, data);
  return { model, init, batch, steps, seed };
}

/**
 * Trains a model from its seed.
 *
 * @throws OptionError for a config that does not hold together; DeviceError when the engine cannot run it.
 */
export async function train(
  engine: Engine,
  config: RunConfig,
  data: Dataset,
  options: TrainOptions = {},
): Promise<TrainResult> {
  const { onStart, onStep, signal, snapshotAfter, test, onTest } = options;
  const { model, init, batch, steps, seed } = readRun(config, data);
  // What is on its way may fail before its turn to be awaited comes; `started` keeps Node from ending the process then.
  const underWay = new Set<Promise<unknown>>();
  const started = <T>(promise: Promise<T>): Promise<T> => {
    const settled: Promise<unknown> = promise.then(
      () => underWay.delete(settled),
      () => underWay.delete(settled),
    );
    underWay.add(settled);
    return promise;
  };
  const trainee = await engine.trainee(model, initialTensors(model, init), config.optimizer, data, batch);
  const { optimizer, objective } = trainee;
  try {
    onStart?.();
    const losses: number[] = [];
    let skipped = 0;
    let snapshot: Promise<TensorValues> | undefined;
    const pending: Promise<StepReport>[] = [];
    const settle = async () => {
      const report = await pending.shift()!;
      losses.push(report.loss);
      skipped = report.skipped;
      const lr = optimizer.hyper("lr", Math.max(0, report.step - 1));
      onStep?.({ ...report, index: losses.length, lr });
    };
    const order = batches(data.count, batch, seed);
    for (let step = 0; step < steps && !signal?.aborted; step++) {
      if (pending.length === inFlight) await settle();
      pending.push(started(objective.step(order.next().value)));
      if (step + 1 === snapshotAfter) snapshot = started(optimizer.read());
    }
    while (pending.length > 0) await settle();
    const interrupted = losses.length < steps;
    let testAccuracy: number | null = null;
    if (test && !interrupted) {
      testAccuracy = (await objective.evaluate(test, onTest)).accuracy;
    }
    return {
      config: { model: model.config, init, optimizer: optimizer.config, batch, steps, seed },
      losses,
      params: await optimizer.read(),
      shapes: new Map(optimizer.segments.map(({ name, shape }) => [name, shape])),
      snapshot: await snapshot,
      testAccuracy,
      skipped,
      interrupted,
    };
  } finally {
    await Promise.all(underWay);
    trainee.destroy();
  }
}

/** The largest difference between two sets of parameters. */
export function largestDifference(a: TensorValues, b: TensorValues): number {
  let largest = 0;
  for (const [name, values] of Object.entries(a)) {
    const others = b[name]!;
    for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]! - others[i]!));
  }
  return largest;
}
