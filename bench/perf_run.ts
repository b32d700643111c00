// `npm run perf`: runs the cases of the perf test beside their peers and holds our rows to bench/baseline.json. Ratios that
// look worse are measured again, twice at most, before they count: a busy moment is not a regression.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { DataError, FalllineError } from "../src/errors.ts";
import { adapterLine } from "../src/gpu/device.ts";
import { pageCases } from "./cases.ts";
import { type Baseline, baselineCase, oursOf, perfCases, type Regression, regressionsOf } from "./perf.ts";
import { measure, writeWhole } from "./run.ts";
import { root } from "./serve.ts";
import type { Result, Row } from "./suite.ts";

const file = join(root, "bench", "baseline.json");

/** What noise did to ratios between runs on two cores with a software adapter, and a little more. */
const allowance = { ratioToStream: 1.35, ratioTo: 1.6 } as const;

/** Times that ratios which look worse are measured again. */
const retries = 2;

/** @throws DataError where the file is not there or is no baseline. */
export async function readBaseline(): Promise<Baseline> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new DataError("bench/baseline.json is not there; npm run perf -- --update writes it", { cause: error });
  }
  const baseline = JSON.parse(text) as Baseline;
  if (baseline.format !== "fallline-perf/1") {
    throw new DataError(`bench/baseline.json has the format ${baseline.format}; it must be fallline-perf/1`);
  }
  return baseline;
}

/** Parses the command line and runs; sets the process's exit code. */
export async function main(words: readonly string[]): Promise<void> {
  const command = new Command("perf")
    .description("our counts and ratios in the benchmark, held to bench/baseline.json")
    .option("--update", "write what is found as the new baseline", false)
    .action(async ({ update }: { update: boolean }) => {
      process.exitCode = (await (update ? renew() : check())) ? 0 : 1;
    });
  try {
    await command.parseAsync(words);
  } catch (error) {
    if (!(error instanceof FalllineError)) throw error;
    process.stderr.write(`perf: ${error.message}\n`);
    process.exitCode = 1;
  }
}

/** Our rows, by suite and name. */
async function ours(titles: readonly string[]): Promise<{ result: Result; rows: ReadonlyMap<string, Row> }> {
  const result = await measure({ titles });
  return { result, rows: oursOf(pageCases, result.rows) };
}

async function renew(): Promise<boolean> {
  const { result, rows } = await ours(perfCases);
  const broken = perfCases.filter((title) => rows.get(title)?.ms == null);
  if (broken.length > 0) {
    throw new DataError(
      `${broken.join(", ")} gave no time (${rows.get(broken[0]!)?.error}); the baseline is as it was`,
    );
  }
  const baseline: Baseline = {
    format: "fallline-perf/1",
    adapter: adapterLine(result.adapter),
    browser: result.browser,
    date: result.date,
    allowance,
    cases: perfCases.map((title) => baselineCase(rows.get(title)!)),
  };
  await writeWhole(file, `${JSON.stringify(baseline, null, 2)}\n`);
  process.stdout.write(`bench/baseline.json has ${baseline.cases.length} cases now, measured on ${baseline.adapter}\n`);
  return true;
}

async function check(): Promise<boolean> {
  const baseline = await readBaseline();
  const before = new Map(baseline.cases.map((each) => [each.case, each]));
  let left: readonly string[] = baseline.cases.map((each) => each.case);
  let regressions: readonly Regression[] = [];
  for (let attempt = 0; attempt <= retries && left.length > 0; attempt++) {
    const { result, rows } = await ours(left);
    const adapter = adapterLine(result.adapter);
    if (attempt === 0 && adapter !== baseline.adapter) {
      process.stderr.write(`perf: the baseline's ratios are of ${baseline.adapter}; this is ${adapter}\n`);
    }
    const found = left.flatMap((title) => regressionsOf(rows.get(title), before.get(title)!, baseline.allowance));
    const again = left;
    regressions = [...regressions.filter((each) => !again.includes(each.case)), ...found];
    left = [...new Set(found.filter(({ noisy }) => noisy).map((each) => each.case))];
  }
  for (const { case: title, what } of regressions) process.stdout.write(`${title}: ${what}\n`);
  const cases = baseline.cases.length;
  process.stdout.write(
    regressions.length === 0
      ? `${cases} cases are as the baseline has them, or better\n`
      : `${regressions.length} regressions in ${cases} cases; where that is meant, npm run perf -- --update\n`,
  );
  return regressions.length === 0;
}
