// `fallline search`: finds a rule, a schedule and a rate within a budget, and writes them as a run config.

import { join } from "node:path";
import { Command } from "commander";
import { short } from "../../base/short.ts";
import { sweepChart } from "../../lab/chart.ts";
import { labDefaults } from "../../lab/defaults.ts";
import { programTitle } from "../../lab/phrases.ts";
import { type ScheduleShape, scheduleShapeNames } from "../../lab/schedule_shapes.ts";
import {
  type Candidate,
  planSearch,
  type Ranked as RankedCandidate,
  type SearchResult,
  search,
  searchedRules,
  searchedShapes,
} from "../../lab/search.ts";
import { engineLine } from "../../train/engine.ts";
import { readRun } from "../../train/open_run.ts";
import { chartSvg } from "./chart.ts";
import { type Backend, backendOption, engineOrReference } from "./engine.ts";
import { number } from "./number.ts";
import { type Ranked, rankingLine, rankingTable } from "./ranking.ts";
import { keep, Results } from "./results.ts";
import { addDataOptions, addJobOptions, type DataOptions, notesOf, openJob, takeDataOptions } from "./run_file.ts";
import { runId, signedSvg, writeRun } from "./run_id.ts";
import { type RaceDisplay, showRace } from "./show_race.ts";
import { testPhrase } from "./train_phrases.ts";

interface SearchCommandOptions extends DataOptions {
  readonly model?: string;
  readonly batch?: number;
  readonly steps?: number;
  readonly seed?: number;
  readonly rules?: string;
  readonly schedules?: string;
  readonly budget?: number;
  readonly backend?: Backend;
  readonly out: string;
  readonly json?: boolean;
}

const files = { search: "search.json", chart: "search.svg", best: "search.best.json" } as const;

export function searchCommand(): Command {
  const command = new Command("search")
    .description("find a rule, a schedule and a rate within a budget of steps, and write them as a run config")
    .argument("[config]", "a run config, or the run.json of a run; default: a small network on MNIST")
    .option("--rules <names>", `rules to try, separated by commas (default: ${searchedRules.join(",")})`)
    .option(
      "--schedules <names>",
      `schedules to try: ${scheduleShapeNames.join(", ")} (default: ${searchedShapes.join(",")})`,
    )
    .option("--budget <steps>", "total steps of all runs (default: 7 times those of one run)", number);
  addJobOptions(command, labDefaults, { rule: false, steps: "steps of a full run" }).addOption(backendOption());
  return addDataOptions(command)
    .option(
      "--out <folder>",
      "where to write search.json, search.svg and search.best.json, the run config found",
      "out",
    )
    .option("--json", "print only search.json to stdout")
    .action(runSearch);
}

async function runSearch(path: string | undefined, options: SearchCommandOptions): Promise<void> {
  const { rules, schedules, budget, backend, out, json, ...rest } = options;
  const { from, others: job } = takeDataOptions(rest);
  const say = (line: string) => (json ? console.error(line) : console.log(line));
  const { config, rows } = await openJob(path, job, from, labDefaults);
  const asked = {
    ...(rules === undefined ? {} : { rules: names(rules) }),
    ...(schedules === undefined ? {} : { schedules: names(schedules) as ScheduleShape[] }),
    ...(budget === undefined ? {} : { budget }),
  };
  const planned = planSearch(config, asked);
  const data = await rows();
  readRun(config, data?.train, data?.test);
  const results = await Results.open(out, { names: Object.values(files) });
  const engine = await engineOrReference(backend, say);
  say(engineLine(engine));
  for (const note of notesOf(data)) say(`note: ${note}`);
  const started = performance.now();
  let latest: readonly Row[] = [];
  const race = ({ signal, table, onTest }: RaceDisplay) =>
    search({
      engine,
      ...config,
      data,
      ...asked,
      signal,
      onTest,
      onStart: (candidates) =>
        say(`${programTitle(config)}, ${candidates} candidates for a run of ${config.steps} steps`),
      onStep(ranking) {
        latest = ranking.map(rowOf);
        table.update(
          () => rankingTable(latest, ({ name }) => name, config.steps),
          () => {
            const made = latest.reduce((sum, { losses }) => sum + losses.length, 0);
            return rankingLine(latest, `${made} steps of at most ${planned.budget}`);
          },
        );
      },
    });
  const close = async (result: SearchResult) => {
    if (result.steps === 0) {
      say("stopped before the first step; nothing was written");
      process.exitCode = 130;
      return;
    }
    for (const line of rankingTable(latest, ({ name }) => name, config.steps)) say(line);
    const written = writeResults(results, result);
    const wrote = await keep(results);
    for (const line of closing(result, wrote, out, (performance.now() - started) / 1000)) say(line);
    if (json) console.log(JSON.stringify(written));
  };
  await showRace(data?.test, race, close).finally(() => results.close());
}

const names = (list: string) => list.split(",").map((name) => name.trim());

const candidateTitle = ({ rule, schedule, lr }: Candidate) => `${rule} ${schedule} ${short(lr)}`;

type Row = Ranked & { readonly name: string };

/** A candidate's current row in the table. */
function rowOf(ranked: RankedCandidate): Row {
  const { losses, score, verdict, stopped } = ranked.entrant;
  return { name: candidateTitle(ranked), losses, score, verdict, stopped };
}

function writeResults(results: Results, result: SearchResult): object {
  const runs = result.candidates.map((candidate) => ({
    name: candidateTitle(candidate),
    losses: candidate.losses.map((loss) => loss ?? Number.NaN),
    stopped: candidate.stopped,
  }));
  const title = `${runs.length} candidates, ${result.steps.toLocaleString("en")} steps in all`;
  const id = runId(result);
  const others = new Map([
    [files.chart as string, signedSvg(chartSvg(sweepChart({ title, runs, best: result.bestIndex })), id)],
    ...(result.best ? [[files.best, `${JSON.stringify(result.best, null, 2)}\n`] as const] : []),
  ]);
  return writeRun(results, { id, name: files.search, json: result, others });
}

function* closing(result: SearchResult, wrote: readonly string[], out: string, seconds: number): Generator<string> {
  const { candidates, bestIndex, steps, budget, interrupted, best } = result;
  if (interrupted) yield "stopped on request; the table shows how far it got";
  if (bestIndex === null && interrupted) yield "no best: not every candidate had got as far";
  else if (bestIndex === null) yield "every candidate diverged: try a config with lower rates, or other rules";
  else {
    const found = candidates[bestIndex]!;
    const tested = found.evaluation ? `, ${testPhrase(found.evaluation)}` : "";
    yield `best: ${candidateTitle(found)}, loss ${found.finalLoss?.toFixed(4)}${tested}`;
  }
  yield `${steps.toLocaleString("en")} of ${budget.toLocaleString("en")} steps, ${seconds.toFixed(0)} s`;
  if (wrote.length > 0) yield `wrote ${wrote.join(", ")}`;
  if (best && wrote.includes(join(out, files.best))) yield `train it: npx fallline train ${join(out, files.best)}`;
}
