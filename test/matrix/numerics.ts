// The part of docs/numerics.md that follows from a run: the table, every rule beside float64, and what is the same to the bit.
import { readFileSync, writeFileSync } from "node:fs";
import { readReplay } from "../../src/lab/replay.ts";
import { rules } from "../../src/rules/index.ts";
import { golden, goldenText } from "../golden.ts";
import type { Report } from "./agent.ts";
import { groups, recordedOf } from "./cases.ts";
import { brief, distance, type HostRun, type MatrixResult, tableLines, tableOf } from "./table.ts";

const marks = ["<!-- matrix -->", "<!-- /matrix -->"] as const;

/** Replaces what stands between the marks. */
export function writeNumerics(path: string, result: MatrixResult): void {
  writeFileSync(path, withNumerics(readFileSync(path, "utf8"), result));
}

/** The page with what follows from a run. */
export function withNumerics(page: string, result: MatrixResult): string {
  const [start, end] = marks.map((mark) => page.indexOf(mark)) as [number, number];
  if (start < 0 || end < start) throw new Error(`the page lacks ${marks.join(" … ")}`);
  return `${page.slice(0, start + marks[0].length)}\n\n${numericsMarkdown(result)}\n\n${page.slice(end)}`;
}

/** Steps after which rules are compared. */
const steps = ["1", "25", "200", "1000"] as const;

type Values = Readonly<Record<string, readonly number[]>>;

/** The drift of every rule by its name. */
function driftOf({ reports }: HostRun): Readonly<Record<string, Values>> {
  const cases = reports.filter((line): line is Extract<Report, { type: "case" }> => line.type === "case");
  return Object.fromEntries(
    cases.flatMap(({ group, name, outcome }) => (group === "drift" && outcome.values ? [[name, outcome.values]] : [])),
  );
}

/** Runs with the same numbers in every rule are a column together. */
function columnsOf(hosts: readonly HostRun[]) {
  const columns: { title: string; drift: Readonly<Record<string, Values>> }[] = [];
  for (const host of hosts) {
    const drift = driftOf(host);
    if (Object.keys(drift).length === 0) continue;
    const title = `${host.implementation}, ${host.driver}`;
    const same = columns.find((column) => JSON.stringify(column.drift) === JSON.stringify(drift));
    if (same) same.title += `<br>${title}`;
    else columns.push({ title, drift });
  }
  return columns;
}

/** What a run says, as Markdown. */
function numericsMarkdown(result: MatrixResult): string {
  const { hosts, reference } = result;
  const { rows, ended } = tableOf(result);
  const { head, lines } = tableLines(rows);
  const columns = columnsOf(hosts);
  const files = recordedFiles();
  const sources = sourcesOf();
  const ruleLines = rules.flatMap(({ name }) => {
    const wanted = reference.find((line) => line.group === "drift" && line.name === name)?.outcome.values;
    if (!wanted) return [];
    const rule = rules.find((one) => one.name === name)!;
    const { replay } = recordedOf(files, rule);
    const theirs = replay.float32MaxError;
    const cells = columns.map(({ drift }) => {
      const its = drift[name];
      return its ? steps.map((step) => brief(distance(its[step]!, wanted[step]!))).join(" · ") : "";
    });
    const apart = apartOf(columns, name);
    const own = theirs === undefined ? "" : `${brief(theirs)} (${sources.get(replay.id)})`;
    return [[`\`${name}\``, own, ...cells, ...(columns.length > 1 ? [brief(apart)] : [])]];
  });
  const ruleHead = [
    ...["rule", "source's own float32", ...columns.map(({ title }) => title)],
    ...(columns.length > 1 ? ["apart after 1,000"] : []),
  ];
  const offered = [...new Set(rows.map(({ shape }) => shape))];
  const unequal = rows.filter(({ same }) => same && same.equal < same.compared);
  const compared = rows.reduce((sum, { same }) => sum + (same?.compared ?? 0), 0);
  return [
    "This part is written by `npm run test:matrix -- --docs`, which runs the same cases on every WebGPU implementation that a machine can",
    `have (${result.date}).`,
    "",
    "## On every implementation",
    "",
    `The worst error of each group of cases, or how many hold, by implementation, driver and shape of the kernels (${offered.join(", ")}).`,
    "Groups that do not depend on the shape run in the first one. An empty cell was not run.",
    "",
    markdownTable(head, lines),
    "",
    ...unitLines(),
    ...(ended.length + result.missing.length > 0
      ? ["", `Not available: ${[...ended, ...result.missing].join("; ")}.`]
      : []),
    "",
    "## Rules against float64",
    "",
    "Largest difference of a parameter from the same formulas in float64, after 1 · 25 · 200 · 1,000 steps. The recorded gradients repeat, with the",
    "sign flipped every other time; options are those of the first recorded case, and the shape is the device's default.",
    "Beside it, how far the source's own float32 run is off within its 25 steps. The reference is the CPU twin in a process whose arrays are",
    `float64; over 25 steps it is within ${brief(fromRecorded(result))} of the recorded float64 of PyTorch and Optax. Implementations with bit-identical`,
    "numbers share a column.",
    "",
    markdownTable(ruleHead, ruleLines),
    "",
    ...(columns.length > 1 ? apartLines(columns) : []),
    "A step is a handful of operations, each off by at most half a unit in the last place, and over many steps errors mostly cancel, except where",
    "every step rounds the same way: `adamw` and `adafactor`, like PyTorch, multiply a parameter by 1 - lr · decay, a constant whose float32 is off",
    "by up to 3e-8. `rprop` multiplies its steps by 1.2 and 0.5 hundreds of times. Where a rule uses a sign (`lion`, `signum`, `rprop`), a",
    "gradient near 0 may flip a step earlier, and the difference is then as large as a step. `prodigy` subtracts parameters from their start",
    "while its distance is small, which magnifies their rounding.",
    "",
    "## The same to the bit",
    "",
    "- **The same run twice**, on one implementation, driver and shape: always. Every rule over 25 steps and the main job over 5 ran twice.",
    "- **On two implementations with one driver**, once the shape of the kernels and the product are pinned: " +
      (unequal.length === 0
        ? `always (${compared.toLocaleString("en")} comparisons).`
        : `not in ${unequal.map(({ implementation, driver, shape }) => `${implementation}, ${driver}, ${shape}`).join("; ")}.`),
    "- **Everywhere**, by construction: initial values, the rows of batches, dropout masks, and arithmetic on whole numbers that float32 holds.",
    "- **Not** where sums are taken, on two drivers, two adapters, two products or two shapes; by default implementations run different shapes",
    "  on one adapter, since not all of them offer its subgroups.",
  ].join("\n");
}

/** The largest difference of the reference from what the sources recorded after 25 steps. */
function fromRecorded({ reference }: MatrixResult): number {
  const files = recordedFiles();
  const off = rules.flatMap((rule) => {
    const { file, replay } = recordedOf(files, rule);
    const recorded = replay.expected.find(({ step }) => step === 25)?.params;
    const ours = reference.find(({ group, name }) => group === "drift" && name === rule.name)?.outcome.values?.[25];
    return recorded && ours
      ? [
          distance(
            ours,
            file.tensors.flatMap(({ name }) => recorded[name]!),
          ),
        ]
      : [];
  });
  return Math.max(0, ...off);
}

const recordedFiles = () => ["replay.json", "replay-matrices.json"].map((name) => readReplay(goldenText(name)));

interface Column {
  readonly drift: Readonly<Record<string, Values>>;
}

/** The largest difference of a parameter between any two after 1,000 steps. */
function apartOf(columns: readonly Column[], name: string): number {
  const last = columns.flatMap(({ drift }) => (drift[name] ? [drift[name][1000]!] : []));
  return Math.max(0, ...last.flatMap((one, i) => last.slice(i + 1).map((other) => distance(one, other))));
}

/** How far implementations come apart, and of which rules. */
function apartLines(columns: readonly Column[]): readonly string[] {
  const apart = rules.map(({ name }) => ({ name, most: apartOf(columns, name) }));
  const same = apart.filter(({ most }) => most === 0);
  const furthest = apart.reduce((a, b) => (b.most > a.most ? b : a));
  return [
    `${same.length} of ${apart.length} rules have the same numbers after 1,000 steps on all of these, which are emulations on one kind of CPU. Of the`,
    `others, \`${furthest.name}\` differs most, by ${brief(furthest.most)}. They sum over tensors, lines or products in an order that depends on the`,
    "kernel's shape, or a driver rounds a root or a division differently. WGSL allows a GPU 2.5 units in the last place for a division, and",
    "leaves open whether it fuses a product with a sum.",
    "",
  ];
}

/** Whose float32 each recorded case holds. */
function sourcesOf(): ReadonlyMap<string, string> {
  const files = ["replay.json", "replay-matrices.json"].map((name) =>
    golden<{ cases: readonly { id: string; source?: string }[] }>(name),
  );
  return new Map(
    files.flatMap(({ cases }) => cases.map(({ id, source = "" }) => [id, /optax/i.test(source) ? "Optax" : "PyTorch"])),
  );
}

const unitLines = () =>
  Object.values(groups).flatMap(({ title, unit }) => (unit === "" ? [] : [`- ${title}: ${unit}`]));

const markdownTable = (head: readonly string[], lines: readonly (readonly string[])[]) =>
  [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
