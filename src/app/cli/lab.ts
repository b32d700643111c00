// `fallline lab`: the experiments, their results beside the predictions, and the files that one leaves.
import { Command } from "commander";
import { FalllineError } from "../../base/errors.ts";
import { short } from "../../base/short.ts";
import type { Claim, Experiment, ExperimentOption } from "../../lab/experiments/experiment.ts";
import { experiments } from "../../lab/experiments/index.ts";
import { experimentOf, type LabResult, runExperiment } from "../../lab/experiments/run.ts";
import { engineLine } from "../../train/engine.ts";
import { chartSvg } from "./chart.ts";
import { type Backend, backendOption, engineOrReference } from "./engine.ts";
import { interruptible } from "./interrupt.ts";
import { number } from "./number.ts";
import { Bars } from "./progress.ts";
import { keep, Results, wrotePhrase } from "./results.ts";
import { runId, signedSvg, writeRun } from "./run_id.ts";

/** Milliseconds after which a command shows how far it is. */
const patience = 2000;

interface LabOptions {
  readonly backend?: Backend;
  readonly json?: boolean;
  readonly out?: string;
  readonly [option: string]: unknown;
}

/** @param among The available experiments. */
export function labCommand(among: readonly Experiment[] = experiments): Command {
  const command = new Command("lab")
    .description("experiments on what the learning rate does, each with its predictions; without a name, lists them")
    .argument("[name]", "the experiment")
    .addHelpText("after", "\nExit status: 0 all claims hold, 1 a claim fails, 2 an option is invalid.")
    // An unknown name is named before the options that came with it.
    .allowUnknownOption()
    .allowExcessArguments()
    .action((_name: unknown, _options: unknown, { args }: Command) => {
      const name = args.find((word) => !word.startsWith("-"));
      const option = args.find((word) => word.startsWith("-"));
      if (name !== undefined) experimentOf(name, among);
      if (option !== undefined || name !== undefined) {
        command.error(`error: unknown option '${option ?? name}'; options follow the experiment's name`, {
          exitCode: 2,
        });
      }
      for (const line of list(among)) console.log(line);
    });
  for (const experiment of among) command.addCommand(experimentCommand(experiment));
  return command;
}

function experimentCommand(experiment: Experiment): Command {
  const command = new Command(experiment.name).description(experiment.title).allowExcessArguments(false);
  for (const option of experiment.options) {
    command.option(`--${kebab(option.name)} <${placeholder[option.kind]}>`, describe(option), readerOf(option));
  }
  return command
    .addOption(backendOption())
    .option("--out <folder>", `where to write ${experiment.name}.svg and result.json (default: nowhere)`)
    .option("--json", "print only the result to stdout, as JSON")
    .action((options: LabOptions) => runAndShow(experiment, options));
}

const placeholder = { number: "n", numbers: "n,n", word: "name" } as const;

/** The name of an option as the command line spells it. */
export const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function describe({ meaning, allowed, default: standard }: ExperimentOption): string {
  return `${meaning}; ${allowed} (default: ${String(standard)})`;
}

function readerOf({ kind }: ExperimentOption): (word: string) => unknown {
  if (kind === "word") return (word) => word;
  return kind === "number" ? number : (word) => word.split(",").map(number);
}

function* list(among: readonly Experiment[]): Generator<string> {
  for (const { name, title } of among) {
    yield `${name.padEnd(14)}${title}`;
    yield `${"".padEnd(14)}fallline lab ${name}`;
  }
}

async function runAndShow(experiment: Experiment, options: LabOptions): Promise<void> {
  const { backend, json, out, ...given } = options;
  const say = (line: string) => (json ? console.error(line) : console.log(line));
  experiment.read(given);
  const files = { result: "result.json", chart: `${experiment.name}.svg` };
  const results = out === undefined ? undefined : await Results.open(out, { names: Object.values(files) });
  const work = async (signal: AbortSignal) => {
    const engine = await engineOrReference(backend, say);
    const found = await withProgress(experiment.name, (onProgress) =>
      runExperiment(experiment, given, { engine, signal, onProgress }),
    ).catch((error) => {
      if (!signal.aborted || error instanceof FalllineError) throw error;
      return undefined;
    });
    if (!found) {
      say("stopped; nothing was written");
      process.exitCode = 130;
      return;
    }
    const { chart, notes = [], ...result } = found;
    if (!json) {
      console.log(engineLine(engine));
      console.log(experiment.title);
      for (const line of [...table(found.claims), ...notes]) console.log(line);
    }
    let wrote: readonly string[] = [];
    if (results) {
      const id = runId(result.name, result.config, result.backend, result.claims);
      const svg = signedSvg(chartSvg(chart), id);
      writeRun(results, { id, name: files.result, json: { ...result, notes }, others: new Map([[files.chart, svg]]) });
      wrote = await keep(results);
    }
    say(`${found.seconds.toFixed(1)} s${results ? wrotePhrase(wrote) : ""}`);
    if (json) console.log(JSON.stringify(result));
    if (found.claims.some(({ ok }) => !ok)) process.exitCode = 1;
  };
  await interruptible("stopping", work).finally(() => results?.close());
}

/** Shows a progress bar once the run has taken two seconds. */
async function withProgress(
  title: string,
  work: (onProgress: (done: number) => void) => Promise<LabResult>,
): Promise<LabResult> {
  const bars = new Bars();
  const started = performance.now();
  let shown: number | undefined;
  try {
    return await work((done) => {
      const percent = Math.round(100 * done);
      if (shown === undefined) {
        if (performance.now() - started < patience) return;
        bars.start(title, 100, "%");
        shown = 0;
      }
      // The bar estimates the time left from its latest updates, so each must show progress.
      if (percent <= shown) return;
      shown = percent;
      bars.update(percent);
    });
  } finally {
    bars.stop();
  }
}

function* table(claims: readonly Claim[]): Generator<string> {
  const heads = ["found", "predicted", "difference", "allowance"];
  const width = Math.max(...claims.map(({ what }) => what.length)) + 2;
  yield `  ${"".padEnd(width)}${heads.map((head) => head.padStart(12)).join("")}`;
  for (const { what, found, predicted, allowance, ok } of claims) {
    const cells = [digits(found), digits(predicted), short(found - predicted), short(allowance)];
    yield `${ok ? "✓" : "✗"} ${what.padEnd(width)}${cells.map((cell) => cell.padStart(12)).join("")}`;
  }
}

/** Enough digits to show an allowance of 1e-4. */
const digits = (value: number) => String(Number(value.toPrecision(6)));
