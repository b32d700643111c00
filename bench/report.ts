// A result for people: a head, a summary to paste, a table for each suite, remarks; as text for a terminal and as a page of
// Markdown. The page (main.ts) shows the same tables.
import { type AdapterDescription, adapterLine } from "../src/engines/gpu/device.ts";
import type { KernelTime, Result, Row } from "./suite.ts";

/** The rows of one suite, with the columns that are meaningful there. */
export interface Table {
  readonly title: string;
  /** For the columns after the engine. */
  readonly head: readonly string[];
  readonly cases: readonly {
    readonly name: string;
    /** Ours first. */
    readonly rows: readonly { readonly engine: string; readonly ours: boolean; readonly cells: readonly string[] }[];
  }[];
}

/** Our row of each case relative to the others. */
export interface Summary {
  /** The meaning of the columns, a sentence each. */
  readonly said: readonly string[];
  readonly head: readonly string[];
  /** In each line: suite and case, our time, and the peers' times relative to it. */
  readonly lines: readonly (readonly string[])[];
}

/** One case's rows, ours first. */
interface Group {
  readonly suite: string;
  readonly name: string;
  readonly ours: Row | undefined;
  readonly rows: readonly Row[];
}

/** Engines that only move bytes are bounds, and our own step without clipping, or on the arena, is ours: no peers. */
const bounds: readonly string[] = ["stream", "copy", "unclipped", "arena"];

/** On the CPU, where bytes of device memory are meaningless. */
const onCpu: readonly string[] = ["plain", "reference", "maps"];

export const isPeer = (engine: string) => !bounds.includes(engine);

/** Three significant digits; a dash for missing values. */
export function digits(value: number | null): string {
  if (value === null) return "–";
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}

/** The same with k, M and G from a thousand up: 16.8M. */
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

/** A row's time relative to ours of the same case; for files, their size. */
function timesOurs({ engine, bytes }: Row, ours: Row): number | null {
  return ours.ratioTo[engine] ?? (bytes !== null && ours.bytes ? bytes / ours.bytes : null);
}

/** Bytes moved by a peer relative to ours: the ratio of times on a device limited only by memory. */
function bytesByOurs({ engine, bytesPerParam }: Row, { bytesPerParam: ours }: Row): number | null {
  return isPeer(engine) && !onCpu.includes(engine) && bytesPerParam && ours ? bytesPerParam / ours : null;
}

/** Columns by name: their heading, and their cell in a row; null if not measured or meaningless. */
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

/** Suites in the order of their tables; any others follow with all columns. The first column is our time. */
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

/** A table for each suite; columns without measurements are left out. */
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

/** A line for each of our cases. */
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

/** Remarks on rows besides their numbers, errors first; one that applies to several rows appears once. */
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

/** With one full stop: messages of browsers have their own, ours have none. */
export const sentence = (text: string) => `${text.replace(/\.+$/, "")}.`;

/** Groups items by key, in order of first appearance. */
function gather<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const same = found.get(keyOf(item));
    if (same) same.push(item);
    else found.set(keyOf(item), [item]);
  }
  return [...found.values()];
}

/** The number of cases that a remark names. */
const mostCases = 3;

function kernelCells({ kernel, ms, share, gflops }: KernelTime): string[] {
  return [kernel, digits(ms), `${(100 * share).toFixed(1)} %`, digits(gflops)];
}
const kernelHead = ["kernel", "ms", "share", "GFLOP/s"];

/** Each engine that reports its kernels, with their sum next to a step's time. */
function kernelTables(rows: readonly Row[]): { title: string; table: string[][] }[] {
  return rows.flatMap(({ case: name, engine, kernels, ms }) => {
    if (!kernels) return [];
    const sum = kernels.reduce((total, kernel) => total + kernel.ms, 0);
    const title = `${engine}, ${name}: each kernel by itself, ${digits(sum)} ms together; a step takes ${digits(ms)} ms`;
    return [{ title, table: [kernelHead, ...kernels.map(kernelCells)] }];
  });
}

type Described = Pick<Result, "adapter" | "browser" | "date">;

/** Place and time of the run, in one line for a chart's caption. */
export function captionOf({ adapter, browser, date }: Described): string {
  return [nameOf(adapter), browser, date.slice(0, 10)].filter(Boolean).join("; ");
}

const nameOf = (adapter: AdapterDescription) => adapterLine(adapter).replace(/: it emulates.*$/, "");

/** Everything needed to judge the numbers, a sentence each. */
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

/** Lines in aligned columns, the first to the left, the rest to the right; the head's words are one below the other. */
function aligned([head, ...lines]: readonly (readonly string[])[]): string[] {
  const words = head!.map((text) => text.split(" "));
  const height = Math.max(...words.map(({ length }) => length));
  const heads = Array.from({ length: height }, (_, i) => words.map((of) => of[i - height + of.length] ?? ""));
  const all = [...heads, ...lines];
  const widths = head!.map((_, c) => Math.max(...all.map((line) => line[c]!.length)));
  return all.map((line) =>
    line
      .map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)))
      .join("  ")
      .trimEnd(),
  );
}

/** Cases are above their rows, since beside them the table would be too wide. */
function tableText({ title, head, cases }: Table): string {
  const body = cases.flatMap(({ rows }) => rows.map(({ engine, cells }) => [`  ${engine}`, ...cells]));
  const lines = aligned([[title, ...head], ...body]);
  const under = lines.splice(lines.length - body.length);
  for (const { name, rows } of cases) lines.push(name, ...under.splice(0, rows.length));
  return lines.join("\n");
}

/** For a terminal about 120 columns wide. */
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

/** The time of each kernel of an engine on its own, as text. */
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
