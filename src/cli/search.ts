// `fallline search`: finds a rule, a schedule and a rate within a budget, and writes them as a run config.

import { join } from "node:path";
import { Command, Option } from "commander";
import { classNotes } from "../data/dataset.ts";
import { sweepChart } from "../lab/chart.ts";
import { jobDefaults, labDefaults } from "../lab/defaults.ts";
import {
  type Standing as Candidacy,
  type Candidate,
  planSearch,
  type SearchResult,
  search,
  searchedRules,
  searchedShapes,
} from "../lab/search.ts";
import { type Shape, shapeNames } from "../lab/shapes.ts";
import { short } from "../lab/words.ts";
import { modelTitle } from "../objectives/model.ts";
import { engineLine } from "../train/engine.ts";
import { readRun } from "../train/train.ts";
import { chartSvg } from "./chart.ts";
import { type Backend, backends, engineOrReference } from "./engine.ts";
import { mustBeWritable, removeFile, writeWhole } from "./files.ts";
import { number } from "./number.ts";
import { type DataOptions, dataHelp, openJob, testRowsHelp } from "./run_file.ts";
import { showRace } from "./show_race.ts";
import { type Standing, standingLine, standingTable } from "./standing.ts";
import { testWords } from "./train.ts";

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

const files = { search: "search.json", chart: "search.svg", best: "best.json" } as const;

export function searchCommand(): Command {
  const job = labDefaults;
  return new Command("search")
    .description("find a rule, a schedule and a rate within a budget of steps, and write them as a run config")
    .argument("[config]", "a run config, or the run.json of a run; default: a small job on MNIST")
    .option("--rules <names>", `rules to try, joined by commas (default: ${searchedRules.join(",")})`)
    .option(
      "--schedules <names>",
      `courses of the rate to try: ${shapeNames.join(", ")} (default: ${searchedShapes.join(",")})`,
    )
    .option("--budget <steps>", "steps of all runs together (default: 7 times those of a run)", number)
    .option("--model <widths>", `widths of the layers (default: ${job.model})`)
    .option("--batch <n>", `examples per step (default: ${job.batch})`, number)
    .option("--steps <n>", `steps of a whole run (default: ${jobDefaults.steps})`, number)
    .option("--seed <n>", `seed of the weights and of the data's order (default: ${job.seed})`, number)
    .addOption(new Option("--backend <name>", "what to run on (default: webgpu, else cpu)").choices(backends))
    .option("--data <path>", dataHelp)
    .option("--test-rows <n>", testRowsHelp, number)
    .option("--out <folder>", "where to write search.json, search.svg and best.json, the run config found", "out")
    .option("--json", "print search.json on stdout and nothing else there")
    .action(runSearch);
}

async function runSearch(path: string | undefined, options: SearchCommandOptions): Promise<void> {
  const { rules, schedules, budget, backend, data: dataPath, testRows, out, json, ...job } = options;
  const say = (line: string) => (json ? console.error(line) : console.log(line));
  const { config, rows } = await openJob(path, job, { data: dataPath, testRows }, labDefaults);
  const asked = {
    ...(rules === undefined ? {} : { rules: names(rules) }),
    ...(schedules === undefined ? {} : { schedules: names(schedules) as Shape[] }),
    ...(budget === undefined ? {} : { budget }),
  };
  const planned = planSearch(config, asked);
  const { train: data, test } = await rows();
  readRun(config, data, test);
  await mustBeWritable(out, Object.values(files));
  const engine = await engineOrReference(backend, say);
  say(engineLine(engine));
  for (const note of classNotes(data, test)) say(`note: ${note}`);
  const from = performance.now();
  let latest: readonly Row[] = [];
  const result = await showRace(test, ({ signal, table, onTest }) =>
    search(engine, config, data, {
      ...asked,
      test,
      signal,
      onTest,
      onStart: (candidates) =>
        say(`${modelTitle(config.model)}, ${candidates} candidates for a run of ${config.steps} steps`),
      onStep(standing) {
        latest = standing.map(rowOf);
        table.update(
          () => standingTable(latest, ({ name }) => name, config.steps),
          () => {
            const made = latest.reduce((sum, { losses }) => sum + losses.length, 0);
            return standingLine(latest, `${made} steps of at most ${planned.budget}`);
          },
        );
      },
    }),
  );
  if (result.steps === 0) {
    say("stopped before the first step; nothing was written");
    process.exitCode = 130;
    return;
  }
  for (const line of standingTable(latest, ({ name }) => name, config.steps)) say(line);
  await writeResults(out, result);
  for (const line of closing(result, out, (performance.now() - from) / 1000)) say(line);
  if (json) console.log(JSON.stringify(result));
}

const names = (list: string) => list.split(",").map((name) => name.trim());

const candidateWords = ({ rule, schedule, lr }: Candidate) => `${rule} ${schedule} ${short(lr)}`;

type Row = Standing & { readonly name: string };

/** A candidate as the table shows it, as it stands now. */
function rowOf(candidacy: Candidacy): Row {
  const { losses, score, verdict, stopped } = candidacy.entrant;
  return { name: candidateWords(candidacy), losses, score, verdict, stopped };
}

async function writeResults(out: string, result: SearchResult): Promise<void> {
  const runs = result.candidates.map((candidate) => ({
    name: candidateWords(candidate),
    losses: candidate.losses.map((loss) => loss ?? Number.NaN),
    stopped: candidate.stopped,
  }));
  const title = `${runs.length} candidates, ${result.steps.toLocaleString("en")} steps in all`;
  await writeWhole(join(out, files.chart), chartSvg(sweepChart({ title, runs, best: result.bestIndex })));
  if (!result.best) await removeFile(join(out, files.best));
  else await writeWhole(join(out, files.best), `${JSON.stringify(result.best, null, 2)}\n`);
  await writeWhole(join(out, files.search), `${JSON.stringify(result, null, 2)}\n`);
}

function* closing(result: SearchResult, out: string, seconds: number): Generator<string> {
  const { candidates, bestIndex, steps, budget, interrupted, best } = result;
  if (interrupted) yield "stopped on request; the table is as far as it came";
  if (bestIndex === null && interrupted) yield "no best: not every candidate had come as far";
  else if (bestIndex === null) yield "every candidate diverged: give a config with lower rates, or other rules";
  else {
    const found = candidates[bestIndex]!;
    const tested = found.evaluation ? `, ${testWords(found.evaluation.loss, found.evaluation.accuracy)}` : "";
    yield `best: ${candidateWords(found)}, loss ${found.finalLoss?.toFixed(4)}${tested}`;
  }
  yield `${steps.toLocaleString("en")} of ${budget.toLocaleString("en")} steps, ${seconds.toFixed(0)} s`;
  const wrote = Object.values(files).filter((name) => best || name !== files.best);
  yield `wrote ${wrote.map((name) => join(out, name)).join(", ")}`;
  if (best) yield `train it: npx fallline train ${join(out, files.best)}`;
}
