// `fallline schedule`: the values of a schedule over a run, as a plot, a chart or JSON, before anything is trained with it.

import { Command } from "commander";
import { DataError, OptionError, refusal, show } from "../../base/errors.ts";
import { readArray, readNumber } from "../../base/options.ts";
import { scheduleChart } from "../../lab/chart.ts";
import { accumulateOf } from "../../modifiers/modifier.ts";
import { readSchedule } from "../../schedules/read_schedule.ts";
import type { Observable, Schedule, Scheduled } from "../../schedules/schedule.ts";
import { createSchedule } from "../../schedules/schedule.ts";
import { updatesOf } from "../../train/run_config.ts";
import { chartSvg } from "./chart.ts";
import { readJson, writeWhole } from "./files.ts";
import { number } from "./number.ts";
import { terminalPlot } from "./plot.ts";
import { readRunFile } from "./run_file.ts";
import { readRunJson, runPath } from "./run_json.ts";

interface ScheduleCommandOptions {
  readonly steps?: number | string;
  readonly metrics?: string;
  readonly json?: boolean;
  readonly svg?: string;
}

/** Values measured along a run. */
interface Recorded {
  /** Updates from one value to the next; 1 where there are none. */
  readonly every: number;
  /** Undefined if they were not measured. */
  readonly values: readonly number[] | undefined;
}

/** A config and where it came from. */
interface Given {
  readonly value: unknown;
  /** Its name in errors. */
  readonly name: string;
  /** Set for the file of a run. */
  readonly run?: {
    readonly path: string;
    /** Updates of the run, which its schedule counts. */
    readonly updates: number;
    /** The values that its schedules observe. */
    readonly recorded: Readonly<Record<Observable, Recorded>>;
  };
}

export function scheduleCommand(): Command {
  return new Command("schedule")
    .description("print, plot or chart the values of a schedule, step by step")
    .argument("<config>", "a schedule as JSON, or a file with one; from a run.json, its learning rate's")
    .option("--steps <n>", "how many steps (default: as many as the metrics or the run have)", number)
    .option(
      "--metrics <file>",
      "JSON array of the numbers that a plateau or curvature schedule observes: one before each value, or in a run one every metric.every steps",
    )
    .option("--json", 'print only {"values":[…]} to stdout')
    .option("--svg <file>", "write a chart instead of plotting in the terminal")
    .action(runSchedule);
}

async function runSchedule(config: string, options: ScheduleCommandOptions): Promise<void> {
  const { json, svg } = options;
  if (json && svg !== undefined) throw new OptionError(`svg is ${show(svg)}; with --json it must be left out`);
  const { value, name, run } = await readConfig(config);
  const schedule = createSchedule(readSchedule(value, name), name);
  const observes = schedule.listeners !== undefined;
  const of = schedule.listeners?.[0]?.of;
  const recorded = of && run?.recorded[of];
  const every = recorded?.every ?? 1;
  const metrics = options.metrics === undefined ? recorded?.values : await readMetrics(options.metrics);
  if (observes && !metrics) {
    throw new OptionError("metrics is missing; a schedule that observes needs a file of the values to observe");
  }
  if (!observes && metrics) {
    throw refusal("metrics", options.metrics, "left out of a schedule that observes nothing");
  }
  const observed = metrics && (run ? Math.ceil(every * (metrics.length + 1)) : metrics.length);
  const steps = readNumber("steps", options.steps ?? run?.updates ?? observed, {
    min: 1,
    max: observed ?? 1_000_000,
    integer: true,
  });
  // In a run a value follows the steps that it measures; alone there is one before each step, as in torch's examples.
  const observedBefore = run ? (step: number) => Math.floor(step / every) : (step: number) => step + 1;
  const values = valuesOf(schedule, name, steps, metrics ?? [], observedBefore);
  if (run) (json ? console.error : console.log)(`${name}, the learning rate of the run in ${run.path}`);
  if (json) {
    console.log(JSON.stringify({ values }));
    return;
  }
  const points = values.map((rate, step): [number, number] => [step, rate]);
  const title = titleOf(schedule.config);
  if (svg === undefined) console.log(terminalPlot([{ name: "value", points }], { title, xLabel: "step" }));
  else writeWhole(svg, chartSvg(scheduleChart({ title, values })));
  const least = values.reduce((a, b) => Math.min(a, b));
  const greatest = values.reduce((a, b) => Math.max(a, b));
  console.log(
    `first ${short(values[0]!)}, last ${short(values[steps - 1]!)}, min ${short(least)}, max ${short(greatest)}`,
  );
  if (svg !== undefined) console.log(`wrote ${svg}`);
}

/** The schedule's value at each step, after it has observed `observedBefore(step)` of the metrics. */
function valuesOf(
  schedule: Schedule,
  name: string,
  steps: number,
  metrics: readonly number[],
  observedBefore: (step: number) => number,
): number[] {
  let observed = 0;
  return Array.from({ length: steps }, (_, step) => {
    for (const metric of metrics.slice(observed, observedBefore(step))) {
      for (const listener of schedule.listeners ?? []) listener.observe(metric);
      observed++;
    }
    const value = schedule.at(step);
    if (!Number.isFinite(value)) {
      throw new OptionError(`${name} is ${show(value)} at step ${step}; it must be a finite number`);
    }
    return value;
  });
}

/** Reads the word as JSON if it is a number or an object, else as the name of a file. */
async function readConfig(word: string): Promise<Given> {
  if (typeof number(word) === "number") return { value: number(word), name: "schedule" };
  if (word.trimStart().startsWith("{")) return { value: parse(word), name: "schedule" };
  const path = runPath(word);
  const content = await readRunJson(path, "a schedule, a run config or a run.json");
  const inside = at(content, ["config", "optimizer"]) !== undefined;
  if (!inside && at(content, ["optimizer"]) === undefined) return { value: content, name: "schedule" };
  const { config } = await readRunFile(path);
  const { lr } = config.optimizer;
  const accumulate = accumulateOf(config.optimizer);
  /** A list with one value per `every` training steps. */
  // JSON has no NaN; a value that was not finite is null there.
  const recorded = (list: string, field: string, every: number | undefined): Recorded => {
    const points = at(content, [list]);
    return {
      every: (every ?? 1) / accumulate,
      values: Array.isArray(points) ? points.map((point) => Number(at(point, [field]) ?? Number.NaN)) : undefined,
    };
  };
  return {
    value: lr,
    name: inside ? "config.optimizer.lr" : "optimizer.lr",
    run: {
      path,
      updates: updatesOf(config),
      recorded: {
        metric: recorded("metrics", "value", config.metric?.every),
        sharpness: recorded("curvature", "sharpness", config.curvature?.every),
      },
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(`the config ${show(text)} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** The value at a path of fields; undefined if the path ends early. */
function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, field) =>
      typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>)[field] : undefined,
    value,
  );
}

const titleOf = (config: Scheduled) => (typeof config === "object" ? config.type.type : "constant");

async function readMetrics(path: string): Promise<readonly number[]> {
  const metrics = readArray(path, await readJson(path), "numbers").map((metric, i) =>
    readNumber(`${path}[${i}]`, metric, {}),
  );
  if (metrics.length === 0) throw new OptionError(`${path} is []; it must hold at least one metric`);
  return metrics;
}

const short = (value: number) => String(Number(value.toPrecision(6)));
