// L-BFGS against losses that torch.optim.LBFGS reached (the `lbfgs` of `fallline-curvature/1`): each must be reached in about
// as many evaluations.

import { DataError, refusal } from "../base/errors.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import { createLandscape } from "../objectives/landscapes/index.ts";
import { createLbfgs } from "../objectives/lbfgs/lbfgs.ts";
import { createModel, type ModelConfig } from "../objectives/models/index.ts";
import { initialTensors, type Trainable } from "../objectives/program.ts";
import { sgd } from "../rules/sgd.ts";
import { createTrainee, type Engine } from "../train/engine.ts";
import {
  attempt,
  entries,
  firstRows,
  numbers,
  record,
  recordedTensors,
  type SectionResult,
  sectionResult,
  type Values,
  values,
  whole,
} from "./recorded.ts";

/** Losses that another L-BFGS reached. */
export interface LbfgsCase {
  readonly id: string;
  readonly problem: Trainable;
  /** The rows, from the first, that the loss is over; undefined if it has none. */
  readonly rows: number | undefined;
  /** Where it starts. */
  readonly params: Values;
  /** Pairs that it kept. */
  readonly history: number;
  /** The loss after each iteration. */
  readonly losses: readonly number[];
  /** Losses and gradients that were computed up to each. */
  readonly evaluations: readonly number[];
}

/** Allowed ratio to the recorded evaluations, and how close to a loss counts as reached, relative to the loss at the start. */
const lbfgsLimits = {
  cpu: { evaluations: 1.25, resolution: 1e-9 },
  webgpu: { evaluations: 1.5, resolution: 1e-5 },
} as const;

/** @throws DataError for malformed cases. */
export function readLbfgsCases(value: unknown): readonly LbfgsCase[] {
  return entries("lbfgs", value, (fields, where) => {
    const { landscape, coordinates, model, rows } = record(`${where}.problem`, fields.problem);
    const losses = numbers(`${where}.losses`, fields.losses);
    const evaluations = numbers(`${where}.evaluations`, fields.evaluations);
    if (losses.length === 0 || losses.length !== evaluations.length) {
      throw new DataError(
        `${where} has ${losses.length} losses and ${evaluations.length} evaluations; they must be equally many`,
      );
    }
    const common = { history: whole(`${where}.history`, fields.history, 1), losses, evaluations };
    if (landscape !== undefined) {
      if (typeof landscape !== "string") throw refusal(`${where}.problem.landscape`, landscape, "a name", DataError);
      const dimension = whole(`${where}.problem.coordinates`, coordinates, 1);
      const problem = createLandscape({ type: landscape, dimension });
      return { ...common, problem, rows: undefined, params: { points: numbers(`${where}.start`, fields.start) } };
    }
    const problem = createModel(record(`${where}.problem.model`, model) as unknown as ModelConfig);
    const params = values(`${where}.params`, fields.params);
    return { ...common, problem, rows: whole(`${where}.problem.rows`, rows, 1), params };
  });
}

/**
 * Runs one case: `worst` is the largest ratio of the evaluations for a loss to those of the recorded run.
 *
 * @param data The rows that models learn from.
 */
export async function lbfgsCase(entry: LbfgsCase, engine: Engine, data: Dataset | undefined): Promise<SectionResult> {
  const { id, problem, params, history, losses, evaluations } = entry;
  const { evaluations: limit, resolution } = lbfgsLimits[engine.backend];
  let [worst, why]: [number, string | undefined] = [Number.NaN, undefined];
  const error = await attempt(async () => {
    if (entry.rows !== undefined && !data) throw new DataError(`it takes ${entry.rows} rows; there is no data`);
    const rows = entry.rows === undefined ? undefined : firstRows(data!, entry.rows);
    const start = "points" in params ? params.points : undefined;
    const tensors = recordedTensors(initialTensors<unknown>(problem, start), params);
    const { optimizer, objective, destroy } = await createTrainee(
      ...([engine, problem, tensors, sgd()] as const),
      rows ? { data, batch: rows.length } : {},
    );
    try {
      const options = { history, maxIterations: 1, gradientTolerance: 0, changeTolerance: 0 };
      const lbfgs = await createLbfgs(optimizer, options);
      let [spent, reached, largest, near] = [0, 0, 0, 0];
      while (reached < losses.length && spent <= limit * evaluations[reached]!) {
        const report = await lbfgs.step(objective, rows);
        if (spent === 0) near = resolution * Math.abs(report.startLoss);
        spent += report.evaluations;
        while (reached < losses.length && report.loss <= losses[reached]! + near) {
          largest = Math.max(largest, spent / evaluations[reached]!);
          reached++;
        }
        if (report.iterations === 0) break;
      }
      lbfgs.destroy();
      if (reached < losses.length) {
        why = `the loss after iteration ${reached + 1}, ${losses[reached]}, was not reached in ${spent} evaluations; the recorded run took ${evaluations[reached]}`;
        return;
      }
      worst = largest;
      if (worst > limit) {
        why = `a loss took ${worst.toFixed(2)} times the recorded evaluations; at most ${limit} is allowed`;
      }
    } finally {
      destroy();
    }
  });
  return sectionResult(id, worst, error, why);
}
