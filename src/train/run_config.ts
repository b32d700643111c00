// A run as JSON: everything that decides its losses, read and checked once, with every default filled in. The same file
// gives the same run.

import { OptionError, refusal, show, showGiven } from "../base/errors.ts";
import type { Aliases, Name } from "../base/names.ts";
import { readBoolean, readNumber } from "../base/options.ts";
import { readFields, readName } from "../base/words.ts";
import { layerStats } from "../modifiers/layer_stats.ts";
import { accumulateOf } from "../modifiers/modifier.ts";
import type { CustomObjective } from "../objectives/custom.ts";
import type { InitConfig } from "../objectives/init.ts";
import type { Points } from "../objectives/landscape.ts";
import type { Landscape, LandscapeConfig } from "../objectives/landscapes/define.ts";
import { createLandscape } from "../objectives/landscapes/index.ts";
import type { Model } from "../objectives/model.ts";
import { type CompleteModelConfig, createModel, type ModelConfig } from "../objectives/models/index.ts";
import { type Program, programOf, type Trainable } from "../objectives/program.ts";
import { layoutSegments, type Tensor } from "../optimizer/arena.ts";
import type { OptimizerConfig, OptimizerJson } from "../optimizer/config.ts";
import { Hypers } from "../optimizer/hypers.ts";
import { createPlan, type Plan } from "../optimizer/plan.ts";
import { planConfig } from "../optimizer/plan_config.ts";
import { readConfig } from "../optimizer/read_config.ts";
import { curvature } from "../schedules/curvature.ts";
import { plateau } from "../schedules/plateau.ts";
import { readSchedule } from "../schedules/read_schedule.ts";
import {
  createSchedule,
  holds,
  holdsFunction,
  type Schedule,
  type ScheduleDefinition,
  type Scheduled,
} from "../schedules/schedule.ts";
import { type CompleteCurvatureConfig, type CurvatureConfig, readCurvature } from "./curvature_config.ts";
import { type CompleteDataConfig, type DataConfig, describeData, readData } from "./data.ts";
import { type CompleteHandoverConfig, type HandoverConfig, readHandover } from "./handover_config.ts";
import { type Limits, readWatchOptions, type WatchOptions, watchOptionNames } from "./watch_options.ts";

const runFormat = "fallline-run/1";

const metricTypes = ["loss", "testLoss", "testAccuracy", "testError"] as const;

/** Aliases of metrics. */
const metricWords: Aliases<(typeof metricTypes)[number]> = {
  trainloss: "loss",
  trainingloss: "loss",
  validationloss: "testLoss",
  valloss: "testLoss",
  accuracy: "testAccuracy",
  acc: "testAccuracy",
  validationaccuracy: "testAccuracy",
  valaccuracy: "testAccuracy",
};

/** The metric that a run is judged by. */
export interface MetricConfig {
  /**
   * "loss": the mean of the training losses since the value before; "testLoss", "testAccuracy" and "testError": of the whole test
   * set. Higher accuracies are better, and lower losses and errors. Only the cross-entropies have an accuracy, and only
   * physics-informed networks with a known exact solution have an error.
   */
  readonly type: Name<(typeof metricTypes)[number]>;
  /** Steps between values, a whole number >= 1; the last step always has a value. */
  readonly every: number;
}

/** Early stopping by the run's metric. */
export interface StopConfig {
  /** Values in a row without an improvement after which the run ends; a whole number >= 1. */
  readonly patience: number;
  /** How much better than the best a value must be to count, >= 0, default 0. */
  readonly minDelta?: number | undefined;
  /** Whether the run returns the parameters of the best value instead of the last ones; default true. */
  readonly restoreBest?: boolean | undefined;
}

/** How a run is watched. */
export interface WatchConfig extends WatchOptions {
  /** Steps between observations of the layers, a whole number >= 1, default 10. */
  readonly every?: number | undefined;
}

/** A run as JSON. */
export interface RunConfig {
  /** The version of this format; default the only one. */
  readonly format?: typeof runFormat | undefined;
  /** The model to train, or instead `landscape` or `objective`. */
  readonly model?: ModelConfig | Model | undefined;
  /** The landscape to descend; it needs no data. */
  readonly landscape?: LandscapeConfig | Landscape | undefined;
  /** A custom objective; JSON cannot hold one. */
  readonly objective?: CustomObjective | undefined;
  /** Where the rows come from; null (the default) if the caller passes them. */
  readonly data?: DataConfig | null | undefined;
  /**
   * For a model, its initial weights; for a landscape, the starting points, point after point; a custom objective has its own.
   */
  readonly init?: InitConfig | Points | null | undefined;
  /** The rule and its options, also as JSON. */
  readonly optimizer: OptimizerConfig | OptimizerJson;
  /**
   * Examples per step, if there is data: a whole number >= 1, or a schedule of the 0-based step, whose values are rounded to
   * whole numbers and must then be >= 1.
   */
  readonly batch?: Scheduled | null | undefined;
  /**
   * Training steps, a whole number >= 1; with a schedule as batch at most 10,000,000, fewer if that holds more than ten others.
   */
  readonly steps: number;
  /** Seed of the data's order, a whole number in [0, 2^53); default 0. */
  readonly seed?: number | undefined;
  /** The metric that plateaus observe and `stop` uses; default none. */
  readonly metric?: MetricConfig | null | undefined;
  /**
   * Early stopping; default none, so that all steps are made. With it a loss that is not finite also ends the run, unless the
   * optimizer skips such steps (`skipNonFinite`).
   */
  readonly stop?: StopConfig | null | undefined;
  /** When iterations of L-BFGS over all rows replace steps of the rule; default never. */
  readonly handover?: HandoverConfig | null | undefined;
  /** How often to measure the largest curvature of the loss, and on which rows; default never. */
  readonly curvature?: CurvatureConfig | null | undefined;
  /** Whether and how to watch the run for problems; true for the default options; default false. */
  readonly watch?: WatchConfig | boolean | null | undefined;
}

/** A run with every default filled in. JSON, unless a hyper or the batch is a function of the step or the rule an object. */
export interface CompleteRunConfig extends RunConfig {
  readonly format: typeof runFormat;
  readonly model?: CompleteModelConfig;
  readonly landscape?: LandscapeConfig;
  readonly objective?: CustomObjective;
  readonly data: CompleteDataConfig | null;
  readonly optimizer: OptimizerConfig;
  /** Null for a custom objective. */
  readonly init: Required<InitConfig> | readonly number[] | null;
  /** Null without data. */
  readonly batch: Scheduled | null;
  readonly seed: number;
  readonly metric: MetricConfig | null;
  readonly stop: (Readonly<Record<"patience" | "minDelta", number>> & { readonly restoreBest: boolean }) | null;
  readonly handover: CompleteHandoverConfig | null;
  readonly curvature: CompleteCurvatureConfig | null;
  readonly watch: (Limits & { readonly every: number }) | null;
}

/** The fields of a run config. */
export const runFields: readonly string[] = [
  ...["format", "model", "landscape", "objective", "data", "init", "optimizer", "batch", "steps", "seed"],
  ...["metric", "stop", "handover", "curvature", "watch"],
];

/** The fields that say what is trained; a run has exactly one of them. */
const programFields = ["model", "landscape", "objective"] as const;

/**
 * The model, landscape or custom objective of a run.
 *
 * @throws OptionError for a config that names none, or more than one.
 */
export function trainableOf(fields: Pick<RunConfig, (typeof programFields)[number]>): Trainable {
  const given = programFields.filter((field) => isGiven(fields[field]));
  if (given.length !== 1) {
    throw new OptionError(
      given.length === 0
        ? "model is missing; a run needs a model, a landscape or an objective"
        : `${given[1]} was given with ${given[0]}; a run trains one of them`,
    );
  }
  const { model, landscape, objective } = fields;
  if (isGiven(model)) return isMade(model) ? model : createModel(model as ModelConfig);
  if (isGiven(landscape)) return isMade(landscape) ? landscape : createLandscape(landscape as LandscapeConfig);
  if (!isMade(objective)) {
    throw refusal("objective", objective, "a result of defineObjective(), which a file cannot hold");
  }
  return objective;
}

/** Whether a value already has a program, and is not a config to make one from. */
function isMade(value: unknown): value is Trainable {
  return typeof value === "object" && value !== null && "program" in value;
}

/** The fields of a complete config that name its program. */
function completeProgram(fields: RunConfig, trainable: Trainable): Partial<CompleteRunConfig> {
  if (isGiven(fields.objective)) return { objective: fields.objective! };
  const { config } = trainable as Model | Landscape;
  return isGiven(fields.model) ? { model: config as CompleteModelConfig } : { landscape: config as LandscapeConfig };
}

/** Steps of a schedule that are checked before a run starts. */
const checkedSteps = 1e6;

/** The most steps of a run whose batch is a schedule: every one is evaluated, since the largest batch must be known. */
const mostBatchSteps = 1e7;

/** Schedules may hold thousands of others, so the check before a run is limited by steps times schedules. */
function stepsToCheck(config: unknown, most: number): number {
  let schedules = 0;
  holds(config, (part) => {
    if (typeof part === "object" && part !== null && "type" in part) schedules++;
    return false;
  });
  return Math.floor(most / Math.max(1, schedules / 10));
}

/**
 * Reads a run config and checks everything that can be checked without its data. Reading the result again returns the same.
 *
 * @param standardData The default of `data`.
 * @throws OptionError that names the field, for unknown fields and versions, values out of range at any step, and fields
 * that contradict each other.
 */
export function readRunConfig(value: unknown, standardData: DataConfig | null = null): CompleteRunConfig {
  const fields = readFields("the run config", value, runFields);
  const format = fields.format === undefined ? runFormat : readName("format", fields.format, [runFormat]);
  const trainable = trainableOf(fields as unknown as RunConfig);
  const program = programOf(trainable);
  const start = program.start((fields.init ?? undefined) as never);
  const init = (
    ArrayBuffer.isView(start) ? [...(start as Float64Array)] : (start ?? null)
  ) as CompleteRunConfig["init"];
  const steps = readNumber("steps", fields.steps, { min: 1, integer: true });
  const seed = readNumber("seed", fields.seed ?? 0, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  if (!program.needsData) refuseData(program, fields);
  const rowsOf = program.needsData ? (fields.data ?? standardData) : null;
  const data = rowsOf === null ? null : readData(rowsOf);
  const batch = program.needsData ? readBatch(fields.batch ?? undefined, steps) : null;
  const metric = isGiven(fields.metric) ? readMetric(fields.metric, program) : null;
  const stop = isGiven(fields.stop) ? readStop(fields.stop, metric) : null;
  const watch = readWatch(fields.watch);
  const { plan, hypers } = readOptimizer(program.tensors(start), fields.optimizer, steps, watch !== null);
  if (watch && plan.maximize) {
    throw new OptionError(
      `watch is ${show(fields.watch)}; with maximize: true it must be left out, since it looks for a loss that falls`,
    );
  }
  const meter = isGiven(fields.curvature) ? readCurvature(fields.curvature, program) : null;
  checkListeners(plan, hypers, metric, meter);
  const handover = isGiven(fields.handover) ? readHandover(fields.handover, program, plan, metric !== null) : null;
  const rows = data && describeData(data);
  if (rows) {
    program.checkFit(rows);
    checkBatch({ batch, steps }, rows);
  }
  const optimizer = planConfig(plan, hypers);
  return {
    format,
    ...completeProgram(fields as unknown as RunConfig, trainable),
    data,
    init,
    optimizer,
    batch,
    steps,
    seed,
    metric,
    stop,
    handover,
    curvature: meter,
    watch,
  };
}

/** Whether a run with this metric minimises or maximises it: a loss is maximised where the optimizer does so. */
export function metricMode({ type }: MetricConfig, maximize = false): "min" | "max" {
  return type === "testAccuracy" || (maximize && type !== "testError") ? "max" : "min";
}

/** Updates that a run makes, which schedules count: with `accumulate`, several steps make one. */
export function updatesOf({ steps, optimizer }: CompleteRunConfig): number {
  return Math.ceil(steps / accumulateOf(optimizer));
}

/** @throws OptionError for data that a program does not take. */
function refuseData({ title }: Program, fields: Readonly<Record<string, unknown>>): void {
  for (const field of ["data", "batch"]) {
    if (!isGiven(fields[field])) continue;
    throw new OptionError(`${field} is ${show(fields[field])}; ${title} takes no data, so it must be left out`);
  }
}

/** How many examples each 0-based step takes; 0 without data. */
export function batchSizes({ batch }: Pick<RunConfig, "batch">): (step: number) => number {
  if (batch === null || batch === undefined) return () => 0;
  if (typeof batch === "number") return () => batch;
  const schedule = createSchedule(batch, "batch");
  return (step) => {
    const size = schedule.at(step);
    if (!(Math.round(size) >= 1 && Number.isFinite(size))) {
      throw new OptionError(`batch is ${show(size)} at step ${step}; it must round to a whole number >= 1`);
    }
    return Math.round(size);
  };
}

/**
 * The largest batch of the run.
 *
 * @throws OptionError if the data has fewer rows.
 */
export function checkBatch(
  { batch, steps }: Pick<RunConfig, "batch" | "steps">,
  data: { readonly name: string; readonly count: number },
): number {
  const sizeAt = batchSizes({ batch });
  const constant = typeof batch === "number";
  let largest = 0;
  for (let step = 0; step < (constant ? 1 : steps); step++) {
    const size = sizeAt(step);
    if (size > data.count) {
      throw new OptionError(
        `batch is ${size}${constant ? "" : ` at step ${step}`}; it must be at most ${data.count}, the rows of ${data.name} to train on`,
      );
    }
    largest = Math.max(largest, size);
  }
  return largest;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function readBatch(value: unknown, steps: number): Scheduled {
  if (value === undefined || typeof value === "number") return readNumber("batch", value, { min: 1, integer: true });
  const { config, listeners } = createSchedule(readSchedule(value, "batch"), "batch");
  const most = stepsToCheck(config, mostBatchSteps);
  if (steps > most) {
    throw new OptionError(`batch is a schedule of ${steps} steps; it must have at most ${most}, since each is checked`);
  }
  if (listeners?.length) {
    throw new OptionError("batch holds a schedule that observes; it must depend on the step alone");
  }
  checkBatch({ batch: config, steps }, { name: "", count: Number.POSITIVE_INFINITY });
  return config;
}

function readMetric(value: unknown, program: Program): MetricConfig {
  const fields = readFields("metric", value, ["type", "every"]);
  const type = readName("metric.type", fields.type, metricTypes, metricWords);
  if (type !== "loss" && !program.needsData) {
    throw new OptionError(`metric.type is "${type}"; ${program.title} takes no data, so it must be loss`);
  }
  const { hasAccuracy, hasError } = program;
  if ((type === "testAccuracy" && !hasAccuracy) || (type === "testError" && !hasError)) {
    const others = hasAccuracy
      ? "loss, testLoss or testAccuracy"
      : hasError
        ? "loss, testLoss or testError"
        : "loss or testLoss";
    throw new OptionError(`metric.type is "${type}", which ${program.lossName} does not have; it must be ${others}`);
  }
  return { type, every: readNumber("metric.every", fields.every, { min: 1, integer: true }) };
}

function readStop(value: unknown, metric: MetricConfig | null): NonNullable<CompleteRunConfig["stop"]> {
  const { patience, minDelta, restoreBest } = readFields("stop", value, ["patience", "minDelta", "restoreBest"]);
  const stop = {
    patience: readNumber("stop.patience", patience, { min: 1, integer: true }),
    minDelta: minDelta === undefined ? 0 : readNumber("stop.minDelta", minDelta, { min: 0 }),
    restoreBest: restoreBest === undefined ? true : readBoolean("stop.restoreBest", restoreBest),
  };
  if (!metric) throw new OptionError(`stop is ${show(value)}, which needs metric: ${metricExample}`);
  return stop;
}

const metricExample = 'what to go by, such as { "type": "loss", "every": 100 }';

function readWatch(value: unknown): CompleteRunConfig["watch"] {
  if (value === false || !isGiven(value)) return null;
  if (value !== true && (typeof value !== "object" || Array.isArray(value))) {
    throw refusal("watch", value, "true, false or an object of options");
  }
  const { every, ...options }: WatchConfig = value === true ? {} : { ...value };
  readFields("watch", value === true ? {} : value, ["every", ...watchOptionNames]);
  return {
    every: every === undefined ? 10 : readNumber("watch.every", every, { min: 1, integer: true }),
    ...readWatchOptions(options),
  };
}

/** The plan of a run's optimizer and its hypers, after checking every value that its schedules take in the run. */
function readOptimizer(
  tensors: readonly Tensor[],
  value: unknown,
  steps: number,
  watched: boolean,
): { readonly plan: Plan; readonly hypers: Hypers } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const given = showGiven(value);
    throw new OptionError(`optimizer is ${given}; it must be an object such as { "rule": "adamw", "lr": 0.001 }`);
  }
  try {
    const config = readConfig(value);
    const plan = createPlan(watched ? measured(config) : config, layoutSegments(tensors));
    if (plan.replicas > 1) {
      throw new OptionError(`replicas holds ${plan.replicas} entries; a run trains one, and a sweep several`);
    }
    const hypers = new Hypers(plan);
    checkHypers(plan, hypers, Math.min(checkedSteps, Math.ceil(steps / plan.accumulate)));
    return { plan, hypers };
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new OptionError(`optimizer: ${error.message}`, { cause: error });
  }
}

/** A config with layer statistics. */
function measured(config: OptimizerConfig): OptimizerConfig {
  const others = (config.modifiers ?? []).filter(({ modifier }) => modifier !== layerStats);
  return { ...config, modifiers: [...others, layerStats()] };
}

/** Finds schedules that leave their range late in the run. Functions are not called: they may count calls. */
function checkHypers({ groups }: Plan, hypers: Hypers, updates: number): void {
  // Groups share the optimizer's schedules, which are checked only once.
  const checked = new Map<Schedule, Set<string>>();
  groups.forEach(({ rule, lrScale }, group) => {
    for (const [hyper, schedule] of Object.entries(hypers.of(group))) {
      if (schedule.constant !== undefined || schedule.listeners?.length || holdsFunction(schedule.config)) continue;
      const uses = checked.get(schedule) ?? new Set();
      checked.set(schedule, uses);
      const use = `${rule.name} ${hyper} ${lrScale}`;
      if (uses.has(use)) continue;
      uses.add(use);
      const steps = Math.min(updates, stepsToCheck(schedule.config, checkedSteps));
      for (let step = 1; step < steps; step++) hypers.at(group, hyper, step);
    }
  });
}

/** Checks that schedules have something to observe: plateaus a metric, curvature schedules the sharpness. */
function checkListeners(
  { groups, maximize }: Plan,
  hypers: Hypers,
  metric: MetricConfig | null,
  meter: CompleteCurvatureConfig | null,
): void {
  for (const [group, { rule }] of groups.entries()) {
    for (const [hyper, { listeners, config }] of Object.entries(hypers.of(group))) {
      if (!listeners?.length) continue;
      const name = `optimizer: ${rule.name}.${hyper}`;
      if (!meter && holds(config, (part) => isOf(curvature, part))) {
        throw new OptionError(`${name} holds a curvature schedule, which needs curvature, such as { "every": 50 }`);
      }
      if (!holds(config, (part) => isOf(plateau, part))) continue;
      if (!metric) throw new OptionError(`${name} holds a plateau, which needs metric: ${metricExample}`);
      const mode = metricMode(metric, maximize);
      const other = (part: unknown) => isOf(plateau, part) && (part.mode ?? "min") !== mode;
      if (holds(config, other)) {
        throw new OptionError(
          `${name} holds a plateau whose mode is not "${mode}", as the metric ${metric.type} needs`,
        );
      }
    }
  }
}

export function isOf(type: ScheduleDefinition, part: unknown): part is { readonly mode?: unknown } {
  return typeof part === "object" && part !== null && "type" in part && part.type === type;
}
