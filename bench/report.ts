// What a result looks like to people: a head, a summary that one can paste, a table for each suite, remarks; as text for a
// terminal and as a page of Markdown. The page (main.ts) shows the same tables.
import { type AdapterDescription, adapterLine } from "../src/engines/gpu/device.ts";
import type { KernelTime, Result, Row } from "./suite.ts";

/** The rows of one suite, with the columns that mean something there. */
export interface Table {
  readonly title: string;
  /** Of the columns after the engine. */
  readonly head: readonly string[];
  readonly cases: readonly {
    readonly name: string;
    /** Ours first. */
    readonly rows: readonly { readonly engine: string; readonly ours: boolean; readonly cells: readonly string[] }[];
  }[];
}

/** Our row of each case by the others'. */
export interface Summary {
  /** What the columns mean, a sentence each. */
  readonly said: readonly string[];
  readonly head: readonly string[];
  /** Of each line: suite and case, what ours takes, how many times that the peers take. */
  readonly lines: readonly (readonly string[])[];
}

/** One case's rows, ours first. */
interface Group {
  readonly suite: string;
  readonly name: string;
  readonly ours: Row | undefined;
  readonly rows: readonly Row[];
}

/** What moves bytes and computes nothing is a bound, and our own step without clipping, or on the arena, is ours: no peers. */
const bounds: readonly string[] = ["stream", "copy", "unclipped", "arena"];

/** On the CPU, where bytes of a device's memory mean nothing. */
const onCpu: readonly string[] = ["plain", "reference", "maps"];

export const isPeer = (engine: string) => !bounds.includes(engine);

/** Three digits that matter; a dash for what was not measured. */
export function digits(value: number | null): string {
  if (value === null) return "–";
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}

/** The same with k, M and G from a thousand on: 16.8M. */
export function amount(value: number | null): string {
  if (value === null) return "–";
  // Rounded first: 999.9 is 1k.
  const rounded = Number(value.toPrecision(3));
  const [unit, letter] = units.find(([least]) => Math.abs(rounded) >= least) ?? [1, ""];
  return `${Number((rounded / unit).toPrecision(3))}${letter}`;
}
const units = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

const times = (value: number | null, factor: number) => value && value * factor;

/** A row's time by ours of the same case; of files their size. */
function timesOurs({ engine, bytes }: Row, ours: Row): number | null {
  return ours.ratioTo[engine] ?? (bytes !== null && ours.bytes ? bytes / ours.bytes : null);
}

/** What a peer's step moves by what ours does: its time by ours on a device that memory bounds and nothing else. */
function bytesByOurs({ engine, bytesPerParam }: Row, { bytesPerParam: ours }: Row): number | null {
  return isPeer(engine) && !onCpu.includes(engine) && bytesPerParam && ours ? bytesPerParam / ours : null;
}

/** Columns by name: what stands above them, and their cell of a row; null where it was not measured or means nothing. */
const columns = {
  ms: ["ms", ({ ms }) => ms],
  halfSpread: ["±", ({ spread }) => times(spread, 0.5)],
  us: ["µs", ({ ms }) => times(ms, 1000)],
  halfSpreadUs: ["±", ({ spread }) => times(spread, 500)],
  bytes: ["bytes", ({ bytes }) => bytes],
  gpuMs: ["GPU ms", ({ gpuMs }) => gpuMs],
  params: ["params/s", ({ paramsPerSecond }) => paramsPerSecond, amount],
  gflops: ["GFLOP/s", ({ gflops }) => gflops],
  gigabytes: ["GB/s", ({ gbPerSecond }) => gbPerSecond],
  dispatches: ["dispatches", ({ dispatches }) => dispatches],
  passes: ["passes", ({ passes }) => passes],
  submits: ["submits", ({ submits }) => submits],
  bindGroups: ["bind groups", ({ bindGroups }) => bindGroups],
  hostBytes: ["host bytes", ({ hostBytes }) => hostBytes],
  perParam: ["B/param", ({ bytesPerParam }) => bytesPerParam],
  stream: ["× stream", ({ ratioToStream }) => ratioToStream],
  mapSteps: ["map steps/s", ({ paramsPerSecond }) => paramsPerSecond, amount],
  perRate: ["B/rate", ({ bytesPerParam }) => bytesPerParam],
  slope: ["slope ms", ({ launch }) => launch?.slopeMs ?? null],
  intercept: ["intercept ms", ({ launch }) => launch?.interceptMs ?? null],
  together: ["one call ms", ({ launch }) => launch?.togetherMs ?? null],
  turn: ["steps a turn", ({ launch }) => launch?.steps[0] ?? null],
  byBytes: ["× bytes", (row, ours) => (ours && row !== ours ? bytesByOurs(row, ours) : null)],
  gradients: ["gradients", ({ units }) => units],
  ours: ["× ours", (row, ours) => (ours && row !== ours ? timesOurs(row, ours) : null)],
} satisfies Record<string, Column>;

type Column = readonly [head: string, value: (row: Row, ours: Row | undefined) => number | null, write?: typeof digits];
type ColumnName = keyof typeof columns;

const counts: readonly ColumnName[] = ["dispatches", "passes", "submits", "bindGroups", "hostBytes"];
const time: readonly ColumnName[] = ["ms", "halfSpread", "gpuMs"];
/** Passes are left out, so that a line fits a terminal; the JSON has them. */
const streamed = counts.filter((name) => name !== "passes");
const streaming: readonly ColumnName[] = [
  ...time,
  "params",
  "gigabytes",
  ...streamed,
  "perParam",
  "stream",
  "byBytes",
  "ours",
];
const computing: readonly ColumnName[] = [...time, "gflops", ...counts, "ours"];
const waiting: readonly ColumnName[] = ["ms", "halfSpread", ...counts, "ours"];

/** Suites in the order of their tables; what is not here follows with all columns. The first column is what ours takes. */
const suites: Readonly<Record<string, readonly ColumnName[]>> = {
  update: streaming,
  curve: streaming,
  norm: streaming,
  launch: [
    "ms",
    "halfSpread",
    "turn",
    "slope",
    "intercept",
    "together",
    "gpuMs",
    "dispatches",
    "submits",
    "byBytes",
    "ours",
  ],
  gradient: computing,
  product: computing,
  sweep: [...time, "params", ...counts, "ours"],
  curvature: ["ms", "halfSpread", "gradients", ...counts],
  lbfgs: [...time, "params", "gigabytes", ...counts, "perParam", "ours"],
  cascade: ["us", "halfSpreadUs", "mapSteps", "gigabytes", ...counts, "perRate", "ours"],
  host: ["us", "halfSpreadUs", ...counts, "ours"],
  read: waiting,
  start: waiting,
  size: ["bytes", "ours"],
  cpu: ["ms", "halfSpread", "gflops", "ours"],
};
const allColumns: readonly ColumnName[] = [...time, "params", "gflops", ...streaming.slice(4)];

const columnsOf = (suite: string) => suites[suite] ?? allColumns;

function groupsOf(rows: readonly Row[]): Group[] {
  const order = Object.keys(suites);
  const place = (suite: string) => (order.includes(suite) ? order.indexOf(suite) : order.length);
  return gather(rows, (row) => `${row.suite}: ${row.case}`)
    .map((of): Group => {
      const ours = of.find(({ ratioTo }) => Object.keys(ratioTo).length > 0) ?? of.find(isOurs);
      const [{ suite, case: name }] = of as [Row];
      return { suite, name, ours, rows: ours ? [ours, ...of.filter((row) => row !== ours)] : of };
    })
    .sort((a, b) => place(a.suite) - place(b.suite));
}

const isOurs = ({ engine }: Row) => engine === "fallline";

function cellOf(name: ColumnName, row: Row, ours: Row | undefined): string | null {
  const [, value, write = digits]: Column = columns[name];
  const found = value(row, ours);
  return found === null ? null : write(found);
}

/** A table for each suite; columns in which nothing was measured are left out. */
export function tablesOf(rows: readonly Row[]): Table[] {
  const groups = groupsOf(rows);
  return [...new Set(groups.map(({ suite }) => suite))].map((suite) => {
    const inSuite = groups.filter((group) => group.suite === suite);
    const names = columnsOf(suite).filter(
      (name, i) => i === 0 || inSuite.some((group) => group.rows.some((row) => cellOf(name, row, group.ours) !== null)),
    );
    return {
      title: suite,
      head: names.map((name) => columns[name][0]),
      cases: inSuite.map(({ name, ours, rows: of }) => ({
        name,
        rows: of.map((row) => ({
          engine: row.engine,
          ours: row === ours,
          cells: names.map((column, i) => {
            if (row === ours && column === "ours") return "";
            return cellOf(column, row, ours) ?? (i === 0 && row.error !== undefined ? "failed" : "–");
          }),
        })),
      })),
    };
  });
}

/** A line for each case of ours. */
export function summaryOf(rows: readonly Row[]): Summary {
  const groups = groupsOf(rows).filter(({ ours }) => ours !== undefined);
  const ratioOf = ({ rows: of, ours }: Group, engine: string) => {
    const row = of.find((each) => each !== ours && each.engine === engine);
    return row ? timesOurs(row, ours!) : null;
  };
  const peers = [...new Set(rows.map(({ engine }) => engine))].filter(
    (engine) => isPeer(engine) && groups.some((group) => ratioOf(group, engine) !== null),
  );
  const streamed = groups.some(({ ours }) => ours!.ratioToStream !== null);
  return {
    said: [
      "The time of a step in fallline, and the others' times as multiples of it.",
      ...(streamed
        ? [
            "× stream is our time divided by that of a kernel that moves a bare update's bytes with the least arithmetic.",
          ]
        : []),
    ],
    head: ["case", "ours", ...peers, ...(streamed ? ["× stream"] : [])],
    lines: groups.map((group) => {
      const { suite, name, ours } = group;
      const [first] = columnsOf(suite) as [ColumnName];
      const value = cellOf(first, ours!, ours);
      const ratio = (of: number | null) => (of === null ? "" : digits(of));
      return [
        `${suite}: ${name}`,
        value === null ? (ours!.error === undefined ? "–" : "failed") : `${value} ${columns[first][0]}`,
        ...peers.map((engine) => ratio(ratioOf(group, engine))),
        ...(streamed ? [ratio(ours!.ratioToStream)] : []),
      ];
    }),
  };
}

/** What is to be said of rows besides their numbers, what went wrong first; what holds for several rows once. */
export function remarksOf(rows: readonly Row[]): string[] {
  const said = [
    ...rows.flatMap(({ error, ...row }) => (error ? [{ ...row, text: `no time, because ${error}` }] : [])),
    ...rows.flatMap(({ note, ...row }) => (note ? [{ ...row, text: note }] : [])),
  ];
  const byEngine = gather(said, ({ engine, text }) => `${engine}\n${text}`).map((same) => {
    const cases = same.map((row) => row.case);
    const more = cases.length - mostCases;
    const names = [...cases.slice(0, mostCases), ...(more > 0 ? [`${more} more`] : [])].join("; ");
    return { ...same[0]!, names };
  });
  return gather(byEngine, ({ names, text }) => `${names}\n${text}`).map((same) => {
    const [{ names, text }] = same as [(typeof same)[0]];
    return `${same.map(({ engine }) => engine).join(", ")} (${names}): ${sentence(text)}`;
  });
}

/** With one full stop: a browser's messages have their own, ours have none. */
export const sentence = (text: string) => `${text.replace(/\.+$/, "")}.`;

/** Items of one key together, in the order of the first of them. */
function gather<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const same = found.get(keyOf(item));
    if (same) same.push(item);
    else found.set(keyOf(item), [item]);
  }
  return [...found.values()];
}

/** Cases that a remark names. */
const mostCases = 3;

function kernelCells({ kernel, ms, share, gflops }: KernelTime): string[] {
  return [kernel, digits(ms), `${(100 * share).toFixed(1)} %`, digits(gflops)];
}
const kernelHead = ["kernel", "ms", "share", "GFLOP/s"];

/** Each engine that reports its kernels, with the sum of them beside what a step takes. */
function kernelTables(rows: readonly Row[]): { title: string; table: string[][] }[] {
  return rows.flatMap(({ case: name, engine, kernels, ms }) => {
    if (!kernels) return [];
    const sum = kernels.reduce((total, kernel) => total + kernel.ms, 0);
    const title = `${engine}, ${name}: each kernel by itself, ${digits(sum)} ms together; a step takes ${digits(ms)} ms`;
    return [{ title, table: [kernelHead, ...kernels.map(kernelCells)] }];
  });
}

type Described = Pick<Result, "adapter" | "browser" | "date">;

/** Where and when it ran, in one line for a chart's caption. */
export function captionOf({ adapter, browser, date }: Described): string {
  return [nameOf(adapter), browser, date.slice(0, 10)].filter(Boolean).join("; ");
}

const nameOf = (adapter: AdapterDescription) => adapterLine(adapter).replace(/: it emulates.*$/, "");

/** What must be known to judge the numbers, a sentence each. */
function headOf({ adapter, browser, date, quick, timestamps, incomplete, rows }: Result): string[] {
  const failed = rows.filter(({ error }) => error !== undefined).length;
  return [
    ...(incomplete === undefined ? [] : [`Incomplete: ${sentence(incomplete)}`]),
    `Adapter: ${adapterLine(adapter)}.`,
    `Browser: ${browser}. Started: ${date}${quick ? ", a quick run" : ""}.`,
    `GPU timestamps: ${timestampPhrase(timestamps)}.`,
    "Times are medians over rounds in which the engines take turns; ± is half the distance between the quartiles.",
    ...(failed > 0 ? [`${failed} of ${rows.length} rows have no time; the remarks at the end say why.`] : []),
  ];
}

function timestampPhrase(timestamps: Result["timestamps"]): string {
  if (timestamps === null) return "not offered";
  return timestamps.quantumMs <= 0.001 ? "not rounded" : `rounded to ${digits(timestamps.quantumMs)} ms`;
}

/** Lines of columns side by side, so many of them to the left, the rest to the right; the head's words stand one below another. */
function aligned([head, ...lines]: readonly (readonly string[])[], left = 1): string[] {
  const words = head!.map((text) => text.split(" "));
  const height = Math.max(...words.map(({ length }) => length));
  const heads = Array.from({ length: height }, (_, i) => words.map((of) => of[i - height + of.length] ?? ""));
  const all = [...heads, ...lines];
  const widths = head!.map((_, c) => Math.max(...all.map((line) => line[c]!.length)));
  return all.map((line) =>
    line
      .map((cell, c) => (c < left ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)))
      .join("  ")
      .trimEnd(),
  );
}

/** Cases stand above their rows, since beside them the table would be too wide. */
function tableText({ title, head, cases }: Table): string {
  const body = cases.flatMap(({ rows }) => rows.map(({ engine, cells }) => [`  ${engine}`, ...cells]));
  const lines = aligned([[title, ...head], ...body]);
  const under = lines.splice(lines.length - body.length);
  for (const { name, rows } of cases) lines.push(name, ...under.splice(0, rows.length));
  return lines.join("\n");
}

/** For a terminal of some 120 columns. */
export function textOf(result: Result): string {
  const { rows } = result;
  const { said, head, lines } = summaryOf(rows);
  return [
    headOf(result).join("\n"),
    ...(lines.length > 0 ? [[...said, "", ...aligned([head, ...lines])].join("\n")] : []),
    ...tablesOf(rows).map(tableText),
    ...kernelsOf(rows),
    remarksOf(rows).join("\n"),
  ]
    .filter(Boolean)
    .join("\n\n");
}

/** What each kernel of an engine takes by itself, as text. */
export function kernelsOf(rows: readonly Row[]): string[] {
  return kernelTables(rows).map(({ title, table }) => [title, ...aligned(table)].join("\n"));
}

function markdownTable([first, ...rest]: readonly (readonly string[])[], left = 1): string {
  const line = (words: readonly string[]) => `| ${words.map((word) => word.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(first!), line(first!.map((_, c) => (c < left ? "---" : "---:"))), ...rest.map(line)].join("\n");
}

export function markdownOf(result: Result): string {
  const { rows } = result;
  const summary = summaryOf(rows);
  const remarks = remarksOf(rows).map((remark) => `- ${remark}`);
  return [
    "# Benchmark",
    headOf(result)
      .map((sentence) => `- ${sentence}`)
      .join("\n"),
    ...(summary.lines.length > 0
      ? ["## Summary", summary.said.join(" "), markdownTable([summary.head, ...summary.lines])]
      : []),
    ...tablesOf(rows).map(({ title, head, cases }) => {
      const lines = cases.flatMap(({ name, rows: of }) =>
        of.map(({ engine, ours, cells }) => [name, ours ? `**${engine}**` : engine, ...cells]),
      );
      return `## ${title}\n\n${markdownTable([["case", "engine", ...head], ...lines], 2)}`;
    }),
    ...kernelTables(rows).map(({ title, table }) => `## ${title}\n\n${markdownTable(table)}`),
    ...(remarks.length > 0 ? ["## Remarks", remarks.join("\n")] : []),
    "",
  ].join("\n\n");
}
