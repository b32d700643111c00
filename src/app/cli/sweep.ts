// `fallline sweep`: many values of the rate, or of any hypers, trained side by side.

import { join } from "node:path";
import { Command } from "commander";

import { OptionError, refusal, show } from "../../base/errors.ts";
import { readNumber } from "../../base/options.ts";
import { didYouMean, meantOption } from "../../base/words.ts";
import { smooth, sweepChart } from "../../lab/chart.ts";
import { type JobOptions, labDefaults, usualRate } from "../../lab/defaults.ts";
import { programTitle } from "../../lab/phrases.ts";
import { compareEntrants, type Entrant, type Trial } from "../../lab/race.ts";
import {
  gridTrials,
  randomTrials,
  type Span,
  type SweepResult,
  spaced,
  sweep,
  trialConfig,
  withPeak,
} from "../../lab/sweep.ts";
import { readRule } from "../../optimizer/read_config.ts";
import { plateau } from "../../schedules/plateau.ts";
import { holds, type Scheduled } from "../../schedules/schedule.ts";
import { type Engine, engineLine } from "../../train/engine.ts";
import type { RunData } from "../../train/job.ts";
import { readRun } from "../../train/open_run.ts";
import { type CompleteRunConfig, isOf } from "../../train/run_config.ts";
import { train } from "../../train/train.ts";
import { chartSvg } from "./chart.ts";
import { type Backend, backendOption, engineOrReference } from "./engine.ts";
import { number } from "./number.ts";
import { terminalPlot } from "./plot.ts";
import { Bars } from "./progress.ts";
import { rankingLine, rankingTable, trialTitle } from "./ranking.ts";
import { keep, Results } from "./results.ts";
import {
  addDataOptions,
  addJobOptions,
  type DataOptions,
  notesOf,
  openJob,
  type Rows,
  takeDataOptions,
} from "./run_file.ts";
import { runId, signedSvg, writeRun } from "./run_id.ts";
import { type RaceDisplay, showRace } from "./show_race.ts";
import { testPhrase } from "./train_phrases.ts";

interface SweepCommandOptions extends JobOptions, DataOptions {
  readonly vary: readonly string[];
  readonly count: number;
  readonly random?: boolean;
  readonly halving: boolean;
  readonly compare: boolean;
  readonly backend?: Backend;
  readonly out: string;
  readonly json?: boolean;
}

const files = { sweep: "sweep.json", chart: "sweep.svg", best: "sweep.best.json" } as const;

export function sweepCommand(): Command {
  const command = new Command("sweep")
    .description("train one run at many rates (or any hypers) side by side, stopping hopeless ones early")
    .argument("[config]", "a run config, or the run.json of a run; default: a small network on MNIST")
    .option(
      "--vary <hyper=values>",
      "values to try: lr=1e-4..1 (a span, in equal factors) or momentum=0,0.9 (a list); repeat it to try every combination (default: lr around the rule's usual one)",
      (word, before: readonly string[]) => [...before, word],
      [],
    )
    .option("--count <n>", "values per span, or with --random the number of runs", number, 16)
    .option("--random", "draw values at random, log-uniformly from spans, instead of every combination")
    .option("--no-halving", "train every run to the end")
    .option("--no-compare", "skip training the best again alone, which shows the time saved");
  const words = { steps: "training steps", seed: "the weights, the order of the data and --random" };
  addJobOptions(command, labDefaults, words).addOption(backendOption());
  return addDataOptions(command)
    .option(
      "--out <folder>",
      "where to write sweep.json, sweep.svg and sweep.best.json, the best run as a config",
      "out",
    )
    .option("--json", "print only sweep.json to stdout")
    .action(runSweep);
}

async function runSweep(path: string | undefined, options: SweepCommandOptions): Promise<void> {
  const { vary, count, random, halving, compare, backend, out, json, ...rest } = options;
  const { from, others: job } = takeDataOptions(rest);
  const say = (line: string) => (json ? console.error(line) : console.log(line));
  const { config, rows } = await openJob(path, job, from, labDefaults);
  const trials = trialsOf(config, vary, readNumber("count", count, { min: 1, integer: true }), random === true);
  const data = await rows();
  readRun(config, data?.train, data?.test);
  const results = await Results.open(out, { names: Object.values(files) });
  const engine = await engineOrReference(backend, say);
  say(engineLine(engine));
  const { rule } = config.optimizer;
  say(
    `${programTitle(config)}, ${rule}, ${trials.length} runs of ${config.steps} steps side by side, seed ${config.seed}`,
  );
  for (const note of notesOf(data)) say(`note: ${note}`);
  const time = { from: performance.now(), to: 0 };
  let latest: readonly Entrant[] = [];
  const words = (entrant: Entrant) => trialTitle(config, entrant.trial);
  const race = ({ signal, table, onTest }: RaceDisplay) =>
    sweep({
      engine,
      ...config,
      data,
      trials,
      signal,
      onTest,
      ...(halving ? {} : { halving: null }),
      onStep(entrants, step) {
        latest = entrants;
        time.to = performance.now();
        table.update(
          () => rankingTable(entrants, words, config.steps),
          () => rankingLine(entrants, `step ${step}/${config.steps}`),
        );
      },
    });
  const close = async (result: SweepResult, signal: AbortSignal) => {
    if (result.steps === 0) {
      say("stopped before the first step; nothing was written");
      process.exitCode = 130;
      return;
    }
    const seconds = (time.to - time.from) / 1000;
    for (const line of rankingTable(latest, words, config.steps)) say(line);
    if (!json) console.log(plotOfBest(latest, words));
    const best = result.best === null ? null : trialConfig(config, result.trials[result.best]!.trial);
    let failure: unknown;
    const alone =
      compare && best && !result.interrupted
        ? await timeAlone(engine, best, data, signal).catch((error: unknown) => {
            failure = error;
            return null;
          })
        : null;
    const cost = {
      seconds,
      ...(alone ? { aloneSeconds: alone.seconds, share: seconds / (trials.length * alone.seconds) } : {}),
    };
    const written = writeResults(results, result, best, cost);
    const wrote = await keep(results);
    for (const line of closing(config, result, { alone, cost, wrote, out })) say(line);
    if (json) console.log(JSON.stringify(written));
    // The sweep is kept, whatever became of the run that it is compared with.
    if (failure !== undefined) throw failure;
  };
  await showRace(data?.test, race, close).finally(() => results.close());
}

/** The trials of --vary; rates become the highest values of the config's schedule. */
function trialsOf(
  config: CompleteRunConfig,
  vary: readonly string[],
  count: number,
  random: boolean,
): readonly Trial[] {
  const rule = readRule("rule", config.optimizer.rule);
  const usual = usualRate(rule);
  const words = vary.length > 0 ? vary : [`lr=${usual / 1000}..${usual * 100}`];
  const choices = new Map<string, Span | readonly number[]>();
  for (const word of words) {
    const [name, choice] = readVary(word);
    const known = Object.keys(rule.hypers);
    const hyper = meantOption(name, known);
    if (hyper === undefined) {
      const hint = didYouMean(name, known);
      throw new OptionError(
        `--vary names ${name}, which ${rule} does not have; its hypers are ${known.join(", ")}${hint}`,
      );
    }
    if (choices.has(hyper)) throw new OptionError(`--vary names ${hyper} twice; give all its values at once`);
    choices.set(hyper, choice);
  }
  const trials = random
    ? randomTrials(Object.fromEntries(choices), count, config.seed)
    : gridTrials(
        Object.fromEntries(
          [...choices].map(([hyper, choice]) => [hyper, "min" in choice ? spaced(choice, count) : choice]),
        ),
      );
  const { lr } = config.optimizer as { lr?: Scheduled };
  return trials.map((trial) =>
    typeof trial.lr === "number" && lr !== undefined ? { ...trial, lr: withPeak(lr, trial.lr, config.steps) } : trial,
  );
}

function readVary(word: string): readonly [string, Span | readonly number[]] {
  const [, hyper, values] = /^(\w+)=(.+)$/.exec(word) ?? [];
  const wrong = () => refusal("--vary", word, "like lr=1e-4..1, or momentum=0,0.9");
  if (hyper === undefined || values === undefined) throw wrong();
  const numbers = (text: string, separator: string) =>
    text.split(separator).map((part) => {
      const value = number(part.trim());
      if (typeof value !== "number" || !Number.isFinite(Math.fround(value))) throw wrong();
      return value;
    });
  if (!values.includes("..")) return [hyper, [...new Set(numbers(values, ","))]];
  const [min, max, ...more] = numbers(values, "..");
  if (min === undefined || max === undefined || more.length > 0) throw wrong();
  if (!(min > 0 && max >= min)) {
    throw new OptionError(`--vary is ${show(word)}; a span goes from a number > 0 to one at least as large`);
  }
  return [hyper, { min, max }];
}

/** How many runs the terminal's plot shows; the chart has all of them. */
const plotted = 6;

function plotOfBest(entrants: readonly Entrant[], words: (entrant: Entrant) => string): string {
  const best = [...entrants]
    .sort((a, b) => b.losses.length - a.losses.length || compareEntrants(a, b))
    .slice(0, plotted);
  const series = best.map((entrant) => ({
    name: words(entrant),
    points: smooth(entrant.losses).map((loss, i) => [i + 1, loss] as const),
  }));
  const logY = series.every(({ points }) => points.every(([, loss]) => !(loss <= 0)));
  const title = `smoothed loss of the ${best.length} longest runs${logY ? " (log)" : ""}`;
  return terminalPlot(series, { title, xLabel: "step", logY });
}

/** Trains the best run alone, for the time that each would take and to check that its losses agree; null when interrupted. */
async function timeAlone(
  engine: Engine,
  config: CompleteRunConfig,
  data: Rows | undefined,
  signal: AbortSignal,
): Promise<{ readonly seconds: number; readonly losses: readonly number[] } | null> {
  const from = performance.now();
  const bars = new Bars();
  bars.start("the best alone", config.steps, "steps");
  try {
    // Tests along the way are left out of the timing, unless a plateau goes by them.
    const needsMetric = holds(config.optimizer, (part) => isOf(plateau, part));
    const alone = { ...config, ...(needsMetric ? {} : { metric: null }), stop: null };
    const onStep = ({ index }: { readonly index: number }) => bars.update(index);
    const rows: RunData | undefined = data && !needsMetric ? { train: data.train, config: data.config } : data;
    const { losses, interrupted } = await train({ engine, ...alone, data: rows, signal, onStep });
    return interrupted ? null : { seconds: (performance.now() - from) / 1000, losses };
  } finally {
    bars.stop();
  }
}

function writeResults(results: Results, result: SweepResult, best: CompleteRunConfig | null, cost: object): object {
  const runs = result.trials.map(({ trial, losses, stopped }) => ({
    name: trialTitle(result.config, trial),
    losses: losses.map((loss) => loss ?? Number.NaN),
    stopped,
  }));
  const { rule } = result.config.optimizer;
  const title = `${programTitle(result.config)}, ${rule}: ${runs.length} runs side by side`;
  const id = runId(result);
  const others = new Map([
    [files.chart as string, signedSvg(chartSvg(sweepChart({ title, runs, best: result.best })), id)],
    ...(best ? [[files.best, `${JSON.stringify(best, null, 2)}\n`] as const] : []),
  ]);
  return writeRun(results, { id, name: files.sweep, json: { ...result, cost }, others });
}

function* closing(
  config: CompleteRunConfig,
  result: SweepResult,
  {
    alone,
    cost,
    wrote,
    out,
  }: {
    readonly alone: { readonly losses: readonly number[] } | null;
    readonly cost: { readonly seconds: number; readonly aloneSeconds?: number; readonly share?: number };
    readonly wrote: readonly string[];
    readonly out: string;
  },
): Generator<string> {
  const { trials, best } = result;
  if (result.interrupted) yield "stopped on request; the table shows how far it got";
  if (best === null) yield "every run diverged: try lower rates";
  else {
    const { trial, finalLoss, evaluation } = trials[best]!;
    const tested = evaluation ? `, ${testPhrase(evaluation)}` : "";
    yield `best: ${trialTitle(config, trial)}, loss ${finalLoss?.toFixed(4)}${tested}`;
  }
  if (cost.share !== undefined && alone && best !== null) {
    const same = trials[best]!.losses.every((loss, i) => Object.is(loss, alone.losses[i] ?? null));
    yield `${cost.seconds.toFixed(1)} s, ${cost.share.toFixed(2)} of the ${trials.length} × ${cost.aloneSeconds?.toFixed(1)} s that separate runs would take; alone, the best has ${same ? "the same losses to the bit" : "different losses"}`;
  } else yield `${cost.seconds.toFixed(1)} s`;
  if (wrote.length > 0) yield `wrote ${wrote.join(", ")}`;
  if (wrote.includes(join(out, files.best))) yield `train the best: npx fallline train ${join(out, files.best)}`;
}
