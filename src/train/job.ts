// What training and the tools around it are given: a run config, the engine, the data and options, all in one object.

import { DeviceError, OptionError, show } from "../base/errors.ts";
import { isOptions } from "../base/options.ts";
import { requestDevice } from "../engines/gpu/device.ts";
import { type Dataset, readDataset } from "../objectives/data/dataset.ts";
import { isRule, type Rule } from "../rules/rule.ts";
import { readEngine, readRunOptions } from "./arguments.ts";
import type { CompleteDataConfig } from "./data.ts";
import { cpuEngine, type Engine, webgpuEngine } from "./engine.ts";
import { type RunConfig, runFields } from "./run_config.ts";

/** Rows to train on and to test with, and where they come from, as a run config says it. */
export interface RunData {
  /** The rows to train on. */
  readonly train: Dataset;
  /** The rows to test with; nothing is tested without them. */
  readonly test?: Dataset | undefined;
  /** Where they come from, every option filled in; null where the caller brings them. */
  readonly config?: CompleteDataConfig | null | undefined;
}

/** A run config with its data and its engine. */
export interface RunJob extends Omit<RunConfig, "data"> {
  /** A rule's function without a rate takes the rate that suits the rule by experience: `sgd()` is `sgd({ lr: 0.1 })` here. */
  readonly optimizer: RunConfig["optimizer"];
  /** The rows to train on, or these and those to test with; a landscape has none. */
  readonly data?: Dataset | RunData | undefined;
  /** The rows to test with, where `data` does not say. */
  readonly test?: Dataset | undefined;
  /** Default: WebGPU where a device can be had, else the CPU reference. */
  readonly engine?: Engine | undefined;
}

/** A job taken apart. */
export interface OpenJob {
  readonly engine: Engine;
  readonly config: RunConfig;
  readonly data: Dataset | undefined;
  readonly test: Dataset | undefined;
  /** Frees what was made for want of an engine. */
  close(): void;
}

/**
 * Takes a job apart; the options are left to its reader.
 *
 * @param name What errors call it.
 * @param options Names of options beside the job's own.
 * @throws OptionError for unknown fields, and for what is no engine, data set, listener or signal.
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
  const fields = Object.fromEntries(runFields.map((field) => [field, job[field as keyof RunConfig & keyof T]]));
  const made = await openEngine(job.engine);
  return {
    engine: made.engine,
    config: { ...fields, optimizer: withUsualRate(job.optimizer), data: config ?? null } as unknown as RunConfig,
    data: train,
    test: test ?? job.test,
    close: made.close,
  };
}

/** A rule that was given as itself, and no rate, takes the one that suits it by experience, where it says so. */
function withUsualRate(optimizer: RunConfig["optimizer"]): RunConfig["optimizer"] {
  if (!isOptions(optimizer) || optimizer.lr !== undefined || !isRule(optimizer.rule)) return optimizer;
  const { usualRate } = optimizer.rule as Rule;
  return usualRate === undefined ? optimizer : { ...optimizer, lr: usualRate };
}

/**
 * The engine that was given, else WebGPU where there is a device, else the CPU reference; `close` frees what was made here.
 *
 * @throws OptionError for what is no engine.
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
