// Runs the command line as a user would, and collects what it prints: in a process of its own as it is built, or, many
// times faster, in this one from its sources.
import { type ChildProcess, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { format } from "node:util";
import { runProgram } from "../src/app/cli/program.ts";

export const root = resolve(import.meta.dirname, "..");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `fallline ARGS` from the repository's root, built and in a process of its own; `onStart` gets it, to interrupt it. */
export function spawned(
  args: readonly string[],
  onStart: (child: ChildProcess) => void = () => {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<Finished> {
  const child = spawn(process.execPath, [join(root, "dist/cli.js"), ...args], { cwd: root, env });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  onStart(child);
  return new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

let last: Promise<unknown> = Promise.resolve();

/** `fallline ARGS` in this process, one after the other. */
export function fallline(args: readonly string[]): Promise<Finished> {
  return runHere(() => runProgram(args));
}

/** Any part of the command line in this process, one after the other. */
export function runHere(work: () => Promise<void>): Promise<Finished> {
  const finished = last.then(() => collect(work));
  last = finished.catch(() => undefined);
  return finished;
}

async function collect(work: () => Promise<void>): Promise<Finished> {
  const texts = { stdout: "", stderr: "" };
  const undo: (() => void)[] = [];
  for (const name of ["stdout", "stderr"] as const) {
    const stream = process[name];
    const write = stream.write;
    // With a callback in one of two places.
    stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      texts[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
      const done = rest.find((each) => typeof each === "function") as (() => void) | undefined;
      if (done) queueMicrotask(done);
      return true;
    };
    undo.push(() => {
      stream.write = write;
    });
  }
  // The tests' console does not write to the streams.
  const { log, error } = console;
  console.log = (...words: unknown[]) => process.stdout.write(`${format(...words)}\n`);
  console.error = (...words: unknown[]) => process.stderr.write(`${format(...words)}\n`);
  undo.push(() => Object.assign(console, { log, error }));
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await work();
    return { code: Number(process.exitCode ?? 0), ...texts };
  } finally {
    process.exitCode = before;
    for (const restore of undo) restore();
  }
}
