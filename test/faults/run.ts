// `npm run test:faults`: everything that can break while fallline reads, trains and saves, broken on purpose, and what was
// survived. Suites run in processes of their own, as many side by side as there are cores.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Command, InvalidArgumentError } from "commander";
import { bits } from "./bits.ts";
import { allocations, losses, submissions } from "./device_faults.ts";
import { type FormatName, mutants } from "./formats.ts";
import { jobs } from "./jobs.ts";
import { disks, kills, neighbours } from "./runs.ts";
import type { Report, Row } from "./tally.ts";

interface Options {
  readonly mutants: number;
  readonly kills: number;
  readonly only?: string;
  readonly json?: true;
  readonly suite?: string;
}

type Suite = (options: Options, report: Report) => Promise<void>;

/** What is read in one process, under a title. */
const formatGroups: readonly (readonly [title: string, ...names: FormatName[]])[] = [
  ["run checkpoints", "run checkpoints"],
  ["checkpoints", "checkpoints", "checkpoints that are whole but say something else", "safetensors"],
  ["configs", "optimizer configs", "run configs", "schedules", "models", "landscapes"],
  ["data", "optimizer states of PyTorch", "data sets (JSON)", "data sets (CSV)", "data sets (IDX)"],
  ["records", "recorded trajectories", "recorded gradients and runs"],
];

/** Long ones first, so that no core is left alone with one at the end. */
const suites: ReadonlyMap<string, Suite> = new Map<string, Suite>([
  // Muon waits where every optimizer does.
  ...jobs
    .filter(({ name }) => !name.startsWith("muon"))
    .map(({ name }): [string, Suite] => [`losses in ${name}`, (_, report) => losses(report, name)]),
  ["kills", ({ kills: times }, report) => kills(times, report)],
  ...formatGroups.map(([title, ...names]): [string, Suite] => [
    `mutants of ${title}`,
    async (options, report) => {
      for (const name of names) await mutants(options.mutants, report, name);
    },
  ]),
  ["allocations", (_, report) => allocations(report)],
  ["disks", (_, report) => disks(report)],
  ["submissions", (_, report) => submissions(report)],
  ["neighbours", ({ kills: times }, report) => neighbours(Math.ceil(times / 2), report)],
  ["bits", (_, report) => bits(report)],
]);

/** What a suite's process writes before a row. */
const rowMark = "row ";

export async function main(words: readonly string[]): Promise<void> {
  const program = new Command("npm run test:faults --")
    .description("Breaks everything that can break, and counts what is survived")
    .option("--only <text>", "the suites whose name contains this alone")
    .option("--mutants <count>", "damaged files of each format", whole, 50_000)
    .option("--kills <count>", "runs killed at random, and as many while they write", whole, 16)
    .option("--json", "print the rows as JSON")
    .option("--suite <name>", "run one suite in this process, and print its rows")
    .parse([...words]);
  const options = program.opts<Options>();
  if (options.suite !== undefined) {
    await suites.get(options.suite)!(options, (row) => console.log(`${rowMark}${JSON.stringify(row)}`));
    return;
  }
  const chosen = [...suites.keys()].filter((name) => name.includes(options.only ?? ""));
  if (chosen.length === 0)
    program.error(`--only ${options.only} names no suite; there are ${[...suites.keys()].join(", ")}`);
  const began = performance.now();
  const rows = await runAll(chosen, options, (row) => process.stderr.write(`${line(row)}\n`));
  if (options.json) console.log(JSON.stringify(rows, null, 2));
  else console.log(summary(rows, (performance.now() - began) / 1000));
  if (rows.some(({ tried, survived }) => survived < tried)) process.exitCode = 1;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("it must be a whole number >= 1.");
  return value;
}

async function runAll(names: readonly string[], options: Options, report: Report): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const waiting = [...names];
  const lane = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      await runSuite(name, options, (row) => {
        rows.push(row);
        report(row);
      });
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, lane));
  return rows;
}

/** A suite whose process ends badly counts as one fault that was not survived. */
async function runSuite(name: string, { mutants: count, kills: times }: Options, report: Report): Promise<void> {
  const root = join(import.meta.dirname, "..", "..");
  const words = ["--suite", name, "--mutants", String(count), "--kills", String(times)];
  // A blow-up of memory shall end the suite and not the machine.
  const node = ["--max-old-space-size=2048", join(root, "scripts", "run.mjs"), "test/faults/run.ts"];
  const child = spawn(process.execPath, [...node, ...words], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said = `${said}${chunk}`.slice(-2000);
  });
  for await (const text of createInterface({ input: child.stdout })) {
    if (text.startsWith(rowMark)) report(JSON.parse(text.slice(rowMark.length)));
  }
  const code = child.exitCode ?? (await new Promise((resolve) => child.once("exit", resolve)));
  if (code === 0) return;
  const faults = [`the suite ended with ${code ?? child.signalCode}: ${said.trim()}`];
  report({ what: name, tried: 1, survived: 0, how: "", seconds: 0, faults });
}

function line({ what, tried, survived, how, seconds, faults }: Row): string {
  const verdict = survived === tried ? "survived" : `${(tried - survived).toLocaleString("en")} NOT SURVIVED of`;
  const count = tried.toLocaleString("en").padStart(7);
  return [
    `${verdict.padStart(8)} ${count}  ${what} (${how}; ${seconds.toFixed(1)} s)`,
    ...faults.map((f) => `    ${f}`),
  ].join("\n");
}

function summary(rows: readonly Row[], seconds: number): string {
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
  const [tried, survived] = [sum((row) => row.tried), sum((row) => row.survived)];
  const lost = rows.filter((row) => row.survived < row.tried).map(({ what }) => what);
  return [
    `${tried.toLocaleString("en")} faults tried, ${survived.toLocaleString("en")} survived, ${(tried - survived).toLocaleString("en")} not${lost.length > 0 ? `: ${lost.join("; ")}` : ""} (${seconds.toFixed(0)} s)`,
  ].join("\n");
}
