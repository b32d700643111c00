// L-BFGS against losses that torch.optim.LBFGS reached (the `lbfgs` of `fallline-curvature/1`): each must be reached in about
// as many evaluations.

import { DataError, FalllineError, show } from "../base/errors.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import { createLandscape } from "../objectives/landscapes/index.ts";
import { createLbfgs } from "../objectives/lbfgs/lbfgs.ts";
import { createModel, type ModelConfig } from "../objectives/models/index.ts";
import { initialTensors, type Trainable } from "../objectives/program.ts";
import { sgd } from "../rules/sgd.ts";
import { createTrainee, type Engine } from "../train/engine.ts";
import { entryId, list, record, type SectionResult } from "./recorded.ts";

/** Losses that another L-BFGS reached. */
export interface LbfgsCase {
  readonly id: string;
  readonly problem: Trainable;
  /** The rows, from the first, that the loss is over; undefined if it has none. */
  readonly rows: number | undefined;
  /** Where it starts. */
  readonly params: Readonly<Record<string, readonly number[]>>;
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
  return list("lbfgs", value).map((entry, index) => {
    const fields = record(`lbfgs[${index}]`, entry);
    const { id, where } = entryId("lbfgs", index, fields.id);
    const { landscape, coordinates, model, rows } = record(`${where}.problem`, fields.problem);
    const losses = numbers(`${where}.losses`, fields.losses);
    const evaluations = numbers(`${where}.evaluations`, fields.evaluations);
    if (losses.length === 0 || losses.length !== evaluations.length) {
      throw new DataError(
        `${where} has ${losses.length} losses and ${evaluations.length} evaluations; they must be equally many`,
      );
    }
    const common = { id, history: whole(`${where}.history`, fields.history), losses, evaluations };
    if (landscape !== undefined) {
      if (typeof landscape !== "string")
        throw new DataError(`${where}.problem.landscape is ${show(landscape)}; it must be a name`);
      const dimension = whole(`${where}.problem.coordinates`, coordinates);
      const problem = createLandscape({ type: landscape, dimension });
      return { ...common, problem, rows: undefined, params: { points: numbers(`${where}.start`, fields.start) } };
    }
    const problem = createModel(record(`${where}.problem.model`, model) as unknown as ModelConfig);
    const params = Object.entries(record(`${where}.params`, fields.params)).map(
      ([name, values]) => [name, numbers(`${where}.params["${name}"]`, values)] as const,
    );
    return { ...common, problem, rows: whole(`${where}.problem.rows`, rows), params: Object.fromEntries(params) };
  });
}

/**
 * Runs one case: `worst` is the largest ratio of the evaluations for a loss to those of the recorded run.
 *
 * @param data The rows that models learn from.
 */
export async function lbfgsCase(entry: LbfgsCase, engine: Engine, data: Dataset | undefined): Promise<SectionResult> {
  try {
    return await runCase(entry, engine, data);
  } catch (error) {
    if (!(error instanceof FalllineError)) throw error;
    return { id: entry.id, ok: false, worst: null, error: error.message };
  }
}

async function runCase(entry: LbfgsCase, engine: Engine, data: Dataset | undefined): Promise<SectionResult> {
  const { id, problem, params, history, losses, evaluations } = entry;
  const { evaluations: limit, resolution } = lbfgsLimits[engine.backend];
  if (entry.rows !== undefined && !(data && data.count >= entry.rows)) {
    throw new DataError(`it takes ${entry.rows} rows; ${data ? `${data.name} has ${data.count}` : "there is no data"}`);
  }
  const start = "points" in params ? params.points : undefined;
  const tensors = initialTensors<unknown>(problem, start).map(({ name, shape }) => {
    const values = params[name];
    const length = shape.reduce((product, side) => product * side, 1);
    if (values?.length === length) return { name, shape, data: values };
    throw new DataError(`the start has ${values?.length ?? "no"} numbers for ${name}, which has ${length}`);
  });
  const rows = entry.rows === undefined ? undefined : Uint32Array.from({ length: entry.rows }, (_, row) => row);
  const { optimizer, objective, destroy } = await createTrainee(
    ...([engine, problem, tensors, sgd()] as const),
    rows ? { data, batch: rows.length } : {},
  );
  try {
    const options = { history, maxIterations: 1, gradientTolerance: 0, changeTolerance: 0 };
    const lbfgs = await createLbfgs(optimizer, options);
    let [spent, reached, worst, near] = [0, 0, 0, 0];
    while (reached < losses.length && spent <= limit * evaluations[reached]!) {
      const report = await lbfgs.step(objective, rows);
      if (spent === 0) near = resolution * Math.abs(report.startLoss);
      spent += report.evaluations;
      while (reached < losses.length && report.loss <= losses[reached]! + near) {
        worst = Math.max(worst, spent / evaluations[reached]!);
        reached++;
      }
      if (report.iterations === 0) break;
    }
    lbfgs.destroy();
    if (reached < losses.length) return { id, worst: null, ok: false, error: missed(entry, reached, spent) };
    if (worst <= limit) return { id, worst, ok: true };
    return {
      id,
      worst,
      ok: false,
      error: `a loss took ${worst.toFixed(2)} times the recorded evaluations; at most ${limit} is allowed`,
    };
  } finally {
    destroy();
  }
}

function missed({ losses, evaluations }: LbfgsCase, index: number, spent: number): string {
  return `the loss after iteration ${index + 1}, ${losses[index]}, was not reached in ${spent} evaluations; the recorded run took ${evaluations[index]}`;
}

function numbers(where: string, value: unknown): readonly number[] {
  const values = list(where, value);
  const wrong = values.find((one) => typeof one !== "number");
  if (wrong !== undefined) throw new DataError(`${where} holds ${show(wrong)}; it must hold numbers`);
  return values as readonly number[];
}

function whole(where: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
  throw new DataError(`${where} is ${value === undefined ? "missing" : show(value)}; it must be a whole number >= 1`);
}
