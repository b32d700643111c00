// The description of its training data that a run keeps beside its model, so that other rows are read the same way.
import { isOptions, readArray, readNumber, readString } from "../base/options.ts";
import { readFields } from "../base/words.ts";
import { type Columns, readSavedColumns } from "../objectives/data/columns.ts";
import type { Dataset } from "../objectives/data/dataset.ts";

/** A data set without its rows, as in `run.json`. */
export interface RunDataset {
  readonly name: string;
  /** Numbers per row. */
  readonly features: number;
  /** The factor of each. */
  readonly scale: number;
  /** The number of classes; undefined where there are numbers to predict. */
  readonly classes?: number | undefined;
  readonly classNames?: readonly string[] | undefined;
  /** Set for a table. */
  readonly columns?: Columns | undefined;
}

export function runDataset(data: Dataset): RunDataset {
  const { name, features, scale, columns } = data;
  return {
    ...{ name, features, scale },
    ...(data.labels ? { classes: data.classes } : {}),
    ...(data.labels?.length && data.classNames ? { classNames: data.classNames } : {}),
    ...(columns ? { columns } : {}),
  };
}

/** @throws OptionError that names the field. */
export function readRunDataset(value: unknown): RunDataset {
  const known = ["name", "features", "scale", "classes", "classNames", "columns"];
  const { name, features, scale, classes, classNames, columns } = readFields("dataset", value, known);
  return {
    name: readString("dataset.name", name),
    features: readNumber("dataset.features", features, { min: 1, integer: true }),
    scale: readNumber("dataset.scale", scale, { above: 0 }),
    ...(classes === undefined ? {} : { classes: readNumber("dataset.classes", classes, { min: 1, integer: true }) }),
    ...(classNames === undefined
      ? {}
      : {
          classNames: readArray("dataset.classNames", classNames, "names").map((each, i) =>
            readString(`dataset.classNames[${i}]`, each),
          ),
        }),
    ...(isOptions(columns) ? { columns: readSavedColumns("dataset.columns", columns) } : {}),
  };
}
