// The table: what every implementation came to, judged beside the reference and beside each other.
import type { Report } from "./agent.ts";
import { type Group, type GroupName, groups, type Outcome } from "./cases.ts";

/** What one implementation with one driver reported. */
export interface HostRun {
  readonly implementation: string;
  readonly driver: string;
  readonly reports: readonly Report[];
}

/** What the CPU reference came to: with float32 the groups of one, with float64 the others. */
export type ReferenceLine = { readonly group: GroupName; readonly name: string; readonly outcome: Outcome };

/** A whole run, as `--json` writes it. */
export interface MatrixResult {
  readonly format: "fallline-matrix/1";
  /** When it began: year, month, day. */
  readonly date: string;
  readonly quick: boolean;
  /** Implementations and drivers that are not here, a line each. */
  readonly missing: readonly string[];
  readonly reference: readonly ReferenceLine[];
  readonly hosts: readonly HostRun[];
}

/** Runs of different parts as one; of what several ran the last. */
export function joined(results: readonly MatrixResult[]): MatrixResult {
  const hosts = results.flatMap((result) => result.hosts);
  const places = hosts.map(({ implementation, driver }) => `${implementation}, ${driver}`);
  const merged = [...new Set(places)].map((place): HostRun => {
    const its = hosts.filter((_, i) => places[i] === place);
    const reports = new Map(its.flatMap(({ reports }) => reports.map((line) => [identityOf(line), line] as const)));
    const shapes = [
      ...new Set(its.flatMap(({ reports }) => reports.flatMap((line) => (line.type === "opened" ? line.shapes : [])))),
    ];
    const all = [...reports.values()].map((line) => (line.type === "opened" ? { ...line, shapes } : line));
    return { ...its[0]!, reports: all };
  });
  const [first] = results as [MatrixResult];
  const reference = new Map(
    results.flatMap((result) => result.reference.map((line) => [`${line.group}: ${line.name}`, line])),
  );
  return {
    ...first,
    reference: [...reference.values()],
    missing: [...new Set(results.flatMap(({ missing }) => missing))],
    hosts: merged,
  };
}

/** What a later report replaces. */
function identityOf(line: Report): string {
  const of =
    line.type === "case" ? [line.shape, line.group, line.name] : line.type === "left" ? [line.shape, line.group] : [];
  return [line.type, ...of].join("\n");
}

/** What a group came to in one row. */
export interface Cell {
  readonly held: number;
  /** Each as a sentence. */
  readonly problems: readonly string[];
  /** What the device does not offer. */
  readonly absent: number;
  /** What there was no time for. */
  readonly left: number;
  /** The worst error, in the group's unit; undefined where there is none. */
  readonly error: number | undefined;
}

export interface TableRow {
  readonly implementation: string;
  readonly driver: string;
  readonly shape: string;
  readonly cells: Readonly<Partial<Record<GroupName, Cell>>>;
  /** How many cases have the bits that others with this driver, or all, have; undefined where there is no other. */
  readonly same: { readonly equal: number; readonly compared: number } | undefined;
}

export interface Table {
  readonly rows: readonly TableRow[];
  /** What did not run at all, and what ended early. */
  readonly ended: readonly string[];
  /** Every problem, with where it was. */
  readonly problems: readonly string[];
}

type CaseReport = Extract<Report, { type: "case" }>;

/** The largest difference that losses of the main job may have: where one unit turns on or off earlier, those after it follow. */
const stepsAllowed = 1e-3;
/** The same of a parameter after 25 steps, relative to the reference above 1: that of the law that the GPU matches the twin. */
const rulesAllowed = 2e-5;

/** @returns whether everything that ran held, as a table with a row for each implementation, driver and shape. */
export function tableOf({ hosts, reference }: MatrixResult): Table {
  const bits = bitsOfAll(hosts, reference);
  // What the float64 reference has no part in is held against the first that ran.
  const firstRuns = hosts.flatMap(({ reports }) =>
    reports.filter((line) => line.type === "case" && line.group === "steps"),
  ) as CaseReport[];
  const problems: string[] = [];
  const ended: string[] = [];
  const rows = hosts.flatMap(({ implementation, driver, reports }): TableRow[] => {
    const where = `${implementation}, ${driver}`;
    const end = reports.find((line) => line.type === "ended");
    const opened = reports.find((line) => line.type === "opened");
    if (!end || end.problem !== undefined) {
      ended.push(`${where}: ${end?.problem ?? "it did not finish"}`);
      // What never opened is not here; what opened and died is broken.
      if (opened) problems.push(`${where}: ${end?.problem ?? "it did not finish"}`);
    }
    return (opened?.shapes ?? [])
      .map((shape): TableRow => {
        let [equal, compared] = [0, 0];
        const cells: Partial<Record<GroupName, Cell>> = {};
        for (const group of Object.keys(groups) as GroupName[]) {
          const its = reports.filter((line) => line.type === "case" && line.shape === shape && line.group === group);
          const left = reports.find((line) => line.type === "left" && line.shape === shape && line.group === group);
          const judged = (its as CaseReport[]).map((line) => {
            const [error, problem] = judge(line, [...reference, ...firstRuns]);
            const others = line.same && line.outcome.bits !== undefined && bits.get(keyOf(line, driver));
            if (!others || others.size < 2) return { line, error, problem };
            const [bitsOfOthers] = others.values();
            compared++;
            if (line.outcome.bits === bitsOfOthers) equal++;
            const differs = `its bits differ from those of ${[...others.keys()][0]}`;
            return { line, error, problem: problem ?? (line.outcome.bits === bitsOfOthers ? undefined : differs) };
          });
          const broken = judged.flatMap(({ line, problem }) =>
            problem === undefined ? [] : [`${line.name}: ${problem}`],
          );
          problems.push(...broken.map((problem) => `${where}, ${shape}, ${group}: ${problem}`));
          const errors = judged.flatMap(({ error }) => (error === undefined ? [] : [error]));
          const absent = judged.filter(({ line }) => line.outcome.absent !== undefined).length;
          if (its.length === 0 && !left) continue;
          cells[group] = {
            held: its.length - broken.length - absent,
            problems: broken,
            absent,
            left: left?.type === "left" ? left.count : 0,
            error: errors.length > 0 ? Math.max(...errors) : undefined,
          };
        }
        return { implementation, driver, shape, cells, same: compared > 0 ? { equal, compared } : undefined };
      })
      .filter(({ cells }) => Object.keys(cells).length > 0);
  });
  return { rows, ended, problems };
}

/** The first bits that each implementation had of a case, by what they must agree with. */
function bitsOfAll(hosts: readonly HostRun[], reference: readonly ReferenceLine[]) {
  const all = new Map<string, Map<string, string>>();
  const note = (key: string, who: string, bits: string | undefined) => {
    if (bits === undefined) return;
    const known = all.get(key) ?? new Map<string, string>();
    if (!known.has(who)) known.set(who, bits);
    all.set(key, known);
  };
  for (const { group, name, outcome } of reference) {
    note(keyOf({ group, name, same: "everywhere", shape: "" }, ""), "the CPU reference", outcome.bits);
  }
  for (const { implementation, driver, reports } of hosts) {
    for (const line of reports) {
      if (line.type === "case" && line.same)
        note(keyOf(line, driver), `${implementation}, ${driver}`, line.outcome.bits);
    }
  }
  return all;
}

/** What a case shares its bits with. */
function keyOf({ group, name, same, shape }: Pick<CaseReport, "group" | "name" | "same" | "shape">, driver: string) {
  return [group, name, ...(same === "everywhere" ? [] : [shape, driver])].join("\n");
}

/** A case's error, and what is wrong with it. */
function judge({ group, name, outcome }: CaseReport, reference: readonly ReferenceLine[]) {
  const { error, problem, values } = outcome;
  if (!values || problem !== undefined) return [error, problem] as const;
  const wanted = reference.find((line) => line.group === group && line.name === name)?.outcome.values;
  if (!wanted) return [undefined, "the reference has no such case"] as const;
  const last = Object.keys(values).at(-1)!;
  const off = distance(values[last]!, wanted[last]!);
  if (group === "drift") return [off, undefined] as const;
  const allowed = group === "steps" ? stepsAllowed : rulesAllowed * Math.max(1, ...wanted[last]!.map(Math.abs));
  return [off, off <= allowed ? undefined : `it is off by ${off}; at most ${allowed} is allowed`] as const;
}

/** The largest difference of two lists of numbers; infinite where one is no number. */
export function distance(ours: readonly number[], wanted: readonly number[]): number {
  if (ours.length !== wanted.length) return Number.POSITIVE_INFINITY;
  const off = ours.map((value, i) => Math.abs(value - wanted[i]!));
  return off.every(Number.isFinite) ? Math.max(0, ...off) : Number.POSITIVE_INFINITY;
}

/** Two digits, short. */
export const brief = (value: number): string =>
  value === 0 ? "0" : value >= 0.01 && value < 1000 ? value.toFixed(2) : value.toExponential(1).replace("e+", "e");

function cellText(cell: Cell | undefined, { unit }: Group): string {
  if (!cell) return "";
  const { held, problems, absent, left, error } = cell;
  const total = held + problems.length;
  if (problems.length > 0) return `${problems.length} of ${total} BROKEN`;
  // A number beside errors would read as one.
  const told = error !== undefined ? brief(error) : unit === "" ? String(held) : `${held} held`;
  if (total === 0) return left > 0 ? `${left} left out` : absent > 0 ? "not offered" : "";
  return left > 0 ? `${told} (${left} left out)` : told;
}

/** The table's head, and its lines as cells of text. */
export function tableLines(rows: readonly TableRow[]): {
  head: readonly string[];
  lines: readonly (readonly string[])[];
} {
  const names = (Object.keys(groups) as GroupName[]).filter((group) => rows.some(({ cells }) => cells[group]));
  const head = ["implementation", "driver", "shape", ...names.map((name) => groups[name].title), "same bits"];
  const lines = rows.map(({ implementation, driver, shape, cells, same }) => [
    ...[implementation, driver, shape, ...names.map((name) => cellText(cells[name], groups[name]))],
    same ? `${same.equal} of ${same.compared}` : "alone",
  ]);
  return { head, lines };
}

/** The table as lines of text. */
export function textOf(result: MatrixResult): string {
  const { rows, ended, problems } = tableOf(result);
  const { head, lines } = tableLines(rows);
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]!.length)));
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  const units = Object.values(groups).flatMap(({ title, unit }) =>
    unit !== "" && head.includes(title) ? [`  ${title}: ${unit}`] : [],
  );
  return [
    lineOf(head),
    ...lines.map(lineOf),
    "",
    "A cell is the worst error, or a count of cases. Errors are",
    ...units,
    ...(ended.length + result.missing.length > 0 ? ["", "Not available:"] : []),
    ...[...ended, ...result.missing].map((line) => `  ${line}`),
    ...(problems.length > 0 ? ["", "Broken:", ...problems.map((line) => `  ${line}`)] : []),
    "",
    summary({ rows, ended, problems }),
  ].join("\n");
}

function summary({ rows, problems }: Table): string {
  const cells = rows.flatMap((row) => Object.values(row.cells));
  const held = cells.reduce((sum, cell) => sum + cell.held, 0);
  const left = cells.reduce((sum, cell) => sum + cell.left, 0);
  return `${held} passed, ${problems.length} failed${left > 0 ? `; ${left} left out for lack of time` : ""}`;
}
