// `fallline find-lr`: a learning-rate range test from the command line, and the files it leaves.
import { Command } from "commander";
import { short } from "../../base/short.ts";
import { rangeChart } from "../../lab/chart.ts";
import { type JobOptions, labDefaults } from "../../lab/defaults.ts";
import {
  findLr,
  type Ramp,
  type RangeTestResult,
  rangeDefaults,
  readRamp,
  readTrials,
  standardTrials,
} from "../../lab/lr_finder.ts";
import { endPhrase, runTitle } from "../../lab/phrases.ts";
import { engineLine } from "../../train/engine.ts";
import { readRun } from "../../train/open_run.ts";
import { batchSizes } from "../../train/run_config.ts";
import { chartSvg } from "./chart.ts";
import { type Backend, backendOption, engineOrReference } from "./engine.ts";
import { interruptible } from "./interrupt.ts";
import { number } from "./number.ts";
import { terminalPlot } from "./plot.ts";
import { Bars } from "./progress.ts";
import { keep, Results, wrotePhrase } from "./results.ts";
import { addDataOptions, addJobOptions, type DataOptions, notesOf, openJob, takeDataOptions } from "./run_file.ts";
import { runId, signedSvg, writeRun } from "./run_id.ts";

interface FindLrOptions
  extends Pick<JobOptions, "model" | "rule" | "batch" | "seed">,
    Partial<Omit<Ramp, "mode">>,
    DataOptions {
  readonly linear?: boolean;
  readonly trials?: number;
  readonly backend?: Backend;
  readonly out: string;
  readonly json?: boolean;
}

const files = { result: "lr.json", chart: "lr.svg" } as const;

export function findLrCommand(): Command {
  const [job, ramp] = [labDefaults, rangeDefaults];
  const command = new Command("find-lr")
    .description(
      "a learning-rate range test: a short run with a rising rate, then short runs at the most promising rates",
    )
    .argument("[config]", "a run config, or the run.json of a run; default: a small network on MNIST");
  addJobOptions(command, job)
    .option("--start <rate>", `first rate (default: ${ramp.start})`, number)
    .option("--end <rate>", `last rate (default: ${ramp.end})`, number)
    .option(
      "--steps <n>",
      `steps from the first rate to the last, and of each short run (default: ${ramp.steps})`,
      number,
    )
    .option("--trials <n>", `maximum number of short runs, 0 for none (default: ${standardTrials})`, number)
    .option("--linear", "raise the rate by equal amounts, not by equal factors")
    .option("--smoothing <share>", `share of the smoothed loss kept at each step (default: ${ramp.smoothing})`, number)
    .option(
      "--diverge <factor>",
      `stop above this multiple of the best smoothed loss (default: ${ramp.diverge})`,
      number,
    )
    .addOption(backendOption());
  return addDataOptions(command)
    .option("--out <folder>", "where to write lr.json and lr.svg", "out")
    .option("--json", "print only lr.json to stdout")
    .action(find);
}

async function find(path: string | undefined, options: FindLrOptions): Promise<void> {
  const { backend, out, json, linear, start, end, steps, smoothing, diverge, trials: most, ...rest } = options;
  const { from, others: job } = takeDataOptions(rest);
  const mode = linear ? "linear" : undefined;
  const ramp = readRamp({ start, end, steps, mode, smoothing, diverge });
  const trials = readTrials(most);
  const say = (line: string) => (json ? console.error(line) : console.log(line));
  const started = performance.now();
  const { config, rows } = await openJob(path, job, from, labDefaults);
  const data = await rows();
  readRun(config, data?.train, data?.test);
  const results = await Results.open(out, { names: Object.values(files) });
  const engine = await engineOrReference(backend, say);
  const title = runTitle(config);
  say(engineLine(engine));
  say(`${title}${data ? `, batches of ${batchSizes(config)(0)}` : ""}, seed ${config.seed}`);
  for (const note of notesOf(data)) say(`note: ${note}`);
  const bars = new Bars();
  const work = async (signal: AbortSignal) => {
    bars.start("range test", ramp.steps, "lr {lr}  loss {loss}");
    const found = await findLr({
      engine,
      ...config,
      data,
      ramp,
      trials,
      signal,
      onPoint: ({ index, lr, loss }) => bars.update(index, { lr: short(lr), loss: loss.toFixed(4) }),
      onTrial({ trial, lr, index, steps, loss }) {
        if (index === 1) bars.start(`short run ${trial} at ${short(lr)}`, steps, "loss {loss}");
        bars.update(index, { loss: loss.toFixed(4) });
      },
    }).finally(() => bars.stop());
    if (found.points.length === 0) {
      say("stopped before the first step; nothing was written");
      process.exitCode = 130;
      return;
    }
    const seconds = (performance.now() - started) / 1000;
    const id = runId(config, ramp, engine.backend, found.points);
    const chart = signedSvg(chartSvg(rangeChart({ title: `range test of ${title}`, ...found })), id);
    const result = writeRun(results, {
      id,
      name: files.result,
      json: { ...found, config, backend: engine.backend, adapter: engine.adapter, seconds },
      others: new Map([[files.chart, chart]]),
    });
    const wrote = await keep(results);
    if (!json) console.log(plot(found));
    for (const line of report(found)) say(line);
    say(`${seconds.toFixed(0)} s${wrotePhrase(wrote)}`);
    if (json) console.log(JSON.stringify(result));
  };
  await interruptible("stopping after this step", work).finally(() => results.close());
}

function plot({ points }: RangeTestResult): string {
  const series = (["loss", "smooth"] as const).map((name) => ({
    name: name === "smooth" ? "smoothed" : name,
    points: points.map((point) => [point.lr, point[name]] as const),
  }));
  const logY = points.every(({ loss, smooth }) => loss > 0 && smooth > 0);
  return terminalPlot(series, { title: "loss against learning rate", xLabel: "learning rate", logX: true, logY });
}

function* report(found: RangeTestResult): Generator<string> {
  const { suggestions, suggested, notes } = found;
  yield endPhrase(found);
  for (const { lr, loss } of [...found.trials].sort((a, b) => a.lr - b.lr)) {
    yield `  short run at ${short(lr).padEnd(10)}${loss === null ? "diverged" : `loss ${loss.toFixed(4)}`}`;
  }
  const readings = Object.entries(suggestions);
  // If the curve supports no suggestion at all, the reason is printed once.
  const silent = readings.every(([, { lr, reason }]) => lr === null && reason === suggested.reason);
  for (const [name, { lr, reason }] of silent ? [] : readings) {
    const mark = name === suggested.name ? "*" : " ";
    yield `${mark} ${name.padEnd(10)}${(lr === null ? "-" : short(lr)).padEnd(10)}${reason}`;
  }
  for (const note of notes) yield `note: ${note}`;
  yield suggested.lr === null
    ? `no rate suggested: ${suggested.reason}`
    : `suggested rate: ${short(suggested.lr)} (${suggested.name})`;
}
