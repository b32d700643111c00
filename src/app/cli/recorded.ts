// Shared by the commands that compare an engine with recorded files: all files are read before anything runs, and all end alike.
import { Command } from "commander";
import { DataError, FalllineError } from "../../base/errors.ts";
import type { Engine } from "../../train/engine.ts";
import { type Backend, backendOption } from "./engine.ts";
import { readText } from "./files.ts";

export interface RecordedOptions {
  readonly backend: Backend;
  readonly data?: string;
  readonly json?: boolean;
}

/**
 * Such a command, without its action.
 *
 * @param data What the option `--data` says, where there is one.
 */
export function recordedCommand(name: string, description: string, data?: string): Command {
  const command = new Command(name)
    .description(description)
    .argument("<file...>", "files to check")
    .addOption(backendOption("webgpu"));
  if (data !== undefined) command.option("--data <file>", data);
  return command
    .option("--json", "print only the results, as JSON")
    .addHelpText("after", "\nExit status: 0 all cases pass, 1 a case fails, 2 a file is malformed.");
}

/**
 * Reads every file; one that cannot be read ends the command with status 2.
 *
 * @param complete Loads what a file needs besides itself, such as its data set.
 * @throws DataError that names the file.
 */
export async function readFiles<File, Whole>(
  paths: readonly string[],
  read: (text: string) => File,
  complete: (file: File, path: string) => Whole | Promise<Whole>,
): Promise<Whole[]> {
  try {
    return await Promise.all(paths.map(async (path) => complete(readNamed(path, await readText(path), read), path)));
  } catch (error) {
    process.exitCode = 2;
    throw error;
  }
}

function readNamed<File>(path: string, text: string, read: (text: string) => File): File {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof FalllineError)) throw error;
    throw new DataError(`${path}: ${error.message}`, { cause: error });
  }
}

/** Prints the cases as JSON, or how many of them pass; if one fails, the command ends with status 1. */
export function conclude(
  { backend, adapter }: Engine,
  cases: readonly { readonly ok: boolean }[],
  json: boolean | undefined,
): void {
  const failed = cases.filter(({ ok }) => !ok).length;
  if (json) console.log(JSON.stringify({ backend, adapter, cases }));
  else console.log(`${cases.length - failed} of ${cases.length} cases pass`);
  if (failed > 0) process.exitCode = 1;
}
