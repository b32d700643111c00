// The argument of training and its tools: a run config, the engine, the data and options, in one object.

import { DeviceError, OptionError, show } from "../base/errors.ts";
import { copied, isOptions } from "../base/options.ts";
import { requestDevice } from "../engines/gpu/device.ts";
import { type Dataset, readDataset } from "../objectives/data/dataset.ts";
import { isRule, type Rule } from "../rules/rule.ts";
import { readEngine, readRunOptions } from "./arguments.ts";
import type { CompleteDataConfig } from "./data.ts";
import { cpuEngine, type Engine, webgpuEngine } from "./engine.ts";
import { type RunConfig, runFields } from "./run_config.ts";

/** Rows to train on and to test with, and their source as in a run config. */
export interface RunData {
  /** The rows to train on. */
  readonly train: Dataset;
  /** The rows to test with; without them nothing is tested. */
  readonly test?: Dataset | undefined;
  /** Their source, every option filled in; null if the caller passes them. */
  readonly config?: CompleteDataConfig | null | undefined;
}

/** A run config with its data and its engine. */
export interface RunJob extends Omit<RunConfig, "data"> {
  /** A rule's function without a rate gets the rate that usually suits the rule: `sgd()` is `sgd({ lr: 0.1 })` here. */
  readonly optimizer: RunConfig["optimizer"];
  /** The rows to train on, or both those and the rows to test with; a landscape has none. */
  readonly data?: Dataset | RunData | undefined;
  /** The rows to test with, if `data` has none. */
  readonly test?: Dataset | undefined;
  /** The engine; default WebGPU if there is a device, else the CPU reference. */
  readonly engine?: Engine | undefined;
}

/** A job taken apart. */
export interface OpenJob {
  readonly engine: Engine;
  readonly config: RunConfig;
  readonly data: Dataset | undefined;
  readonly test: Dataset | undefined;
  /** Frees the engine if it was made here. */
  close(): void;
}

/**
 * Takes a job apart; the options are left to its reader.
 *
 * @param name Its name in errors.
 * @param options Names of options besides the job's own.
 * @throws OptionError for unknown fields, and for an engine, data set, listener or signal of the wrong kind.
 */
export async function openJob<T extends RunJob>(
  name: string,
  job: T,
  options: readonly (Exclude<keyof T, keyof RunJob> & string)[],
): Promise<OpenJob> {
  readRunOptions<RunJob>(name, job, [...runFields, "engine", "test", ...options] as (keyof RunJob)[]);
  const { data: given } = job;
  const isPair = isOptions(given) && "train" in given;
  const { train, test, config }: { [Field in keyof RunData]?: RunData[Field] | undefined } = isPair
    ? (given as unknown as RunData)
    : { train: given as Dataset | undefined };
  if (train !== undefined) readDataset(isPair ? "data.train" : "data", train);
  if (test !== undefined) {
    readDataset("data.test", test);
    if (job.test !== undefined) {
      throw new OptionError(`test is ${show(job.test)} beside data.test; give one or the other`);
    }
  }
  const others = runFields.filter((field) => field !== "data");
  const fields = Object.fromEntries(others.map((field) => [field, copied(job[field as keyof RunConfig & keyof T])]));
  const made = await openEngine(job.engine);
  return {
    engine: made.engine,
    config: {
      ...fields,
      optimizer: withUsualRate(fields.optimizer as T["optimizer"]),
      data: config ?? null,
    } as unknown as RunConfig,
    data: train,
    test: test ?? job.test,
    close: made.close,
  };
}

/** A job as it is when it is called, since a caller may change one that several runs share before they are awaited. */
export function ownJob<T extends RunJob>(job: T): T {
  if (!isOptions(job)) return job;
  return Object.fromEntries(
    Object.entries(job).map(([field, value]) => [field, Array.isArray(value) ? copied(value) : value]),
  ) as unknown as T;
}

/** A rule without a rate gets its standard rate, if it has one. */
function withUsualRate(optimizer: RunConfig["optimizer"]): RunConfig["optimizer"] {
  if (!isOptions(optimizer) || optimizer.lr !== undefined || !isRule(optimizer.rule)) return optimizer;
  const { usualRate } = optimizer.rule as Rule;
  return usualRate === undefined ? optimizer : { ...optimizer, lr: usualRate };
}

/**
 * The given engine, else WebGPU if there is a device, else the CPU reference; `close` frees what was made here.
 *
 * @throws OptionError for anything but an engine.
 */
export async function openEngine(given: Engine | undefined): Promise<Pick<OpenJob, "engine" | "close">> {
  if (given !== undefined) return { engine: readEngine(given), close: () => {} };
  try {
    const device = await requestDevice();
    return { engine: webgpuEngine(device), close: () => device.destroy() };
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    return { engine: cpuEngine(), close: () => {} };
  }
}
