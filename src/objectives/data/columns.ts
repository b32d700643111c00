// How the columns of a table became a data set's numbers, as plain JSON: a run keeps it beside its model, to read other tables.
import { refusal } from "../../base/errors.ts";
import { readArray, readBoolean, readNumber, readString } from "../../base/options.ts";
import { readFields } from "../../base/words.ts";

/** A column by its name in the header, or by its number, counted from 0. */
export type Column = string | number;

/** A column to learn from. */
export interface InputColumn extends TargetColumn {
  /** Its words, each of which is an input: 1 where the cell holds that word, else 0. Undefined for numbers. */
  readonly categories?: readonly string[] | undefined;
}

/** A column of numbers to predict. */
export interface TargetColumn {
  /** The column. */
  readonly column: Column;
  /** If standardised: the mean over the training rows, which was subtracted. */
  readonly mean?: number | undefined;
  /** If standardised: their deviation, > 0, by which the rest was divided. */
  readonly deviation?: number | undefined;
}

/** How the columns of a table were read. */
export interface Columns {
  /** The character between two cells. */
  readonly delimiter: string;
  /** How many columns there were. */
  readonly width: number;
  /** Whether the first line held their names. */
  readonly header: boolean;
  /** The columns to learn from, in the order of the inputs. */
  readonly inputs: readonly InputColumn[];
  /** The columns of the numbers to predict; empty if there are classes. */
  readonly targets: readonly TargetColumn[];
  /** The column of the classes; null if there are numbers to predict. */
  readonly label: Column | null;
  /** The column of the examples' weights; null if there is none. */
  readonly weight: Column | null;
}

/** How many inputs a column becomes. */
export function widthOf({ categories }: InputColumn): number {
  return categories?.length ?? 1;
}

/** @throws OptionError for anything but a column's name or number. */
export function readColumn(name: string, value: unknown): Column {
  if (typeof value === "string" || (Number.isInteger(value) && (value as number) >= 0)) return value as Column;
  throw refusal(name, value, "a column's name, or its number counted from 0");
}

/**
 * Reads a table's saved columns.
 *
 * @throws OptionError that names the field.
 */
export function readSavedColumns(name: string, value: unknown): Columns {
  const fields = readFields(name, value, ["delimiter", "width", "header", "inputs", "targets", "label", "weight"]);
  const columns = (field: "inputs" | "targets") =>
    readArray(`${name}.${field}`, fields[field], "columns").map((given, i) => {
      const at = `${name}.${field}[${i}]`;
      const known = ["column", "mean", "deviation", ...(field === "inputs" ? ["categories"] : [])];
      const { column, mean, deviation, categories } = readFields(at, given, known);
      return {
        column: readColumn(`${at}.column`, column),
        ...(mean === undefined ? {} : { mean: readNumber(`${at}.mean`, mean, {}) }),
        ...(deviation === undefined ? {} : { deviation: readNumber(`${at}.deviation`, deviation, { above: 0 }) }),
        ...(categories === undefined
          ? {}
          : { categories: readArray(`${at}.categories`, categories, "words").map((word) => readString(at, word)) }),
      };
    });
  const one = (field: "label" | "weight") =>
    fields[field] === null ? null : readColumn(`${name}.${field}`, fields[field]);
  return {
    delimiter: readString(`${name}.delimiter`, fields.delimiter),
    width: readNumber(`${name}.width`, fields.width, { min: 1, integer: true }),
    header: readBoolean(`${name}.header`, fields.header),
    inputs: columns("inputs"),
    targets: columns("targets"),
    label: one("label"),
    weight: one("weight"),
  };
}
