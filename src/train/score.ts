// How right predictions are: the share of classes that are, and by how much numbers are off, in their own units.
import type { Dataset } from "../objectives/data/dataset.ts";
import { inUnits } from "../objectives/data/standardize.ts";
import { createModel, type ModelConfig } from "../objectives/models/index.ts";
import { lossOf, type Prediction } from "../objectives/predictions.ts";
import type { TensorValues } from "../optimizer/optimizer.ts";
import type { Engine } from "./engine.ts";
import { predict } from "./predict.ts";

/** How right predictions are over the rows whose answer is known. */
export interface Score {
  /** How many rows those are. */
  readonly rows: number;
  /** The share whose class is the answer, in [0, 1]; of classes. */
  readonly accuracy?: number;
  /** The root of the mean square error by column, in the column's units; of numbers. */
  readonly rmse?: Readonly<Record<string, number>>;
}

/** @param answers The class of each row, as predictions name it; undefined where it is not known. */
export function scoreClasses(
  predictions: readonly Prediction[],
  answers: readonly (string | number | undefined)[],
): Score | undefined {
  const known = predictions.flatMap((each, row) => (answers[row] === undefined ? [] : [each.class === answers[row]]));
  if (known.length === 0) return undefined;
  return { rows: known.length, accuracy: known.filter((isRight) => isRight).length / known.length };
}

/**
 * @param answers The numbers of each row; NaN where one is not known.
 * @param names What the columns are called.
 * @param weights How much each row counts; default the same.
 */
export function scoreValues(
  predictions: readonly Prediction[],
  answers: readonly (readonly number[])[],
  names: readonly string[],
  weights?: ArrayLike<number>,
): Score | undefined {
  const rows = predictions.flatMap(({ values }, row) => {
    const weight = weights?.[row] ?? 1;
    return values && weight > 0 && answers[row]!.every(Number.isFinite) ? [{ row, values, weight }] : [];
  });
  if (rows.length === 0) return undefined;
  const total = rows.reduce((sum, { weight }) => sum + weight, 0);
  const rmse = names.map((name, i): [string, number] => {
    const squares = rows.map(({ row, values, weight }) => (weight * (values[i]! - answers[row]![i]!) ** 2) / total);
    return [name, Math.sqrt(squares.reduce((sum, square) => sum + square, 0))];
  });
  return { rows: rows.length, rmse: Object.fromEntries(rmse) };
}

/** What the columns of numbers to predict are called. */
export function targetNames(columns: NonNullable<Dataset["columns"]>): readonly string[] {
  return columns.targets.map(({ column }, i) => (typeof column === "string" ? column : `output_${i}`));
}

/**
 * By how much a model is off in the units of a table that it was tested on; undefined of other data sets, and of a loss that is no
 * distance of numbers.
 */
export async function scoreTest(
  engine: Engine,
  model: ModelConfig,
  params: TensorValues,
  test: Dataset,
): Promise<Score | undefined> {
  const { columns, targets } = test;
  const loss = lossOf(createModel(model))?.type;
  if (!columns || !targets || (loss !== "meanSquaredError" && loss !== "huber")) return undefined;
  const predictions = await predict(model, params, test, { engine });
  const answers = predictions.map((_, row) =>
    columns.targets.map((column, i) => inUnits(targets[row * columns.targets.length + i]!, column)),
  );
  return scoreValues(predictions, answers, targetNames(columns), test.weights);
}
