// CSV as in RFC 4180, and data sets from it: each row is an example, each column an input or something to predict.
import { DataError, listed, OptionError, refusal, show } from "../../base/errors.ts";
import { folded } from "../../base/names.ts";
import { readNumber } from "../../base/options.ts";
import { readFields } from "../../base/words.ts";
import { packed, readClasses } from "./arrays.ts";
import { type Column, type Columns, readColumn } from "./columns.ts";
import type { Dataset, LabelledDataset, TargetDataset } from "./dataset.ts";
import { type ClassesOption, checkSpaces, numberOf, readLabels, unknowns } from "./labels.ts";

/** Which columns of a CSV file are inputs, labels, targets and weights. */
export interface CsvOptions {
  /** The column of classes, as numbers or words; default the one called "label", else the last. */
  readonly label?: Column | undefined;
  /** Instead of `label`: the columns of numbers to predict. */
  readonly targets?: Column | readonly Column[] | undefined;
  /** The columns to learn from, in this order; default all others. */
  readonly inputs?: Column | readonly Column[] | undefined;
  /**
   * Input columns that hold categories: each word becomes an input of its own, 1 where the cell has it, else 0. Default: columns of
   * words alone, with at most half as many different words as rows.
   */
  readonly categories?: Column | readonly Column[] | undefined;
  /** The column of example weights in the mean loss, each >= 0; default equal weights. */
  readonly weight?: Column | undefined;
  /**
   * Whether the first line holds names; default "auto": it does if none of its cells is a number, if an option names a column, or
   * if it has words above columns of numbers ("0,1,label"). If that leaves a doubt, the text is refused.
   */
  readonly header?: boolean | "auto" | undefined;
  /** The character between two cells; default ",". */
  readonly delimiter?: string | undefined;
  /** Factor of each input when it is read (1/255 for pixels), > 0; default 1. */
  readonly scale?: number | undefined;
  /** How many classes there are, or their names in order; default those of the file. */
  readonly classes?: ClassesOption | undefined;
}

/** Options of {@link parseCsv}. */
export interface CsvTextOptions extends CsvOptions {
  /** The data set's name in errors; default "the CSV". */
  readonly name?: string | undefined;
}

export const csvOptionNames = [
  "label",
  "targets",
  "inputs",
  "categories",
  "weight",
  "header",
  "delimiter",
  "scale",
  "classes",
] as const;

/**
 * Checks the CSV options that are given.
 *
 * @param prefix The prefix of an option's name in errors: "data.".
 * @throws OptionError that names the option.
 */
export function readCsvOptions(value: unknown, prefix = ""): CsvOptions {
  const given = readFields(`${prefix}options`, value, csvOptionNames);
  const name = (option: keyof CsvOptions) => `${prefix}${option}`;
  const column = (option: "label" | "weight") => {
    const found = given[option];
    return found === undefined ? {} : { [option]: readColumn(name(option), found) };
  };
  const columns = (option: "targets" | "inputs" | "categories") => {
    const found = given[option];
    return found === undefined ? {} : { [option]: readColumns(name(option), found) };
  };
  if (given.label !== undefined && given.targets !== undefined) {
    throw new OptionError(
      `${name("targets")} is ${show(given.targets)} beside ${name("label")}; give one or the other`,
    );
  }
  const { header, delimiter, scale } = given;
  if (header !== undefined && header !== "auto" && typeof header !== "boolean") {
    throw refusal(name("header"), header, 'true, false or "auto"');
  }
  if (delimiter !== undefined && !(typeof delimiter === "string" && /^[^"\r\n]$/.test(delimiter))) {
    throw refusal(name("delimiter"), delimiter, "one character other than a quote");
  }
  const classes = readClasses(name("classes"), given.classes);
  return {
    ...column("label"),
    ...columns("targets"),
    ...columns("inputs"),
    ...columns("categories"),
    ...column("weight"),
    ...(header === undefined ? {} : { header }),
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(scale === undefined ? {} : { scale: readNumber(name("scale"), scale, { above: 0 }) }),
    ...(classes === undefined ? {} : { classes }),
  };
}

/**
 * Makes a data set from CSV text (RFC 4180: quoted cells, with quotes in them doubled, and lines that end in CRLF or LF). A byte
 * order mark at the start and empty lines are ignored. Classes in words get numbers in order of first appearance and keep
 * their names as `classNames`. Time and memory are proportional to the length of the text; a cell holds at most 65,536
 * characters.
 *
 * @param options Which columns are what; with `targets` the data set has numbers to predict, else classes.
 * @throws OptionError for wrong options, and for a text that is not a string; DataError that names line and column for a cell
 * that is not a number or is too long, an unknown class, numeric labels that make more classes than there are rows, lines of
 * different lengths, unmatched quotes, missing columns, and a first line that may be names or numbers.
 */
export function parseCsv(text: string, options?: CsvTextOptions & { readonly targets?: undefined }): LabelledDataset;
export function parseCsv(
  text: string,
  options: CsvTextOptions & { readonly targets: Column | readonly Column[]; readonly label?: undefined },
): TargetDataset;
export function parseCsv(text: string, options?: CsvTextOptions): Dataset;
export function parseCsv(text: string, options: CsvTextOptions = {}): Dataset {
  const { name = "the CSV", ...rest } = readFields("options", options, ["name", ...csvOptionNames]) as typeof options;
  if (typeof name !== "string") throw refusal("name", name, "a string");
  if (typeof text !== "string") throw refusal("text", text, "a string of CSV");
  const csv = readCsvOptions(rest);
  const delimiter = csv.delimiter ?? ",";
  const records = readRecords(name, text, delimiter);
  const first = records.next();
  if (first.done) throw new DataError(`${name} is empty`);
  checkDelimiter(name, delimiter, first.value.cells);
  const hasHeader = hasHeaderOf(csv, name, first.value, () => readRecords(name, text, delimiter));
  const table = new Table(name, first.value, hasHeader, (csv.header ?? "auto") === "auto");
  const roles = rolesOf(csv, table);
  const encodings = encodingsOf(csv, table, roles.inputs, readRecords(name, text, delimiter));
  const inputs: Float32Array[] = [];
  const targets: number[] = [];
  const weights: number[] = [];
  const labels: string[] = [];
  const lines: number[] = [];
  const take = ({ cells, line }: Line) => {
    table.checkLength(cells, line);
    const cell = (column: number) => table.number(cells, line, column);
    const row: number[] = [];
    encode(table, encodings, cells, line, row);
    inputs.push(Float32Array.from(row));
    for (const column of roles.targets) targets.push(cell(column));
    lines.push(line);
    if (roles.label !== undefined) labels.push(cells[roles.label]!);
    if (roles.weight === undefined) return;
    const weight = cell(roles.weight);
    if (weight < 0) throw new DataError(`${table.at(line, roles.weight)} is ${weight}; weights are >= 0`);
    weights.push(weight);
  };
  if (!hasHeader) take(first.value);
  for (const record of records) take(record);
  const count = lines.length;
  if (count === 0) throw new DataError(`${name} has no rows after its header`);
  const features = inputs[0]!.length;
  const all = new Float32Array(count * features);
  inputs.forEach((row, i) => {
    all.set(row, i * features);
  });
  const examples = {
    name,
    count,
    features,
    inputs: packed(all),
    scale: csv.scale ?? 1,
    ...(roles.weight === undefined ? {} : { weights: Float32Array.from(weights) }),
    columns: columnsOf(roles, encodings, table, delimiter),
  };
  const { label } = roles;
  return label === undefined
    ? { ...examples, outputs: roles.targets.length, targets: Float32Array.from(targets) }
    : {
        ...examples,
        ...readLabels(labels, csv.classes, {
          at: (row) => table.at(lines[row]!, label),
          all: `${name}: ${table.called(label)}`,
          numbers: '"targets" instead of "label"',
        }),
      };
}

/**
 * The columns of a table: their names, undefined if its first line is a row, how many there are, and the number of the one that
 * holds the classes by default.
 *
 * @throws DataError for a text without a line, and for a first line that may be names or numbers.
 */
export function columnsIn(
  text: string,
  { name, delimiter }: { readonly name: string; readonly delimiter: string },
): { readonly names: readonly string[] | undefined; readonly width: number; readonly label: number } {
  const first = readRecords(name, text, delimiter).next();
  if (first.done) throw new DataError(`${name} is empty`);
  const hasHeader = hasHeaderOf({}, name, first.value, () => readRecords(name, text, delimiter));
  const table = new Table(name, first.value, hasHeader, true);
  return { names: table.names, width: table.width, label: table.label ?? table.width - 1 };
}

/** How the columns were read, for other tables. */
function columnsOf(
  { label, targets, weight }: Roles,
  encodings: readonly Encoding[],
  table: Table,
  delimiter: string,
): Columns {
  const column = (number: number) => table.known(number);
  return {
    delimiter,
    width: table.width,
    header: table.names !== undefined,
    inputs: encodings.map(({ place, categories }) => ({
      column: column(place),
      ...(categories ? { categories } : {}),
    })),
    targets: targets.map((number) => ({ column: column(number) })),
    label: label === undefined ? null : column(label),
    weight: weight === undefined ? null : column(weight),
  };
}

/** How a column becomes inputs. */
interface Encoding {
  readonly place: number;
  /** In order of first appearance; undefined for numbers. */
  readonly categories: readonly string[] | undefined;
}

/** Which inputs are categories, and their words. */
function encodingsOf(
  { categories }: CsvOptions,
  table: Table,
  inputs: readonly number[],
  records: Iterable<Line>,
): readonly Encoding[] {
  const said = categories === undefined ? undefined : list(categories).map((column) => table.find(column));
  const other = said?.find((column) => !inputs.includes(column));
  if (other !== undefined)
    throw new OptionError(`${table.name}: ${table.called(other)} is in "categories" but not an input`);
  const words = new Map((said ?? inputs).map((column) => [column, new Set<string>()]));
  let rows = table.names ? -1 : 0;
  for (const { cells } of records) {
    if (++rows <= 0) continue;
    for (const [column, found] of words) {
      const cell = cells[column] ?? "";
      if (said || isWord(cell)) found.add(cell);
      else words.delete(column);
    }
    if (words.size === 0) break;
  }
  return inputs.map((place) => {
    const found = words.get(place);
    if (found) checkSpaces([...found], `${table.name}: ${table.called(place)}`);
    return { place, categories: found && (said || 2 * found.size <= rows) ? [...found] : undefined };
  });
}

const isWord = (cell: string) => cell.trim() !== "" && !unknowns.test(cell.trim()) && Number.isNaN(numberOf(cell));

/** Appends the inputs of a row. */
function encode(
  table: Table,
  encodings: readonly Encoding[],
  cells: readonly string[],
  line: number,
  into: number[],
): void {
  for (const { place, categories } of encodings) {
    if (!categories) {
      into.push(table.number(cells, line, place));
      continue;
    }
    const found = categories.indexOf(cells[place]!);
    if (found < 0) {
      throw refusal(table.at(line, place), cells[place], `one of ${listed(categories)}`, DataError);
    }
    for (let i = 0; i < categories.length; i++) into.push(Number(i === found));
  }
}

/** A table without answers: its rows as they are, and the numbers that a model takes from them. */
export interface InputTable {
  /** The names of its columns; undefined if its first line is a row. */
  readonly names: readonly string[] | undefined;
  /** The cells of each row. */
  readonly rows: readonly (readonly string[])[];
  /** The inputs, row after row. */
  readonly inputs: Float32Array;
  /** The columns that hold answers, by number, if there are any: of classes, and of numbers; and that of the rows' weights. */
  readonly answers: {
    readonly label: number | undefined;
    readonly targets: readonly number[] | undefined;
    readonly weight?: number | undefined;
  };
}

/**
 * Reads a table with the inputs of another one; the other's remaining columns may be missing, and there may be more columns.
 *
 * @param columns How the other was read; undefined for a model that learned from no table, which takes every column but one named
 * "label", in order.
 * @param features Numbers that the model takes from a row.
 * @throws DataError that names line and column for a cell that is not a number, lines of different lengths, and missing columns.
 */
export function readInputTable(
  text: string,
  columns: Columns | undefined,
  { name, features, delimiter }: { readonly name: string; readonly features: number; readonly delimiter: string },
): InputTable {
  const records = readRecords(name, text, delimiter);
  const first = records.next();
  if (first.done) throw new DataError(`${name} is empty`);
  checkDelimiter(name, delimiter, first.value.cells);
  const wanted = columns?.inputs.map(({ column }) => column);
  const hasHeader = hasHeaderOf({ inputs: wanted }, name, first.value, () => readRecords(name, text, delimiter));
  const table = new Table(name, first.value, hasHeader, true);
  const encodings = placesOf(table, columns, features).map((place, i) => ({
    place,
    categories: columns?.inputs[i]?.categories,
  }));
  const rows: (readonly string[])[] = [];
  const values: number[] = [];
  const take = ({ cells, line }: Line) => {
    table.checkLength(cells, line);
    rows.push(cells);
    encode(table, encodings, cells, line, values);
  };
  if (!hasHeader) take(first.value);
  for (const record of records) take(record);
  return { names: table.names, rows, inputs: Float32Array.from(values), answers: answersOf(table, columns) };
}

/** The columns of answers in a table that may lack them. */
function answersOf(table: Table, columns: Columns | undefined): InputTable["answers"] {
  const place = (column: Column) =>
    typeof column === "string" ? table.place(column) : table.width === columns?.width ? column : undefined;
  const label = columns ? columns.label : (table.label ?? null);
  const targets = (columns?.targets ?? []).flatMap(({ column }) => place(column) ?? []);
  const areThere = targets.length > 0 && targets.length === columns?.targets.length;
  return {
    label: label === null ? undefined : place(label),
    targets: areThere ? targets : undefined,
    weight: columns && columns.weight !== null ? place(columns.weight) : undefined,
  };
}

/** The columns of a table that are the inputs. */
function placesOf(table: Table, columns: Columns | undefined, features: number): readonly number[] {
  if (!columns) {
    const { label } = table;
    const others = [...Array(table.width).keys()].filter((column) => column !== label);
    if (others.length === features) return others;
    throw new DataError(`${table.name} has ${others.length} columns of inputs; the model takes ${features}`);
  }
  const numbers = columns.inputs.map(({ column }) => column);
  const isNumbered = numbers.every((column) => typeof column === "number");
  // Columns that nothing is learned from may be missing, which renumbers the others.
  if (isNumbered && table.width === columns.inputs.length) {
    if (numbers.every((column, i) => i === 0 || column > numbers[i - 1]!)) return [...numbers.keys()];
    throw new DataError(
      `${table.name} has ${table.width} columns, which may be in the order of the table that the model was trained on or of its "inputs", ${numbers.join(", ")}; give all ${columns.width} columns`,
    );
  }
  if (isNumbered && table.width !== columns.width) {
    throw new DataError(
      `${table.name} has ${table.width} columns; the table that the model was trained on has ${columns.width}, of which ${columns.inputs.length} are inputs`,
    );
  }
  return columns.inputs.map(({ column }) => {
    const place = table.find(column);
    const name = table.known(place);
    // There its name was another column's too, so it had only a number.
    if (columns.header && typeof column === "number" && typeof name === "string") {
      throw new DataError(
        `${table.name}: ${table.called(place)} is column ${place}, counted from 0; in the table that the model was trained on, that column shares its name with another`,
      );
    }
    return place;
  });
}

/**
 * The character between the cells of a table, which may be another than in the table that a model was trained on.
 *
 * @param path Where the table is.
 */
export function delimiterOf(path: string, text: string, columns: Columns | undefined): string {
  const isTsv = /\.tsv$/i.test(path);
  const standard = isTsv ? "\t" : ",";
  const trained = columns?.delimiter ?? standard;
  const likely = isTsv ? [standard, trained] : [trained, standard];
  const end = text.search(/[\r\n]/);
  const head = end < 0 ? text : text.slice(0, end);
  return likely.find((each) => head.includes(each)) ?? likely[0]!;
}

/** The characters that often separate cells. */
const delimiters = [",", ";", "\t"];

/** @throws DataError for a single column, which makes no data set, if another delimiter would split it. */
function checkDelimiter(name: string, delimiter: string, cells: readonly string[]): void {
  const [only = ""] = cells;
  const other = delimiters.find((each) => each !== delimiter && only.includes(each));
  if (cells.length > 1 || other === undefined) return;
  throw new DataError(
    `${name} has one column with "delimiter" ${show(delimiter)}; with ${show(other)} it has ${only.split(other).length}`,
  );
}

/** One record; it may span several lines, of which this is the first, counted from 1. */
interface Line {
  readonly cells: readonly string[];
  readonly line: number;
}

/** The most characters of a cell: far more than a number or a name needs, but fewer than usually lie between stray quotes. */
const longestCell = 65_536;

function* readRecords(name: string, text: string, delimiter: string): Generator<Line, undefined> {
  const end = text.length;
  const separator = delimiter.charCodeAt(0);
  // Character codes, since this loop takes most of the time.
  const ends = (at: number) => {
    const code = text.charCodeAt(at);
    return code === separator || code === 10 || code === 13 || at === end;
  };
  let at = text.startsWith("\uFEFF") ? 1 : 0;
  let line = 1;
  while (at < end) {
    const cells: string[] = [];
    const from = line;
    for (;;) {
      const begin = at;
      if (text[at] === '"') {
        const opened = line;
        // All quotes but the last are doubled.
        let close = text.indexOf('"', at + 1);
        while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
        if (close < 0) throw new DataError(`${name} line ${opened} opens a quote that is never closed`);
        const quoted = text.slice(at + 1, close);
        line += quoted.split(/\r\n|\r|\n/).length - 1;
        cells.push(quoted.replaceAll('""', '"'));
        at = close + 1;
        if (!ends(at)) {
          const other = delimiters.find((each) => each === text[at]);
          const remedy = other === undefined ? "" : `; if it separates cells, give it as "delimiter"`;
          throw new DataError(
            `${name} line ${line} has ${show(text[at])} after a closing quote; double a quote inside quotes${remedy}`,
          );
        }
      } else {
        while (!ends(at)) at++;
        cells.push(text.slice(begin, at));
      }
      if (at - begin > longestCell) {
        const many = (at - begin).toLocaleString("en");
        throw new DataError(
          `${name} line ${line} has a cell of ${many} characters; at most ${longestCell.toLocaleString("en")} are allowed`,
        );
      }
      if (at === end || text[at] !== delimiter) break;
      at++;
    }
    const isBlank = cells.length === 1 && cells[0] === "";
    at += text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1;
    line++;
    if (!isBlank) yield { cells, line: from };
  }
}

/**
 * Whether the first line holds names. A file whose columns are called by name has them.
 *
 * @param records Reads the whole file once more.
 * @throws DataError if the first line may be either.
 */
function hasHeaderOf(
  { header = "auto", label, targets, inputs, weight }: CsvOptions,
  name: string,
  { cells, line }: Line,
  records: () => Iterable<Line>,
): boolean {
  if (header !== "auto") return header;
  const isNamed = [label, targets, inputs, weight].flat().some((column) => typeof column === "string");
  if (isNamed) return true;
  const numbers = cells.map(numberOf);
  const words = [...numbers.keys()].filter((column) => Number.isNaN(numbers[column]));
  if (words.length === cells.length) return true;
  const found =
    words.length === 0
      ? // The header that pandas writes above columns without names.
        (cells.length > 2 && numbers.every((value, column) => value === column)) ||
        isAboveWords(cells.length, records())
        ? "unclear"
        : "row"
      : readMixed(cells, numbers, words, records());
  if (found !== "unclear") return found === "names";
  throw new DataError(
    `${name} line ${line} could be a header or a row: ${listed(cells)}; set "header" to true or false`,
  );
}

/** Whether a column below a first line of numbers holds nothing but words, such as classes below years. */
function isAboveWords(width: number, records: Iterable<Line>): boolean {
  const columns = new Set(Array.from({ length: width }, (_, column) => column));
  let rows = -1;
  for (const { cells } of records) {
    rows++;
    if (rows === 0) continue;
    for (const column of columns) {
      const cell = (cells[column] ?? "").trim();
      if (cell === "" || unknowns.test(cell) || !Number.isNaN(numberOf(cell))) columns.delete(column);
    }
    if (columns.size === 0) return false;
  }
  return rows > 0;
}

/**
 * Decides what a first line of numbers and words is. Names differ from each other and do not recur in their column; a column of
 * nothing but numbers below a word proves that they are names.
 */
function readMixed(
  cells: readonly string[],
  numbers: readonly number[],
  words: readonly number[],
  records: Iterable<Line>,
): "names" | "row" | "unclear" {
  const isName = (cell: string) => /^\s*[\p{L}_]/u.test(cell) && !unknowns.test(cell.trim());
  // The cell above row numbers is often empty.
  const areNames = words.every((column) => isName(cells[column]!) || (column === 0 && cells[column]!.trim() === ""));
  const couldName = areNames && numbers.every((value) => !(value < 0));
  if (!couldName || new Set(cells.map((cell) => cell.trim())).size < cells.length) return "row";
  const above = new Set(words);
  let rows = -1;
  let isRepeated = false;
  for (const { cells: row } of records) {
    rows++;
    if (rows === 0) continue;
    for (const column of words) {
      const cell = row[column] ?? "";
      if (cell === cells[column]) isRepeated = true;
      if (above.has(column) && Number.isNaN(numberOf(cell))) above.delete(column);
    }
    if (above.size === 0 && isRepeated) break;
  }
  if (rows === 0) return "row";
  if (above.size > 0) return isRepeated ? "unclear" : "names";
  return isRepeated ? "row" : "unclear";
}

/** The columns by number, and their names in errors. */
class Table {
  readonly name: string;
  readonly #first: Line;
  readonly #hasHeader: boolean;
  readonly #isGuessed: boolean;
  /** The column of each name; null if several have it. */
  readonly #columns = new Map<string, number | null>();
  readonly width: number;

  /** @param isGuessed Whether `header` was guessed. */
  constructor(name: string, first: Line, hasHeader: boolean, isGuessed: boolean) {
    this.name = name;
    this.#isGuessed = isGuessed;
    this.#first = first;
    this.#hasHeader = hasHeader;
    this.width = first.cells.length;
    if (!hasHeader) return;
    for (const [column, cell] of first.cells.entries())
      this.#columns.set(cell, this.#columns.has(cell) ? null : column);
  }

  /** The place of a cell, for errors. */
  at(line: number, column: number): string {
    return `${this.name} line ${line}, ${this.called(column)}`;
  }

  /** The names of the columns; undefined if the first line is a row. */
  get names(): readonly string[] | undefined {
    return this.#hasHeader ? this.#first.cells : undefined;
  }

  /** A column by its name, if no other column has it, else by its number. */
  known(column: number): Column {
    const name = this.names?.[column];
    return name !== undefined && this.#columns.get(name) === column ? name : column;
  }

  called(column: number): string {
    return `column ${this.#hasHeader ? show(this.#first.cells[column]) : `${column} (counted from 0)`}`;
  }

  checkLength({ length }: readonly string[], line: number): void {
    if (length === this.width) return;
    throw new DataError(`${this.name} line ${line} has ${length} columns; line ${this.#first.line} has ${this.width}`);
  }

  number(cells: readonly string[], line: number, column: number): number {
    const cell = cells[column]!;
    const value = numberOf(cell);
    if (Number.isFinite(Math.fround(value))) return value;
    const given = cell.trim() === "" ? "is empty" : `is ${show(cell)}`;
    // The supposed row may hold names.
    const remedy = line === this.#first.line && this.#isGuessed ? `, or with "header" true a name` : "";
    throw new DataError(`${this.at(line, column)} ${given}; it must be a number that float32 can hold${remedy}`);
  }

  /** The number of the one column with this name; undefined if there is none, or several. */
  place(column: string): number | undefined {
    return this.#columns.get(column) ?? undefined;
  }

  /** The number of the column called "label", however that is spelt; undefined if there is none. */
  get label(): number | undefined {
    const spelt = [...this.#columns.keys()].filter((name) => folded(name) === "label");
    if (spelt.length < 2 || this.#columns.has("label")) return this.named(spelt.length === 1 ? spelt[0]! : "label");
    throw new DataError(`${this.name} has columns ${listed(spelt.map(show))}; "label" must name one of them`);
  }

  /** The number of the column with this name, if there is one. */
  named(column: string): number | undefined {
    const found = this.#columns.get(column);
    if (found !== null) return found;
    throw new DataError(`${this.name} has two columns ${show(column)}; give its number, counted from 0`);
  }

  find(column: Column): number {
    const found = typeof column === "string" ? this.named(column) : column;
    if (found !== undefined && found < this.width) {
      const other = typeof column === "number" ? (this.#columns.get(String(column)) ?? found) : found;
      if (other === found) return found;
      const [name, named] = [this.#first.cells[found], this.#first.cells[other]].map(show);
      throw new DataError(
        `${this.name}: column ${found}, counted from 0, is called ${name}, and column ${other} is called ${named}; in a run config, one of these names says which is meant`,
      );
    }
    const there = this.#hasHeader
      ? `its columns are ${listed(this.#first.cells)}`
      : `its columns are 0 to ${this.width - 1}, and it has no header`;
    throw new DataError(`${this.name} has no column ${show(column)}; ${there}`);
  }
}

interface Roles {
  readonly inputs: readonly number[];
  readonly targets: readonly number[];
  readonly label: number | undefined;
  readonly weight: number | undefined;
}

/** The purpose of each column. */
function rolesOf(csv: CsvOptions, table: Table): Roles {
  const weight = csv.weight === undefined ? undefined : table.find(csv.weight);
  const targets = csv.targets === undefined ? [] : list(csv.targets).map((column) => table.find(column));
  const standard = () => table.label ?? table.width - 1;
  const label = csv.targets === undefined ? (csv.label === undefined ? standard() : table.find(csv.label)) : undefined;
  const taken = new Set([...targets, label, weight]);
  const inputs =
    csv.inputs === undefined
      ? Array.from({ length: table.width }, (_, column) => column).filter((column) => !taken.has(column))
      : list(csv.inputs).map((column) => table.find(column));
  if (inputs.length === 0) throw new DataError(`${table.name} has no columns left as inputs (of ${table.width})`);
  const purposes = [
    ...targets.map((column) => ({ column, option: '"targets"' })),
    ...(label === undefined
      ? []
      : [{ column: label, option: csv.label === undefined ? 'the default "label"' : '"label"' }]),
    ...(weight === undefined ? [] : [{ column: weight, option: '"weight"' }]),
    ...inputs.map((column) => ({ column, option: '"inputs"' })),
  ];
  const options = new Map<number, string>();
  for (const { column, option } of purposes) {
    const before = options.get(column);
    options.set(column, option);
    if (before === undefined) continue;
    const both = before === option ? `twice in ${option}` : `in ${before} and in ${option}`;
    throw new OptionError(`${table.name}: ${table.called(column)} is ${both}; each column has one purpose`);
  }
  return { inputs, targets, label, weight };
}

const list = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);

function readColumns(name: string, value: unknown): Column | readonly Column[] {
  if (!Array.isArray(value)) return readColumn(name, value);
  if (value.length === 0) throw new OptionError(`${name} is []; it must name at least one column`);
  return Array.from(value, (column, i) => readColumn(`${name}[${i}]`, column));
}
