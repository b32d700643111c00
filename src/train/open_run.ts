// A run before its first step: its config checked against its data, and its optimizer, objective and order of rows made.

import { DataError, OptionError, show } from "../base/errors.ts";
import { batches, counts, type Dataset, readDataset } from "../objectives/data/dataset.ts";
import { programOf } from "../objectives/program.ts";
import { meterRows } from "./curvature.ts";
import { createTrainee, type Engine, mustFit, type Trainee } from "./engine.ts";
import {
  batchSizes,
  type CompleteRunConfig,
  checkBatch,
  type RunConfig,
  readRunConfig,
  trainableOf,
} from "./run_config.ts";

/**
 * Reads a run config and checks it against its data.
 *
 * @throws OptionError as {@link readRunConfig}, and if config and data do not fit each other; DataError for targets that the loss
 * does not take, and if no training row counts.
 */
export function readRun(config: RunConfig, data: Dataset | undefined, test?: Dataset): CompleteRunConfig {
  const complete = readRunConfig(config);
  const program = programOf(trainableOf(complete));
  if (!program.needsData) {
    for (const [name, rows] of Object.entries({ data, test })) {
      if (rows === undefined) continue;
      throw new OptionError(`${name} is ${show(rows)}; ${program.title} takes no data, so it must be left out`);
    }
    return complete;
  }
  readDataset("data", data as Dataset);
  if (test !== undefined) readDataset("test", test);
  checkBatch(complete, data!);
  for (const rows of test ? [data!, test] : [data!]) {
    program.checkFit(rows);
    program.checkAnswers(rows);
  }
  if (!counts(data!)) throw new DataError(`${data!.name}: all ${data!.count} training rows have weight 0`);
  return complete;
}

/** A run before its first step. */
export interface OpenRun extends Trainee {
  /** The rows of each step; undefined without data. */
  readonly order: Generator<Uint32Array | undefined, never>;
}

/**
 * Makes everything that a run needs, for training and for tools that make the steps themselves.
 *
 * @param from Steps whose rows are skipped.
 */
export async function openRun(
  engine: Engine,
  config: CompleteRunConfig,
  data: Dataset | undefined,
  from = 0,
): Promise<OpenRun> {
  const trainable = trainableOf(config);
  const { program } = trainable;
  const start = config.init ?? undefined;
  const batch = data ? checkBatch(config, data) : 1;
  const atOnce = [batch];
  if (config.handover && data) atOnce.push(data.count);
  if (config.curvature && data) atOnce.push(meterRows(config.curvature, data));
  for (const rows of atOnce) mustFit(engine, trainable, { config: config.optimizer, batch: rows, replicas: 1, start });
  const bound = data ? { data, batch } : {};
  const trainee = await createTrainee(engine, trainable, program.initial(start), config.optimizer, bound);
  return { ...trainee, order: orderOf(config, data, from) };
}

/** The rows of each step of a run. */
export function orderOf(
  config: CompleteRunConfig,
  data: Dataset | undefined,
  from = 0,
): Generator<Uint32Array | undefined, never> {
  return data ? batches(data.count, batchSizes(config), config.seed, from) : noRows();
}

function* noRows(): Generator<undefined, never> {
  for (;;) yield undefined;
}
