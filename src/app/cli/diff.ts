// `fallline diff`: how two runs differ, in their configs and in their losses.
import { Command } from "commander";
import { OptionError } from "../../base/errors.ts";
import { runsChart } from "../../lab/chart.ts";
import {
  type CurveDifference,
  diffCurves,
  diffFields,
  type FieldDifference,
  type RunOutcome,
} from "../../train/diff.ts";
import { chartSvg } from "./chart.ts";
import { writeWhole } from "./files.ts";
import { terminalPlot } from "./plot.ts";
import { readRunFile } from "./run_file.ts";

interface DiffOptions {
  readonly json?: boolean;
  readonly svg?: string;
}

export function diffCommand(): Command {
  return new Command("diff")
    .description("compare two runs: their configs with every default filled in, and their losses step by step")
    .argument("<a>", "a run's folder, its run.json, or a run config")
    .argument("<b>", "the other run")
    .option("--json", "print only the differences, as JSON")
    .option("--svg <file>", "write a chart of both losses")
    .action(diff);
}

async function diff(pathA: string, pathB: string, { json, svg }: DiffOptions): Promise<void> {
  const [a, b] = [await readRunFile(pathA), await readRunFile(pathB)];
  const outcomes = a.outcome && b.outcome ? ([a.outcome, b.outcome] as const) : undefined;
  const result = {
    config: diffFields(a.config, b.config),
    environment: outcomes ? diffFields(outcomes[0].environment, outcomes[1].environment) : [],
    curves: outcomes ? diffCurves(...outcomes) : null,
  };
  const runs = [a, b].flatMap(({ outcome }, i) =>
    outcome ? [{ name: `${"AB"[i]}: ${[pathA, pathB][i]}`, outcome }] : [],
  );
  if (svg !== undefined) {
    const losses = runs.map(({ name, outcome }) => ({ name, losses: outcome.losses }));
    if (losses.length > 0) writeWhole(svg, chartSvg(runsChart({ title: "loss of A and B", runs: losses })));
    else throw new OptionError(`svg is "${svg}", but neither is a run, so there are no losses to draw`);
  }
  if (json) {
    console.log(JSON.stringify(result));
    return;
  }
  for (const line of describe(result)) console.log(line);
  if (runs.length > 0) console.log(plot(runs, result.curves?.identical === true));
  if (svg !== undefined) console.log(`wrote ${svg}`);
}

function* describe(result: {
  readonly config: readonly FieldDifference[];
  readonly environment: readonly FieldDifference[];
  readonly curves: CurveDifference | null;
}): Generator<string> {
  yield result.config.length === 0 ? "config: the same" : "config:";
  yield* result.config.map(fieldLine);
  if (result.environment.length > 0) yield "made with:";
  yield* result.environment.map(fieldLine);
  if (!result.curves) {
    yield "losses: not compared, since they are not both runs";
    return;
  }
  const { steps, identical, firstDifference, largestDifference, final, minimum, testLoss, testAccuracy, testError } =
    result.curves;
  const shared = Math.min(...steps);
  const compared = steps[0] === steps[1] ? `all ${shared} steps` : `the ${shared} steps that both made`;
  yield `losses of ${compared}: ${identical ? "the same to the bit" : `first differ at step ${firstDifference}`}`;
  if (largestDifference) {
    yield `  largest difference ${largestDifference.difference.toPrecision(3)}, at step ${largestDifference.step}`;
  }
  if (steps[0] !== steps[1]) yield `  steps: ${steps[0]} → ${steps[1]}`;
  yield `  last: ${loss(final[0])} → ${loss(final[1])}`;
  yield `  lowest: ${minimum.map((point) => (point.loss === null ? "-" : `${loss(point.loss)} at step ${point.step}`)).join(" → ")}`;
  if (testLoss.some((value) => value !== null)) {
    yield `  test loss: ${testLoss.map((value) => (value === null ? "-" : loss(value))).join(" → ")}`;
  }
  if (testAccuracy.some((accuracy) => accuracy !== null)) {
    yield `  test accuracy: ${testAccuracy.map((share) => (share === null ? "-" : `${(100 * share).toFixed(2)} %`)).join(" → ")}`;
  }
  if (testError.some((value) => value !== null)) {
    yield `  test error: ${testError.map((value) => (value === null ? "-" : loss(value))).join(" → ")}`;
  }
}

function fieldLine({ path, a, b }: FieldDifference): string {
  const word = (value: unknown) => (value === undefined ? "absent" : JSON.stringify(value));
  return `  ${path}: ${word(a)} → ${word(b)}`;
}

function loss(value: number | null): string {
  return value === null ? "not finite" : value.toPrecision(5);
}

function plot(both: readonly { readonly name: string; readonly outcome: RunOutcome }[], identical: boolean): string {
  // Of two identical curves, the second would hide the first.
  const runs = identical ? both.slice(0, 1).map((run) => ({ ...run, name: "both" })) : both;
  const series = runs.map(({ name, outcome }) => ({
    name,
    points: outcome.losses.map((loss, i) => [i + 1, loss] as const),
  }));
  const logY = runs.every(({ outcome }) => outcome.losses.every((loss) => !(loss <= 0)));
  return terminalPlot(series, { title: logY ? "loss (log)" : "loss", xLabel: "step", logY });
}
