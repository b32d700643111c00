// `npm run perf`: runs the cases of the perf test next to their peers and compares our rows with bench/baseline.json. Ratios that
// look worse are measured again, at most twice, before they count: a busy moment is not a regression.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { DataError } from "../src/base/errors.ts";
import { adapterLine } from "../src/engines/gpu/device.ts";
import { pageCases, titleOf } from "./cases.ts";
import {
  type Baseline,
  type BaselineCase,
  baselineCase,
  heldAgainst,
  oursOf,
  perfCases,
  type Regression,
  regressionsOf,
} from "./perf.ts";
import { measure, writeWhole } from "./run.ts";
import { root } from "./serve.ts";
import { messageOf, quantile, type Result, type Row } from "./suite.ts";

const file = join(root, "bench", "baseline.json");

/** The effect of noise on ratios between runs on two cores with a software adapter, and a little more. */
const allowance = { ratioToStream: 1.35, ratioTo: 1.6 } as const;

/** Repeated measurements of ratios that look worse. */
const retries = 2;

/** A new baseline is the median of this many runs. */
const updateRuns = 3;

/** @throws DataError if the file is missing or is not a baseline. */
export async function readBaseline(): Promise<Baseline> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new DataError("bench/baseline.json is missing; npm run perf -- --update writes it", { cause: error });
  }
  try {
    const baseline: Baseline = JSON.parse(text);
    if (baseline.format === "fallline-perf/1") return baseline;
  } catch (error) {
    throw new DataError(`bench/baseline.json is not JSON (${messageOf(error)}); it must be fallline-perf/1`, {
      cause: error,
    });
  }
  throw new DataError("bench/baseline.json has another format; it must be fallline-perf/1");
}

/** Parses the command line and runs; sets the process's exit code. */
export async function main(words: readonly string[]): Promise<void> {
  await new Command("perf")
    .description("compares our counts and ratios with bench/baseline.json")
    .option("--update", "write the results as the new baseline", false)
    .action(async ({ update }: { update: boolean }) => {
      process.exitCode = (await (update ? renew() : check())) ? 0 : 1;
    })
    .parseAsync(words);
}

/** Our rows, by suite and name. */
async function ours(titles: readonly string[]): Promise<{ result: Result; rows: ReadonlyMap<string, Row> }> {
  const result = await measure({ titles, quick: true });
  return { result, rows: oursOf(pageCases, result.rows) };
}

/** The median of several runs, in each of which every ratio must be present. */
async function renew(): Promise<boolean> {
  const runs: { result: Result; cases: readonly BaselineCase[] }[] = [];
  for (let run = 0; run < updateRuns; run++) {
    const { result, rows } = await ours(perfCases);
    const broken = perfCases.flatMap((title) => whyNoBaseline(title, rows.get(title)));
    if (broken.length > 0) throw new DataError(`${broken.join("; ")}; the baseline is unchanged`);
    runs.push({ result, cases: perfCases.map((title) => baselineCase(rows.get(title)!)) });
  }
  const [{ result }] = runs as [(typeof runs)[number]];
  const baseline: Baseline = {
    format: "fallline-perf/1",
    adapter: adapterLine(result.adapter),
    browser: result.browser,
    date: result.date,
    allowance,
    cases: perfCases.map((_, i) => middleOf(runs.map(({ cases }) => cases[i]!))),
  };
  await writeWhole(file, `${JSON.stringify(baseline, null, 2)}\n`);
  process.stdout.write(`bench/baseline.json now has ${baseline.cases.length} cases, measured on ${baseline.adapter}\n`);
  return true;
}

/** A ratio missing from the baseline would never be checked again. */
function whyNoBaseline(title: string, row: Row | undefined): string[] {
  if (row?.ms == null) return [`${title} gave no time (${row?.error ?? "no such case"})`];
  const engines = pageCases.find((each) => titleOf(each) === title)!.contenders.map(({ engine }) => engine);
  const found = baselineCase(row);
  const missing = engines.filter((engine) =>
    engine === "stream" ? found.ratioToStream === null : heldAgainst.includes(engine) && !(engine in found.ratioTo),
  );
  return missing.map((engine) => `${title} has no ratio to ${engine}`);
}

/** Counts of the first run, medians of the ratios. */
function middleOf(runs: readonly BaselineCase[]): BaselineCase {
  const [first] = runs as [BaselineCase];
  const middle = (ratio: (run: BaselineCase) => number) => quantile(runs.map(ratio), 0.5);
  return {
    ...first,
    ratioToStream: first.ratioToStream && middle((run) => run.ratioToStream!),
    ratioTo: Object.fromEntries(
      Object.keys(first.ratioTo).map((engine) => [engine, middle((run) => run.ratioTo[engine]!)]),
    ),
  };
}

async function check(): Promise<boolean> {
  const baseline = await readBaseline();
  const before = new Map(baseline.cases.map((each) => [each.case, each]));
  let left: readonly string[] = baseline.cases.map((each) => each.case);
  let regressions: readonly Regression[] = [];
  for (let attempt = 0; attempt <= retries && left.length > 0; attempt++) {
    const { result, rows } = await ours(left);
    const adapter = adapterLine(result.adapter);
    const comparable = adapter === baseline.adapter;
    if (attempt === 0 && !comparable) {
      const why = `the baseline is for ${baseline.adapter}, and this is ${adapter}`;
      process.stderr.write(`perf: only counts are compared, since ${why}\n`);
    }
    const found = left
      .flatMap((title) => regressionsOf(rows.get(title), before.get(title)!, baseline.allowance))
      .filter(({ noisy }) => comparable || !noisy);
    const again = left;
    regressions = [...regressions.filter((each) => !again.includes(each.case)), ...found];
    left = [...new Set(found.filter(({ noisy }) => noisy).map((each) => each.case))];
  }
  for (const { case: title, what } of regressions) process.stdout.write(`${title}: ${what}\n`);
  const cases = baseline.cases.length;
  process.stdout.write(
    regressions.length === 0
      ? `${cases} cases match the baseline or are better\n`
      : `${regressions.length} regressions in ${cases} cases; if intended: npm run perf -- --update\n`,
  );
  return regressions.length === 0;
}
