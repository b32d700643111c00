// The perf test: the baseline for our rows of a run. Counts are exact, since they hold on any device; ratios, measured side by
// side in one run, have an allowance. bench/baseline.json is the last accepted one; `npm run perf -- --update` renews it.
import { runCases } from "./run_cases.ts";
import { type Case, type Row, titleOfRow } from "./suite.ts";

/** The costs of a step on any device. */
const counted = ["dispatches", "passes", "submits", "bindGroups", "hostBytes", "bytesPerParam"] as const;
export type CountName = (typeof counted)[number];

/** The cases compared with the baseline, by suite and name. */
export const perfCases: readonly string[] = [
  "update: adamw 1x64k",
  "update: adamw 1x1M",
  "update: adamw 64x16k",
  "update: adamw 200x1k",
  "update: adamw 1x1M clip",
  "update: sgd 1x1M",
  "update: lion 1x1M",
  "update: lamb 1x1M",
  "update: muon 1x64k",
  "update: muon 64 of 64x64",
  "update: adafactor 1x1M",
  "update: adamw 64x16k own buffers",
  "gradient: train 64-32-10 b16",
  "gradient: train 784-1024-256-10 b128",
  "gradient: train 784-1024-256-10 b1024",
];

/** Our row of a case. */
export interface BaselineCase {
  /** Suite and name: "update: adamw 1x1M". */
  readonly case: string;
  readonly counts: Readonly<Record<CountName, number | null>>;
  readonly ratioToStream: number | null;
  /** Each peer's time over ours. */
  readonly ratioTo: Readonly<Record<string, number>>;
}

/** How much worse a ratio may be than the baseline's, as a factor >= 1: just enough for noise. */
export interface Allowance {
  readonly ratioToStream: number;
  readonly ratioTo: number;
}

export interface Baseline {
  readonly format: "fallline-perf/1";
  /** The adapter of the ratios, which mean little elsewhere. */
  readonly adapter: string;
  readonly browser: string;
  readonly date: string;
  readonly allowance: Allowance;
  readonly cases: readonly BaselineCase[];
}

/** Something that is worse than the baseline, or could not be measured. */
export interface Regression {
  readonly case: string;
  readonly what: string;
  /** Whether measuring again may help: counts and errors do not change. */
  readonly noisy: boolean;
}

/** Peers whose times are comparable with ours on any machine; plain loops and our own reference run on the CPU. */
export const heldAgainst: readonly string[] = ["tfjs", "jaxjs", "naive"];

export function baselineCase(row: Row): BaselineCase {
  const ratios = Object.entries(row.ratioTo).filter(([engine]) => heldAgainst.includes(engine));
  return {
    case: titleOfRow(row),
    counts: countsOf(row),
    ratioToStream: row.ratioToStream && round(row.ratioToStream),
    ratioTo: Object.fromEntries(ratios.map(([engine, ratio]) => [engine, round(ratio)])),
  };
}

/** Three digits; more would be noise. */
const round = (value: number) => Number(value.toPrecision(3));

const countsOf = (row: Row): Record<CountName, number | null> => ({
  dispatches: row.dispatches,
  passes: row.passes,
  submits: row.submits,
  bindGroups: row.bindGroups,
  hostBytes: row.hostBytes,
  bytesPerParam: row.bytesPerParam,
});

/** Regressions of `row` from `before`; other counts are one even if they are less, so that gains are recorded too. */
export function regressionsOf(
  row: Row | undefined,
  before: BaselineCase,
  { ratioToStream, ratioTo }: Allowance,
): Regression[] {
  const name = before.case;
  if (!row) return [{ case: name, what: "the run has no such case", noisy: false }];
  if (row.error !== undefined) return [{ case: name, what: row.error, noisy: false }];
  return [...countRegressions(row, before), ...ratioRegressions(row, before, { ratioToStream, ratioTo })];
}

/** The counts that differ from the baseline's. */
export function countRegressions(row: Row, before: BaselineCase): Regression[] {
  const found = countsOf(row);
  return counted.flatMap((name) =>
    found[name] === before.counts[name]
      ? []
      : [{ case: before.case, what: `${name} ${found[name]} instead of ${before.counts[name]}`, noisy: false }],
  );
}

function ratioRegressions(row: Row, before: BaselineCase, allowance: Allowance): Regression[] {
  const regressions: Regression[] = [];
  const add = (what: string) => regressions.push({ case: before.case, what, noisy: true });
  if (before.ratioToStream !== null) {
    const most = before.ratioToStream * allowance.ratioToStream;
    if (row.ratioToStream === null) add("no ratio to the stream kernel");
    else if (row.ratioToStream > most) {
      add(`${show(row.ratioToStream)} times the stream kernel's time; at most ${show(most)}`);
    }
  }
  for (const [engine, ratio] of Object.entries(before.ratioTo)) {
    const least = ratio / allowance.ratioTo;
    const found = row.ratioTo[engine];
    if (found === undefined) add(`no ratio to ${engine}`);
    else if (found < least) add(`${engine} takes only ${show(found)} times as long; at least ${show(least)}`);
  }
  return regressions;
}

const show = (value: number) => value.toPrecision(3);

/** Our rows of cases, by suite and name. */
export function oursOf(cases: readonly Case[], rows: readonly Row[]): ReadonlyMap<string, Row> {
  const titles = new Map(cases.map((each) => [`${each.suite}: ${each.name}`, each.ours]));
  return new Map(
    rows.flatMap((row): [string, Row][] => {
      const title = titleOfRow(row);
      return titles.get(title) === row.engine ? [[title, row]] : [];
    }),
  );
}

/** Only our engine's counts: without times, and without answers, whose reference takes longer than all the rest. */
export async function countOurs(cases: readonly Case[]): Promise<readonly Row[]> {
  const alone = cases.map(({ expected: _, ...each }): Case => {
    const contenders = each.contenders.filter(({ engine }) => engine === each.ours);
    return { ...each, contenders };
  });
  return runCases(alone, { rounds: 0 });
}
