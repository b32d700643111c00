// Turns the classes of files and arrays into labels: whole numbers stay, words are numbered.
import { DataError, show } from "../../base/errors.ts";

/** The known classes: how many there are, or their names, of which the first is class 0. */
export type ClassesOption = number | readonly string[];

export interface ReadLabels {
  readonly labels: Uint8Array | Uint32Array;
  readonly classes: number;
  readonly classNames?: readonly string[];
}

/** How errors describe labels. */
export interface LabelTerms {
  /** The place of a row's label. */
  readonly at: (row: number) => string;
  /** The labels as a whole. */
  readonly all: string;
  /** The option for numbers to predict; undefined if there is none. */
  readonly numbers?: string | undefined;
}

const labelLimit = 2 ** 32;
const isLabel = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < labelLimit;

/** The number that a word stands for; NaN for any other word, and for none. Takes time in proportion to the word's length. */
export function numberOf(word: string): number {
  // No two adjacent parts match the same characters, so nothing is tried twice.
  return /^\s*[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\s*$/i.test(word) ? Number(word) : Number.NaN;
}

/**
 * @param where Where the words are, for errors.
 * @throws DataError for two words that differ only in spaces around them, which would be two classes.
 */
export function checkSpaces(words: readonly string[], where: string): void {
  const seen = new Map<string, string>();
  for (const word of words) {
    const before = seen.get(word.trim());
    if (before !== undefined) {
      throw new DataError(
        `${where} has ${show(before)} and ${show(word)}, which differ only in spaces; spell them alike`,
      );
    }
    seen.set(word.trim(), word);
  }
}

/** Words for an unknown number; at the start of a column they are not its name. */
export const unknowns = /^(na|n\/a|nan|null|nil|none|missing|unknown|[+-]?inf(inity)?)$/i;

/** Whether a cell leaves its value open. */
export function isUnknown(cell: string): boolean {
  return /^\s*\?*\s*$/.test(cell) || unknowns.test(cell.trim());
}

/**
 * Labels from cells. Numbers are labels themselves, and there is one class more than the largest; if any cell is a word, all are
 * names, numbered in order of first appearance.
 *
 * @param known Default: taken from the cells.
 * @param words The start of errors, and the remedy that they name.
 * @throws DataError for names that differ only in spaces, an empty cell, one that leaves its label open ("NA") among numbers, a number that is not a whole number >= 0, an unknown class, and numbers that make more
 * classes than there are rows if `known` is not given: they are amounts, not labels.
 */
export function readLabels(
  cells: ArrayLike<string | number>,
  known: ClassesOption | undefined,
  { at: where, all, numbers: option }: LabelTerms,
): ReadLabels {
  const remedy = option === undefined ? "" : `; to predict numbers, give ${option}`;
  const empty = find(cells, (cell) => typeof cell === "string" && cell.trim() === "");
  if (empty >= 0) throw new DataError(`${where(empty)} is empty; every row needs a label`);
  if (typeof known === "object") return named(cells, known, where);
  const numbers = Float64Array.from(cells, (cell) => (typeof cell === "number" ? cell : numberOf(cell)));
  const isWord = (cell: string | number, row: number) => typeof cell === "string" && Number.isNaN(numbers[row]);
  const word = find(cells, isWord);
  if (word >= 0) {
    const isName = (cell: string | number, row: number) => isWord(cell, row) && !isUnknown(String(cell));
    if (find(cells, isName) < 0 && numbers.some((value) => !Number.isNaN(value))) {
      throw new DataError(
        `${where(word)} is ${show(cells[word])} among numbers; every row needs a label, or a name in "classes"`,
      );
    }
    const names = [...new Set(Array.from(cells, String))];
    checkSpaces(names, all);
    return named(cells, known === undefined ? names : names.slice(0, known), where, known);
  }
  const bad = numbers.findIndex((value) => !isLabel(value));
  if (bad >= 0) {
    throw new DataError(
      `${where(bad)} is ${cells[bad]}; a label must be a whole number >= 0, or a name in "classes"${remedy}`,
    );
  }
  const classes = known ?? numbers.reduce((top, label) => Math.max(top, label), 0) + 1;
  // A network has an output for each class, and most of those would have no row.
  if (known === undefined && classes > numbers.length) {
    const rows = numbers.length === 1 ? "1 row" : `${numbers.length} rows`;
    throw new DataError(`${all} would make ${classes} classes of ${rows}${remedy}, else give the number of "classes"`);
  }
  const beyond = numbers.findIndex((label) => label >= classes);
  if (beyond >= 0) throw new DataError(`${where(beyond)} is ${numbers[beyond]}; labels are 0 to ${classes - 1}`);
  return { labels: compact(numbers, classes), classes };
}

function named(
  cells: ArrayLike<string | number>,
  classNames: readonly string[],
  where: (row: number) => string,
  classes = classNames.length,
): ReadLabels {
  const numbers = new Map(classNames.map((name, label) => [name, label]));
  const labels = Float64Array.from(cells, (cell) => numbers.get(String(cell)) ?? -1);
  const bad = labels.indexOf(-1);
  if (bad >= 0) {
    const few = classNames.slice(0, 20).join(", ");
    const more = classNames.length > 20 ? ` and ${classNames.length - 20} more` : "";
    throw new DataError(`${where(bad)} is ${show(cells[bad])}, which is not one of the classes ${few}${more}`);
  }
  return { labels: compact(labels, classes), classes, classNames };
}

function compact(labels: Float64Array, classes: number): Uint8Array | Uint32Array {
  return classes <= 256 ? Uint8Array.from(labels) : Uint32Array.from(labels);
}

function find<T>(values: ArrayLike<T>, test: (value: T, index: number) => boolean): number {
  for (let i = 0; i < values.length; i++) if (test(values[i]!, i)) return i;
  return -1;
}
