// From the fields of the train view to the config of a run, its training rows, and its rates times a factor.
import { DataError, FalllineError, OptionError, show } from "../../../base/errors.ts";
import { type JobOptions, jobConfig, jobDefaults, tableLayers } from "../../../lab/defaults.ts";
import { type CsvOptions, columnsIn, csvOptionNames, parseCsv } from "../../../objectives/data/csv.ts";
import { type Dataset, splitRows } from "../../../objectives/data/dataset.ts";
import { uciDigits } from "../../../objectives/data/uci_digits.ts";
import type { OptimizerConfig } from "../../../optimizer/config.ts";
import { readSchedule } from "../../../schedules/read_schedule.ts";
import { scale } from "../../../schedules/scale.ts";
import type { Scheduled } from "../../../schedules/schedule.ts";
import { type CompleteDataConfig, type Halves, pointRows, readData, takeRows } from "../../../train/data.ts";
import { type CompleteRunConfig, type RunConfig, readRunConfig, trainableOf } from "../../../train/run_config.ts";

export const sources = ["mnist", "digits", "table"] as const;
export type Source = (typeof sources)[number];

/** The kind of values in a column to predict. */
export const kinds = ["auto", "classes", "numbers"] as const;

/** A table dropped onto the page. */
export interface TableFile {
  readonly name: string;
  readonly text: string;
}

/** The fields of a run. */
export interface RunWords extends Required<Omit<JobOptions, "handover" | "curvature">> {
  readonly data: Source;
  /** The column to predict; empty for the one called "label", else the last. */
  readonly target: string;
  readonly kind: (typeof kinds)[number];
  /** A schedule as JSON in place of the rate; empty for none. */
  readonly schedule: string;
  /** Steps from one test to the next; 0 for one test at the end. */
  readonly every: number;
  /** Steps from one sharpness to the next; 0 for never. */
  readonly sharpness: number;
  /** A run config as JSON in place of all of these; empty for none. */
  readonly config: string;
}

/** Steps between two looks at the layers. */
const lookEvery = 10;

/**
 * The run config of the fields.
 *
 * @throws OptionError for an invalid config or schedule; DataError for a table that cannot be read.
 */
export function runConfigOf(words: RunWords, table: Table | null): RunConfig {
  if (words.config !== "") return parseRunConfig(words.config);
  const { model, rule, lr, batch, steps, seed, data, every, sharpness } = words;
  const { data: mnist, optimizer, ...job } = jobConfig({ model, rule, lr, batch, steps, seed });
  if (data === "table" && !table) {
    throw new DataError("there is no table yet; drop a .csv file on the page, or choose one");
  }
  const isNumbers = data === "table" && table!.data.targets !== undefined;
  return {
    ...job,
    model: { ...(job.model as object), ...(isNumbers ? { loss: "meanSquaredError" } : {}) } as RunConfig["model"],
    data: data === "mnist" ? mnist : data === "table" ? table!.config : null,
    optimizer: {
      ...optimizer,
      ...(words.schedule === "" ? {} : { lr: parseSchedule(words.schedule) }),
    } as OptimizerConfig,
    watch: { every: lookEvery },
    ...(every > 0 ? { metric: { type: isNumbers ? "testLoss" : "testAccuracy", every } as const } : {}),
    ...(sharpness > 0 ? { curvature: { every: sharpness } } : {}),
  };
}

/** The name of a run's rule. */
export const ruleName = ({ optimizer: { rule } }: CompleteRunConfig) => (typeof rule === "string" ? rule : rule.name);

/** @throws OptionError, in one sentence, for text that is not a run config. */
export function parseRunConfig(text: string): CompleteRunConfig {
  return readRunConfig(parseJson("the run config", text));
}

/** @throws OptionError, in one sentence, for text that is not a schedule. */
export function parseSchedule(text: string): Scheduled {
  return readSchedule(parseJson("schedule", text), "schedule");
}

function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new OptionError(`${what} is ${show(text)}; it must be JSON: ${error.message}`, { cause: error });
  }
}

/** A table that was read: its rows, and how a run config describes the reading. */
export interface Table {
  readonly file: TableFile;
  readonly data: Dataset;
  readonly config: Extract<CompleteDataConfig, { readonly type: "file" }>;
  /** The names of its columns, the one to predict last. */
  readonly columns: readonly string[];
  /** The column that is predicted. */
  readonly target: string;
}

/** Numeric labels above this many classes are numbers to predict. */
const mostClasses = 20;

/**
 * Reads a table with one column to predict, as classes or as numbers. With "auto", words are classes, and so are whole numbers with
 * few different values.
 *
 * @throws DataError or OptionError with one sentence on why it cannot be read.
 */
export function readTable(file: TableFile, target: string, kind: RunWords["kind"]): Table {
  const delimiter = /\.tsv$/i.test(file.name) ? "\t" : delimiterOf(file.text);
  const read = (csv: CsvOptions) => parseCsv(file.text, { ...csv, delimiter, name: file.name });
  const column = columnOf(target, () => columnsIn(file.text, { delimiter, name: file.name }).names);
  const asClasses = () => read(column === undefined ? {} : { label: column });
  // Unlike `label`, `targets` has no default column.
  const asNumbers = () => read({ targets: column ?? columnsIn(file.text, { delimiter, name: file.name }).label });
  const data = kind === "classes" ? asClasses() : kind === "numbers" ? asNumbers() : guessed(asClasses, asNumbers);
  const { columns } = data;
  const predicted = columns!.label ?? columns!.targets[0]!.column;
  const options: CsvOptions = data.labels ? { label: predicted } : { targets: predicted };
  const config = readData({
    type: "file",
    path: /\.[ct]sv$/i.test(file.name) ? file.name : `${file.name}.csv`,
    standardize: true,
    delimiter,
    ...options,
  });
  return {
    file,
    data,
    config: config as Table["config"],
    columns: [...columns!.inputs.map(({ column }) => String(column)), String(predicted)],
    target: String(predicted),
  };
}

function guessed(asClasses: () => Dataset, asNumbers: () => Dataset): Dataset {
  try {
    const data = asClasses();
    if (data.labels && (data.classNames || data.classes <= mostClasses)) return data;
  } catch (error) {
    // Values that are not classes may be numbers; if they are neither, that reading throws.
    if (!(error instanceof FalllineError)) throw error;
  }
  return asNumbers();
}

/** A column's name, which may be a number; a number where the table has no such name. */
function columnOf(target: string, names: () => readonly string[] | undefined): string | number | undefined {
  if (target === "") return undefined;
  return /^\d+$/.test(target) && !names()?.includes(target) ? Number(target) : target;
}

/** The most frequent of comma, semicolon and tab in the first line. */
function delimiterOf(text: string): string {
  const line = text.slice(0, text.search(/\r?\n|$/));
  const count = (delimiter: string) => line.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, each) => (count(each) > count(best) ? each : best));
}

/**
 * The rows of a run: those named by its config, else those of the fields; undefined if it takes none.
 *
 * @throws DataError if they are not available.
 */
export async function rowsOf(
  config: CompleteRunConfig,
  source: Source,
  table: TableFile | null,
  loadMnist: () => Promise<Halves>,
): Promise<Halves | undefined> {
  if (!trainableOf(config).program.needsData) return undefined;
  const { data } = config;
  if (data?.type === "points") return pointRows(data);
  if (data?.type === "file") {
    if (!table) throw new DataError(`data.path is ${show(data.path)}; drop that file on the page, or choose it`);
    const options = Object.fromEntries(Object.entries(data).filter(([name]) => isCsvOption(name)));
    const tabs = /\.tsv$/i.test(table.name) ? { delimiter: "\t" } : {};
    return takeRows(data, parseCsv(table.text, { ...tabs, ...options, name: table.name }));
  }
  if (data?.type === "mnist") return takeRows(data, await loadMnist());
  if (source === "mnist") return loadMnist();
  if (source === "digits") return digitRows();
  throw new DataError('data is missing in the run config; a table needs { "type": "file", "path": … }');
}

const isCsvOption = (name: string) => (csvOptionNames as readonly string[]).includes(name);

/** How many of the 1,797 digits are for testing. */
const digitTests = 360;

async function digitRows(): Promise<Halves> {
  return splitRows(await uciDigits(), digitTests, { shuffle: false });
}

/** The widths of a small network for these rows; for MNIST those of the main job. */
export function modelFor(source: Source, table: Table | null): string {
  if (source === "digits") return "64-32-10";
  if (source === "mnist" || !table) return jobDefaults.model;
  const { data } = table;
  return [data.features, ...tableLayers, data.labels ? data.classes : data.outputs].join("-");
}

/** A rate to set, and its group. */
export interface SetRate {
  readonly lr: Scheduled;
  readonly where: { readonly group?: number };
}

/**
 * The rates of a run's config times a factor, in the order in which they must be set: first that of all groups, then those of
 * groups and of a fallback with their own.
 */
export function scaledRates(optimizer: OptimizerConfig, factor: number): readonly SetRate[] {
  const times = (lr: unknown) => scale({ by: factor, schedule: lr as Scheduled });
  const {
    lr,
    groups = [],
    fallback,
  } = optimizer as OptimizerConfig & { readonly fallback?: { readonly lr?: unknown } };
  return [
    { lr: times(lr), where: {} },
    ...groups.flatMap((each, group) => {
      const own = (each as { readonly lr?: unknown }).lr;
      return own === undefined ? [] : [{ lr: times(own), where: { group } }];
    }),
    // The named groups are followed by the group of the rest, and then by that of its fallback.
    ...(fallback?.lr === undefined || groups.length > 0 ? [] : [{ lr: times(fallback.lr), where: { group: 1 } }]),
  ];
}

/** Numbers by step, thinned out when there are too many to draw: every second one is dropped. */
export class Series {
  readonly steps: number[] = [];
  readonly rows: (readonly (number | null)[])[] = [];
  readonly #most: number;
  #stride = 1;

  constructor(most = 2000) {
    this.#most = most;
  }

  /** @param values One for each curve; those that are not finite are left out. */
  add(step: number, values: readonly number[]): void {
    if (step % this.#stride !== 0 && this.#stride > 1) return;
    this.steps.push(step);
    this.rows.push(values.map((value) => (Number.isFinite(value) ? value : null)));
    if (this.steps.length <= this.#most) return;
    this.#stride *= 2;
    const kept = [...this.steps.keys()].filter((i) => this.steps[i]! % this.#stride === 0);
    const [steps, rows] = [kept.map((i) => this.steps[i]!), kept.map((i) => this.rows[i]!)];
    this.steps.splice(0, this.steps.length, ...steps);
    this.rows.splice(0, this.rows.length, ...rows);
  }

  /** The data to draw: the steps, then the values of each curve. */
  data(curves: number): readonly (readonly (number | null)[])[] {
    return [this.steps, ...Array.from({ length: curves }, (_, i) => this.rows.map((row) => row[i] ?? null))];
  }
}
