// What a result looks like to people: rows as columns of text for a terminal, and as a page of Markdown.
import type { KernelTime, Result, Row } from "./suite.ts";

const head = [
  "case",
  "engine",
  "ms",
  "± half spread",
  "GFLOP/s",
  "dispatches",
  "passes",
  "submits",
  "host bytes",
  "× ours",
];

/** Three digits that matter; a dash for what was not measured. */
export function digits(value: number | null): string {
  if (value === null) return "–";
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}

/** How many times our row of its case the row takes; empty where there is none. */
function timesOurs(row: Row, rows: readonly Row[]): string {
  const ours = rows.find((each) => each.suite === row.suite && each.case === row.case && row.engine in each.ratioTo);
  const ratio = ours?.ratioTo[row.engine];
  return ratio === undefined ? "" : digits(ratio);
}

function cells(row: Row, rows: readonly Row[]): string[] {
  const { ms, spread, gflops, dispatches, passes, submits, hostBytes } = row;
  return [
    row.case,
    row.engine,
    ...[ms, spread && spread / 2, gflops, dispatches, passes, submits, hostBytes].map(digits),
    timesOurs(row, rows),
  ];
}

/** The table's head and body as text. */
export function tableOf(rows: readonly Row[]): readonly (readonly string[])[] {
  return [head, ...rows.map((row) => cells(row, rows))];
}

/** What is to be said of rows besides their numbers. */
export function remarksOf(rows: readonly Row[]): string[] {
  return rows.flatMap(({ case: name, engine, note, error }) => [
    ...(note ? [`${engine}, ${name}: ${note}.`] : []),
    ...(error ? [`${engine}, ${name}: no time, because ${error}.`] : []),
  ]);
}

function kernelCells({ kernel, ms, share, gflops }: KernelTime): string[] {
  return [kernel, digits(ms), `${(100 * share).toFixed(1)} %`, digits(gflops)];
}
const kernelHead = ["kernel", "ms", "share", "GFLOP/s"];

/** Columns side by side, the first two to the left, the rest to the right. */
function aligned(table: readonly (readonly string[])[], left: number): string {
  const widths = table[0]!.map((_, c) => Math.max(...table.map((line) => line[c]!.length)));
  return table
    .map((line) =>
      line
        .map((cell, c) => (c < left ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Each engine that tells of its kernels, with the sum of them beside what a step takes. */
function kernelTables(rows: readonly Row[]): { title: string; table: string[][] }[] {
  return rows.flatMap(({ case: name, engine, kernels, ms }) => {
    if (!kernels) return [];
    const sum = kernels.reduce((total, kernel) => total + kernel.ms, 0);
    const title = `${engine}, ${name}: each kernel by itself, ${digits(sum)} ms together; a step takes ${digits(ms)} ms`;
    return [{ title, table: [kernelHead, ...kernels.map(kernelCells)] }];
  });
}

export function textOf({ rows }: Pick<Result, "rows">): string {
  return [aligned(tableOf(rows), 2), detailsOf(rows)].filter(Boolean).join("\n\n");
}

/** What follows the table: kernels and remarks. */
export function detailsOf(rows: readonly Row[]): string {
  return [
    ...kernelTables(rows).map(({ title, table }) => `${title}\n${aligned(table, 1)}`),
    ...(remarksOf(rows).length > 0 ? [remarksOf(rows).join("\n")] : []),
  ].join("\n\n");
}

function markdownTable([first, ...rest]: readonly (readonly string[])[]): string {
  const line = (words: readonly string[]) => `| ${words.join(" | ")} |`;
  return [line(first!), line(first!.map((_, c) => (c === 0 ? "---" : "---:"))), ...rest.map(line)].join("\n");
}

export function markdownOf(result: Result): string {
  const { adapter, browser, date, quick, rows } = result;
  const name = [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(" ") || "not named";
  return [
    "# Benchmark",
    `Adapter: ${name}${adapter.software ? " (software: it emulates a GPU on the CPU)" : ""}. Browser: ${browser}. ` +
      `${date}${quick ? ", a quick run" : ""}. Times are medians over rounds in which the engines take turns; half the ` +
      `distance between the quartiles stands beside them. The last column is each engine's time by ours.`,
    markdownTable(tableOf(rows)),
    ...kernelTables(rows).map(({ title, table }) => `## ${title}\n\n${markdownTable(table)}`),
    ...(remarksOf(rows).length > 0
      ? [
          remarksOf(rows)
            .map((remark) => `- ${remark}`)
            .join("\n"),
        ]
      : []),
    "",
  ].join("\n\n");
}
