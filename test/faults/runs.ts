// Training runs of the built command line that something ends, and what they leave: whole files of one run, from which it can
// go on to the very end that it would have had.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { decodeSafetensors } from "../../src/base/safetensors.ts";
import { Dice } from "./mutants.ts";
import { type Report, Tally } from "./tally.ts";

const cli = join(import.meta.dirname, "..", "..", "dist", "cli.js");
const preload = pathToFileURL(join(import.meta.dirname, "full_disk.mjs")).href;

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

function start(words: readonly string[], environment: NodeJS.ProcessEnv = {}, node: readonly string[] = []): Running {
  const child = spawn(process.execPath, [...node, cli, ...words], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...environment },
  });
  let stderr = "";
  child.stderr!.on("data", (chunk) => {
    stderr += chunk;
  });
  return { child, ended: new Promise((resolve) => child.on("close", (code) => resolve({ code, stderr }))) };
}

/** A folder of its own for a suite, removed at the end. */
async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "fallline-faults-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A run of a few hundred steps, checkpoints and a metric along the way. */
function writeJob(folder: string, seed: number): string {
  const rows = Array.from({ length: 60 }, (_, i) => `${Math.sin(i)},${Math.cos(3 * i)},${i % 3}`);
  writeFileSync(join(folder, "rows.csv"), `x,y,label\n${rows.join("\n")}\n`);
  const config = {
    model: { layers: [2, 16, 3], dropout: 0.1 },
    data: { type: "file", path: join(folder, "rows.csv") },
    optimizer: { rule: "nadam", lr: { type: "plateau", base: 0.05, patience: 3 }, ema: { decay: 0.9 }, accumulate: 2 },
    batch: 8,
    steps: 300,
    seed,
    metric: { type: "testLoss", every: 20 },
    stop: { patience: 1000, restoreBest: true },
    watch: true,
  };
  const path = join(folder, `job${seed}.json`);
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** Files of a run that must not be mixed with another's. */
const together = ["model.safetensors", "loss.svg", "best.safetensors"];

/**
 * What is wrong with the files in a folder, if anything. What a process that was killed was about to write may be there
 * until the next run.
 */
function flaws(folder: string, killed = false): string | undefined {
  if (!existsSync(folder)) return undefined;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (killed && (name.startsWith(".") || name.endsWith(".part"))) continue;
    const bytes = readFileSync(path);
    try {
      if (name.endsWith(".safetensors")) decodeSafetensors(bytes);
      else if (name.endsWith(".json")) JSON.parse(bytes.toString());
      else if (name.endsWith(".svg") && !bytes.toString().trimEnd().endsWith("</svg>")) return `${name} is cut`;
      else if (!/\.(svg|json|safetensors)$/.test(name)) return `${name} was left`;
    } catch (error) {
      return `${name} is broken: ${(error as Error).message}`;
    }
  }
  const run = join(folder, "run.json");
  if (!existsSync(run)) return undefined;
  const { files = {} } = JSON.parse(readFileSync(run, "utf8")) as { files?: Record<string, string> };
  for (const name of together) {
    const path = join(folder, name);
    if (!existsSync(path)) continue;
    const digest = createHash("sha256").update(readFileSync(path)).digest("hex");
    if (files[name] !== undefined && files[name] !== digest) return `${name} is another run's than run.json`;
  }
  return undefined;
}

/** Everything that must be the same of a run that was stopped and one that was not. */
function outcome(folder: string): string {
  const { losses, metrics, testLoss, testAccuracy, reason } = JSON.parse(
    readFileSync(join(folder, "run.json"), "utf8"),
  );
  const { tensors } = decodeSafetensors(readFileSync(join(folder, "model.safetensors")));
  const params = [...tensors].map(([name, { data }]) => [name, Buffer.from(data.buffer).toString("base64")]);
  return JSON.stringify({ losses, metrics, testLoss, testAccuracy, reason, params });
}

const base = ["--backend", "cpu"];

/** Kills without warning at random moments and while results are put in place; each run then goes on to its end. */
export async function kills(times: number, report: Report): Promise<void> {
  await inFolder(async (folder) => {
    const job = writeJob(folder, 1);
    const wanted = join(folder, "whole");
    const began = performance.now();
    const first = await start(["train", job, ...base, "--save-every", "20", "--out", wanted]).ended;
    if (first.code !== 0) throw new Error(`the run that nothing stops ended with ${first.code}: ${first.stderr}`);
    const length = performance.now() - began;
    const whole = outcome(wanted);
    const dice = new Dice(3);

    const tally = new Tally("kills at random moments of a run, which then goes on");
    for (let i = 0; i < times; i++) {
      const out = join(folder, `out${i}`);
      const { child, ended } = start(["train", job, ...base, "--save-every", "20", "--out", out]);
      await new Promise((resolve) => setTimeout(resolve, (length * dice.below(1000)) / 1000));
      child.kill("SIGKILL");
      await ended;
      const kept = existsSync(join(out, "checkpoint.safetensors"));
      const again = flaws(out, true) ?? (await goOn(kept, job, out, whole));
      if (again === undefined) tally.survived(kept ? "went on from a checkpoint" : "began anew");
      else tally.fault(again.slice(0, 60), again);
      rmSync(out, { recursive: true, force: true });
    }
    report(tally.row());

    const aimed = new Tally("kills while results are put in place");
    const other = writeJob(folder, 2);
    const out = join(folder, "aimed");
    for (let i = 0; i < times; i++) {
      const before = inode(join(out, "model.safetensors"));
      const { child, ended } = start(
        ["train", i % 2 ? job : other, ...base, "--steps", "10", "--out", out].filter((_, k) => k < 4 || k > 5),
      );
      let done = false;
      void ended.then(() => {
        done = true;
      });
      while (!done && inode(join(out, "model.safetensors")) === before) await new Promise(setImmediate);
      child.kill("SIGKILL");
      await ended;
      const flaw = flaws(out, true);
      if (flaw === undefined) aimed.survived("files of one run");
      else aimed.fault(flaw.slice(0, 60), flaw);
    }
    report(aimed.row());

    const stops = new Tally("signals that a run can catch");
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      const at = join(folder, signal);
      const { child, ended } = start(["train", job, ...base, "--save-every", "20", "--out", at]);
      while (!existsSync(join(at, "checkpoint.safetensors")) && child.exitCode === null)
        await new Promise((r) => setTimeout(r, 5));
      child.kill(signal);
      const { code, stderr } = await ended;
      const flaw = /\n\s+at /.test(stderr) ? `a stack trace: ${stderr}` : flaws(at);
      const again =
        flaw ??
        (existsSync(join(at, "run.json")) ? await goOn(true, job, at, whole) : `nothing was kept (exit ${code})`);
      if (again === undefined) stops.survived("kept what there was and went on");
      else stops.fault(again.slice(0, 60), `${signal}: ${again}`);
    }
    report(stops.row());
  });
}

const inode = (path: string) => statSync(path, { throwIfNoEntry: false })?.ino;

async function goOn(kept: boolean, job: string, out: string, whole: string): Promise<string | undefined> {
  const words = kept
    ? ["train", "--resume", out, ...base]
    : ["train", job, ...base, "--save-every", "20", "--out", out];
  const { code, stderr } = await start(words).ended;
  if (code !== 0) return `going on ended with ${code}: ${stderr.trim().split("\n").at(-1)}`;
  return flaws(out) ?? (outcome(out) === whole ? undefined : "the run that went on differs from the one never stopped");
}

/** Two runs at once into one folder. */
export async function neighbours(times: number, report: Report): Promise<void> {
  await inFolder(async (folder) => {
    const jobs = [writeJob(folder, 1), writeJob(folder, 2)];
    const tally = new Tally("two runs at once into one folder");
    for (let i = 0; i < times; i++) {
      const out = join(folder, `out${i}`);
      // Of runs that keep checkpoints the second one is refused; others wait for each other.
      const saves = i % 2 ? ["--save-every", "50"] : [];
      const runs = jobs.map((job) => start(["train", job, ...base, ...saves, "--out", out]).ended);
      const ends = await Promise.all(runs);
      const codes = ends.map(({ code }) => code).sort();
      const right = saves.length > 0 ? codes[0] === 0 : codes.every((code) => code === 0);
      const flaw = right
        ? flaws(out)
        : `exit codes ${codes.join(", ")}: ${ends.map(({ stderr }) => stderr).join(" | ")}`;
      if (flaw === undefined) tally.survived(codes[1] === 0 ? "both ended well" : "the second was refused");
      else tally.fault(flaw.slice(0, 60), flaw);
    }
    report(tally.row());
  });
}

/** The disk is full from each write on that a run makes. */
export async function disks(report: Report): Promise<void> {
  await inFolder(async (folder) => {
    const [job, before] = [writeJob(folder, 1), writeJob(folder, 2)];
    const tally = new Tally("disks full from each write of a run on");
    const counted = join(folder, "count");
    await start(["train", job, ...base, "--out", join(folder, "whole")]).ended;
    const whole = outcome(join(folder, "whole"));
    for (let k = 1; ; k++) {
      const out = join(folder, `out${k % 2}`);
      rmSync(out, { recursive: true, force: true });
      mkdirSync(out);
      if (k === 1) await start(["train", before, ...base, "--out", join(folder, "before")]).ended;
      for (const name of ["run.json", ...together]) {
        const from = join(folder, "before", name);
        if (existsSync(from)) writeFileSync(join(out, name), readFileSync(from));
      }
      const environment = { FULL_AFTER: String(k), FULL_IN: out, FULL_COUNT: counted };
      const words = ["train", job, ...base, "--save-every", "100", "--out", out];
      const { code, stderr } = await start(words, environment, ["--import", preload]).ended;
      if (Number(readFileSync(counted, "utf8")) < k) break;
      const flaw = /\n\s+at /.test(stderr) ? `a stack trace: ${stderr}` : flaws(out);
      // Renames need no room: late enough nothing is lost.
      if (flaw === undefined && code === 0 && outcome(out) === whole) tally.survived("kept everything");
      else if (flaw === undefined && code !== 0 && stderr.trim() !== "") tally.survived("said so and kept whole files");
      else
        tally.fault((flaw ?? `exit ${code}`).slice(0, 60), `full at write ${k}: ${flaw ?? `exit ${code}, ${stderr}`}`);
    }
    report(tally.row());
  });
}
