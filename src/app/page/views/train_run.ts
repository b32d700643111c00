// What the train view makes of its fields: the config of a run, the rows that it trains on, and its rates once they are multiplied.
import { DataError, FalllineError, OptionError, show } from "../../../base/errors.ts";
import { type JobOptions, jobConfig, jobDefaults, tableLayers } from "../../../lab/defaults.ts";
import { type CsvOptions, csvOptionNames, parseCsv } from "../../../objectives/data/csv.ts";
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

/** What a column to predict holds. */
export const kinds = ["auto", "classes", "numbers"] as const;

/** A table as it was dropped onto the page. */
export interface TableFile {
  readonly name: string;
  readonly text: string;
}

/** What the fields say of a run. */
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

/** Steps from one look at the layers to the next. */
const lookEvery = 10;

/**
 * The run that the fields say.
 *
 * @throws OptionError for a config or schedule that is none; DataError for a table that cannot be read.
 */
export function runConfigOf(words: RunWords, table: Table | null): RunConfig {
  if (words.config !== "") return parseRunConfig(words.config);
  const { model, rule, lr, batch, steps, seed, data, every, sharpness } = words;
  const { data: mnist, optimizer, ...job } = jobConfig({ model, rule, lr, batch, steps, seed });
  if (data === "table" && !table) {
    throw new DataError("there is no table yet; drop a .csv file onto the page, or choose one");
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

/** @throws OptionError for text that is no run config, in one sentence. */
export function parseRunConfig(text: string): CompleteRunConfig {
  return readRunConfig(parseJson("the run config", text));
}

/** @throws OptionError for text that is no schedule, in one sentence. */
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

/** A table that was read: its rows, and how a run config says that it was read. */
export interface Table {
  readonly file: TableFile;
  readonly data: Dataset;
  readonly config: Extract<CompleteDataConfig, { readonly type: "file" }>;
  /** What its columns are called, the one to predict last. */
  readonly columns: readonly string[];
  /** The column that is predicted. */
  readonly target: string;
}

/** Numeric labels above this many classes are numbers to predict. */
const mostClasses = 20;

/**
 * Reads a table with one column to predict, as classes or as numbers. Of "auto", words are classes, and so are whole numbers with few
 * different values.
 *
 * @throws DataError or OptionError that says in one sentence why it cannot be read.
 */
export function readTable(file: TableFile, target: string, kind: RunWords["kind"]): Table {
  const delimiter = /\.tsv$/i.test(file.name) ? "\t" : delimiterOf(file.text);
  const read = (csv: CsvOptions) => parseCsv(file.text, { ...csv, delimiter, name: file.name });
  const column = columnOf(target);
  const asClasses = () => read(column === undefined ? {} : { label: column });
  // Which column is the default, a reading as classes says.
  const asNumbers = () => read({ targets: column ?? lastOf(file, delimiter) });
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
    // What cannot be classes may be numbers; what can be neither, the other reading says.
    if (!(error instanceof FalllineError)) throw error;
  }
  return asNumbers();
}

/** A column's name; a number where the table has no names. */
function columnOf(target: string): string | number | undefined {
  if (target === "") return undefined;
  return /^\d+$/.test(target) ? Number(target) : target;
}

/** The number of the column that is predicted unless one says another: "label", else the last. */
function lastOf({ text }: TableFile, delimiter: string): number {
  const cells = text.slice(0, text.search(/\r?\n|$/)).split(delimiter);
  const label = cells.findIndex((cell) => cell.replace(/^"|"$/g, "") === "label");
  return label >= 0 ? label : cells.length - 1;
}

/** Of a comma, a semicolon and a tab the one that the first line has most of. */
function delimiterOf(text: string): string {
  const line = text.slice(0, text.search(/\r?\n|$/));
  const count = (delimiter: string) => line.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, each) => (count(each) > count(best) ? each : best));
}

/**
 * The rows of a run: those that its config names, else those of the fields; undefined where it takes none.
 *
 * @throws DataError where they are not to be had.
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
    if (!table) throw new DataError(`data.path is ${show(data.path)}; drop that file onto the page, or choose it`);
    const options = Object.fromEntries(Object.entries(data).filter(([name]) => isCsvOption(name)));
    return takeRows(data, parseCsv(table.text, { ...options, name: table.name }));
  }
  if (data?.type === "mnist") return takeRows(data, await loadMnist());
  if (source === "mnist") return loadMnist();
  if (source === "digits") return digitRows();
  throw new DataError('data is missing in the run config; a table needs { "type": "file", "path": … }');
}

const isCsvOption = (name: string) => (csvOptionNames as readonly string[]).includes(name);

/** Rows of the 1,797 digits that test. */
const digitTests = 360;

async function digitRows(): Promise<Halves> {
  return splitRows(await uciDigits(), digitTests, { shuffle: false });
}

/** The widths of a small network for some rows; of MNIST the main job's. */
export function modelFor(source: Source, table: Table | null): string {
  if (source === "digits") return "64-32-10";
  if (source === "mnist" || !table) return jobDefaults.model;
  const { data } = table;
  return [data.features, ...tableLayers, data.labels ? data.classes : data.outputs].join("-");
}

/** A rate to set, and of which group. */
export interface SetRate {
  readonly lr: Scheduled;
  readonly where: { readonly group?: number };
}

/**
 * The rates of a run's config times a factor, in the order in which they must be set: that of all groups, then those of groups
 * and of the fallback that have their own.
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
    // After the groups that are named comes that of the rest, and then that of its fallback.
    ...(fallback?.lr === undefined || groups.length > 0 ? [] : [{ lr: times(fallback.lr), where: { group: 1 } }]),
  ];
}

/** Numbers by step, thinned out where there are too many to draw: every second one goes. */
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

  /** As curves are drawn: the steps, then the values of each curve. */
  data(curves: number): readonly (readonly (number | null)[])[] {
    return [this.steps, ...Array.from({ length: curves }, (_, i) => this.rows.map((row) => row[i] ?? null))];
  }
}
