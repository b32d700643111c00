// The accuracy of predictions: the share of correct classes, or the error of numbers, in their own units.
import type { Dataset } from "../objectives/data/dataset.ts";
import { inUnits } from "../objectives/data/standardize.ts";
import { createModel, type ModelConfig } from "../objectives/models/index.ts";
import { lossOf, type Prediction } from "../objectives/predictions.ts";
import type { TensorValues } from "../optimizer/optimizer.ts";
import type { Engine } from "./engine.ts";
import { predict } from "./predict.ts";

/** The accuracy of predictions over the rows whose answer is known. */
export interface Score {
  /** The number of those rows. */
  readonly rows: number;
  /** The share of correct classes, in [0, 1]; for classes. */
  readonly accuracy?: number;
  /** The root mean square error by column, in the column's units; for numbers. */
  readonly rmse?: Readonly<Record<string, number>>;
}

/**
 * @param answers The class of each row, as named in predictions; undefined if unknown.
 * @param weights The weight of each row; default equal weights.
 */
export function scoreClasses(
  predictions: readonly Prediction[],
  answers: readonly (string | number | undefined)[],
  weights?: ArrayLike<number>,
): Score | undefined {
  const known = predictions.flatMap((each, row) => {
    const weight = weights?.[row] ?? 1;
    return weight > 0 && answers[row] !== undefined ? [{ isRight: each.class === answers[row], weight }] : [];
  });
  if (known.length === 0) return undefined;
  const sum = (rows: typeof known) => rows.reduce((total, { weight }) => total + weight, 0);
  return { rows: known.length, accuracy: sum(known.filter(({ isRight }) => isRight)) / sum(known) };
}

/**
 * @param answers The numbers of each row; NaN if unknown.
 * @param names The names of the columns.
 * @param weights The weight of each row; default equal weights.
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

/** The names of the columns of numbers to predict. */
export function targetNames(columns: NonNullable<Dataset["columns"]>): readonly string[] {
  return columns.targets.map(({ column }, i) => (typeof column === "string" ? column : `output_${i}`));
}

/**
 * A model's error on the test rows of a table, in the table's units; undefined for other data sets, and for a loss that is not a
 * distance between numbers.
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
