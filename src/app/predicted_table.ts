// A table with a model's predictions appended to each row, as the command line prints it and the page saves it.
import type { InputTable } from "../objectives/data/csv.ts";
import type { Prediction } from "../objectives/predictions.ts";
import { targetNames } from "../train/score.ts";
import type { RunDataset } from "./run_dataset.ts";

/** A table with predictions. */
export interface PredictedTable {
  /** The names of the appended columns. */
  readonly head: readonly string[];
  /** The appended cells of each row. */
  readonly cells: readonly (readonly string[])[];
  /** The whole table as text; one without a header gets none. */
  readonly text: string;
}

/** Enough digits to distinguish float32 numbers. */
export const float32Digits = (value: number) => Number(value.toPrecision(9));

/** The table with the columns of predictions appended. */
export function predictedTable(
  { names, rows }: Pick<InputTable, "names" | "rows">,
  predictions: readonly Prediction[],
  dataset: RunDataset,
  delimiter: string,
): PredictedTable {
  const write = (cells: readonly string[]) => `${cells.map((cell) => quoted(cell, delimiter)).join(delimiter)}\n`;
  const head = appended(names ?? [], dataset, predictions[0]);
  const cells = predictions.map(({ class: name, probabilities, values }) =>
    (values ?? [name!, ...probabilities!]).map((each) =>
      typeof each === "number" ? String(float32Digits(each)) : each,
    ),
  );
  const lines = cells.map((found, row) => write([...rows[row]!, ...found]));
  return { head, cells, text: `${names ? write([...names, ...head]) : ""}${lines.join("")}` };
}

/** The names of the new columns, with the prefix "predicted_" until the table has no such column. */
function appended(
  names: readonly string[],
  { columns, classNames, classes }: RunDataset,
  first: Prediction | undefined,
): readonly string[] {
  const targets = columns ? targetNames(columns) : [];
  // Without rows, a prediction as the data set describes it.
  const found: Prediction =
    first ??
    (classes === undefined
      ? { values: targets.map(() => 0) }
      : { class: "", probabilities: Array.from({ length: classes }, () => 0) });
  const values = found.values?.map((_, i) => targets[i] ?? `output_${i}`);
  const wanted = values ?? ["class", ...found.probabilities!.map((_, i) => `p_${classNames?.[i] ?? i}`)];
  const taken = new Set(names);
  return wanted.map((name) => {
    let free = name;
    while (taken.has(free)) free = `predicted_${free}`;
    taken.add(free);
    return free;
  });
}

function quoted(cell: string, delimiter: string): string {
  return cell.includes(delimiter) || /["\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
