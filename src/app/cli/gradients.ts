// `fallline gradients`: the engine's losses, gradients and training runs compared with those recorded elsewhere.
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { DataError } from "../../base/errors.ts";
import {
  type CaseResult,
  type GradientFile,
  gradientCase,
  readRecorded,
  type TrainingFile,
  trainingRun,
} from "../../lab/gradients.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import { type Engine, engineLine } from "../../train/engine.ts";
import { readDataFile } from "./data.ts";
import { openEngine } from "./engine.ts";
import { Bars } from "./progress.ts";
import { conclude, type RecordedOptions, readFiles, recordedCommand } from "./recorded.ts";

/** A file with the data set that its runs train on. */
type Loaded = GradientFile | (TrainingFile & { readonly rows: Dataset });

export function gradientsCommand(): Command {
  return recordedCommand(
    "gradients",
    "repeat recorded gradients and training runs (fallline-gradients/1, fallline-training/1) and compare the results",
    "data set of the training runs (default: the one named in their file, next to it)",
  ).action(gradients);
}

async function gradients(paths: string[], { backend, data, json }: RecordedOptions): Promise<void> {
  const files = await readFiles(paths, readRecorded, (file, path) => withRows(file, path, data));
  const engine = await openEngine(backend);
  const say = (line: string) => json || console.log(line);
  say(engineLine(engine));
  const results: CaseResult[] = [];
  for (const file of files) {
    const [titles, cases] =
      file.format === "fallline-gradients/1" ? gradientRows(file, engine) : trainingRows(file, engine);
    if (results.length > 0) say("");
    say(row("case", titles));
    for (const each of cases) {
      const { result, cells } = await each();
      results.push(result);
      say(`${row(result.id, cells)}  ${result.ok ? "pass" : `FAIL  ${result.error}`}`);
    }
  }
  const cases = results.map(({ id, maxAbs, maxRel, ok, error }) => ({ id, maxAbs, maxRel, ok, error }));
  conclude(engine, cases, json);
}

async function withRows(file: GradientFile | TrainingFile, path: string, data: string | undefined): Promise<Loaded> {
  if (file.format === "fallline-gradients/1") return file;
  const beside = file.data === undefined ? undefined : resolve(dirname(path), file.data);
  const from = data ?? beside;
  if (from === undefined) throw new DataError(`${path}: data is missing; it must name the data set, or --data must`);
  return { ...file, rows: await readDataFile(from) };
}

/** Runs a case; resolves to its result and its cells of the table. */
type Check = () => Promise<{ readonly result: CaseResult; readonly cells: readonly string[] }>;

function gradientRows(file: GradientFile, engine: Engine): readonly [readonly string[], readonly Check[]] {
  const checks = file.cases.map((entry) => async () => {
    const result = await gradientCase(entry, engine);
    const { lossError, gradientError, maxRel } = result;
    return { result, cells: [lossError, gradientError, maxRel].map(exponential) };
  });
  return [["loss", "gradients", "max rel"], checks];
}

function trainingRows(
  { rows, ...file }: TrainingFile & { readonly rows: Dataset },
  engine: Engine,
): readonly [readonly string[], readonly Check[]] {
  const bars = new Bars();
  const checks = file.runs.map((run) => async () => {
    bars.start(run.id, run.losses.length, "steps");
    const result = await trainingRun(file, run, rows, engine, (steps) => bars.update(steps)).finally(() => bars.stop());
    const { maxAbs, maxRel, testAccuracy } = result;
    const accuracy = testAccuracy === null ? "-" : `${(100 * testAccuracy).toFixed(2)} %`;
    return { result, cells: [exponential(maxAbs), exponential(maxRel), accuracy] };
  });
  // Printed so that nobody takes a passing file for one that was checked completely.
  if (file.sharpness.length > 0) {
    console.error(`not checked: sharpness of ${file.sharpness.map(({ id }) => id).join(", ")}`);
  }
  return [["loss", "max rel", "accuracy"], checks];
}

function exponential(value: number | null): string {
  return value === null ? "-" : value.toExponential(2);
}

function row(id: string, cells: readonly string[]): string {
  return `${id.padEnd(44)}${cells.map((cell) => cell.padStart(11)).join("")}`;
}
