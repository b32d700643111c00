// Standardised tables: each column of numbers less the mean of the training rows, divided by their deviation.
import { DataError } from "../../base/errors.ts";
import { type Columns, type InputColumn, type TargetColumn, widthOf } from "./columns.ts";
import { type Dataset, readDataset } from "./dataset.ts";

/** Which columns are standardised: inputs and targets, or inputs alone. */
export type Standardize = true | "inputs";

/**
 * Two data sets of one table, standardised: inputs, and numbers to predict, have mean 0 and deviation 1 over the rows to train on.
 * Categories stay 0 and 1, and a column with one value becomes 0. `columns` keeps means and deviations, by which `predict` returns
 * numbers in the table's own units.
 *
 * @param what "inputs" leaves targets as they are, as sigmoidBinaryCrossEntropy needs them; default true.
 * @throws DataError for data sets that do not come from a table.
 */
export function standardizeRows<Train extends Dataset, Test extends Dataset | undefined>(
  train: Train,
  test: Test,
  what: Standardize = true,
): { readonly train: Train; readonly test: Test } {
  readDataset("train", train);
  const { columns: plain, features } = train;
  if (!plain) throw new DataError(`${train.name} is not a table, so it has no columns to standardise`);
  const statistics = (values: ArrayLike<number>, width: number, at: number) => {
    const first = values[at]!;
    let [mean, squares, constant] = [0, 0, true];
    for (let row = 1; row < train.count; row++) constant &&= values[row * width + at] === first;
    // Rounding would leave it a deviation, of about 1e-16 of the value.
    if (constant) return { mean: first, deviation: 1 };
    for (let row = 0; row < train.count; row++) mean += values[row * width + at]! / train.count;
    for (let row = 0; row < train.count; row++) squares += (values[row * width + at]! - mean) ** 2 / train.count;
    return { mean, deviation: Math.sqrt(squares) || 1 };
  };
  let at = 0;
  const inputs = plain.inputs.map((column): InputColumn => {
    const place = at;
    at += widthOf(column);
    return column.categories ? column : { ...column, ...statistics(train.inputs, features, place) };
  });
  const targets = plain.targets.map((column, i): TargetColumn => {
    if (what === "inputs" || !train.targets) return column;
    return { ...column, ...statistics(train.targets, train.outputs, i) };
  });
  const columns = { ...plain, inputs, targets };
  const apply = <T extends Dataset>(data: T): T => ({
    ...data,
    scale: 1,
    inputs: standardizeInputs(columns, data.inputs),
    ...(data.targets ? { targets: data.targets.map((value, i) => scaled(value, targets[i % targets.length]!)) } : {}),
    columns,
  });
  return { train: apply(train), test: (test ? apply(test) : test) as Test };
}

/** Inputs as a model trained on these columns takes them. */
export function standardizeInputs({ inputs }: Columns, values: ArrayLike<number>): Float32Array {
  const each = inputs.flatMap((column) => Array.from({ length: widthOf(column) }, () => column));
  return Float32Array.from(values, (value, i) => scaled(value, each[i % each.length]!));
}

/** A predicted number, in the table's own units. */
export function inUnits(value: number, { mean = 0, deviation = 1 }: Partial<TargetColumn>): number {
  return value * deviation + mean;
}

function scaled(value: number, { mean = 0, deviation = 1 }: Partial<TargetColumn>): number {
  return (value - mean) / deviation;
}
